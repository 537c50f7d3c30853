"""Sorting rows by a key, because they need not fit in memory.

Rows that fill the memory are sorted and written as a run. Each run has parts, which are the same ranges of
keys in all runs: in the end, one part of all runs is in memory at a time, or where it is too large for that,
one row of each run. With parts that start at the keys 0 and 20, the runs `10 21 23` and `13 20` are read as
`10 13` and `20 21 23`.
"""

from __future__ import annotations

import heapq
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import pairwise
from operator import itemgetter
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bulk_profiles.core.errors import FileRejectedError
from bulk_profiles.splitting.files import Scratch, read_end, read_exactly

type Numbers = NDArray[np.uint64]
MEMORY_BYTES = 24 * 1024 * 1024
MAX_RUNS = 700  # each is an open stream while they are read, and Lambda allows 1,024 of them
_OVERHEAD = 140  # bytes that a row costs beside its own
_PIECE = 1024 * 1024
_READ_BYTES = 64 * 1024  # of a run whose rows are read one by one
_HEAD = struct.Struct("<QQ")  # of a part: the number of its rows, and of the bytes of their text
_NUMBERS = 16  # bytes of a row's key and ordinal


class Rows(NamedTuple):
    """Some rows, as columns of one length."""

    keys: Numbers  # what they are sorted by
    ordinals: Numbers  # in the file
    lines: NDArray[Any]  # of `bytes`: their encoded cells, the id first

    @classmethod
    def of(cls, keys: Numbers, ordinals: Numbers, text: bytes) -> Rows:
        """Return rows whose lines are given as one text, each ended by a line feed."""
        return cls(keys, ordinals, np.array(text.splitlines(), np.object_))

    @property
    def text(self) -> bytes:
        """The lines, each ended by a line feed."""
        return b"\n".join([*self.lines, b""])

    @property
    def size(self) -> int:
        """Bytes in memory, about."""
        return sum(map(len, self.lines)) + len(self.lines) * _OVERHEAD

    def select(self, places: Any) -> Rows:
        """Return the rows in some places, which are numbers, a mask or a slice."""
        return Rows(*(column[places] for column in self))


_NO_ROWS = Rows.of(np.empty(0, np.uint64), np.empty(0, np.uint64), b"")


class ExternalSort:
    """Take rows in any order and return them sorted by their keys; those with one key stay in order."""

    def __init__(
        self,
        scratch: Scratch,
        name: str,
        starts: Numbers,
        reduce: Callable[[Rows], Rows] | None = None,
        *,
        runs: int = 0,
    ) -> None:
        """Sort in parts that start at these keys. `reduce` is given sorted rows and may return fewer of them.

        So many `runs` of this name are in the scratch already.
        """
        self.runs = runs  # written to the scratch so far
        self._scratch = scratch
        self._name = name
        self._starts = starts
        self._reduce = reduce
        self._kept, self._size = list[Rows](), 0

    def add(self, rows: Rows) -> None:
        """Take the next rows."""
        self._keep(rows)
        if self._size > MEMORY_BYTES:
            rows = self._take()
            if rows.size > MEMORY_BYTES // 2:  # the room that is left would soon be full again
                self._write(rows)
            else:
                self._keep(rows)

    def flush(self) -> None:
        """Write what is in memory to the scratch."""
        if self._kept:
            self._write(self._take())

    def parts(self) -> Iterator[Rows]:
        """Yield all rows, a part at a time; without `reduce`, one too large for the memory in pieces."""
        if not self.runs:
            yield self._take()
            return
        self.flush()
        with ExitStack() as stack:
            names = map(self._run_name, range(self.runs))
            streams = [stack.enter_context(self._scratch.open(name)) for name in names]
            for _ in self._starts:
                heads = [_read_head(stream) for stream in streams]
                if self._reduce is None and sum(head.size for head in heads) > MEMORY_BYTES:
                    yield from _merged(streams, heads)
                    continue
                for stream, head in zip(streams, heads, strict=True):
                    self._keep(Rows.of(head.keys, head.ordinals, read_exactly(stream, head.size)))
                    if self._size > MEMORY_BYTES:
                        self._keep(self._take())
                yield self._take()
            for stream in streams:
                read_end(stream)

    def _keep(self, rows: Rows) -> None:
        self._kept.append(rows)
        self._size += rows.size

    def _take(self) -> Rows:
        """Return the rows in memory, sorted and reduced, and leave none there."""
        rows = Rows(*map(np.concatenate, zip(_NO_ROWS, *self._kept, strict=True)))
        self._kept, self._size = [], 0
        rows = rows.select(np.argsort(rows.keys, kind="stable"))
        return self._reduce(rows) if self._reduce else rows

    def _write(self, rows: Rows) -> None:
        """Write rows as a run; raises `FileRejectedError` where there are too many."""
        if self.runs == MAX_RUNS:
            raise FileRejectedError(
                "Too many rows repeat an id: remove repeated rows, or drop the file in parts."
            )
        sink, piece = self._scratch.create(self._run_name(self.runs)), bytearray()
        ends = np.searchsorted(rows.keys, self._starts[1:]).tolist()
        for start, end in pairwise([0, *ends, len(rows.keys)]):
            piece += _part(rows.select(slice(start, end)))
            if len(piece) > _PIECE:
                sink.write(piece)
                piece = bytearray()
        sink.write(piece)
        sink.commit()
        self.runs += 1

    def _run_name(self, run: int) -> str:
        return f"{self._name}-{run:05d}"


def _part(rows: Rows) -> bytes:
    text = rows.text
    numbers = np.concatenate((rows.keys, rows.ordinals)).astype("<u8", copy=False)
    return b"".join([_HEAD.pack(len(rows.keys), len(text)), numbers.tobytes(), text])


class _Head(NamedTuple):
    """What comes before the text of a part."""

    keys: Numbers
    ordinals: Numbers
    size: int  # of the text


def _read_head(stream: BinaryIO) -> _Head:
    """Read what `_part` returned, up to the text."""
    count, size = _HEAD.unpack(read_exactly(stream, _HEAD.size))
    keys, ordinals = np.frombuffer(read_exactly(stream, count * _NUMBERS), "<u8").reshape(2, count)
    return _Head(keys, ordinals, size)


def _merged(streams: Sequence[BinaryIO], heads: Sequence[_Head]) -> Iterator[Rows]:
    """Merge the rows of a part, of which the texts come next in the streams: a few of them at a time."""
    runs = [
        zip(head.keys.tolist(), head.ordinals.tolist(), _read_lines(stream, head.size), strict=True)
        for stream, head in zip(streams, heads, strict=True)
    ]
    some, size = list[tuple[int, int, bytes]](), 0
    for row in heapq.merge(*runs, key=itemgetter(0)):
        some.append(row)
        size += len(row[-1]) + _OVERHEAD
        if size > MEMORY_BYTES // 4:
            yield _rows(some)
            some, size = [], 0
    yield _rows(some)


def _rows(rows: Sequence[tuple[int, int, bytes]]) -> Rows:
    keys, ordinals, lines = np.array(rows, np.object_).reshape(len(rows), 3).T
    return Rows(keys.astype(np.uint64), ordinals.astype(np.uint64), lines)


def _read_lines(stream: BinaryIO, size: int) -> Iterator[bytes]:
    """Read the lines of a text of so many bytes, without their line feeds."""
    pieces = list[bytes]()  # of the line that comes next
    while size:
        piece = read_exactly(stream, min(size, _READ_BYTES))
        size -= len(piece)
        first, *others = piece.split(b"\n")
        pieces.append(first)
        if others:
            yield b"".join(pieces)
            *whole, rest = others
            yield from whole
            pieces = [rest]
