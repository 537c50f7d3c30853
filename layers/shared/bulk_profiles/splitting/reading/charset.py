"""Text in any encoding as a stream of UTF-8.

What cannot be decoded becomes a lone surrogate, three bytes that UTF-8 forbids: the row that holds it is
rejected, not the file.
"""

from __future__ import annotations

import codecs
import io
import re
import unicodedata
from typing import BinaryIO, cast

import numpy as np

from bulk_profiles.core.errors import FileRejectedError
from bulk_profiles.core.streams import PieceReader
from bulk_profiles.splitting.rows.plain import MIXED

from .signatures import MarkedEncoding, signature_of

_PIECE = 128 * 1024
_MAX_CHARACTER = 4  # bytes of one in UTF-8
_BYTES = 256
_RUN, _LAST_RUN = re.compile(rb"[\x80-\xff]{2,}"), re.compile(rb"[\x80-\xff]*\Z")
_MOST_HELD = 1024
_FIRST_LEAD, _TWO_BITS, _HIGH = 0xC2, 0xC0, 0x80  # of UTF-8: C2 begins a character, and 10xxxxxx goes on
_BEYOND_ASCII = re.compile(rb"[\x80-\xff]")
UTF8_NAMES = frozenset({"utf-8", "utf-8-sig", "ascii"})  # whose texts are UTF-8 as they are


def encoding_of(head: bytes, named: str | None) -> str:
    """Return the name of the encoding of a text that starts with these bytes.

    A byte order mark goes before the name in the feed, and that goes before what the bytes look like.
    Raises `FileRejectedError` where they are no text.
    """
    signature = signature_of(head)
    if isinstance(signature, MarkedEncoding):
        return signature.value
    if named:
        return codecs.lookup(named).name
    _refuse_binary(head[:1024])
    return MarkedEncoding.UTF_8.value


def _refuse_binary(head: bytes) -> None:
    """Raise `FileRejectedError` where NUL bytes show that this is UTF-16, or no text.

    In UTF-16, every other byte of ASCII text is NUL: those of one parity are many, those of the other few.
    """
    evens, odds = head[0::2].count(0), head[1::2].count(0)
    if evens + odds == 0:
        return
    if max(evens, odds) * 4 > len(head) and min(evens, odds) * 8 < max(evens, odds):
        raise FileRejectedError(
            "The file looks like UTF-16 without a byte order mark: save it as UTF-8, or name utf-16-le or "
            "utf-16-be as the encoding in the feed."
        )
    first_line = head.split(b"\n", 1)[0].split(b"\r", 1)[0]
    if 0 in first_line:
        raise FileRejectedError("The file is not text: drop CSV, JSON Lines, Parquet or a batch= file.")


def as_utf8(stream: BinaryIO, encoding: str) -> BinaryIO:
    """Return a text as a stream of UTF-8; a byte order mark of UTF-16 or UTF-32 is removed.

    Reading raises `FileRejectedError` where the text is not in that encoding, or is UTF-8 as it stands.
    """
    if encoding in UTF8_NAMES:
        return stream
    return cast("BinaryIO", io.BufferedReader(_Recoded(stream, encoding), 2 * _PIECE))


class _Recoded(PieceReader):
    """A text in another encoding, as UTF-8."""

    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        super().__init__(stream)
        wide = encoding.startswith(("utf-16", "utf-32"))
        self._stream = stream
        self._encoding = encoding
        self._decoder = codecs.getincrementaldecoder(encoding)("surrogatepass" if wide else "surrogateescape")
        self._utf8_check = None if wide else _Utf8Check()
        self._single = len(bytes(range(256)).decode(encoding, "replace")) == _BYTES  # one for each character
        self._held = b""  # bytes beyond ASCII at the end of what was read: they may go on
        self._pending = b""
        self._ended = False

    def read_piece(self, size: int) -> bytes:
        while not self._pending and not self._ended:
            data = self._stream.read(_PIECE)
            self._ended = not data
            if self._utf8_check:
                self._check_utf8(self._utf8_check, data)
            if self._single:
                data = self._held + data
                end = len(data) if self._ended else _LAST_RUN.search(data, len(data) - _MOST_HELD).start()  # type: ignore[union-attr]  # it matches always
                data, self._held = data[:end], data[end:]
            try:
                text = self._decode(data)
            except UnicodeError as error:
                raise FileRejectedError(
                    f"The file is not {self._encoding} text, or is cut short: save it as UTF-8."
                ) from error
            self._pending = text.encode("utf-8", "surrogatepass")
        piece, self._pending = self._pending[:size], self._pending[size:]
        return piece

    def _decode(self, data: bytes) -> str:
        """Decode some text, with a mark before what was UTF-8 already.

        In UTF-8, `é` is the bytes C3 A9, which are `Ã©` in Windows-1252. Bytes beyond ASCII beside each other
        that are UTF-8 are meant so if the encoding has their characters: `É…` is also C9 85, a letter that
        Windows-1252 does not have.
        """
        if not self._single or not _may_hold_utf8(data):
            return self._decoder.decode(data, final=self._ended)
        pieces, start = list[str](), 0
        for run in _RUN.finditer(data):
            if self._is_utf8(run[0]):
                pieces += [self._decoder.decode(data[start : run.start()]), MIXED]
                start = run.start()
        return "".join([*pieces, self._decoder.decode(data[start:], final=self._ended)])

    def _is_utf8(self, run: bytes) -> bool:
        try:
            run.decode().encode(self._encoding)
        except UnicodeError:
            return False
        return True

    def _check_utf8(self, check: _Utf8Check, data: bytes) -> None:
        """Raise `FileRejectedError` at the end of a text that is UTF-8 and not ASCII: no other text is."""
        if not check.add(data):
            self._utf8_check = None
        elif self._ended and check.first:
            character = check.first.decode(errors="ignore")[:1]
            others = character.encode().decode(self._encoding, "replace")
            raise FileRejectedError(
                f"The feed names the encoding {self._encoding}, and the file is UTF-8: the first character "
                f"beyond ASCII, in line {check.line}, is {_words(character)} in UTF-8 and would be "
                f"{_words(others)} in {self._encoding}. Remove the encoding from the feed."
            )


class _Utf8Check:
    """Find out whether all of a text is UTF-8, in which nearly no text of another encoding is."""

    def __init__(self) -> None:
        self.first = b""  # the bytes from the first one beyond ASCII on, as many as a character may have
        self.line = 1  # in which that one is
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def add(self, data: bytes) -> bool:
        """Take the next bytes, none at the end; return whether the text may be UTF-8."""
        if not self.first:
            beyond = _BEYOND_ASCII.search(data)
            self.line += data.count(b"\n", 0, beyond.start() if beyond else len(data))
            self.first = data[beyond.start() :][:_MAX_CHARACTER] if beyond else b""
        elif len(self.first) < _MAX_CHARACTER:
            self.first += data[: _MAX_CHARACTER - len(self.first)]
        if not self.first:
            return True
        try:
            self._decoder.decode(data, final=not data)
        except UnicodeDecodeError:
            return False
        return True


def _may_hold_utf8(data: bytes) -> bool:
    """Whether a byte that starts a character in UTF-8 is before one that goes on with it."""
    if data.isascii():
        return False
    view = np.frombuffer(data, np.uint8)
    return bool(((view[:-1] >= _FIRST_LEAD) & (view[1:] & _TWO_BITS == _HIGH)).any())


def _words(text: str) -> str:
    """Return the names of characters, as a message must not have values."""
    return " and ".join(unicodedata.name(character, f"U+{ord(character):04X}").lower() for character in text)
