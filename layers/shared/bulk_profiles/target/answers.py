"""What Target said: its answers to a submission and to a status call, parsed but not interpreted.

A receipt accepts the batch, refuses it, or does neither. A status comes in four generations: profiles without
a word for the batch; a word and the failed profiles; a word alone; a word and counts.
"""

from __future__ import annotations

import codecs
import contextlib
import dataclasses
import html
import itertools
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

from bulk_profiles.core.json_object import JsonObject, as_json
from bulk_profiles.core.text import printable, quantity

from .charset import utf8_pieces
from .flat_reader import read_flat, read_flat_receipt
from .own_words import is_html, is_json, mask, words_of
from .readings import Mentions
from .response import (
    BLANKS,
    Profiles,
    Response,
    Statuses,
    UnusableAnswerError,
    shown,
    successes,
    without_successes,
)
from .xml_reader import read_xml

_RECEIPT_FIELDS = frozenset({"success", "batchStatus", "message"})
_COUNTS = ("batchSize", "consumedCount", "successfulUpdates", "profilesNotFound", "failedUpdates")
_STATUS_FIELDS = frozenset({"batchId", "status", "message", "success", *_COUNTS})
_KNOWN_MESSAGES = frozenset({"", "batch submitted for processing", "batch submitted for processing."})
_BLANKS = BLANKS.encode()
_OTHER_BATCH = "Target's answer names another batch."
_SHOWN_WORD = 40  # characters
_NUMBER = re.compile(r"[0-9]{1,12}")
# In XML, JSON or text, whole or not: a yes, or the address at which Target is asked for a status.
_YES = re.compile(r"\bsuccess\b\W{0,40}true\b|batchStatus\W{0,40}https?:|/batchStatus\?", re.IGNORECASE)
_SEARCHED_CHARACTERS = 64 * 1024
_ENVELOPE_BYTES = 1_000_000
_PROFILE_BYTES = 200  # beside its id: 52 of tags and word, or 104 in UTF-16, and white space
_ID_FACTOR = 3  # bytes of one byte of an id, if it is percent-encoded


class TargetState(StrEnum):
    """Target's word for a batch."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    STUCK = "stuck"
    OTHER = "other"  # any other word: the batch is not known to be finished


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
    # Spellings with a success that something else in the answer overrides.
    contradicted: frozenset[str] = field(default=frozenset(), repr=False, metadata=as_json(keep=False))
    # Spellings in profiles that cannot be read.
    unusable: frozenset[str] = field(default=frozenset(), repr=False, metadata=as_json(keep=False))
    # Whether the answer itself does not show where it ends.
    flattened: bool = field(default=False, metadata=as_json(keep=False))
    # Unknown words for profiles, in quotes, fit to be shown.
    unknown_words: str = field(default="", metadata=as_json(keep=False))
    # Target's word for the batch where it is not known, fit to be shown.
    word: str = field(default="", metadata=as_json(optional=True))
    # What is not understood in the answer, or in the receipt before it, as sentences.
    unclear: tuple[str, ...] = field(default=(), metadata=as_json(optional=True))
    # What stands in parts that are not understood. It is not kept with the answer.
    mentions: Mentions = field(
        default_factory=Mentions, repr=False, compare=False, metadata=as_json(keep=False)
    )
    # What Target called the batch after it had called it complete.
    withdrawn: str = field(default="", metadata=as_json(optional=True))

    def doubted(self, doubt: str) -> Self:
        """Return the answer with one more text on what is not understood, unless that is empty or there."""
        if not doubt or doubt in self.unclear:
            return self
        return dataclasses.replace(self, unclear=(*self.unclear, doubt))

    def about(self, batch_id: str) -> Self:
        """Return the answer to a question about a batch: if it names another one, it reports no success."""
        if self.batch_id in {"", batch_id}:
            return self
        unusable = self.unusable | successes(self.profiles)
        answer = dataclasses.replace(self, profiles=without_successes(self.profiles), unusable=unusable)
        return answer.doubted(_OTHER_BATCH)

    @property
    def counted(self) -> bool:
        """Whether Target counted results."""
        return (self.consumed, self.successful, self.not_found, self.failed) != (None,) * 4


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to a submission."""

    success: bool | None = None  # None: it says neither yes nor no, whatever else it says
    status_url: str = ""  # as it came from outside: not safe to call; it may be missing from a yes
    message: str = ""  # Target's own words, fit to be shown
    html: bool = False  # whether it is a web page
    unclear: tuple[str, ...] = ()  # what is not understood in a yes, as sentences
    named: StatusAnswer | None = None  # the profiles that a yes names with another word than `success`


def max_status_bytes(rows: int, id_bytes: int) -> int:
    """Return how long the answer to a status call may be for a batch of `rows` rows.

    `id_bytes`: how long all their ids are together, or an upper bound, e.g. the size of the batch.
    """
    return _ENVELOPE_BYTES + _PROFILE_BYTES * rows + _ID_FACTOR * id_bytes


MAX_STATUS_BYTES = max_status_bytes(500_000, 50_000_000)


def read_receipt(body: bytes, charset: str = "") -> Receipt:
    """Read the answer to a submission: a yes, a no, or neither. `charset`: the one in Content-Type.

    A yes may lack the status URL; a no that has one is neither. A yes beside anything that is not known, such
    as `<rejected>2</rejected>`, is a yes with a doubt. Of what is no response of Target, only the words are
    read.
    """
    text = _receipt_text(body, charset)
    if is_html(text):
        return Receipt(html=True)
    try:
        response = read_receipt_response(text)
    except UnusableAnswerError:
        return Receipt()
    fields = response.fields
    message = mask(fields.get("message", ""))
    match fields.get("success", "").lower(), fields.get("batchStatus", ""):
        case "true", url:
            unclear, named = tuple(_unclear_in_receipt(response)), _named_in_receipt(response.profiles)
            return Receipt(success=True, status_url=url, message=message, unclear=unclear, named=named)
        case "false", "":
            return Receipt(success=False, message=message)
        case _:
            return Receipt(message=message)


def may_say_yes(body: bytes, charset: str = "") -> bool:
    """Whether what came of an answer to a submission, in whatever form, may be a yes."""
    if read_receipt(body, charset).success:
        return True
    text = html.unescape(_receipt_text(body, charset).replace("\x00", "")[:_SEARCHED_CHARACTERS])
    return bool(_YES.search(text))


def read_status(
    pieces: Iterable[bytes], limit_bytes: int = MAX_STATUS_BYTES, charset: str = ""
) -> StatusAnswer:
    """Read the answer to a status call as it arrives. Raises `UnusableAnswerError`.

    `limit_bytes`: see `max_status_bytes`; `charset`: the one in Content-Type.
    """
    response = read_status_response(pieces, limit_bytes, charset)
    fields, profiles = response.fields, response.profiles
    if not _says_anything(response):
        message = mask(fields.get("message", ""))
        raise UnusableAnswerError("says nothing of a batch" + (f': "{message}"' if message else ""))
    size, consumed, successful, not_found, failed = (_number(fields.get(name, "")) for name in _COUNTS)
    state = _state(fields.get("status"))
    if response.repeated or fields.get("success", "true").lower() != "true":
        profiles.deny_successes()
    for name, text in fields.items():
        if not _is_understood(name, text):
            profiles.mention(text)
    profiles.deny_mentioned()
    return StatusAnswer(
        state=state,
        batch_id=printable(fields.get("batchId", "")),
        batch_size=size,
        consumed=consumed,
        successful=successful,
        not_found=not_found,
        failed=failed,
        profiles=profiles.statuses,
        contradicted=frozenset(profiles.contradicted),
        unusable=frozenset(profiles.unusable),
        flattened=response.flattened,
        unknown_words=shown(_quoted(profiles.unknown_words)),
        word=mask(fields["status"]) if state is TargetState.OTHER else "",
        unclear=tuple(_unclear_in_status(response)),
        mentions=profiles.mentions,
    )


def _named_in_receipt(profiles: Profiles) -> StatusAnswer | None:
    """Return what a receipt says of profiles: no success, for Target has not read the batch by then."""
    denied = successes(profiles.statuses)
    statuses = {name: status for name, status in profiles.statuses.items() if name not in denied}
    if not statuses:
        return None
    words = shown(_quoted(profiles.unknown_words))
    return StatusAnswer(None, profiles=statuses, unusable=frozenset(profiles.unusable), unknown_words=words)


def _says_anything(response: Response) -> bool:
    """Whether an answer says anything. What has no meaning may be about the batch, e.g. that it failed."""
    fields = response.fields
    said = len(fields) > ("message" in fields) or not _is_known(fields.get("message", ""))
    odd = response.unknown_parts or response.repeated or response.unreadable
    return bool(said or odd or response.profiles.statuses)


def _unclear_in_receipt(response: Response) -> Iterator[str]:
    subject = "Target's answer to the submission"
    yield from _unclear(response, subject)
    if profiles := response.profiles.statuses:  # Target has no reason to name any before it has read them
        yield f"{subject} names {quantity(len(profiles), 'profile')}."


def _unclear_in_status(response: Response) -> Iterator[str]:
    # `success` belongs to the answer to a submission.
    yield from _unclear(
        response, "Target's answer", [name for name in ("success",) if name in response.fields]
    )


def _unclear(response: Response, subject: str, misplaced: Iterable[str] = ()) -> Iterator[str]:
    """Yield what is not understood in an answer, as sentences about the `subject`."""
    if parts := [*response.unknown_parts, *misplaced]:
        yield f"{subject} has {_named(parts, 'a part that is not known', 'parts that are not known')}."
    if repeated := response.repeated:
        yield f"{subject} has {_named(repeated, 'a part with two values', 'parts with two values')}."
    if response.unreadable:
        yield f"{quantity(response.unreadable, 'profile')} in {subject} cannot be read."
    if words := _quoted(response.profiles.unknown_words):
        one, several = "a word for profiles that is not known", "words for profiles that are not known"
        yield f"{subject} has {_named(words, one, several)}."
    fields = response.fields
    if no_numbers := [name for name in _COUNTS if name in fields and _number(fields[name]) is None]:
        one, several = "a count that is no number", "counts that are no numbers"
        yield f"{subject} has {_named(no_numbers, one, several)}."
    if fields.get("batchId") == "":
        yield f"{subject} has an empty batchId."
    message = fields.get("message", "")
    if not _is_known(message):
        yield f'{subject} has a message: "{mask(message)}".'


def _is_known(message: str) -> bool:
    return message.lower() in _KNOWN_MESSAGES


def _is_understood(name: str, text: str) -> bool:
    """Whether what a known element says is known."""
    if name in _COUNTS:
        return _number(text) is not None
    if name == "status":
        return _state(text) is not TargetState.OTHER
    return name == "batchId" or _is_known(text)


def _quoted(words: Iterable[str]) -> list[str]:
    return [f'"{mask(word)[:_SHOWN_WORD]}"' if word else "none" for word in words]


def _named(names: Collection[str], one: str, several: str) -> str:
    return f"{one if len(names) == 1 else several}: {shown(names)}"


def _state(word: str | None) -> TargetState | None:
    if word is None:
        return None
    try:
        return TargetState(word.lower())
    except ValueError:
        return TargetState.OTHER


def _number(text: str) -> int | None:
    return int(text) if _NUMBER.fullmatch(text) else None


def read_receipt_response(text: str) -> Response:
    """Read the response to a submission, in XML or flattened. Raises `UnusableAnswerError`."""
    text = text.lstrip("\ufeff" + BLANKS)
    response = read_xml([text.encode()], _RECEIPT_FIELDS) if text.startswith("<") else read_flat_receipt(text)
    if response.repeated:
        raise UnusableAnswerError("contradicts itself")
    return response


def read_status_response(pieces: Iterable[bytes], limit_bytes: int, charset: str = "") -> Response:
    """Read the response to a status call, in XML or flattened. Raises `UnusableAnswerError`."""
    begin, rest = _skip_space(utf8_pieces(_bounded(pieces, limit_bytes), charset))
    text = begin.decode(errors="replace")
    if is_html(text):
        raise UnusableAnswerError("is HTML instead of XML")
    if is_json(text):
        raise UnusableAnswerError(f'is JSON instead of XML: "{words_of(text)}"')
    whole = itertools.chain([begin], rest)
    return read_xml(whole, _STATUS_FIELDS) if begin.startswith(b"<") else read_flat(whole)


def _receipt_text(body: bytes, charset: str) -> str:
    """Return the answer to a submission as text.

    What can be UTF-8 is UTF-8, whatever it is said to be. The structure is ASCII; only a message can be
    misread, and it is for people.
    """
    with contextlib.suppress(UnicodeDecodeError):
        if b"\x00" not in body:  # it is in every character of an answer in UTF-16
            return body.decode()
    try:
        return b"".join(utf8_pieces([body], charset)).decode()
    except (UnusableAnswerError, UnicodeDecodeError):
        return body.decode("latin-1")


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
        begin = (begin + piece).lstrip(_BLANKS).removeprefix(codecs.BOM_UTF8).lstrip(_BLANKS)
        if not codecs.BOM_UTF8.startswith(begin):
            break
    return begin, rest
