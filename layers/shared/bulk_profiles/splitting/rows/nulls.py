"""Cells that hold a word for no value, found by the first bytes of all cells."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple, Self

import numpy as np

from .grid import Grid, Places
from .plain import mark
from .row_check import NULL_WORDS, Rules

_SMALL = 0x20  # what makes an `n` of an `N`
_N = ord("n")  # begins most words


class NullCells(NamedTuple):
    """The cells that hold a word for no value, by their ascending numbers."""

    empty: Places  # a word that says so in every file, or in those of the feed
    doubtful: Places  # one that may be a value, unless the feed names it

    @classmethod
    def of(cls, rows: bytes, grid: Grid, rules: Rules) -> Self:
        """Find these cells in plain rows."""
        empty, doubtful = _plain(rules.nulls), _plain(NULL_WORDS)
        cells = _candidates(rows, grid, empty + doubtful)
        cells = cells[_sizes(grid, cells) <= max(len(empty[-1]), len(doubtful[-1]))]
        return cls(_holding(cells, grid, empty), _holding(cells, grid, doubtful))


def without_cells(rows: bytes, grid: Grid, cells: Places) -> bytes:
    """Return plain rows with some cells empty."""
    starts, sizes = _starts(grid, cells), _sizes(grid, cells)
    kept = np.ones(len(rows), np.bool_)
    for size in np.unique(sizes).tolist():
        for offset in range(size):
            kept[starts[sizes == size] + offset] = False
    return grid.data[kept].tobytes()


@lru_cache
def _plain(words: frozenset[str]) -> tuple[bytes, ...]:
    """Return words as cells of plain rows, the longest last."""
    return tuple(sorted((mark(word.encode()) for word in words), key=len))


def _candidates(rows: bytes, grid: Grid, words: Iterable[bytes]) -> Places:
    """Return the cells that begin like one of some words."""
    data = grid.data
    first = np.concatenate(
        (data[:1], data[1:][grid.ends[:-1]])
    )  # of each cell, also the byte after an empty one
    begins = first | _SMALL == _N
    for byte in {word[0] for word in words}:
        if byte | _SMALL != _N and byte in rows:
            begins |= first == byte
    return np.flatnonzero(begins)


def _holding(cells: Places, grid: Grid, words: Iterable[bytes]) -> Places:
    """Return those of some cells that hold one of these words, which are sorted by length."""
    if not cells.size:
        return cells
    sizes = _sizes(grid, cells)
    places = [cells[:0]]
    for size, group in groupby(words, len):
        sized = cells[sizes == size]
        if not sized.size:
            continue
        starts = _starts(grid, sized)
        for word in group:
            holds = np.ones(len(sized), np.bool_)
            for offset, byte in enumerate(word):
                holds &= grid.data[starts + offset] == byte
            places.append(sized[holds])
    return np.sort(np.concatenate(places))


def _starts(grid: Grid, cells: Places) -> Places:
    starts: Places = grid.ends[cells - 1] + 1
    if cells.size and not cells[0]:
        starts[0] = 0
    return starts


def _sizes(grid: Grid, cells: Places) -> Places:
    return grid.ends[cells] - _starts(grid, cells)
