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

from bulk_profiles.splitting.files import Scratch, read_exactly
from bulk_profiles.splitting.rows.grid import Places
from bulk_profiles.splitting.rows.id_hashes import Hashes

RUN_HASHES = 1 << 19
_PARTS = 64  # of each run, by the highest six bits: one part of all runs is in memory at a time
_PART_STARTS = np.arange(1, _PARTS, dtype=np.uint64) << np.uint64(58)
_FIRST_LOOK = 1 << 14
_BITS_PER_ROW = 16
_MAX_BITS = 1 << 28  # 32 MiB
_MIN_BITS = 1 << 10
_FILTER = "repeated"


class RepeatFinder:
    """Take the hashes of all ids, in the order of the file, in bounded memory."""

    def __init__(self, scratch: Scratch, runs: Sequence[int] = (), *, found: bool = False) -> None:
        self.runs = list(runs)  # sizes of those that were written to the scratch so far
        self.found = found  # it is known already that some hash repeats
        self._scratch = scratch
        self._pending: list[Hashes] = []
        self._count = 0
        self._next_look = _FIRST_LOOK

    @property
    def total(self) -> int:
        """The number of hashes that are kept so far."""
        return sum(self.runs) + self._count

    def add(self, hashes: Hashes) -> None:
        """Take the hashes of the next rows."""
        self._pending.append(hashes)
        self._count += len(hashes)
        if self._count >= self._next_look and not self.found:
            self._next_look = self._count * 8  # so that all looks together cost little more than the last
            self.found = self._repeated().size > 0
        if self._count >= RUN_HASHES:
            self.flush()

    def flush(self) -> None:
        """Write what is in memory to the scratch: the ends of the run's parts, then its hashes."""
        if not self._count:
            return
        hashes = self._sorted()
        # Two of a hash tell that it repeats; more, as of an id in most rows, would fill the memory of a part.
        hashes = np.concatenate((hashes[:2], hashes[2:][hashes[2:] != hashes[:-2]]))
        ends = np.append(np.searchsorted(hashes, _PART_STARTS), len(hashes))
        sink = self._scratch.create(_run_name(len(self.runs)))
        sink.write(ends.astype("<u8").tobytes())
        sink.write(memoryview(hashes.astype("<u8", copy=False)).cast("B"))
        sink.commit()
        self.runs.append(len(hashes))
        self._pending, self._count, self._next_look = [], 0, _FIRST_LOOK

    def finish(self, working: Callable[[], object]) -> RepeatFilter | None:
        """Return the filter for the rows whose ids come more than once; None if there are none.

        `working` is called every few seconds, so that whoever waits for the end sees that it will come.
        """
        repeated = RepeatFilter.sized(self.total)
        if not self.runs:
            repeated.add(self._repeated())
            return repeated or None
        self.flush()
        with ExitStack() as stack:
            streams = [
                stack.enter_context(self._scratch.open(_run_name(number))) for number in range(len(self.runs))
            ]
            ends = [np.frombuffer(read_exactly(stream, _PARTS * 8), "<u8") for stream in streams]
            sizes = [np.diff(part_ends, prepend=np.uint64(0)) for part_ends in ends]
            for part in range(_PARTS):
                working()
                pieces = [
                    np.frombuffer(read_exactly(stream, int(size[part]) * 8), "<u8")
                    for stream, size in zip(streams, sizes, strict=True)
                ]
                # The stable sort of such numbers is timsort, which merges pieces that are sorted already.
                repeated.add(_repeated(np.sort(np.concatenate(pieces), kind="stable")))
        return repeated or None

    def _sorted(self) -> Hashes:
        hashes = self._all()
        hashes.sort()
        return hashes

    def _repeated(self) -> Hashes:
        """Return the hashes in memory that come more than once.

        Half of their bits are sorted in half the time, and show that nearly all come once.
        """
        hashes = self._all()
        high = (hashes >> np.uint64(32)).astype(np.uint32)
        repeated = _repeated(np.sort(high))
        return _repeated(np.sort(hashes[np.isin(high, repeated)])) if repeated.size else hashes[:0]

    def _all(self) -> Hashes:
        return np.concatenate(self._pending) if self._pending else np.empty(0, np.uint64)


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
