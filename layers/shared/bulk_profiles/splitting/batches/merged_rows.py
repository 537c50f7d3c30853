"""Merging the rows of one id: the last non-empty value of each column wins, at the place of the first row.

`RowMerger` sorts rows by the hashes of their ids, so that those of one id are neighbours, merges these, and
sorts the merged rows by their places in the file. Rows 5 `1,a,`, 7 `2,x,` and 8 `1,,b` of a file become
neighbours as 5 `1,a,`, 8 `1,,b` and 7 `2,x,`, and then the merged rows 5 `1,a,b` and 7 `2,x,`.
`MergedRowReader` puts these in the places of the rows 5 and 7, and leaves row 8 out.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice, pairwise
from typing import BinaryIO

import numpy as np

from bulk_profiles.splitting.checked_scratch import Sum
from bulk_profiles.splitting.files import Scratch
from bulk_profiles.splitting.rows.grid import Places
from bulk_profiles.splitting.rows.id_hashes import Hashes

from .external_sort import ExternalSort, Numbers, Rows

MERGED_ROWS = "merged"  # the object of the scratch that `RowMerger.finish` writes
_PARTS = 1024  # of a sort
_HASHES = np.arange(_PARTS, dtype=np.uint64) * np.uint64(2**64 // _PARTS)  # where parts of hashes start
_MOST_ROWS = 1 << 16  # in a part of ordinals
_READ_AHEAD = 64 * 1024
_PIECE = 1_000  # rows that are written at once
_MOST_BYTES = 8 * 1024 * 1024  # of merged rows that stand in one piece of a block, but for the last of them
_LINE_FEED = ord("\n")


def merge(earlier: bytes, later: bytes) -> bytes:
    """Merge two encoded rows of one id."""
    if b",," not in later and not later.endswith(b","):  # there is no empty cell, as often
        return later
    cells = [new or old for old, new in zip(earlier.split(b","), later.split(b","), strict=True)]
    return b",".join(cells)


class RowMerger:
    """Take rows in the order of the file and merge them by id, in bounded memory."""

    def __init__(self, scratch: Scratch, runs: int = 0, rows: int = 0) -> None:
        self.rows = rows  # taken so far
        self._scratch = scratch
        self._by_hash = ExternalSort(scratch, "by-hash", _HASHES, _merged, runs=runs)

    @property
    def runs(self) -> int:
        """The number of runs written to the scratch so far."""
        return self._by_hash.runs

    def add(self, hashes: Hashes, ordinals: Numbers, rows: bytes) -> None:
        """Take the next encoded rows."""
        self.rows += len(hashes)
        self._by_hash.add(Rows.of(hashes, ordinals, rows))

    def flush(self) -> None:
        """Write what is in memory to the scratch."""
        self._by_hash.flush()

    def finish(self, working: Callable[[], object], most: int) -> int:
        """Write the merged rows to the scratch, in the order of the file, and return their number.

        All ordinals are below `most`. `working` is called every few seconds, so that whoever waits for the
        end sees that it will come.
        """
        by_place = ExternalSort(self._scratch, "by-place", starts_of_parts(most))
        for rows in self._by_hash.parts():
            working()
            by_place.add(rows._replace(keys=rows.ordinals))
        sink, count = self._scratch.create(MERGED_ROWS), 0
        for rows in by_place.parts():
            count += len(rows.lines)
            lines = map(b"%d,%s\n".__mod__, zip(rows.ordinals.tolist(), rows.lines, strict=True))
            while piece := b"".join(islice(lines, _PIECE)):
                working()
                sink.write(piece)
        sink.commit()
        return count


@dataclass(slots=True)
class MergedBlock:
    """A block of encoded rows in which merged rows stand in the places of the first ones of their ids.

    The other fields are whole once the last of the pieces was taken.
    """

    pieces: Iterable[bytes]
    left_out: list[int] = field(default_factory=list)  # places of the rows that are not there
    too_large: list[int] = field(default_factory=list)  # those of them whose merged row fits in no batch
    unmerged: int = 0  # those of them that had been counted as merged into an earlier row


class MergedRowReader:
    """Read what `RowMerger.finish` wrote, along with the rows of the file.

    `stream` is open after what was `taken` before; `too_large` returns the places of those encoded rows that
    no batch can hold.
    """

    def __init__(
        self,
        stream: BinaryIO,
        taken: Sum,
        oversized: Iterable[str],
        too_large: Callable[[bytes], list[int]],
    ) -> None:
        self.taken = taken  # what comes before the next merged row
        self.oversized = set(oversized)  # SHA-256 of the ids whose merged row fits in no batch
        self._too_large = too_large
        self._lines = iter(io.BufferedReader(stream, _READ_AHEAD))  # type: ignore[type-var]  # it need not be raw
        self._next = next(self._lines, b"")

    def put_into(self, rows: bytes, places: Places, ordinal: int) -> MergedBlock:
        """Put merged rows in these places of a block of encoded rows, whose first row has this ordinal.

        Short rows may have long merged ones: a piece has so many of these as fit in memory.
        """
        block = MergedBlock([rows])
        if places.size:
            block.pieces = self._pieces(block, rows, places, ordinal)
        return block

    def _pieces(self, block: MergedBlock, rows: bytes, places: Places, ordinal: int) -> Iterator[bytes]:
        before = 0  # rows in earlier pieces
        while places.size:
            ordinals, merged, whole = self._take(ordinal + int(places[-1]))
            firsts = np.array(ordinals, np.intp) - ordinal
            here = places if whole else places[places <= firsts[-1]]
            too_large = self._too_large(b"".join(merged))
            for number in too_large:
                self.oversized.add(_digest_of_id(merged[number]))
                merged[number] = b""
            later = np.delete(here, np.searchsorted(here, firsts))  # their rows went into earlier ones
            unmerged = self._unmerged(rows, later) if self.oversized else []
            starts, ends = neighbours(here)
            pieces, copied = list[bytes](), 0
            numbers = [*np.searchsorted(firsts, starts).tolist(), len(merged)]
            for (start, end), (first, last) in zip(
                bounds(rows, starts, ends), pairwise(numbers), strict=True
            ):
                pieces += rows[copied:start], *merged[first:last]
                copied = end
            if whole:
                pieces.append(rows[copied:])
            removed = firsts[too_large].tolist()
            block.left_out += sorted(before + place for place in [*later.tolist(), *removed])
            block.too_large += sorted(before + place for place in [*unmerged, *removed])
            block.unmerged += len(unmerged)
            yield b"".join(pieces)
            passed = int(here[-1]) + 1
            rows, places = rows[copied:], places[len(here) :] - passed
            before, ordinal = before + passed, ordinal + passed

    def _unmerged(self, rows: bytes, places: Places) -> list[int]:
        """Return those of some places whose row went into one that is too large, and is not so itself."""
        chosen = rows_at(rows, places)
        alone = set(self._too_large(chosen))
        return [
            place
            for number, (place, line) in enumerate(zip(places.tolist(), chosen.splitlines(), strict=True))
            if number not in alone and _digest_of_id(line) in self.oversized
        ]

    def _take(self, last: int) -> tuple[list[int], list[bytes], bool]:
        """Return the next merged rows up to an ordinal, before them their own ordinals, and if these are all.

        They are not all where they have more bytes than should be in memory.
        """
        ordinals, merged, lines, size = list[int](), list[bytes](), list[bytes](), 0
        line = self._next
        while line:
            number, _, row = line.partition(b",")
            if (ordinal := int(number)) > last or size > _MOST_BYTES:
                break
            ordinals.append(ordinal)
            merged.append(row)
            lines.append(line)
            size += len(line)
            line = next(self._lines, b"")
        self._next = line
        self.taken = self.taken.add(b"".join(lines))
        return ordinals, merged, not line or ordinal > last


def starts_of_parts(most: int) -> Numbers:
    """Return where the parts start in a sort of ordinals below `most`.

    There are more of them in a large file, because merged rows may stand in one stretch of it.
    """
    return np.arange(0, most, min(most // _PARTS + 1, _MOST_ROWS)).astype(np.uint64)


def rows_at(rows: bytes, places: Places) -> bytes:
    """Return the rows in these ascending places."""
    return b"".join([rows[start:end] for start, end in bounds(rows, *neighbours(places))])


def neighbours(places: Places) -> tuple[Places, Places]:
    """Return the first and the last of ascending places that follow one another: 2 7 and 4 7 of 2 3 4 7."""
    firsts = np.diff(places, prepend=places[:1] - 2) > 1
    lasts = np.diff(places, append=places[-1:] + 2) > 1
    return places[firsts], places[lasts]


def bounds(rows: bytes, firsts: Places, lasts: Places) -> list[tuple[int, int]]:
    """Return where the rows in the first places start, and where those in the last places end."""
    starts = np.append(0, np.flatnonzero(np.frombuffer(rows, np.uint8) == _LINE_FEED) + 1)
    return list(zip(starts[firsts].tolist(), starts[lasts + 1].tolist(), strict=True))


def _merged(rows: Rows) -> Rows:
    """Merge the rows of one id among rows that are sorted by hash; earlier ones come first."""
    later = np.flatnonzero(rows.keys[1:] == rows.keys[:-1]) + 1
    firsts = np.searchsorted(rows.keys, rows.keys[later])
    lines, remaining = rows.lines, np.ones(len(rows.keys), np.bool_)
    remaining[later] = False
    others = dict[bytes, int]()  # places of ids that have the hash of another one
    for first, place in zip(firsts.tolist(), later.tolist(), strict=True):
        key = _id(lines[place])
        target = first if key == _id(lines[first]) else others.setdefault(key, place)
        if target != place:
            lines[target] = merge(lines[target], lines[place])
        else:
            remaining[place] = True
    return rows.select(remaining)


def _id(row: bytes) -> bytes:
    return row.partition(b",")[0]


def _digest_of_id(row: bytes) -> str:
    """Return the SHA-256 of an encoded row's id (hex), for a checkpoint that must not name persons."""
    return hashlib.sha256(_id(row)).hexdigest()
