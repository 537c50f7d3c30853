"""The reader of answers in XML: a stream through expat, believed only when it is complete and well-formed.

- expat refuses an answer that is cut short or broken.
- A raw `&` is not well-formed, but Target may send one: it is escaped before expat sees it.
- A DOCTYPE is well-formed, but Target has no reason to send one: it is refused, and with it every entity.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.parsers import expat

from .response import MAX_PROFILES, MAX_TEXT, Response, UnusableAnswerError, profile_status, record_status

_MAX_TOKEN = 1024 * 1024  # bytes that expat may hold back until a tag or a comment ends
_MAX_DEPTH = 16
_MAX_FIELDS = 64
_LONGEST_REFERENCE = len("&#1114111;")
_RAW_AMPERSAND = re.compile(rb"&(?!(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6});)")
# A spelling that nobody else uses: in a CDATA section, where expat resolves no reference, it is recognized
# and turned back.
_ESCAPED_AMPERSAND = "&#0000038;"


def read_xml(pieces: Iterable[bytes], encoding: str | None = None) -> Response:
    """Read an answer in XML. Raises `UnusableAnswerError`."""
    parser = _XmlParser(encoding)
    try:
        for piece in pieces:
            parser.feed(piece)
        return parser.close()
    except (expat.ExpatError, LookupError, ValueError) as error:  # the last two: a bad declared encoding
        raise UnusableAnswerError("is not whole, well-formed XML") from error


class _XmlParser:
    """A parser of one answer: `feed` takes it in pieces of any size, `close` returns the response."""

    def __init__(self, encoding: str | None) -> None:
        parser = expat.ParserCreate(encoding)
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.StartCdataSectionHandler = self._start_cdata
        parser.StartDoctypeDeclHandler = self._doctype
        self._parser = parser
        self._fed_bytes = 0
        self._tail = b""  # the end of the last piece, if it may be the begin of a reference
        self._response = Response()
        self._depth = 0
        self._text = ""  # of the current element
        self._cdata = False  # whether that text has a CDATA section
        self._in_profile = False
        self._id = ""
        self._word = ""

    def feed(self, piece: bytes) -> None:
        data = self._tail + piece
        # The end of the piece may cut a reference in two: `&am` waits for the `p;` of the next piece.
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
        """Pass complete references to expat: `a&b&lt;` as `a&#0000038;b&lt;`."""
        data = _RAW_AMPERSAND.sub(_ESCAPED_AMPERSAND.encode(), data)
        self._fed_bytes += len(data)
        self._parser.Parse(data)
        if self._fed_bytes - self._parser.CurrentByteIndex > _MAX_TOKEN:
            raise UnusableAnswerError("has an element without end")

    def _start(self, name: str, _attributes: dict[str, str]) -> None:
        self._depth += 1
        self._text = ""
        self._cdata = False
        if self._depth == 1:
            if name != "response":
                raise UnusableAnswerError("is not a response of Target")
        elif name == "profile":
            if self._in_profile or len(self._response.profiles) >= MAX_PROFILES:
                raise UnusableAnswerError("has a profile within a profile, or too many of them")
            self._in_profile = True
            self._id = self._word = ""
        elif self._depth > _MAX_DEPTH:
            raise UnusableAnswerError("is nested too deep")

    def _characters(self, text: str) -> None:
        self._text += text
        if len(self._text) > MAX_TEXT:
            raise UnusableAnswerError("has a text that is too long")

    def _end(self, name: str) -> None:
        self._depth -= 1
        text, self._text = self._text, ""
        if self._cdata:
            text = text.replace(_ESCAPED_AMPERSAND, "&")
        if self._in_profile:
            self._end_in_profile(name, text)
        elif self._depth == 1:
            # Other than an id, which is taken as it is spelled, these texts may be escaped twice.
            self._set_field(name, text.strip().replace("&amp;", "&") if self._cdata else text.strip())

    def _end_in_profile(self, name: str, text: str) -> None:
        if name == "id":
            self._id = text
        elif name == "status":
            self._word = text.strip()
        elif name == "profile":
            self._in_profile = False
            if not self._id.strip():
                raise UnusableAnswerError("has a profile without an id")
            record_status(self._response.profiles, self._id, profile_status(self._word))

    def _set_field(self, name: str, text: str) -> None:
        fields = self._response.fields
        if fields.setdefault(name, text) != text or len(fields) > _MAX_FIELDS:
            raise UnusableAnswerError("contradicts itself, or has too many elements")

    def _start_cdata(self) -> None:
        self._cdata = True

    def _doctype(self, *_declaration: object) -> None:
        raise UnusableAnswerError("declares a document type")
