"""Target's `<response>`, read as a stream and believed only when it is whole.

XML is read by expat, which holds it to account: an answer that is cut short or broken is none. What
expat would refuse and Target may send, a raw `&`, is put right first. What expat would accept and
Target has no reason to send is refused: a DOCTYPE, and with it every entity. The oldest form of the
answers is that XML with its tags lost; nothing in it shows that it was cut short, so whoever reads it
must know that all of it arrived.
"""

from __future__ import annotations

import codecs
import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NoReturn
from xml.parsers import expat

from .errors import BulkProfilesError
from .models import ProfileStatus

MAX_PROFILES = 600_000  # a batch has at most 500,000 rows
_MAX_TEXT = 8 * 1024
_MAX_TOKEN = 1024 * 1024
_MAX_DEPTH = 16
_MAX_FIELDS = 64
_LONGEST_REFERENCE = len("&#1114111;")
_MENDED_AMPERSAND = "&#0000038;"  # as nobody else writes it: where expat leaves it as it is, it is known
_RAW_AMPERSAND = re.compile(rb"&(?!(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6});)")
_BATCH_ID = re.compile(r"(?=.*[0-9])[\w.-]{1,128}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,12}")

_COUNTS = ("consumedCount", "successfulUpdates", "profilesNotFound", "failedUpdates")  # v1 has no first one
_WORDS = {
    "success": ProfileStatus.SUCCESS,
    "error": ProfileStatus.ERROR,
    "failed": ProfileStatus.ERROR,
    "pending": ProfileStatus.PENDING,
}
_BATCH_WORDS = frozenset({"complete", "incomplete", "stuck"})
_CAUTION = {
    status: rank
    for rank, status in enumerate(
        (ProfileStatus.SUCCESS, ProfileStatus.UNKNOWN, ProfileStatus.PENDING, ProfileStatus.ERROR)
    )
}


class UnusableAnswerError(BulkProfilesError):
    """An answer is broken, cut short, too long or no answer at all; the message says which, and no more."""


@dataclass(frozen=True, slots=True)
class Response:
    """The texts below `<response>` by element, and the profiles by id as Target spelled it."""

    fields: dict[str, str] = field(default_factory=dict)
    profiles: dict[str, ProfileStatus] = field(default_factory=dict)
    flattened: bool = False


def note(profiles: dict[str, ProfileStatus], profile_id: str, status: ProfileStatus) -> None:
    """Enter what was said of an id; where two things were said, the more cautious one stays."""
    before = profiles.setdefault(profile_id, status)
    if before is not status and _CAUTION[status] > _CAUTION[before]:
        profiles[profile_id] = status


def read_submission_response(body: bytes) -> Response:
    """Read the answer to a submission. Raises `UnusableAnswerError`."""
    try:
        body.decode()
    except UnicodeDecodeError:
        # The structure is ASCII; only a message can be in another charset, and it is for people.
        body = body.decode("latin-1").encode()
    first, _ = _begin([body])
    if first.startswith(b"<"):
        return _read_xml([first], encoding="utf-8")
    success, *rest = first.decode().split() or [""]
    # Only what follows a URL shows that it is whole.
    url = rest.pop(0) if len(rest) > 1 and rest[0].lower().startswith(("http://", "https://")) else ""
    return Response({"success": success, "batchStatus": url, "message": " ".join(rest)}, flattened=True)


def read_status_response(chunks: Iterable[bytes], limit_bytes: int) -> Response:
    """Read the answer to a status call. Raises `UnusableAnswerError`."""
    first, rest = _begin(_bounded(chunks, limit_bytes))
    whole = itertools.chain([first], rest)
    return _read_xml(whole) if first.startswith(b"<") else _read_flattened(_split(whole))


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


def _read_xml(chunks: Iterable[bytes], encoding: str | None = None) -> Response:
    reader = _XmlReader(encoding)
    try:
        for chunk in chunks:
            reader.feed(chunk)
        return reader.close()
    except (expat.ExpatError, LookupError, ValueError) as error:  # the last two: an encoding of its own
        raise UnusableAnswerError("The answer is not whole, well-formed XML.") from error


class _XmlReader:
    """One answer in XML. Feed it any pieces; `close` gives the response."""

    def __init__(self, encoding: str | None) -> None:
        parser = expat.ParserCreate(encoding)
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.StartCdataSectionHandler = self._start_cdata
        parser.StartDoctypeDeclHandler = self._doctype
        self._parser = parser
        self._fed = 0
        self._tail = b""
        self._response = Response()
        self._depth = 0
        self._text = ""
        self._cdata = False
        self._in_profile = False
        self._id = ""
        self._word = ""

    def feed(self, chunk: bytes) -> None:
        data = self._tail + chunk
        # A reference that the chunk's end may cut in two is judged when the rest is there.
        cut = data.rfind(b"&", -_LONGEST_REFERENCE)
        if cut < 0:
            cut = len(data)
        self._tail = data[cut:]
        self._parse(data[:cut])

    def close(self) -> Response:
        self._parse(self._tail)
        self._parser.Parse(b"", True)
        return self._response

    def _parse(self, data: bytes) -> None:
        whole = _RAW_AMPERSAND.sub(_MENDED_AMPERSAND.encode(), data)
        self._fed += len(whole)
        self._parser.Parse(whole)
        if self._fed - self._parser.CurrentByteIndex > _MAX_TOKEN:
            _refuse("has an element without end")

    def _start(self, name: str, _attributes: dict[str, str]) -> None:
        self._depth += 1
        self._text = ""
        self._cdata = False
        if self._depth == 1:
            if name != "response":
                _refuse("is not a response of Target")
        elif name == "profile":
            if self._in_profile or len(self._response.profiles) >= MAX_PROFILES:
                _refuse("has a profile within a profile, or too many of them")
            self._in_profile = True
            self._id = self._word = ""
        elif self._depth > _MAX_DEPTH:
            _refuse("is nested too deep")

    def _characters(self, text: str) -> None:
        self._text += text
        if len(self._text) > _MAX_TEXT:
            _refuse("has a text that is too long")

    def _end(self, name: str) -> None:
        self._depth -= 1
        text, self._text = self._text, ""
        if self._cdata:
            text = text.replace(_MENDED_AMPERSAND, "&")
        if not self._in_profile:
            if self._depth == 1:
                # An id is as it is spelled; all other texts may be escaped twice.
                self._set(name, text.strip().replace("&amp;", "&") if self._cdata else text.strip())
        elif name == "id":
            self._id = text
        elif name == "status":
            self._word = text.strip()
        elif name == "profile":
            self._in_profile = False
            if not self._id.strip():
                _refuse("has a profile without an id")
            note(self._response.profiles, self._id, profile_status(self._word))

    def _set(self, name: str, text: str) -> None:
        fields = self._response.fields
        if fields.setdefault(name, text) != text or len(fields) > _MAX_FIELDS:
            _refuse("contradicts itself, or has too many elements")

    def _start_cdata(self) -> None:
        self._cdata = True

    def _doctype(self, *_declaration: object) -> None:
        _refuse("declares a document type")


def profile_status(word: str) -> ProfileStatus:
    """Read Target's word for a profile: a word that is not known says nothing."""
    return _WORDS.get(word.lower(), ProfileStatus.UNKNOWN)


def may_mislead(profile_id: str) -> bool:
    """Tell whether an id, its tags lost, may be taken for several ids or for a word for the batch."""
    words = profile_id.split()
    if len(words) < 2:  # noqa: PLR2004  # a single word has its place
        return False
    if words[0].lower() in _BATCH_WORDS and _NUMBER.fullmatch(words[1]):
        return True
    return any(profile_status(word) is not ProfileStatus.UNKNOWN for word in words)


def _split(chunks: Iterable[bytes]) -> Iterator[str]:
    """Give the words of a text that arrives in pieces, each with the white space before it."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    rest = ""
    try:
        for chunk in chunks:
            *pieces, last = re.split(r"(\s+)", rest + decoder.decode(chunk))
            before = ""
            for word, space in itertools.batched(pieces, 2, strict=True):
                if word:
                    yield before + word
                before = space
            rest = before + last
            if len(rest) > _MAX_TEXT:
                _refuse("has a word without end")
        rest += decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise UnusableAnswerError("The answer is neither XML nor UTF-8.") from error
    if rest.strip():
        yield rest


def _read_flattened(words: Iterator[str]) -> Response:
    """Read `b [complete 164] [counts | id word id word ...]`; an id may have several words.

    A number in third place tells a word for the batch from an id, if that word is known or no id follows.
    Whoever knows the batch's ids must see whether the text can be read in another way: `may_mislead`.
    """
    batch_id = next(words, "").strip()
    if not _BATCH_ID.fullmatch(batch_id):
        _refuse("is not a response of Target")
    fields = {"batchId": batch_id}
    head = list(itertools.islice(words, 2))
    plain = [word.strip() for word in head]
    if len(head) == 2 and _NUMBER.fullmatch(plain[1]):  # noqa: PLR2004  # as many as were taken
        more = list(itertools.islice(words, 5))
        numbers = [word.strip() for word in more]
        counted = len(more) in {3, 4} and all(map(_NUMBER.fullmatch, numbers))
        if plain[0].lower() in _BATCH_WORDS or counted or not more:
            fields |= {"status": plain[0], "batchSize": plain[1]}
            head = []
        if counted:
            counts = dict(zip(_COUNTS[-len(more) :], numbers, strict=True))
            return Response(fields | counts, flattened=True)
        head += more
    return Response(fields, _read_profiles(itertools.chain(head, words)), flattened=True)


def _read_profiles(words: Iterable[str]) -> dict[str, ProfileStatus]:
    """Read `id word id word ...`: a word for a profile ends its id, but for one that begins an id."""
    profiles: dict[str, ProfileStatus] = {}
    profile_id = ""
    for word in words:
        status = profile_status(word.strip())
        if not profile_id:
            profile_id = word.lstrip()
        elif status is ProfileStatus.UNKNOWN:
            profile_id += word
        else:
            note(profiles, profile_id, status)
            profile_id = ""
        if len(profile_id) > _MAX_TEXT or len(profiles) > MAX_PROFILES:
            _refuse("has an id without end, or too many of them")
    if profile_id:
        _refuse("is not a list of ids and their status")
    return profiles


def _refuse(why: str) -> NoReturn:
    raise UnusableAnswerError(f"The answer {why}.")
