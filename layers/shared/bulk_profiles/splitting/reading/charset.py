"""Text in any encoding as a stream of UTF-8.

What cannot be decoded becomes a lone surrogate, three bytes that UTF-8 forbids: the row that holds it is
rejected, not the file.
"""

from __future__ import annotations

import codecs
import io
from typing import BinaryIO, cast

from bulk_profiles.core.errors import FileRejectedError
from bulk_profiles.core.streams import PieceReader

from .signatures import MarkedEncoding, signature_of

_PIECE = 128 * 1024
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
    """Return a text as a stream of UTF-8; a byte order mark of UTF-16 or UTF-32 is removed."""
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
        self._pending = b""
        self._ended = False

    def read_piece(self, size: int) -> bytes:
        while not self._pending and not self._ended:
            data = self._stream.read(_PIECE)
            self._ended = not data
            try:
                text = self._decoder.decode(data, final=self._ended)
            except UnicodeError as error:
                raise FileRejectedError(
                    f"The file is not {self._encoding} text, or is cut short: save it as UTF-8."
                ) from error
            self._pending = text.encode("utf-8", "surrogatepass")
        piece, self._pending = self._pending[:size], self._pending[size:]
        return piece
