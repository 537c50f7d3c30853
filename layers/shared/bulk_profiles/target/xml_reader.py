"""The reader of answers in XML: a stream through a parser, believed only when it is complete and well-formed.

The parser refuses an answer that is cut short or broken. A single profile that it refuses is left out and
counted, and the answer is read on after its `</profile>`.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from .own_words import shown_name
from .plain_profiles import read_plain
from .response import MAX_PROFILES, Names, Profiles, Response, UnusableAnswerError, add_name
from .xml_parser import Content, Parser

_MAX_HELD = 1024 * 1024  # bytes that wait for the end of a profile or another tag
_MAX_MALFORMED = 1000  # profiles: each costs a parser
_BROKEN = "is not whole, well-formed XML"
_PROFILE_START, _PROFILE_END = re.compile(rb"<profile[\s/>]"), b"</profile>"
_COMMENT_START, _COMMENT_END = b"<!--", b"-->"
# What XML has no character for, as a byte or as a reference: U+0001 as `&#1;`. It finds other references too.
_NO_CHARACTER = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]|\xef\xbf[\xbe\xbf]|&#[0-9a-fA-FxX]{1,8};")
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}".encode()


def read_xml(pieces: Iterable[bytes], known_fields: AbstractSet[str]) -> Response:
    """Read an answer in XML, in UTF-8 whatever it declares. Raises `UnusableAnswerError`.

    `known_fields`: the elements below `<response>` that have a meaning, beside `<profile>`.
    """
    reader = _XmlReader(known_fields)
    for piece in pieces:
        reader.feed(piece)
    return reader.close()


class _XmlReader:
    """The reader of one answer: `feed` takes it in pieces of any size, `close` returns the response.

    The parser gets the answer in units that end with a profile. A unit counts once it was accepted whole; one
    that was not is tried again, profile by profile.
    """

    def __init__(self, known_fields: AbstractSet[str]) -> None:
        self._known_fields = known_fields
        self._parser = Parser(known_fields)
        self._begun = False  # whether the parser has accepted anything
        self._waiting = bytearray()  # for the end of a unit
        self._fields: dict[str, str] = {}
        self._profiles = Profiles()
        self._repeated: Names = {}  # fields with two texts
        self._unknown_parts: Names = {}
        self._unreadable = 0
        self._malformed = 0
        self._after_malformed = False  # whether the last profile was

    def feed(self, piece: bytes) -> None:
        searched = max(0, len(self._waiting) - len(_PROFILE_END))
        self._waiting += piece
        end = self._waiting.rfind(_PROFILE_END, searched)
        if end >= 0 and (self._is_outside_comments(end) or len(self._waiting) > _MAX_HELD):
            self._read_waiting(end + len(_PROFILE_END))
        elif len(self._waiting) > _MAX_HELD:  # there are other elements than profiles
            self._read_waiting(self._waiting.rfind(b">") + 1)
            if len(self._waiting) > _MAX_HELD:
                raise UnusableAnswerError("has an element without end")

    def close(self) -> Response:
        self._read(self._waiting, final=True)
        fields = {name: text for name, text in self._fields.items() if name not in self._repeated}
        return Response(
            fields,
            self._profiles,
            self._unknown_parts,
            self._unreadable,
            repeated=self._repeated,
        )

    def _is_outside_comments(self, end: int) -> bool:
        """Whether what waits has no comment that begins before `end` and does not end there."""
        start = self._waiting.rfind(_COMMENT_START, 0, end)
        return start < 0 or self._waiting.find(_COMMENT_END, start, end) >= 0

    def _read_waiting(self, end: int) -> None:
        unit = self._waiting[:end]
        del self._waiting[:end]
        self._read(unit)

    def _read(self, unit: bytearray, *, final: bool = False) -> None:
        if not final and self._parser.is_between_profiles and (plain := read_plain(unit)):
            self._profiles.record_plain(*plain)
            self._check_size()
            self._after_malformed = False
            return
        # Where a comment or an id contains `</profile>`, the result must not depend on where units end.
        if self._accepts(unit, final=final, ends=unit.count(_PROFILE_END)):
            self._after_malformed = False
            return
        rest, comments = _without_comments(unit)
        if comments:  # one may contain a profile, which counts for nothing but is a doubt
            self._mention(*comments)
            self._read(rest, final=final)
            return
        *profiles, rest = unit.split(_PROFILE_END)
        for part in profiles:
            self._read_profile(part)
        self._read_fields(rest, final=final)

    def _read_profile(self, part: bytearray) -> None:
        """Read what ends with a profile, whose end tag is cut off."""
        start = _PROFILE_START.search(part)
        if not start:
            if not self._after_malformed:
                raise UnusableAnswerError(_BROKEN)
            self._mention(part)
            return  # the rest of an id that contains `</profile>`
        self._read_fields(part[: start.start()])
        self._after_malformed = not self._accepts(part[start.start() :] + _PROFILE_END)
        if self._after_malformed:
            self._mention(part)
            self._unreadable += 1
            self._malformed += 1
        if self._malformed > _MAX_MALFORMED:
            raise UnusableAnswerError("has too many profiles that cannot be read")

    def _read_fields(self, data: bytes | bytearray, *, final: bool = False) -> None:
        """Read what stands between profiles, if need be without the characters that XML does not have."""
        if not self._accepts(data, final=final):
            mended = _NO_CHARACTER.sub(_mended, data)
            if not self._accepts(mended, final=final):
                raise UnusableAnswerError(_BROKEN)

    def _accepts(self, data: bytes | bytearray, *, final: bool = False, ends: int | None = None) -> bool:
        """Whether the parser accepts the data; if not, it stands where it stood before.

        `ends`: how many profiles must end in them.
        """
        depth, path = self._parser.depth, [*self._parser.path]
        content = self._parser.parse(data, final=final)
        if content is not None and ends in {None, content.ends}:
            self._add(content)
            self._begun = self._begun or bool(data)
            return True
        if self._begun and not depth:
            raise UnusableAnswerError(_BROKEN)
        self._parser = Parser(self._known_fields)
        if depth:
            self._parser.parse("".join(f"<{name}>" for name in ("response", *path)).encode())
        return False

    def _mention(self, *texts: bytes | bytearray) -> None:
        """Keep the words of what the parser cannot read."""
        for text in texts:
            self._profiles.mention(text.decode(errors="replace"))

    def _check_size(self) -> None:
        if len(self._profiles.statuses) > MAX_PROFILES:
            raise UnusableAnswerError("has too many profiles")

    def _add(self, content: Content) -> None:
        for name, text in content.fields:
            if self._fields.setdefault(name, text) != text:
                self._repeated[name] = None
        self._profiles.record(zip(content.ids, content.words, strict=True))
        for profile_id in content.unusable_ids:
            self._profiles.record_unusable(profile_id)
        self._check_size()
        for name in content.unknown_parts:
            add_name(self._unknown_parts, shown_name(name))
        for text in content.mentions:
            self._profiles.mention(text)
        self._unreadable += content.unreadable


def _mended(found: re.Match[bytes]) -> bytes:
    """Return U+FFFD in place of what XML has no character for, and any other reference as it is."""
    text = html.unescape(found[0].decode())
    is_character = found[0].startswith(b"&") and len(text) == 1 and text != "\N{REPLACEMENT CHARACTER}"
    return found[0] if is_character else _REPLACEMENT


def _without_comments(unit: bytearray) -> tuple[bytearray, list[bytearray]]:
    """Return a unit with an instruction in place of each comment, and the comments."""
    rest, comments = bytearray(), list[bytearray]()
    begin = 0
    while (start := unit.find(_COMMENT_START, begin)) >= 0:
        end = unit.find(_COMMENT_END, start + len(_COMMENT_START))
        if end < 0:
            break
        comments.append(unit[start:end])
        rest += unit[begin:start] + b"<?comment?>"
        begin = end + len(_COMMENT_END)
    return rest + unit[begin:], comments
