"""Target's `<response>`, read as a stream and believed only when it is whole.

XML is read by expat, which holds it to account: an answer that is cut short or broken is none. What
expat would refuse and Target may send, a raw `&`, is put right first. What expat would accept and
Target has no reason to send is refused: a DOCTYPE, and with it every entity. The oldest form of the
answers is that XML with its tags lost; nothing in it shows that it was cut short, so whoever reads it
must know that all of it arrived.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.parsers import expat

from .response import MAX_PROFILES, MAX_TEXT, Response, UnusableAnswerError, note, profile_status, refuse

_MAX_TOKEN = 1024 * 1024
_MAX_DEPTH = 16
_MAX_FIELDS = 64
_LONGEST_REFERENCE = len("&#1114111;")
_MENDED_AMPERSAND = "&#0000038;"  # as nobody else writes it: where expat leaves it as it is, it is known
_RAW_AMPERSAND = re.compile(rb"&(?!(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6});)")


def read_xml(chunks: Iterable[bytes], encoding: str | None = None) -> Response:
    """Read an answer in XML that arrives in pieces. Raises `UnusableAnswerError`."""
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
            refuse("has an element without end")

    def _start(self, name: str, _attributes: dict[str, str]) -> None:
        self._depth += 1
        self._text = ""
        self._cdata = False
        if self._depth == 1:
            if name != "response":
                refuse("is not a response of Target")
        elif name == "profile":
            if self._in_profile or len(self._response.profiles) >= MAX_PROFILES:
                refuse("has a profile within a profile, or too many of them")
            self._in_profile = True
            self._id = self._word = ""
        elif self._depth > _MAX_DEPTH:
            refuse("is nested too deep")

    def _characters(self, text: str) -> None:
        self._text += text
        if len(self._text) > MAX_TEXT:
            refuse("has a text that is too long")

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
                refuse("has a profile without an id")
            note(self._response.profiles, self._id, profile_status(self._word))

    def _set(self, name: str, text: str) -> None:
        fields = self._response.fields
        if fields.setdefault(name, text) != text or len(fields) > _MAX_FIELDS:
            refuse("contradicts itself, or has too many elements")

    def _start_cdata(self) -> None:
        self._cdata = True

    def _doctype(self, *_declaration: object) -> None:
        refuse("declares a document type")
