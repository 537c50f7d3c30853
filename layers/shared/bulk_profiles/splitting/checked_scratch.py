"""A scratch that returns what was written to it, or raises `DamagedScratchError`.

The length and the CRC-32 of each object are kept while it is written, and held against what is read. They are
part of the checkpoint, so that an object of another attempt is told from that of this one.
"""

from __future__ import annotations

from typing import BinaryIO, NamedTuple, cast

from bulk_profiles.core.errors import DamagedScratchError, MissingObjectError
from bulk_profiles.core.streams import PieceReader

from .files import Scratch, Sink

_PIECE = 1024 * 1024
_MISSING = (MissingObjectError, FileNotFoundError)


class Sum(NamedTuple):
    """What is known of an object, or of its first bytes."""

    size: int = 0
    crc: int = 0

    def add(self, data: bytes | bytearray | memoryview) -> Sum:
        """Return the sum with these bytes at the end."""
        from isal import isal_zlib  # noqa: PLC0415 a tenth of the time of zlib, and few splits need it

        return Sum(self.size + len(data), isal_zlib.crc32(data, self.crc))


class CheckedScratch:
    """A scratch with the sums of its objects.

    An object is checked where it is opened at its start and read until nothing is left. One without a sum,
    which an earlier version wrote, is not checked.
    """

    def __init__(self, scratch: Scratch, sums: dict[str, Sum]) -> None:
        self.sums = sums
        self._scratch = scratch

    def create(self, name: str) -> Sink:
        """Start to write an object."""
        return _SummingSink(self, name, self._scratch.create(name))

    def open(self, name: str, start: int = 0) -> BinaryIO:
        """Open a committed object for reading from byte `start` on; the caller closes it."""
        try:
            stream = self._scratch.open(name, start)
        except _MISSING as error:
            raise DamagedScratchError(name) from error
        expected = self.sums.get(name)
        return stream if start or not expected else cast("BinaryIO", _CheckedStream(name, stream, expected))

    def check(self) -> None:
        """Read all objects; raises `DamagedScratchError` where one is not what was written."""
        for name in self.sums:
            with self.open(name) as stream:
                while stream.read(_PIECE):
                    pass


class _SummingSink:
    def __init__(self, owner: CheckedScratch, name: str, sink: Sink) -> None:
        self._owner = owner
        self._name = name
        self._sink = sink
        self._sum = Sum()

    def write(self, data: bytes | bytearray | memoryview, /) -> None:
        self._sink.write(data)
        self._sum = self._sum.add(data)

    def commit(self) -> None:
        self._sink.commit()
        self._owner.sums[self._name] = self._sum

    def abort(self) -> None:
        self._sink.abort()


class _CheckedStream(PieceReader):
    def __init__(self, name: str, stream: BinaryIO, expected: Sum) -> None:
        super().__init__(stream)
        self._name = name
        self._stream = stream
        self._expected = expected
        self._sum = Sum()

    def read_piece(self, size: int) -> bytes:
        # One byte more than there should be shows that there are more, and damage asks for any size.
        piece = self._stream.read(min(size, self._expected.size - self._sum.size + 1))
        self._sum = self._sum.add(piece)
        ended = not piece and size > 0
        if self._sum.size > self._expected.size or (ended and self._sum != self._expected):
            raise DamagedScratchError(self._name)
        return piece
