"""Merging the rows of one id: the last non-empty value of each column wins, at the place of the first row.

This is an external merge sort, because the rows need not fit in memory. `RowMerger` merges rows by id in a
dict, and writes a full dict as a run that is sorted by id. In the end it merges the runs by id, and sorts the
merged rows by their place in the file, again in runs. Rows 5 `1,a,`, 7 `2,x,` and 8 `1,,b` of a file become
the merged rows 5 `1,a,b` and 7 `2,x,`.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import reduce
from itertools import groupby
from typing import BinaryIO

import numpy as np

from bulk_profiles.core.errors import FileRejectedError
from bulk_profiles.splitting.files import Scratch

type PlacedRow = tuple[int, bytes]  # the ordinal of a row in the file, and its encoded cells, the id first
MERGED_ROWS = "merged"  # the object of the scratch that `RowMerger.finish` writes
MEMORY_BYTES = 24 * 1024 * 1024
MAX_RUNS = 700  # each is an open stream while they are merged, and Lambda allows 1,024 of them
_OVERHEAD = 300  # bytes that a row costs beside its own
_PIECE = 1024 * 1024
_LINE_FEED = ord("\n")


def merge(earlier: bytes, later: bytes) -> bytes:
    """Merge two encoded rows of one id."""
    cells = [new or old for old, new in zip(earlier.split(b","), later.split(b","), strict=True)]
    return b",".join(cells)


class RowMerger:
    """Take rows in the order of the file and merge them by id, in bounded memory."""

    def __init__(self, scratch: Scratch, runs: int = 0, rows: int = 0) -> None:
        self.runs = runs  # written to the scratch so far
        self.rows = rows  # taken so far
        self._scratch = scratch
        self._working: Callable[[], object] = lambda: None  # while rows are read there are other signs of it
        self._size = 0
        self._by_id: dict[bytes, PlacedRow] = {}

    def add(self, ordinal: int, row: bytes) -> None:
        """Take the next row."""
        self.rows += 1
        key = _id((ordinal, row))
        earlier = self._by_id.get(key)
        if earlier:
            self._by_id[key] = earlier[0], merge(earlier[1], row)
            return
        self._by_id[key] = ordinal, row
        self._size += len(row) + len(key) + _OVERHEAD
        if self._size > MEMORY_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what is in memory to the scratch."""
        if self._by_id:
            if self.runs == MAX_RUNS:
                raise FileRejectedError(
                    "Too many rows repeat an id: remove repeated rows, or drop the file in parts."
                )
            self._write_run(_run_name(self.runs), (self._by_id[key] for key in sorted(self._by_id)))
            self.runs += 1
            self._by_id, self._size = {}, 0

    def finish(self, working: Callable[[], object]) -> int:
        """Write the merged rows to the scratch, in the order of the file, and return their number.

        `working` is called every few seconds, so that whoever waits for the end sees that it will come.
        """
        self._working = working
        if not self.runs:
            return self._write_run(MERGED_ROWS, sorted(self._by_id.values()))
        self.flush()
        with ExitStack() as stack:
            merged = _merged(self._read_runs(stack, map(_run_name, range(self.runs)), key=_id))
            names: list[str] = []
            run: list[PlacedRow] = []
            size = 0
            for placed in merged:
                run.append(placed)
                size += len(placed[1]) + _OVERHEAD
                if size > MEMORY_BYTES:
                    names.append(f"by-place-{len(names):05d}")
                    self._write_run(names[-1], sorted(run))
                    run, size = [], 0
        with ExitStack() as stack:
            return self._write_run(MERGED_ROWS, heapq.merge(self._read_runs(stack, names), sorted(run)))

    def _read_runs(
        self, stack: ExitStack, names: Iterable[str], key: Callable[[PlacedRow], bytes] | None = None
    ) -> Iterator[PlacedRow]:
        streams = [stack.enter_context(self._scratch.open(name)) for name in names]
        return heapq.merge(*map(read_rows, streams), key=key)

    def _write_run(self, name: str, rows: Iterable[PlacedRow]) -> int:
        sink = self._scratch.create(name)
        count, piece = 0, bytearray()
        for placed in rows:
            piece += _line(placed)
            count += 1
            if len(piece) > _PIECE:
                sink.write(piece)
                piece = bytearray()
                self._working()
        sink.write(piece)
        sink.commit()
        return count


@dataclass(frozen=True, slots=True)
class MergedBlock:
    """A block of encoded rows in which merged rows stand in the places of the first ones of their ids."""

    rows: bytes
    left_out: list[int]  # places of the rows that are not there
    too_large: list[int]  # those of them whose merged row fits in no batch
    unmerged: int  # those of them that had been counted as merged into an earlier row


class MergedRowReader:
    """Read what `RowMerger.finish` wrote, along with the rows of the file.

    `stream` is open at byte `position`, `fits` tells whether a batch can hold an encoded row.
    """

    def __init__(
        self, stream: BinaryIO, position: int, oversized: Iterable[str], fits: Callable[[bytes], bool]
    ) -> None:
        self.position = position  # where the next merged row starts
        self.oversized = set(oversized)  # SHA-256 of the ids whose merged row fits in no batch
        self._fits = fits
        self._rows = read_rows(stream)
        self._next = next(self._rows, None)

    def put_into(self, rows: bytes, places: Sequence[int], ordinal: int) -> MergedBlock:
        """Put merged rows in these places of a block of encoded rows, whose first row has this ordinal."""
        if not places:
            return MergedBlock(rows, [], [], 0)
        pieces, copied = list[bytes](), 0
        left_out, too_large, unmerged = list[int](), list[int](), 0
        for place, (start, end) in zip(places, bounds(rows, places), strict=True):
            pieces.append(rows[copied:start])
            row, copied = rows[start : end - 1], end
            merged = self._take(ordinal + place)
            if merged is not None and self._fits(merged):
                pieces.append(merged + b"\n")
                continue
            left_out.append(place)
            if merged is None:  # this row went into an earlier one
                if self.oversized and self._fits(row) and _digest_of_id(row) in self.oversized:
                    too_large.append(place)
                    unmerged += 1
            else:
                self.oversized.add(_digest_of_id(row))
                too_large.append(place)
        return MergedBlock(b"".join([*pieces, rows[copied:]]), left_out, too_large, unmerged)

    def _take(self, ordinal: int) -> bytes | None:
        """Return the merged row that has its place at this ordinal; None if there is none."""
        if self._next is None or self._next[0] != ordinal:
            return None
        placed, self._next = self._next, next(self._rows, None)
        self.position += len(_line(placed))
        return placed[1]


def read_rows(lines: Iterable[bytes]) -> Iterator[PlacedRow]:
    """Read the rows that were written by `_line`."""
    for line in lines:
        ordinal, _, row = line.rstrip(b"\n").partition(b",")
        yield int(ordinal), row


def bounds(rows: bytes, places: Sequence[int]) -> list[tuple[int, int]]:
    """Return where the rows in these ascending places start and end, line feeds included."""
    starts = np.append(0, np.flatnonzero(np.frombuffer(rows, np.uint8) == _LINE_FEED) + 1)
    return list(zip(starts[places].tolist(), starts[np.add(places, 1)].tolist(), strict=True))


def _line(placed: PlacedRow) -> bytes:
    return b"%d,%s\n" % placed


def _merged(rows: Iterable[PlacedRow]) -> Iterator[PlacedRow]:
    """Merge neighbours with one id; earlier rows come first."""
    for _, group in groupby(rows, key=_id):
        yield reduce(lambda earlier, later: (earlier[0], merge(earlier[1], later[1])), group)


def _id(placed: PlacedRow) -> bytes:
    return placed[1].partition(b",")[0]


def _digest_of_id(row: bytes) -> str:
    """Return the SHA-256 of an encoded row's id (hex), for a checkpoint that must not name persons."""
    return hashlib.sha256(row.partition(b",")[0]).hexdigest()


def _run_name(run: int) -> str:
    return f"by-id-{run:05d}"
