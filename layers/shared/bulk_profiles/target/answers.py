"""What Target's answers say of a batch and of each of its profiles, and nothing beyond it.

A submission is accepted, refused, or neither. A status is one of four generations: profiles without a
word for the batch; a word and the failed profiles; a word alone; a word and counts. An id that Target
named has what it reported; success is implied for the others only where nothing that Target said leaves
room for a failure.
"""

from __future__ import annotations

import codecs
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

from bulk_profiles.core.models import Json, ProfileStatus
from bulk_profiles.core.text import printable

from .flat_reader import read_flat, split_words
from .response import Response, UnusableAnswerError
from .xml_reader import read_xml

MAX_STATUS_BYTES = 60_000_000
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


def read_submission_response(body: bytes) -> Response:
    """Read the answer to a submission. Raises `UnusableAnswerError`."""
    try:
        body.decode()
    except UnicodeDecodeError:
        # The structure is ASCII; only a message can be in another charset, and it is for people.
        body = body.decode("latin-1").encode()
    first, _ = _begin([body])
    if first.startswith(b"<"):
        return read_xml([first], encoding="utf-8")
    success, *rest = first.decode().split() or [""]
    # Only what follows a URL shows that it is whole.
    url = rest.pop(0) if len(rest) > 1 and rest[0].lower().startswith(("http://", "https://")) else ""
    return Response({"success": success, "batchStatus": url, "message": " ".join(rest)}, flattened=True)


def read_status_response(chunks: Iterable[bytes], limit_bytes: int) -> Response:
    """Read the answer to a status call. Raises `UnusableAnswerError`."""
    first, rest = _begin(_bounded(chunks, limit_bytes))
    whole = itertools.chain([first], rest)
    return read_xml(whole) if first.startswith(b"<") else read_flat(split_words(whole))


def _bounded(chunks: Iterable[bytes], limit_bytes: int) -> Iterator[bytes]:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > limit_bytes:
            raise UnusableAnswerError(f"The answer is longer than {limit_bytes} bytes.")
        yield chunk


def _begin(chunks: Iterable[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Give the first bytes that are not white space or a byte order mark, and what follows."""
    rest = iter(chunks)
    first = b""
    for chunk in rest:
        first = (first + chunk).lstrip().removeprefix(codecs.BOM_UTF8).lstrip()
        if not codecs.BOM_UTF8.startswith(first):
            break
    return first, rest
