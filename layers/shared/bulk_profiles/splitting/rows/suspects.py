"""The ids of a block that must be checked by themselves: a few of their bytes prove the others good."""

from __future__ import annotations

import re
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from .grid import Grid, Places
from .id_hashes import HashedIds, hash_ids
from .nulls import NullCells
from .plain import PLUS_MARK, SEPARATORS, mark, unmark
from .row_check import BLANKS, Rules, check_id

_SPACE, _LINE_FEED, _DELETE = ord(" "), ord("\n"), ord("\x7f")
_NO_PLACES = np.empty(0, np.intp)
_NO_CHARACTER = re.compile(b"\xef\xbf[\xbe\xbf]")  # U+FFFE and U+FFFF
# A number with a fraction or an exponent, as a cell of a plain row.
_NUMBER = re.compile(rb"[+\xfb-]?[0-9]+(?:[.\xf8][0-9]*)?(?:[eE][+\xfb-]?[0-9]+)?")


def _table(*, signs: bytes, high: bool = False) -> NDArray[np.bool_]:
    """Return for each byte whether it is one of these; if `high`, the later bytes of characters are, too."""
    table = np.zeros(256, np.bool_)
    table[[*signs]] = True
    table[0x80:0xC0] = high
    return table


_FIRST = _table(signs=b"='" + bytes({mark(blank.encode())[0] for blank in BLANKS}))
_LAST = _table(signs=b" \t" + SEPARATORS, high=True)
_STARTS_NUMBER = _table(signs=b"0123456789+-" + PLUS_MARK)
_DIGITS = _table(signs=b"0123456789")


class OddCells(NamedTuple):
    """The cells with characters that may not be meant, by their ascending numbers."""

    separators: Places
    controls: Places

    @classmethod
    def of(cls, rows: bytes, grid: Grid) -> Self:
        """Find these cells in plain rows."""
        data, controls = grid.data, _NO_PLACES
        if rows.isascii():
            separators = np.flatnonzero(data == SEPARATORS[-1]) if b'"' in rows else _NO_PLACES
        else:
            marks = (data >= SEPARATORS[0]) & (data <= SEPARATORS[-2])
            separators = np.flatnonzero(marks | (data == SEPARATORS[-1]))
        if np.count_nonzero(data < _SPACE) > len(grid.row_sizes) or b"\x7f" in rows:
            controls = np.flatnonzero((data < _SPACE) & (data != _LINE_FEED) | (data == _DELETE))
        return cls(grid.cells_at(separators), grid.cells_at(controls))


class BlockView(NamedTuple):
    """What a few passes over all bytes show of some plain rows."""

    grid: Grid
    ids: HashedIds
    nulls: NullCells
    odd: OddCells | None  # None: no byte needs encoding

    @classmethod
    def of(cls, rows: bytes, grid: Grid, rules: Rules, *, unreserved: bool) -> Self:
        """Look at plain rows, whose grid is known."""
        odd = None if unreserved else OddCells.of(rows, grid)
        return cls(grid, hash_ids(rows, grid, rules), NullCells.of(rows, grid, rules), odd)


def suspect_ids(rows: bytes, view: BlockView, rules: Rules) -> Places:
    """Return the places of the rows whose id `check_id` must look at."""
    grid, odd = view.grid, view.odd
    suspects = [view.ids.odd, _numbers(rows, grid, view.ids.pointed)]
    cells = np.concatenate(view.nulls)
    if odd:
        first, last = _ends(grid)
        suspects.append(np.flatnonzero(_FIRST.take(first) | _LAST.take(last)))
        cells = np.concatenate((cells, *odd))
        if b"\xef" in rows:
            places = [match.start() for match in _NO_CHARACTER.finditer(rows)]
            cells = np.concatenate((cells, grid.cells_at(np.array(places, np.intp))))
    suspects.append(cells[cells % rules.width == rules.key] // rules.width)
    return np.concatenate(suspects)


def is_sound(cell: bytes, rules: Rules) -> bool:
    """Whether nothing is wrong with an id, which is a cell of a plain row."""
    text = unmark(cell).decode()
    return check_id(text, rules) == (text, None, ())


def _ends(grid: Grid, places: Places | None = None) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the first and the last byte of the ids in some places; None: of all."""
    starts, sizes = grid.id_starts, grid.id_sizes
    if places is not None:
        starts, sizes = starts[places], sizes[places]
    return grid.data.take(starts), grid.data.take(starts + sizes - 1)


def _numbers(rows: bytes, grid: Grid, places: Places) -> Places:
    """Return those of some places whose id is a number."""
    if places.size:
        first, last = _ends(grid, places)
        places = places[_STARTS_NUMBER.take(first) & _DIGITS.take(last)]
    starts = grid.id_starts[places]
    spans = zip(starts.tolist(), (starts + grid.id_sizes[places]).tolist(), strict=True)
    return places[[_NUMBER.fullmatch(rows, start, end) is not None for start, end in spans]]
