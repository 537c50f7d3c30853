"""The grid of a block: where its cells and rows end, found in one pass over its bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from .row_check import Rules

_COMMA = ord(",")
_HYPHEN = ord("-")
_LINE_FEED = ord("\n")
type Places = NDArray[np.intp]


def union(*places: Places) -> Places:
    """Return all of some places, ascending, each once: what numpy has for it takes long to load."""
    merged = np.concatenate(places)
    if not merged.size:  # as nearly always
        return merged
    merged.sort()
    return merged[np.diff(merged, prepend=-1) > 0]


@dataclass(frozen=True, slots=True)
class Grid:
    """The cells and the rows of a block in which all rows have the same number of cells."""

    data: NDArray[np.uint8]  # the bytes of the block
    ends: Places  # of the cells
    width: int  # cells in a row
    row_sizes: Places  # line feeds included
    id_starts: Places
    id_sizes: Places

    @classmethod
    def of(cls, rows: bytes, rules: Rules, *, unreserved: bool) -> Self | None:
        """Find the cells of some plain rows; None where a row has more or fewer of them than columns.

        `unreserved`: no byte needs encoding, so each byte below the hyphen is a separator.
        """
        width, key = rules.width, rules.key
        data = np.frombuffer(rows, np.uint8)
        separators = data == _LINE_FEED
        count = np.count_nonzero(separators)
        if unreserved:
            separators = data < _HYPHEN
        else:
            separators |= data == _COMMA
        ends = np.flatnonzero(separators)
        row_ends = np.ascontiguousarray(ends[width - 1 :: width])
        # Each row has one line feed. If there are as many separators as the rows should have cells, and each
        # one that should end a row is a line feed, then all others are commas.
        if len(ends) != count * width or (data[row_ends] != _LINE_FEED).any():
            return None
        row_starts = np.zeros_like(row_ends)
        np.add(row_ends[:-1], 1, out=row_starts[1:])
        id_starts = ends[key - 1 :: width] + 1 if key else row_starts
        return cls(data, ends, width, row_ends - row_starts + 1, id_starts, ends[key::width] - id_starts)

    def starts(self, cells: Places) -> Places:
        """Return where some cells start."""
        starts = self.ends[cells - 1] + 1
        starts[cells == 0] = 0
        return starts

    @property
    def row_starts(self) -> Places:
        """Where the rows start."""
        return self.ends[self.width - 1 :: self.width] + 1 - self.row_sizes

    def any_valueless(self) -> bool:
        """Whether a row has nothing but its id: then it is as long as the id and its separators."""
        return bool((self.row_sizes == self.id_sizes + self.width).any())

    def cells_at(self, places: Places) -> Places:
        """Return the numbers of the cells that hold the bytes in these places, ascending, each once."""
        cells = np.searchsorted(self.ends, places)
        return cells[np.diff(cells, prepend=-1) > 0]
