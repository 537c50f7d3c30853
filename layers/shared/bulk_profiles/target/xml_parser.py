"""The parser of answers in XML: expat, which gets an answer unit by unit, and what each unit says.

- Only what stands where Target puts it is read: the fields below `<response>`, and `<id>` and `<status>`
  below a `<profile>` there. Every other element is left out with all that it contains, and its name is kept.
- A raw `&` is not well-formed, but Target may send one: it is escaped before expat sees it.
- A DOCTYPE is well-formed, but Target has no reason to send one: it is refused, and with it every entity.
"""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from xml.parsers import expat

from bulk_profiles.core.models import ProfileStatus

from .response import BLANKS, MAX_TEXT, Names, UnusableAnswerError, add_name, profile_status

_MAX_PENDING = 2  # bytes of text that expat may hold back, waiting for more: a `\r` or `]]`
_MAX_DEPTH = 16
_FIELD_DEPTH, _PART_DEPTH = 2, 3  # of an element below `<response>`, and of one below `<profile>`
_PARTS = frozenset({"id", "status"})
_RAW_AMPERSAND = re.compile(rb"&(?!(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6});)")
# A spelling that nobody else uses: in a CDATA section, where expat resolves no reference, it is recognized
# and turned back.
_ESCAPED_AMPERSAND = "&#0000038;"


def _are_errors(*words: str) -> bool:
    return {profile_status(word) for word in words} == {ProfileStatus.ERROR}


def _check_name(name: str) -> None:
    """Raise `UnusableAnswerError` for a name that would make a path, which is repeated, too long."""
    if len(name) > MAX_TEXT:
        raise UnusableAnswerError("has a name that is too long")


@dataclass(slots=True)
class Content:
    """What one unit of an answer says."""

    fields: list[tuple[str, str]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)  # for these ids
    # Of profiles that contradict themselves, or of which more is said than an id and a success.
    unusable_ids: list[str] = field(default_factory=list)
    unknown_parts: Names = field(default_factory=dict)
    mentions: list[str] = field(default_factory=list)  # names and texts in these parts
    unreadable: int = 0
    left_out: int = 0  # profiles within elements that are not known, and odd successes

    @property
    def ends(self) -> int:
        """How many profiles have ended."""
        return len(self.ids) + self.unreadable + self.left_out


class Parser:
    """expat, with the path to where it stands and the content of the unit that it reads."""

    def __init__(self, known_fields: AbstractSet[str]) -> None:
        self._expat = expat.ParserCreate("utf-8")
        self._expat.buffer_text = True
        self._expat.StartDoctypeDeclHandler = self._doctype
        self._listen()
        self._fed_bytes = 0
        self._known_fields = known_fields
        self._content = Content()
        self.depth = 0
        self.path: list[str] = []  # of elements between `<response>` and where it stands
        self._text = ""  # of the current element
        self._cdata = False  # whether that text has a CDATA section
        self._skipped: list[str] = []  # the text of the current element, where that is left out
        self._mixed = False  # whether the current field or part of a profile has elements of its own
        self._in_profile = False
        self._id: str | None = None
        self._word: str | None = None
        self._others: list[str] = []  # further ids of the profile
        self._usable: bool  # whether what the profile says can be read; set where one begins
        self._odd: bool  # whether it says more than an id and a word; likewise

    @property
    def is_between_profiles(self) -> bool:
        """Whether it stands below `<response>`, where a profile may begin, after whole elements."""
        return self.depth == 1 and not self._text

    def _listen(self) -> None:
        self._expat.StartElementHandler = self._start
        self._expat.EndElementHandler = self._end
        self._expat.CharacterDataHandler = self._characters
        self._expat.StartCdataSectionHandler = self._start_cdata
        self._expat.CommentHandler = self._comment
        self._expat.ProcessingInstructionHandler = self._comment

    def parse(self, data: bytes | bytearray, *, final: bool = False) -> Content | None:
        """Return the content of a unit, or None if it is broken, or ends within a profile or a comment."""
        data = _RAW_AMPERSAND.sub(_ESCAPED_AMPERSAND.encode(), data)
        self._content = Content()
        self._fed_bytes += len(data)
        try:
            self._expat.Parse(data, final)
        except expat.ExpatError:
            return None
        self._end_skipped_text()
        pending = self._fed_bytes - self._expat.CurrentByteIndex
        return None if self._in_profile or pending > _MAX_PENDING else self._content

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        depth = self.depth = self.depth + 1
        if self._text and self._text.strip(BLANKS):
            self._keep_stray_text()
        if attributes:
            _check_name(name)
            for attribute in attributes:
                add_name(self._content.unknown_parts, f"{name}@{attribute}")
            self._mention_attributes(attributes)
            self._odd = True
        self._text = ""
        if depth == _PART_DEPTH and self._in_profile and name in _PARTS:
            return
        if depth == _FIELD_DEPTH and name == "profile":
            self._in_profile = True
            self._usable = True
            self._odd = bool(attributes)
            self._id = self._word = None
        elif depth == 1:
            if name != "response":
                raise UnusableAnswerError("is not a response of Target")
        elif depth != _FIELD_DEPTH or name not in self._known_fields:
            self._skip(name)
        else:
            self.path.append(name)

    def _end(self, name: str) -> None:  # noqa: C901  # the hot path: another call would cost 5 %
        depth = self.depth
        self.depth = depth - 1
        if depth == _PART_DEPTH:
            text, self._text = self._text, ""
            if self._cdata or self._mixed:
                text = self._end_odd_part(text)
            if name == "id":  # as it is spelled: white space may be part of it
                if self._id is None:
                    self._id = text
                elif text != self._id:
                    self._others.append(text)
            elif self._word is None:
                self._word = text.strip(BLANKS)
            elif text.strip(BLANKS) != self._word and not _are_errors(text.strip(BLANKS), self._word):
                self._content.mentions += (text, self._word)
                self._usable = False
        elif name == "profile":
            self._end_profile()
        elif depth == _FIELD_DEPTH:
            self._end_field(name)
        elif self._text and self._text.strip(BLANKS):
            self._keep_stray_text()

    def _end_odd_part(self, text: str) -> str:
        if self._mixed:
            self._mixed = self._usable = False
            return ""
        self._cdata = False
        return text.replace(_ESCAPED_AMPERSAND, "&")

    def _end_profile(self) -> None:
        self._in_profile = False
        if self._text and self._text.strip(BLANKS):
            self._keep_stray_text()
        self._text = ""
        if self._usable and not self._others and self._id and not self._id.isspace():
            content = self._content
            if self._odd and profile_status(self._word or "") is ProfileStatus.SUCCESS:
                content.unusable_ids.append(self._id)
                content.left_out += 1
            else:
                content.ids.append(self._id)
                content.words.append(self._word or "")
            return
        self._content.unreadable += 1
        self._content.unusable_ids += filter(str.strip, [self._id or "", *self._others])
        self._others = []

    def _end_field(self, name: str) -> None:
        text, self._text = self._text.strip(BLANKS), ""
        if self._cdata:  # other than an id, a field may be escaped twice
            self._cdata = False
            text = text.replace(_ESCAPED_AMPERSAND, "&").replace("&amp;", "&")
        self.path.pop()
        self._content.fields.append((name, "" if self._mixed else text))
        self._mixed = False

    def _characters(self, text: str) -> None:
        self._text += text
        if len(self._text) > MAX_TEXT:
            if not self._in_profile:
                raise UnusableAnswerError("has a text that is too long")
            self._content.mentions.append(self._text)
            self._usable = False
            self._text = ""

    def _skip(self, name: str) -> None:
        """Leave out an element, which has just begun, with all that it contains."""
        _check_name(name)
        add_name(self._content.unknown_parts, name)
        self._content.mentions.append(name)
        self._odd = True
        self._mixed = self.depth > (_PART_DEPTH if self._in_profile else _FIELD_DEPTH)
        self.path.append(name)
        end = self.depth

        def start(name: str, attributes: dict[str, str]) -> None:
            _check_name(name)
            self._end_skipped_text()
            self._content.mentions.append(name)
            self._mention_attributes(attributes)
            self.depth += 1
            self.path.append(name)
            if self.depth > _MAX_DEPTH:
                raise UnusableAnswerError("is nested too deep")

        def finish(name: str) -> None:
            self._end_skipped_text()
            self.depth -= 1
            self.path.pop()
            self._content.left_out += name == "profile"
            if self.depth < end:
                self._listen()

        def comment(*texts: str) -> None:
            self._content.mentions += texts

        self._expat.StartElementHandler = start
        self._expat.EndElementHandler = finish
        self._expat.CharacterDataHandler = self._skipped.append  # in the content of the unit where it stands
        self._expat.StartCdataSectionHandler = None
        self._expat.CommentHandler = comment
        self._expat.ProcessingInstructionHandler = comment

    def _end_skipped_text(self) -> None:
        if self._skipped:
            self._content.mentions.append("".join(self._skipped))
            self._skipped.clear()

    def _mention_attributes(self, attributes: dict[str, str]) -> None:
        self._content.mentions += attributes
        self._content.mentions += attributes.values()

    def _start_cdata(self) -> None:
        self._cdata = True

    def _keep_stray_text(self) -> None:
        """Keep that there is a text between two elements: what it says is not known."""
        add_name(self._content.unknown_parts, "text")
        self._content.mentions.append(self._text)
        self._odd = True

    def _comment(self, *texts: str) -> None:
        """Keep that there is a comment or an instruction, wherever it stands: what it says is not known."""
        self._usable = False
        add_name(self._content.unknown_parts, "comment")
        self._content.mentions += texts

    def _doctype(self, *_declaration: object) -> None:
        raise UnusableAnswerError("declares a document type")
