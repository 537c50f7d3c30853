"""The verdict on a batch: what Target's answer means for it and for each of its profiles.

A profile that Target named has what Target reported. Success is implied for the others only where nothing
in the answer leaves room for a failure.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field

from bulk_profiles.core.models import Basis, BatchState, ProfileResult, ProfileStatus

from .answers import StatusAnswer, TargetState
from .named_ids import NamedIds, match_ids
from .response import UnusableAnswerError


@dataclass(frozen=True, slots=True)
class Verdict:
    """The state in which a batch ends, and the results of its profiles."""

    state: BatchState
    status: ProfileStatus  # this, `basis` and `reason` hold for each id that Target did not name
    basis: Basis
    reason: str = ""
    named: NamedIds = field(default_factory=NamedIds)
    note: str = ""  # what else a person should know of the batch

    def result_of(self, profile_id: str) -> ProfileResult:
        """Return the result of one of the batch's ids."""
        if profile_id in self.named.doubtful:
            return ProfileResult(profile_id, ProfileStatus.UNKNOWN, Basis.BATCH, _DOUBTFUL)
        status = self.named.status_of(profile_id)
        if status is None:
            return ProfileResult(profile_id, self.status, self.basis, self.reason)
        return ProfileResult(profile_id, status, Basis.REPORTED, _REPORTED[status])


_UNFINISHED = "Target was not done with the batch when it was last asked."
_NO_ANSWER = "Target gave no usable answer when it was last asked about the batch."
_STUCK = "Target gave up on the batch: it is stuck."
_NOT_LISTED = "Target listed the profiles of the batch and not this one."
_DOUBTFUL = "Target named an id that may be this one, or another of the batch."
_REPORTED = {
    ProfileStatus.SUCCESS: "",
    ProfileStatus.ERROR: "Target reported an error for this profile.",
    ProfileStatus.PENDING: "Target was not done with this profile when it was last asked.",
    ProfileStatus.UNKNOWN: "Target used a word for this profile that is not known.",
}
_AT_WORK = frozenset({TargetState.INCOMPLETE, TargetState.OTHER})


def whole_batch(state: BatchState, status: ProfileStatus, reason: str) -> Verdict:
    """Return a verdict that is the same for every profile, e.g. of a batch that Target refused."""
    return Verdict(state, status, Basis.BATCH, reason)


def needs_details(answer: StatusAnswer) -> bool:
    """Whether a complete batch is worth a call for details: the answer has neither ids nor counts."""
    return answer.state is TargetState.COMPLETE and not answer.profiles and not answer.counted


def gives_details(answer: StatusAnswer | None) -> bool:
    """Whether the answer to a call for details is usable: it does not say that the batch is unfinished."""
    return answer is not None and answer.state in {TargetState.COMPLETE, None}


def add_details(first: StatusAnswer, detailed: StatusAnswer | None) -> StatusAnswer:
    """Return the first terminal answer, which stands, with the ids and counts of a later one.

    A later answer that is not complete adds nothing.
    """
    if detailed is None or not gives_details(detailed):
        return first
    size = detailed.batch_size if first.batch_size is None else first.batch_size
    return dataclasses.replace(detailed, state=first.state, batch_id=first.batch_id, batch_size=size)


def settle(
    answer: StatusAnswer | None, ids: Iterable[str], *, rows: int, overdue: bool, batch_id: str = ""
) -> Verdict | None:
    """Return the verdict on a batch of `rows` ids, or None while Target should be asked again.

    `answer` is None if Target gave no usable one; `overdue` means that Target is not asked again. `batch_id`
    is Target's name of the batch, if it is known. `ids`, decoded, are read once at most, and only where they
    matter.
    """
    if not overdue and (answer is None or answer.state in _AT_WORK):
        return None
    verdict = _last_verdict(answer, ids, rows, batch_id)
    return verdict if overdue or verdict.state is not BatchState.EXPIRED else None


def _last_verdict(answer: StatusAnswer | None, ids: Iterable[str], rows: int, batch_id: str) -> Verdict:
    """Return the verdict if Target is not asked again: a batch that it has not finished is expired."""
    if answer is None:
        return _expired(_NO_ANSWER)
    try:
        named = match_ids(answer.profiles, ids, rows, flattened=answer.flattened)
    except UnusableAnswerError:
        return _expired(_NO_ANSWER)
    verdict = _verdict(answer, named, rows, batch_id)
    note = ""
    if answer.batch_size not in {None, rows}:
        note = f"Target counted {answer.batch_size} rows in the batch, and {rows} were sent."
    return dataclasses.replace(verdict, named=named, note=note)


def _verdict(answer: StatusAnswer, named: NamedIds, rows: int, batch_id: str) -> Verdict:
    """Return the verdict with what holds for the profiles that Target did not name."""
    pending = named.by_status[ProfileStatus.PENDING]
    match answer.state:
        case TargetState.STUCK:
            return whole_batch(BatchState.STUCK, ProfileStatus.ERROR, _STUCK)
        case TargetState.INCOMPLETE | TargetState.OTHER:
            return _expired(_UNFINISHED)
        case None:  # only the profiles show whether the batch is finished
            if pending or named.by_status[None] or named.by_status[ProfileStatus.UNKNOWN]:
                return _expired(_UNFINISHED)
    state = BatchState.EXPIRED if pending else BatchState.COMPLETE
    return _finished(state, answer, named, rows, batch_id)


def _finished(state: BatchState, answer: StatusAnswer, named: NamedIds, rows: int, batch_id: str) -> Verdict:
    if not named.by_status[None]:  # each profile has a status of its own
        return whole_batch(state, ProfileStatus.UNKNOWN, "")
    if named.by_status[ProfileStatus.SUCCESS]:  # Target lists all profiles, not only those that failed
        return whole_batch(state, ProfileStatus.UNKNOWN, _NOT_LISTED)
    mismatches = _mismatches(answer, named, batch_id)
    doubts = _doubts(answer, rows, named.by_status[ProfileStatus.ERROR])
    if mismatches:
        return whole_batch(state, ProfileStatus.UNKNOWN, " ".join(mismatches + doubts))
    if doubts:
        return Verdict(state, ProfileStatus.UNKNOWN, Basis.COUNTS, " ".join(doubts))
    return Verdict(state, ProfileStatus.SUCCESS, Basis.IMPLIED)


def _expired(reason: str) -> Verdict:
    return Verdict(BatchState.EXPIRED, ProfileStatus.PENDING, Basis.DEADLINE, reason)


def _mismatches(answer: StatusAnswer, named: NamedIds, batch_id: str) -> list[str]:
    """Return, as sentences, why the answer may be about another batch or spell its ids differently."""
    mismatches = []
    if batch_id and answer.batch_id not in {"", batch_id}:
        mismatches.append("Target's answer names another batch.")
    foreign_errors = named.foreign[ProfileStatus.ERROR]
    if foreign_errors:
        mismatches.append(f"Target named {foreign_errors} failed ids that are not in the batch.")
    return mismatches


def _doubts(answer: StatusAnswer, rows: int, errors: int) -> list[str]:
    """Return, as sentences, why Target's counts leave room for failures beside the `errors` that it named."""
    doubts = []
    failures = (answer.failed or 0) + (answer.not_found or 0)
    if failures > errors:
        counts = ((answer.failed, "failed"), (answer.not_found, "not found"))
        counted = " and ".join(f"{count} {what}" for count, what in counts if count)
        doubts.append(f"Target counted {counted}, and named {errors or 'none'} of them.")
    updated = None if answer.successful is None else answer.successful + max(failures, errors)
    totals = [count for count in (answer.batch_size, answer.consumed, updated) if count is not None]
    lowest = min(totals, default=rows)
    if lowest < rows:
        doubts.append(f"Target counted {lowest} of the {rows} rows sent, and did not name the others.")
    incomplete = answer.successful is None and None in {answer.failed, answer.not_found}
    if not doubts and answer.counted and incomplete:
        doubts.append("Target did not count all outcomes, so there may be failures.")
    return doubts
