"""What Target said: its answers to a submission and to a status call, parsed but not interpreted.

A receipt accepts the batch, refuses it, or does neither. A status comes in four generations: profiles without
a word for the batch; a word and the failed profiles; a word alone; a word and counts.
"""

from __future__ import annotations

import codecs
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from bulk_profiles.core.json_object import JsonObject, as_json
from bulk_profiles.core.text import printable

from .flat_reader import read_flat, read_flat_receipt
from .response import Response, Statuses, UnusableAnswerError
from .xml_reader import read_xml

MAX_STATUS_BYTES = 60_000_000
_MAX_DIGITS = 12


class TargetState(StrEnum):
    """Target's word for a batch."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    STUCK = "stuck"
    OTHER = "other"  # any other word: it means as much as `incomplete`


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to a submission."""

    success: bool | None = None  # None: it says neither yes nor no, whatever else it says
    status_url: str = ""  # as it came from outside: not safe to call
    message: str = ""  # printable


@dataclass(frozen=True, slots=True)
class StatusAnswer(JsonObject):
    """The answer to a status call. A number that Target did not give is None."""

    state: TargetState | None  # None: the generation without a word for the batch
    batch_id: str = ""
    batch_size: int | None = None
    consumed: int | None = None
    successful: int | None = None
    not_found: int | None = None
    failed: int | None = None
    profiles: Statuses = field(default_factory=dict, repr=False, metadata=as_json(keep=False))
    # Whether it came without its tags, and so does not show where it ends.
    flattened: bool = field(default=False, metadata=as_json(keep=False))

    @property
    def counted(self) -> bool:
        """Whether Target counted results."""
        return (self.consumed, self.successful, self.not_found, self.failed) != (None,) * 4


def read_receipt(body: bytes) -> Receipt:
    """Read the answer to a submission: `true` with a status URL, `false`, or neither yes nor no."""
    try:
        fields = read_receipt_response(body).fields
    except UnusableAnswerError:
        return Receipt()
    message = printable(fields.get("message", ""))
    match fields.get("success", "").lower(), fields.get("batchStatus", ""):
        case "true", url if url:
            return Receipt(success=True, status_url=url, message=message)
        case "false", _:
            return Receipt(success=False, message=message)
        case _:
            return Receipt(message=message)


def read_status(pieces: Iterable[bytes], limit_bytes: int = MAX_STATUS_BYTES) -> StatusAnswer:
    """Read the answer to a status call as it arrives. Raises `UnusableAnswerError`."""
    response = read_status_response(pieces, limit_bytes)
    fields = response.fields
    if not response.profiles and not fields.keys() & {"batchId", "status"}:
        raise UnusableAnswerError("says nothing of a batch")
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
        raise UnusableAnswerError("has a count that is no number")
    return int(text)


def read_receipt_response(body: bytes) -> Response:
    """Read the response to a submission, in XML or flattened. Raises `UnusableAnswerError`."""
    try:
        body.decode()
    except UnicodeDecodeError:
        # The structure is ASCII; only a message can be in another charset, and it is for people.
        body = body.decode("latin-1").encode()
    begin, _ = _skip_space([body])
    return read_xml([begin], encoding="utf-8") if _is_xml(begin) else read_flat_receipt(begin.decode())


def read_status_response(pieces: Iterable[bytes], limit_bytes: int) -> Response:
    """Read the response to a status call, in XML or flattened. Raises `UnusableAnswerError`."""
    begin, rest = _skip_space(_bounded(pieces, limit_bytes))
    whole = itertools.chain([begin], rest)
    return read_xml(whole) if _is_xml(begin) else read_flat(whole)


def _is_xml(begin: bytes) -> bool:
    return begin.startswith(b"<")


def _bounded(pieces: Iterable[bytes], limit_bytes: int) -> Iterator[bytes]:
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > limit_bytes:
            raise UnusableAnswerError(f"is longer than {limit_bytes} bytes")
        yield piece


def _skip_space(pieces: Iterable[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Return the first bytes after white space and a byte order mark, and the pieces that follow."""
    rest = iter(pieces)
    begin = b""
    for piece in rest:
        begin = (begin + piece).lstrip().removeprefix(codecs.BOM_UTF8).lstrip()
        if not codecs.BOM_UTF8.startswith(begin):
            break
    return begin, rest
