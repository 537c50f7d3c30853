"""The grid of a block: where its cells and rows end, found in one pass."""

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


@dataclass(frozen=True, slots=True)
class Grid:
    """Where the cells and the rows of a block end; all its rows have `width` cells.

    `row_sizes` include the line feeds. `id_starts` and `id_sizes` are those of the cells with the ids.
    """

    data: NDArray[np.uint8]
    ends: Places
    width: int
    row_sizes: Places
    id_starts: Places
    id_sizes: Places

    @classmethod
    def of(cls, rows: bytes, rules: Rules, *, unreserved: bool) -> Self | None:
        """Find the cells; None where a row has more or fewer of them."""
        width, key = rules.width, rules.key
        data = np.frombuffer(rows, np.uint8)
        separators = data == _LINE_FEED
        count = np.count_nonzero(separators)
        if unreserved:
            separators = data < _HYPHEN  # of the bytes that need no encoding, none is
        else:
            separators |= data == _COMMA
        ends = np.flatnonzero(separators)
        row_ends = np.ascontiguousarray(ends[width - 1 :: width])
        # So many, and every last one a line feed: then all others are commas.
        if len(ends) != count * width or (data[row_ends] != _LINE_FEED).any():
            return None
        row_starts = np.zeros_like(row_ends)
        np.add(row_ends[:-1], 1, out=row_starts[1:])
        id_starts = ends[key - 1 :: width] + 1 if key else row_starts
        return cls(data, ends, width, row_ends - row_starts + 1, id_starts, ends[key::width] - id_starts)

    def any_valueless(self) -> bool:
        """Say whether a row has nothing but its id."""
        return bool((self.row_sizes == self.id_sizes + self.width).any())

    def cells_at(self, places: Places) -> Places:
        """Give the numbers of the cells that hold these bytes, in ascending order, each once."""
        cells = np.searchsorted(self.ends, places)
        return cells[np.diff(cells, prepend=-1) > 0]
