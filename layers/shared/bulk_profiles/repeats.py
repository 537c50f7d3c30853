"""Finding the ids that come more than once, without keeping the ids.

Rows are known by their number among the rows that may be sent, their *ordinal*. Two different ids with one
hash only send their rows through the exact merge, which keeps them apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from .scratch import Scratch

type Hashes = NDArray[np.uint64]

RUN = 1 << 19
_PARTS = 64
_PART_SHIFT = np.uint64(58)
_FIRST_LOOK = 1 << 14


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
        if self._count >= self._next_look:
            self._look()
        if self._count >= RUN:
            self.flush()

    def flush(self) -> None:
        """Write what is in memory to the scratch."""
        if not self._count:
            return
        hashes = np.concatenate(self._pending)
        parts = (hashes >> _PART_SHIFT).astype(np.uint8)
        order = np.argsort(parts, kind="stable")
        run = np.empty(len(hashes), _ENTRY)
        run["hash"], run["ordinal"] = hashes[order], order
        sink = self._scratch.write(_name(len(self.runs)))
        sink.write(np.bincount(parts, minlength=_PARTS).astype("<u8").tobytes())
        sink.write(run.tobytes())
        sink.commit()
        self.runs.append(len(hashes))
        self._pending, self._count, self._next_look = [], 0, _FIRST_LOOK

    def rows(self) -> Bits | None:
        """Give the rows whose ids come more than once; None if there are none."""
        if not self.runs:
            hashes = np.concatenate(self._pending) if self._pending else np.empty(0, np.uint64)
            repeated = _repeated(hashes)
            return Bits.of(repeated, len(hashes)) if repeated.size else None
        self.flush()
        bits = Bits(np.zeros(self.total // 8 + 1, np.uint8))
        any_found = False
        with ExitStack() as stack:
            streams = [
                stack.enter_context(self._scratch.open(_name(number))) for number in range(len(self.runs))
            ]
            sizes = [np.frombuffer(_read(stream, _PARTS * 8), "<u8") for stream in streams]
            bases = np.cumsum([0, *self.runs])
            for part in range(_PARTS):
                pieces = [
                    np.frombuffer(_read(stream, int(size[part]) * _ENTRY.itemsize), _ENTRY)
                    for stream, size in zip(streams, sizes, strict=True)
                ]
                repeated = _repeated(np.concatenate([piece["hash"] for piece in pieces]))
                if repeated.size:
                    any_found = True
                    ordinals = [piece["ordinal"] + base for piece, base in zip(pieces, bases, strict=False)]
                    bits.set(np.concatenate(ordinals)[repeated])
        return bits if any_found else None

    def _look(self) -> None:
        self._next_look = self._count * 8
        if not self.found:
            ordered = np.sort(np.concatenate(self._pending))
            self.found = bool((ordered[1:] == ordered[:-1]).any())


_ENTRY = np.dtype([("hash", "<u8"), ("ordinal", "<u4")])


class Bits:
    """A set of row numbers, one bit each."""

    def __init__(self, data: NDArray[np.uint8]) -> None:
        self._data = data

    @classmethod
    def of(cls, numbers: NDArray[np.intp], total: int) -> Bits:
        """Make the set of these numbers, all below `total`."""
        bits = cls(np.zeros(total // 8 + 1, np.uint8))
        bits.set(numbers)
        return bits

    @classmethod
    def from_bytes(cls, data: bytes) -> Bits:
        """Read what `to_bytes` wrote."""
        return cls(np.frombuffer(data, np.uint8))

    def to_bytes(self) -> bytes:
        """Give the set as bytes."""
        return self._data.tobytes()

    def set(self, numbers: NDArray[np.intp]) -> None:
        """Add numbers."""
        np.bitwise_or.at(self._data, numbers >> 3, np.uint8(1) << (numbers & 7).astype(np.uint8))

    def within(self, start: int, count: int) -> NDArray[np.intp]:
        """Give the members from `start` on, below `start + count`, less `start`."""
        first = start // 8
        bits = np.unpackbits(self._data[first : (start + count) // 8 + 1], bitorder="little")
        return np.flatnonzero(bits[start - first * 8 :][:count])


def _repeated(hashes: Hashes) -> NDArray[np.intp]:
    """Give the places of the hashes that are there more than once."""
    ordered = np.sort(hashes)
    if not (ordered[1:] == ordered[:-1]).any():
        return np.empty(0, np.intp)
    order = np.argsort(hashes, kind="stable")
    same = ordered[1:] == ordered[:-1]
    repeated = np.zeros(len(hashes), np.bool_)
    repeated[1:] |= same
    repeated[:-1] |= same
    return order[repeated]


def _read(stream: BinaryIO, size: int) -> bytes:
    """Read exactly so many bytes."""
    data = stream.read(size)
    while len(data) < size:
        data += stream.read(size - len(data)) or _cut_short()
    return data


def _cut_short() -> bytes:
    raise EOFError


def _name(run: int) -> str:
    return f"hashes-{run:05d}"
