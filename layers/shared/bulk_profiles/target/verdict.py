"""What an answer means for a batch and for each of its profiles."""

from __future__ import annotations

import dataclasses
import functools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from bulk_profiles.core.models import Basis, BatchState, ProfileResult, ProfileStatus

from .answers import StatusAnswer, TargetState
from .named_ids import Named, find_named
from .response import UnusableAnswerError


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a batch settles as. `status`, `basis` and `reason` hold for each id that Target did not name.

    `note`: what else a person should know of the batch.
    """

    state: BatchState
    status: ProfileStatus
    basis: Basis
    reason: str = ""
    named: Named = field(default_factory=Named)
    note: str = ""

    def result_of(self, profile_id: str) -> ProfileResult:
        """Give what became of one of the batch's ids."""
        if profile_id in self.named.doubtful:
            return ProfileResult(profile_id, ProfileStatus.UNKNOWN, Basis.BATCH, _DOUBTFUL)
        status = self.named.status_of(profile_id)
        if status is None:
            return ProfileResult(profile_id, self.status, self.basis, self.reason)
        return ProfileResult(profile_id, status, Basis.REPORTED, _REPORTED[status])


_AT_IT = "Target was not done with the batch when it was last asked."
_NO_ANSWER = "Target gave no usable answer when it was last asked about the batch."
_STUCK = "Target gave up on the batch: it is stuck."
_DOUBTFUL = "Target named an id that may be this one, or another of the batch."
_REPORTED = {
    ProfileStatus.SUCCESS: "",
    ProfileStatus.ERROR: "Target reported an error for this profile.",
    ProfileStatus.PENDING: "Target was not done with this profile when it was last asked.",
    ProfileStatus.UNKNOWN: "Target used a word for this profile that is not known.",
}


def whole_batch(state: BatchState, status: ProfileStatus, reason: str) -> Verdict:
    """Say the same of every profile of a batch, e.g. of one that Target refused."""
    return Verdict(state, status, Basis.BATCH, reason)


def needs_details(answer: StatusAnswer) -> bool:
    """Say whether a complete batch is worth one more call, with details: it has neither ids nor counts."""
    return answer.state is TargetState.COMPLETE and not answer.profiles and not answer.counted


def gives_details(answer: StatusAnswer | None) -> bool:
    """Say whether an answer to the question for details is one: it does not take back that all is done."""
    return answer is not None and answer.state in {TargetState.COMPLETE, None}


def add_details(first: StatusAnswer, detailed: StatusAnswer | None) -> StatusAnswer:
    """Give the first terminal answer, which stands, with the ids and counts of a later one.

    A later one that is not complete adds nothing.
    """
    if detailed is None or not gives_details(detailed):
        return first
    size = detailed.batch_size if first.batch_size is None else first.batch_size
    return dataclasses.replace(detailed, state=first.state, batch_id=first.batch_id, batch_size=size)


def settle(
    answer: StatusAnswer | None, ids: Iterable[str], *, rows: int, overdue: bool, batch_id: str = ""
) -> Verdict | None:
    """Say what a batch of `rows` ids is, or None while Target is still at it.

    `answer` None: there was no usable one. `batch_id`: Target's name of the batch, if it is known. `ids`,
    decoded, are read once at most, and only where it matters.
    `overdue`: the time to ask again is over.
    """
    expired = functools.partial(Verdict, BatchState.EXPIRED, ProfileStatus.PENDING, Basis.DEADLINE)
    if answer is None:
        return expired(_NO_ANSWER) if overdue else None
    at_it = answer.state in {TargetState.INCOMPLETE, TargetState.OTHER}
    if at_it and not overdue:
        return None
    try:
        named = find_named(answer.profiles, ids, rows, flattened=answer.flattened)
    except UnusableAnswerError:
        return expired(_NO_ANSWER) if overdue else None
    waiting = named.said[ProfileStatus.PENDING]
    if answer.state is None:  # then only its profiles say when a batch is done
        waiting += named.said[None] + named.said[ProfileStatus.UNKNOWN]
    if answer.state is TargetState.STUCK:
        verdict = whole_batch(BatchState.STUCK, ProfileStatus.ERROR, _STUCK)
    elif waiting and not overdue:
        return None
    elif at_it or (waiting and answer.state is None):
        verdict = expired(_AT_IT)
    else:
        state = BatchState.EXPIRED if waiting else BatchState.COMPLETE
        odd = _oddities(answer, named, batch_id)
        verdict = _complete(state, named.said, odd, _doubts(answer, rows, named.said[ProfileStatus.ERROR]))
    differs = answer.batch_size not in {None, rows}
    note = f"Target counted {answer.batch_size} rows in the batch, and {rows} were sent." if differs else ""
    return dataclasses.replace(verdict, named=named, note=note)


def _complete(
    state: BatchState, said: Counter[ProfileStatus | None], odd: Sequence[str], doubts: Sequence[str]
) -> Verdict:
    """Say what a complete batch is, and with it each profile that Target did not name."""
    verdict = functools.partial(Verdict, state)
    if not said[None]:  # each one has a word of its own: nothing is left to be said of the batch
        return verdict(ProfileStatus.UNKNOWN, Basis.BATCH)
    if said[ProfileStatus.SUCCESS]:  # then it lists all profiles, not only those that failed
        reason = "Target listed the profiles of the batch and not this one."
        return verdict(ProfileStatus.UNKNOWN, Basis.BATCH, reason)
    if odd:
        return verdict(ProfileStatus.UNKNOWN, Basis.BATCH, " ".join([*odd, *doubts]))
    if doubts:
        return verdict(ProfileStatus.UNKNOWN, Basis.COUNTS, " ".join(doubts))
    return verdict(ProfileStatus.SUCCESS, Basis.IMPLIED)


def _oddities(answer: StatusAnswer, named: Named, batch_id: str) -> list[str]:
    """Say in sentences why the answer may not be about our batch, or not spell its ids as they are."""
    odd = []
    if batch_id and answer.batch_id not in {"", batch_id}:
        odd.append("Target's answer names another batch.")
    if named.foreign_errors:
        odd.append(f"Target named {named.foreign_errors} failed ids that are not in the batch.")
    return odd


def _doubts(answer: StatusAnswer, rows: int, errors: int) -> list[str]:
    """Say in sentences why Target's counts leave room for failures that have no name; none: they do not."""
    doubts = []
    failures = (answer.failed or 0) + (answer.not_found or 0)
    if failures > errors:
        numbers = ((answer.failed, "failed"), (answer.not_found, "not found"))
        counted = " and ".join(f"{number} {what}" for number, what in numbers if number)
        doubts.append(f"Target counted {counted}, and named {errors or 'none'} of them.")
    updated = None if answer.successful is None else answer.successful + max(failures, errors)
    taken = [number for number in (answer.batch_size, answer.consumed, updated) if number is not None]
    if min(taken, default=rows) < rows:
        doubts.append(f"Target counted {min(taken)} of the {rows} rows sent, and did not name the others.")
    missing = answer.successful is None and None in {answer.failed, answer.not_found}
    if not doubts and answer.counted and missing:
        doubts.append("Target did not count all outcomes, so there may be failures.")
    return doubts
