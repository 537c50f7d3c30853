"""Finding the rows whose ids come more than once, without keeping the ids.

What is kept is a 64-bit hash of each id, in an external sort: a full list of hashes is written as a sorted
run, and in the end the runs are merged, part by part, so that equal hashes are neighbours. The runs `2 5 9`,
`5 7` and `1 9` become `1 2 5 5 7 9 9`, in which 5 and 9 repeat.

The hashes that repeat go into a Bloom filter with one hash function, which picks the rows to be merged. False
positives, of the hash or of the filter, are harmless: the exact merge compares ids and keeps such rows apart.
False negatives would put an id into two batches, and cannot happen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bulk_profiles.splitting.files import Scratch, read_end, read_exactly
from bulk_profiles.splitting.rows.grid import Places
from bulk_profiles.splitting.rows.id_hashes import Hashes

RUN_HASHES = 1 << 19
PARTS = 256  # of each run, by the highest bits: one part of all runs is in memory at a time
_FIRST_LOOK = 1 << 14
_BITS_PER_ROW = 16
_MAX_BITS = 1 << 28  # 32 MiB
_MIN_BITS = 1 << 10
_FILTER = "repeated"


class RepeatFinder:
    """Take the hashes of all ids, in the order of the file, in bounded memory.

    `parts`, a power of two, is that of the `runs` that are in the scratch already.
    """

    def __init__(
        self, scratch: Scratch, runs: Sequence[int] = (), *, found: bool = False, parts: int = PARTS
    ) -> None:
        self.runs = list(runs)  # sizes of those that were written to the scratch so far
        self.found = found  # it is known already that some hash repeats
        self.parts = parts
        self._scratch = scratch
        self._hashes: Hashes = np.empty(RUN_HASHES, np.uint64)
        self._count = 0  # of the hashes that are in memory
        self._next_look = _FIRST_LOOK

    @property
    def total(self) -> int:
        """The number of hashes that are kept so far."""
        return sum(self.runs) + self._count

    def add(self, hashes: Hashes) -> None:
        """Take the hashes of the next rows."""
        while len(hashes):
            taken = hashes[: RUN_HASHES - self._count]
            self._hashes[self._count : self._count + len(taken)] = taken
            self._count += len(taken)
            hashes = hashes[len(taken) :]
            if self._count >= self._next_look and not self.found:
                self._next_look = self._count * 8  # so that all looks together cost little more than the last
                self.found = self._repeated().size > 0
            if self._count == RUN_HASHES:
                self.flush()

    def flush(self) -> None:
        """Write what is in memory to the scratch: the ends of the run's parts, then its hashes."""
        if not self._count:
            return
        hashes = self._in_memory()
        hashes.sort()
        # Two of a hash tell that it repeats; more, as of an id in most rows, would fill the memory of a part.
        if (third := hashes[2:] == hashes[:-2]).any():
            hashes = np.delete(hashes, 2 + np.flatnonzero(third))
        starts = np.arange(1, self.parts, dtype=np.uint64) * np.uint64(2**64 // self.parts)
        ends = np.append(np.searchsorted(hashes, starts), len(hashes))
        sink = self._scratch.create(_run_name(len(self.runs)))
        sink.write(ends.astype("<u8").tobytes())
        sink.write(memoryview(hashes.astype("<u8", copy=False)).cast("B"))
        sink.commit()
        self.runs.append(len(hashes))
        self._count, self._next_look = 0, _FIRST_LOOK

    def finish(self, working: Callable[[], object]) -> RepeatFilter | None:
        """Return the filter for the rows whose ids come more than once; None if there are none.

        `working` is called every few seconds, so that whoever waits for the end sees that it will come.
        """
        repeated = RepeatFilter.sized(self.total)
        if not self.runs:
            repeated.add(self._repeated())
            return repeated or None
        self.flush()
        self._hashes = self._hashes[:0].copy()  # the memory is for the parts of the runs
        with ExitStack() as stack:
            streams = [
                stack.enter_context(self._scratch.open(_run_name(number))) for number in range(len(self.runs))
            ]
            ends = [np.frombuffer(read_exactly(stream, self.parts * 8), "<u8") for stream in streams]
            sizes = [np.diff(part_ends, prepend=np.uint64(0)) for part_ends in ends]
            for part in range(self.parts):
                working()
                hashes = np.empty(sum(int(size[part]) for size in sizes), "<u8")
                end = 0
                for stream, size in zip(streams, sizes, strict=True):
                    start, end = end, end + int(size[part])
                    hashes[start:end] = np.frombuffer(read_exactly(stream, (end - start) * 8), "<u8")
                # The stable sort of such numbers is timsort, which merges pieces that are sorted already.
                hashes.sort(kind="stable")
                repeated.add(_repeated(hashes))
            for stream in streams:
                read_end(stream)
        return repeated or None

    def _repeated(self) -> Hashes:
        """Return the hashes in memory that come more than once.

        Half of their bits are sorted in half the time, and show that nearly all come once.
        """
        hashes = self._in_memory()
        high = (hashes >> np.uint64(32)).astype(np.uint32)
        repeated = _repeated(np.sort(high))
        return _repeated(np.sort(hashes[np.isin(high, repeated)])) if repeated.size else hashes[:0]

    def _in_memory(self) -> Hashes:
        return self._hashes[: self._count]


class RepeatFilter:
    """A Bloom filter of hashes: it holds each one that was added, and seems to hold a few others.

    The highest bits of a hash choose its bit: in a filter of 1024 bits, these are the ten highest.
    """

    def __init__(self, bits: NDArray[np.uint8]) -> None:
        self._bits = bits
        self._shift = np.uint64(64 - (len(bits) * 8 - 1).bit_length())

    @classmethod
    def sized(cls, rows: int) -> RepeatFilter:
        """Return an empty filter that is large enough for a file of so many rows."""
        size = min(max(rows * _BITS_PER_ROW, _MIN_BITS), _MAX_BITS)
        return cls(np.zeros(1 << (size - 1).bit_length() >> 3, np.uint8))

    @classmethod
    def load(cls, scratch: Scratch) -> RepeatFilter:
        """Read what `save` wrote."""
        with scratch.open(_FILTER) as stream:
            return cls(np.frombuffer(stream.read(), np.uint8))

    def save(self, scratch: Scratch) -> None:
        """Write the filter to the scratch."""
        sink = scratch.create(_FILTER)
        sink.write(self._bits.tobytes())
        sink.commit()

    def __bool__(self) -> bool:
        return bool(self._bits.any())

    def add(self, hashes: Hashes) -> None:
        """Add hashes."""
        places = hashes >> self._shift
        np.bitwise_or.at(self._bits, places >> 3, np.uint8(1) << (places & 7).astype(np.uint8))

    def matches(self, hashes: Hashes) -> Places:
        """Return the places of those hashes that the filter seems to hold, in ascending order."""
        places = hashes >> self._shift
        return np.flatnonzero(self._bits[places >> 3] >> (places & 7).astype(np.uint8) & 1)


def _repeated(ordered: Hashes) -> Any:
    """Return the hashes that come more than once in a sorted array; those that come three times, twice."""
    return ordered[1:][ordered[1:] == ordered[:-1]]


def _run_name(run: int) -> str:
    return f"hashes-{run:05d}"
