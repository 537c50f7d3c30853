"""The text of a source file as UTF-8, from any byte on."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import BinaryIO

from bulk_profiles.core.errors import FileRejectedError
from bulk_profiles.splitting.files import SourceFile

from .charset import UTF8_NAMES, as_utf8, encoding_of
from .compression import decompressed
from .signatures import Compression, Foreign, Layout, compression_of, signature_of

HEAD_BYTES = 64 * 1024  # of a file that are read to find out what it is
_SKIP_BYTES = 1024 * 1024
# U+FEFF, which is the byte order mark, U+200B to U+200D and U+2060: concatenated exports start with several.
# And the byte order mark of a text that was taken for Windows-1252 and encoded once more.
_INVISIBLE = re.compile(rb"(?:\xef\xbb\xbf|\xc3\xaf\xc2\xbb\xc2\xbf|\xe2\x80[\x8b-\x8d]|\xe2\x81\xa0)*")
_MOST_INVISIBLE = 3 * 100  # bytes


@dataclass(frozen=True, slots=True)
class Text:
    """A source file as UTF-8 text."""

    source: SourceFile
    compression: Compression | None = None
    encoding: str = "utf-8"
    mark: int = 0  # bytes of byte order marks, and of other characters without a width, that are passed over

    @classmethod
    def of(cls, source: SourceFile, head: bytes, named: str | None) -> Text:
        """Find out compression and encoding; raises `FileRejectedError` where the file is no text.

        `head` is the start of the file as stored, `named` the encoding that the feed names.
        """
        compression = compression_of(head)
        with cls(source, compression).open() as stream:
            start = stream.read(HEAD_BYTES)
        signature = signature_of(start)
        if signature is Layout.PARQUET:
            raise FileRejectedError("The file is a compressed Parquet file: drop the Parquet file itself.")
        if isinstance(signature, Compression):
            raise FileRejectedError(
                f"The file is compressed twice ({signature} in {compression}): compress the table once."
            )
        if isinstance(signature, Foreign):
            raise signature.rejection()
        text = cls(source, compression, encoding_of(start, named))
        with text.open() as stream:
            invisible = _INVISIBLE.match(stream.read(_MOST_INVISIBLE))
        return replace(text, mark=invisible.end() if invisible else 0)

    @property
    def recoded(self) -> bool:
        """Whether the file is in another encoding than UTF-8."""
        return self.encoding not in UTF8_NAMES

    def open(self, offset: int = 0) -> BinaryIO:
        """Open the text from a byte of its UTF-8 form on, its byte order mark not counted."""
        offset += self.mark
        if self.compression is None and self.encoding in UTF8_NAMES:
            # From the start while that costs little, so that the file is seen whole at least once.
            first = 0 if offset <= _SKIP_BYTES else offset
            return _after(self.source.open(first), offset - first)
        stream = (
            decompressed(self.compression, self.source.open, self.source.size)
            if self.compression
            else self.source.open()
        )
        return _after(as_utf8(stream, self.encoding), offset)


def _after(stream: BinaryIO, count: int) -> BinaryIO:
    """Return the stream after its first bytes."""
    while count > 0:
        piece = stream.read(min(count, _SKIP_BYTES))
        if not piece:
            break
        count -= len(piece)
    return stream
