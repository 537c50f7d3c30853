"""A source file that is read whole, or not at all."""

from __future__ import annotations

from typing import BinaryIO, cast

from bulk_profiles.core.errors import CutShortError
from bulk_profiles.core.streams import PieceReader

from .files import SourceFile


class WholeSource:
    """A source file whose streams return fewer bytes than are asked for at its end only.

    What a file is, is told from its first bytes, and a connection may return a few of them first. Reading
    raises `CutShortError` where the file ends before its size: its last rows would be missing in silence.
    """

    def __init__(self, source: SourceFile) -> None:
        self.name = source.name
        self.size = source.size
        self._source = source

    def open(self, start: int = 0) -> BinaryIO:
        """Open the file for reading from byte `start` on; the caller closes it."""
        return cast("BinaryIO", _WholeStream(self, self._source.open(start), start))


class _WholeStream(PieceReader):
    def __init__(self, owner: WholeSource, stream: BinaryIO, start: int) -> None:
        super().__init__(stream)
        self._owner = owner
        self._stream = stream
        self._position = start

    def read_piece(self, size: int) -> bytes:
        pieces, missing = list[bytes](), size
        while missing and (piece := self._stream.read(missing)):
            pieces.append(piece)
            missing -= len(piece)
        self._position += size - missing
        if missing and self._position < self._owner.size:
            raise CutShortError(self._owner.name, self._position, self._owner.size)
        return b"".join(pieces)
