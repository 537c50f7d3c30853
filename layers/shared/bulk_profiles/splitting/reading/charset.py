"""Text in any encoding as a stream of UTF-8.

What cannot be decoded becomes a lone surrogate, three bytes that UTF-8 forbids: the row that holds it is
rejected, not the file.
"""

from __future__ import annotations

import codecs
import io
import re
from typing import BinaryIO, cast

from bulk_profiles.core.errors import FileRejectedError
from bulk_profiles.core.streams import PieceReader

_PIECE = 128 * 1024
_UTF8_NAMES = frozenset({"utf-8", "utf-8-sig", "ascii"})
_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_BINARY = {
    re.compile(magic, re.DOTALL): kind
    for magic, kind in (
        (rb"%PDF-\d", "a PDF document"),
        # Letters alone may be those of a name: a byte that no text has must be near.
        (rb"\x89PNG|\xff\xd8\xff|GIF8[79]a.{,15}[\x00-\x08]", "an image"),
        (rb"\xd0\xcf\x11\xe0", "an Office document"),
        (rb"7z\xbc\xaf", "a 7z archive"),
        (rb"Rar!\x1a", "a RAR archive"),
        (rb"Obj\x01", "an Avro file"),
        (rb"ORC.{,15}[\x00-\x08]", "an ORC file"),
        (rb"SQLite format 3\x00", "a database"),
    )
}


def encoding_of(head: bytes, named: str | None) -> tuple[str, int]:
    """Give the encoding of a text that starts with these bytes, and the length of its byte order mark.

    A byte order mark says more than the name that the feed gives.
    """
    for bom, name in _BOMS:
        if head.startswith(bom):
            return name, len(bom)
    if named:
        return codecs.lookup(named).name, 0
    for magic, kind in _BINARY.items():
        if magic.match(head):
            raise FileRejectedError(f"The file is {kind}: export the table as CSV (UTF-8) and drop that.")
    _refuse_binary(head[:1024])
    return "utf-8", 0


def _refuse_binary(head: bytes) -> None:
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
    """Read a text as UTF-8, without its byte order mark where that tells the byte order."""
    if encoding in _UTF8_NAMES:
        return stream
    return cast("BinaryIO", io.BufferedReader(_Recoded(stream, encoding), 2 * _PIECE))


class _Recoded(PieceReader):
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
