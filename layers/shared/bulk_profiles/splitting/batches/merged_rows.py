"""Merging the rows of one id: the last non-empty value of each column wins, at the place of the first row."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from functools import reduce
from itertools import groupby
from typing import Any, BinaryIO

from bulk_profiles.splitting.files import Scratch

type Placed = tuple[int, bytes]  # the ordinal of a row, and the row: encoded cells, the id first
MEMORY = 24 * 1024 * 1024
_OVERHEAD = 300  # bytes that a row costs beside its own
_PIECE = 1024 * 1024


def merge(earlier: bytes, later: bytes) -> bytes:
    """Merge two encoded rows of one id."""
    cells = [new or old for old, new in zip(earlier.split(b","), later.split(b","), strict=True)]
    return b",".join(cells)


class Merger:
    """Gather rows in the order of the file and merge them by id, in bounded memory.

    `runs` is the number of those written to `scratch` so far, `rows` the number of rows taken.
    """

    def __init__(self, scratch: Scratch, runs: int = 0, rows: int = 0) -> None:
        self.runs = runs
        self.rows = rows
        self._scratch = scratch
        self._size = 0
        self._held: dict[bytes, Placed] = {}

    def add(self, ordinal: int, row: bytes) -> None:
        """Take the next row."""
        self.rows += 1
        key, _, _ = row.partition(b",")
        held = self._held.get(key)
        if held:
            self._held[key] = held[0], merge(held[1], row)
            return
        self._held[key] = ordinal, row
        self._size += len(row) + len(key) + _OVERHEAD
        if self._size > MEMORY:
            self.flush()

    def flush(self) -> None:
        """Write what is in memory to the scratch."""
        if self._held:
            self._write_run(_by_id(self.runs), (self._held[key] for key in sorted(self._held)))
            self.runs += 1
            self._held, self._size = {}, 0

    def finish(self, name: str) -> int:
        """Write the merged rows in the order of the file to an object of the scratch; give their number."""
        if not self.runs:
            return self._write_run(name, sorted(self._held.values()))
        self.flush()
        with ExitStack() as stack:
            merged = _merged(self._runs(stack, [_by_id(run) for run in range(self.runs)], _id))
            names: list[str] = []
            held: list[Placed] = []
            size = 0
            for placed in merged:
                held.append(placed)
                size += len(placed[1]) + _OVERHEAD
                if size > MEMORY:
                    names.append(f"by-place-{len(names):05d}")
                    self._write_run(names[-1], sorted(held))
                    held, size = [], 0
        with ExitStack() as stack:
            runs = self._runs(stack, names, _ordinal)
            return self._write_run(name, heapq.merge(runs, sorted(held), key=_ordinal))

    def _runs(self, stack: ExitStack, names: Iterable[str], key: Callable[[Placed], Any]) -> Iterator[Placed]:
        streams = [stack.enter_context(self._scratch.open(name)) for name in names]
        return heapq.merge(*map(placed_rows, streams), key=key)

    def _write_run(self, name: str, rows: Iterable[Placed]) -> int:
        sink = self._scratch.write(name)
        count, piece = 0, bytearray()
        for ordinal, row in rows:
            piece += b"%d,%s\n" % (ordinal, row)
            count += 1
            if len(piece) > _PIECE:
                sink.write(piece)
                piece = bytearray()
        sink.write(piece)
        sink.commit()
        return count


def placed_rows(lines: Iterable[bytes]) -> Iterator[Placed]:
    """Read the rows that `Merger.finish` wrote."""
    for line in lines:
        ordinal, _, row = line.rstrip(b"\n").partition(b",")
        yield int(ordinal), row


def _merged(rows: Iterable[Placed]) -> Iterator[Placed]:
    """Merge neighbours with one id; earlier rows come first."""
    for _, group in groupby(rows, key=_id):
        yield reduce(lambda earlier, later: (earlier[0], merge(earlier[1], later[1])), group)


def _id(placed: Placed) -> bytes:
    return placed[1].partition(b",")[0]


def _ordinal(placed: Placed) -> int:
    return placed[0]


def _by_id(run: int) -> str:
    return f"by-id-{run:05d}"


class MergedRowReader:
    """The merged rows, taken in the order of the file."""

    def __init__(self, stream: BinaryIO, position: int) -> None:
        self.position = position
        self._stream = stream
        self._line = stream.readline()

    def take(self, ordinal: int) -> bytes:
        """Give the merged row whose place is that of this row; nothing if it went into an earlier one."""
        number, _, row = self._line.partition(b",")
        if not number or int(number) != ordinal:
            return b""
        self.position += len(self._line)
        self._line = self._stream.readline()
        return row.rstrip(b"\n")
