"""What Target's answers say of a batch and of each of its profiles, and nothing beyond it.

A submission is accepted, refused, or neither. A status is one of four generations: profiles without a
word for the batch; a word and the failed profiles; a word alone; a word and counts. An id that Target
named has what it reported; success is implied for the others only where nothing that Target said leaves
room for a failure.
"""

from __future__ import annotations

import dataclasses
import functools
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

from .models import Basis, BatchState, Json, ProfileResult, ProfileStatus
from .response import UnusableAnswerError, read_status_response, read_submission_response
from .spellings import Named, find_named

MAX_STATUS_BYTES = 60_000_000
_MAX_MESSAGE = 300
_MAX_DIGITS = 12


class TargetState(StrEnum):
    """Target's word for a batch. A word that is not known means as much as `incomplete`: ask again."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    STUCK = "stuck"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Submission:
    """The answer to a submission. `success` None: it says neither yes nor no, whatever else it says.

    `status_url` is as hostile as it came; `message` is fit to be shown.
    """

    success: bool | None = None
    status_url: str = ""
    message: str = ""


def read_submission(body: bytes) -> Submission:
    """Read the answer to a submission: yes needs a status URL, no is no; all else is neither."""
    try:
        fields = read_submission_response(body).fields
    except UnusableAnswerError:
        return Submission()
    message = printable(fields.get("message", ""))
    match fields.get("success", "").lower(), fields.get("batchStatus", ""):
        case "true", url if url:
            return Submission(success=True, status_url=url, message=message)
        case "false", _:
            return Submission(success=False, message=message)
        case _:
            return Submission(message=message)


def printable(text: str) -> str:
    """Make a text from outside fit to be shown: one line without control characters, not too long."""
    line = "".join(" " if unicodedata.category(character)[0] in "CZ" else character for character in text)
    return " ".join(line.split())[:_MAX_MESSAGE]


@dataclass(frozen=True, slots=True)
class StatusAnswer:
    """The answer to a status call. `state` None: the generation without a word for the batch.

    `profiles` by id as Target spelled it. Numbers that were not given are None. `flattened`: the answer's end
    cannot be seen in the answer itself.
    """

    state: TargetState | None
    batch_id: str = ""
    batch_size: int | None = None
    consumed: int | None = None
    successful: int | None = None
    not_found: int | None = None
    failed: int | None = None
    profiles: dict[str, ProfileStatus] = field(default_factory=dict, repr=False)
    flattened: bool = False

    @property
    def counted(self) -> bool:
        """Whether Target counted results."""
        return (self.consumed, self.successful, self.not_found, self.failed) != (None,) * 4

    def status_of(self, spelling: str) -> ProfileStatus | None:
        """Give what Target said of an id that it spelled exactly so, or None where it did not."""
        return self.profiles.get(spelling)

    def to_json(self) -> Json:
        """Give what the ledger keeps: all but the profiles."""
        return {
            "state": self.state.value if self.state else "",
            "batchId": self.batch_id,
            "batchSize": self.batch_size,
            "consumed": self.consumed,
            "successful": self.successful,
            "notFound": self.not_found,
            "failed": self.failed,
        }

    @classmethod
    def from_json(cls, data: Json) -> Self:
        """Read what `to_json` wrote."""
        return cls(
            state=TargetState(data["state"]) if data["state"] else None,
            batch_id=data["batchId"],
            batch_size=data["batchSize"],
            consumed=data["consumed"],
            successful=data["successful"],
            not_found=data["notFound"],
            failed=data["failed"],
        )


def read_status(chunks: Iterable[bytes], limit_bytes: int = MAX_STATUS_BYTES) -> StatusAnswer:
    """Read the answer to a status call as it arrives. Raises `UnusableAnswerError`, whatever came."""
    response = read_status_response(chunks, limit_bytes)
    fields = response.fields
    if not response.profiles and not fields.keys() & {"batchId", "status"}:
        raise UnusableAnswerError("The answer says nothing of a batch.")
    return StatusAnswer(
        state=_state(fields.get("status")),
        batch_id=printable(fields.get("batchId", "")),
        batch_size=_number(fields.get("batchSize")),
        consumed=_number(fields.get("consumedCount")),
        successful=_number(fields.get("successfulUpdates")),
        not_found=_number(fields.get("profilesNotFound")),
        failed=_number(fields.get("failedUpdates")),
        profiles=response.profiles,
        flattened=response.flattened,
    )


def _state(word: str | None) -> TargetState | None:
    if word is None:
        return None
    try:
        return TargetState(word.lower())
    except ValueError:
        return TargetState.OTHER


def _number(text: str | None) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS):
        raise UnusableAnswerError("The answer has a count that is no number.")
    return int(text)


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
