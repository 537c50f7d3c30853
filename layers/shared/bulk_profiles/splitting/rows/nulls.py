"""Cells that are empty, or may be meant so: found by the first bytes of all cells.

A cell of nothing but blanks is empty, and so is one that holds a word for no value, with or without blanks
around it.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import groupby
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from .first_bytes import BLANK_BYTES, SpecialCells, Table, table_of
from .grid import Grid, Places, union
from .plain import mark, unmark
from .row_check import DOUBTFUL_WORDS, Rules, visible

type WordsBySize = dict[int, list[NDArray[np.uint8]]]

_SMALL = bytes(range(256)).lower()  # of each byte: the small letter of a capital
_TO_SMALL = np.frombuffer(_SMALL, np.uint8)


_ASCII_BLANK = table_of(
    blank[0] for blank in BLANK_BYTES if len(blank) == 1
)  # the marks of line ends among them
_FIRST = table_of(blank[0] for blank in BLANK_BYTES)
_LAST_PAIRS = np.zeros(1 << 16, np.bool_)  # of the blanks beyond ASCII: the last two bytes, as one number
_LAST_PAIRS[[blank[-2] << 8 | blank[-1] for blank in BLANK_BYTES if len(blank) > 1]] = True
_LAST = table_of(blank[-1] for blank in BLANK_BYTES)
# The first bytes of blanks beyond ASCII: two of them, and three of those that are longer.
_PAIRS = np.array(
    sorted({blank[0] << 8 | blank[1] for blank in BLANK_BYTES if len(blank) == len("é".encode())})
)
_TRIPLES = np.array(
    sorted(
        {blank[0] << 16 | blank[1] << 8 | blank[2] for blank in BLANK_BYTES if len(blank) > len("é".encode())}
    )
)


class NullCells(NamedTuple):
    """The cells that hold no value, by their ascending numbers."""

    empty: Places  # nothing but blanks, or a word that says so in every file, or in those of the feed
    doubtful: Places  # a word that may be a value, unless the feed names it

    @classmethod
    def of(cls, rows: bytes, grid: Grid, rules: Rules, special: SpecialCells, begins_word: Table) -> Self:
        """Find these cells in plain rows, of those that are special."""
        words, blanks = special.words, special.blanks
        if not words.size and not blanks.size:
            return cls(words, blanks)
        empty = _holding(words, grid, _by_size(rules.nulls))
        doubtful = _holding(words, grid, _by_size(DOUBTFUL_WORDS), small=True)
        padded = _ending_in_blank(words, grid)
        blank_cells, others = _blank_cells(grid, blanks, begins_word)
        if padded.size or others.size:
            more_empty, more_doubtful = _by_text(rows, grid, _union(padded, others), rules)
            empty, doubtful = _union(empty, more_empty), _union(doubtful, more_doubtful)
        return cls(_union(empty, blank_cells), doubtful)


def without_cells(rows: bytes, grid: Grid, cells: Places) -> bytes:
    """Return plain rows with some cells empty, which are not empty yet.

    The running sum of steps, +1 at the start of such a cell and -1 at its end, is 1 inside.
    """
    steps = np.zeros(len(rows), np.int8)
    steps[grid.starts(cells)] = 1
    steps[grid.ends[cells]] = -1
    kept: NDArray[np.bool_] = np.cumsum(steps, dtype=np.int8) == 0
    return grid.data[kept].tobytes()


def _union(some: Places, others: Places) -> Places:
    """Return the places of both in ascending order. Nearly always one has none."""
    if not some.size or not others.size:
        return others if not some.size else some
    return union(some, others)


def _blank_cells(grid: Grid, cells: Places, begins: Table) -> tuple[Places, Places]:
    """Return, of cells that seem to begin with a blank, those of ASCII blanks only, and those to look at.

    The first character of these that is no ASCII blank is a blank beyond ASCII, or one with which a word
    `begins`.
    """
    if not cells.size:
        return cells, cells
    data = grid.data
    starts, ends = grid.starts(cells), grid.ends[cells]
    leading = _ASCII_BLANK.take(data.take(starts))
    if leading.any():
        solid = np.flatnonzero(~_ASCII_BLANK.take(data))  # line feeds end cells, and are no blanks here
        starts = solid[np.searchsorted(solid, starts)]
    only_blanks = starts >= ends
    head = data.take(starts)
    likely = begins.take(head) & leading
    beyond = np.flatnonzero(_FIRST.take(head) & ~only_blanks)
    second, third = (data.take(np.minimum(starts[beyond] + n, len(data) - 1)) for n in (1, 2))
    pairs = head[beyond].astype(np.intp) << 8 | second
    likely[beyond] = np.isin(pairs, _PAIRS) | np.isin(pairs << 8 | third, _TRIPLES)
    return cells[only_blanks], cells[likely & ~only_blanks]


def _ending_in_blank(cells: Places, grid: Grid) -> Places:
    """Return those of some cells that seem to end in a blank, by their last two bytes."""
    last = grid.data.take(grid.ends[cells] - 1)
    cells, last = cells[_LAST.take(last)], last[_LAST.take(last)]
    pairs = grid.data.take(np.maximum(grid.ends[cells] - 2, 0)).astype(np.intp) << 8 | last
    blank: NDArray[np.bool_] = _ASCII_BLANK.take(last) | _LAST_PAIRS.take(pairs)
    return cells[blank]


def _by_text(rows: bytes, grid: Grid, cells: Places, rules: Rules) -> tuple[Places, Places]:
    """Return those of some cells that are empty, and those that may be, by their text without blanks."""
    empty, doubtful = list[int](), list[int]()
    spans = (cells, grid.starts(cells), grid.ends[cells])
    for cell, start, end in zip(*(numbers.tolist() for numbers in spans), strict=True):
        text = visible(unmark(rows[start:end]).decode())
        if not text or text in rules.nulls:
            empty.append(cell)
        elif text.lower() in DOUBTFUL_WORDS:
            doubtful.append(cell)
    return np.array(empty, np.intp), np.array(doubtful, np.intp)


def _holding(cells: Places, grid: Grid, words: WordsBySize, *, small: bool = False) -> Places:
    """Return those of some cells that hold one of these words; with `small`, also in capital letters."""
    if not cells.size:
        return cells
    starts = grid.starts(cells)
    sizes = grid.ends[cells] - starts
    places = [cells[:0]]
    for size, group in words.items():
        sized = np.flatnonzero(sizes == size)
        if not sized.size:
            continue
        texts = grid.data[starts[sized][:, np.newaxis] + np.arange(size)]
        if small:
            texts = _TO_SMALL[texts]
        places += [cells[sized[(texts == word).all(axis=1)]] for word in group]
    return np.sort(np.concatenate(places))


@lru_cache(maxsize=8)
def _by_size(words: frozenset[str]) -> WordsBySize:
    """Return words as cells of plain rows, by their sizes in bytes."""
    marked = sorted((mark(word.encode()) for word in words), key=len)
    return {size: [np.frombuffer(word, np.uint8) for word in group] for size, group in groupby(marked, len)}
