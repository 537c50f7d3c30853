"""Finding the ids that come more than once, without keeping the ids.

What is kept is a hash of each, in sorted runs. Two ids with one hash only send their rows through the exact
merge, which keeps them apart; so a rough answer will do, if only it misses no id that repeats.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from bulk_profiles.splitting.files import Scratch

type Hashes = NDArray[np.uint64]
RUN = 1 << 19
_PARTS = 64
_PART_STARTS = np.arange(1, _PARTS, dtype=np.uint64) << np.uint64(58)
_FIRST_LOOK = 1 << 14
_BITS_PER_ROW = 16
_MOST_BITS = 1 << 28  # 32 MiB
_LEAST_BITS = 1 << 10


class Repeats:
    """Gather the hashes of all ids. `runs` are the sizes of what was written to `scratch` so far.

    `found` says that some repeat, as far as it is known yet.
    """

    def __init__(self, scratch: Scratch, runs: Sequence[int] = (), *, found: bool = False) -> None:
        self.runs = list(runs)
        self.found = found
        self._scratch = scratch
        self._pending: list[Hashes] = []
        self._count = 0
        self._next_look = _FIRST_LOOK

    @property
    def total(self) -> int:
        """The number of rows so far."""
        return sum(self.runs) + self._count

    def add(self, hashes: Hashes) -> None:
        """Take the hashes of the next rows."""
        self._pending.append(hashes)
        self._count += len(hashes)
        if self._count >= self._next_look and not self.found:
            self._next_look = self._count * 8
            self.found = _repeated(self._sorted()).size > 0
        if self._count >= RUN:
            self.flush()

    def flush(self) -> None:
        """Write what is in memory to the scratch: the ends of its parts, then the hashes."""
        if not self._count:
            return
        hashes = self._sorted()
        ends = np.append(np.searchsorted(hashes, _PART_STARTS), len(hashes))
        sink = self._scratch.write(_name(len(self.runs)))
        sink.write(ends.astype("<u8").tobytes())
        sink.write(memoryview(hashes.astype("<u8", copy=False)).cast("B"))
        sink.commit()
        self.runs.append(len(hashes))
        self._pending, self._count, self._next_look = [], 0, _FIRST_LOOK

    def rows(self) -> Repeated | None:
        """Give the means to know the rows whose ids come more than once; None if there are none."""
        repeated = Repeated.none(self.total)
        if not self.runs:
            repeated.add(_repeated(self._sorted()))
            return repeated or None
        self.flush()
        with ExitStack() as stack:
            streams = [
                stack.enter_context(self._scratch.open(_name(number))) for number in range(len(self.runs))
            ]
            ends = [np.frombuffer(_read(stream, _PARTS * 8), "<u8") for stream in streams]
            sizes = [np.diff(part_ends, prepend=np.uint64(0)) for part_ends in ends]
            for part in range(_PARTS):
                pieces = [
                    np.frombuffer(_read(stream, int(size[part]) * 8), "<u8")
                    for stream, size in zip(streams, sizes, strict=True)
                ]
                repeated.add(
                    _repeated(np.sort(np.concatenate(pieces), kind="stable"))
                )  # sorted runs merge fast
        return repeated or None

    def _sorted(self) -> Hashes:
        hashes = np.concatenate(self._pending) if self._pending else np.empty(0, np.uint64)
        hashes.sort()
        return hashes


class Repeated:
    """A rough set of hashes: it has every one that was added, and few others."""

    def __init__(self, bits: NDArray[np.uint8]) -> None:
        self._bits = bits
        self._shift = np.uint64(64 - (len(bits) * 8 - 1).bit_length())

    @classmethod
    def none(cls, rows: int) -> Repeated:
        """Make an empty set that is large enough for a file of so many rows."""
        size = min(max(rows * _BITS_PER_ROW, _LEAST_BITS), _MOST_BITS)
        return cls(np.zeros(1 << (size - 1).bit_length() >> 3, np.uint8))

    @classmethod
    def from_bytes(cls, data: bytes) -> Repeated:
        """Read what `to_bytes` wrote."""
        return cls(np.frombuffer(data, np.uint8))

    def to_bytes(self) -> bytes:
        """Give the set as bytes."""
        return self._bits.tobytes()

    def __bool__(self) -> bool:
        return bool(self._bits.any())

    def add(self, hashes: Hashes) -> None:
        """Add hashes."""
        places = hashes >> self._shift
        np.bitwise_or.at(self._bits, places >> 3, np.uint8(1) << (places & 7).astype(np.uint8))

    def among(self, hashes: Hashes) -> list[int]:
        """Give the places of those hashes that are in the set."""
        places = hashes >> self._shift
        return np.flatnonzero(self._bits[places >> 3] >> (places & 7).astype(np.uint8) & 1).tolist()


def _repeated(ordered: Hashes) -> Any:
    """Give the hashes that are there more than once."""
    return ordered[1:][ordered[1:] == ordered[:-1]]


def _read(stream: BinaryIO, size: int) -> bytes:
    """Read exactly so many bytes."""
    pieces = []
    while size:
        pieces.append(stream.read(size))
        if not pieces[-1]:
            raise EOFError
        size -= len(pieces[-1])
    return b"".join(pieces)


def _name(run: int) -> str:
    return f"hashes-{run:05d}"
