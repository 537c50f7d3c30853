"""The text of a source file as UTF-8, from any byte on."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import BinaryIO

from bulk_profiles.core.errors import FileRejectedError
from bulk_profiles.splitting.files import SourceFile

from .charset import as_utf8, encoding_of
from .compression import decompressed, is_compressed

HEAD_BYTES = 64 * 1024
PARQUET = re.compile(rb"PAR1(?:\Z|.{,3}[^\t\n\r -~])", re.DOTALL)  # the letters alone may be a name
_SKIP_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Text:
    """A source file as UTF-8 text. `mark` is the length of a byte order mark that is passed over."""

    source: SourceFile
    head: bytes  # of the file as stored
    encoding: str
    mark: int

    @classmethod
    def of(cls, source: SourceFile, head: bytes, named: str | None) -> Text:
        """Find out compression and encoding; raises `FileRejectedError` where it is no text."""
        with cls(source, head, "utf-8", 0).open() as stream:
            start = stream.read(HEAD_BYTES)
        if PARQUET.match(start):
            raise FileRejectedError("The file is a compressed Parquet file: drop the Parquet file itself.")
        encoding, mark = encoding_of(start, named)
        return cls(source, head, encoding, mark if encoding == "utf-8" else 0)

    @property
    def header_mark(self) -> bytes:
        """What must start a piece of this text in UTF-8, where the file is not plain UTF-8."""
        return codecs.BOM_UTF8 if self.encoding not in {"utf-8", "ascii"} or self.mark > 0 else b""

    def open(self, offset: int = 0) -> BinaryIO:
        """Open the text from a byte of its UTF-8 form on, its byte order mark not counted."""
        offset += self.mark
        if not is_compressed(self.head) and self.encoding in {"utf-8", "utf-8-sig", "ascii"}:
            # From the start while that costs little, so that the file is seen whole at least once.
            first = 0 if offset <= _SKIP_BYTES else offset
            return _after(self.source.open(first), offset - first)
        stream = (
            decompressed(self.head, self.source.open, self.source.size)
            if is_compressed(self.head)
            else self.source.open()
        )
        return _after(as_utf8(stream, self.encoding), offset)


def _after(stream: BinaryIO, count: int) -> BinaryIO:
    """Read past the first bytes."""
    while count > 0:
        piece = stream.read(min(count, _SKIP_BYTES))
        if not piece:
            break
        count -= len(piece)
    return stream
