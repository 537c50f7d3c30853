"""Cells that seem to be encoded for another place than a table: `Smith &amp; Co`, or with escapes."""

from __future__ import annotations

import string

import numpy as np

from .first_bytes import table_of
from .grid import Grid, Places, union

_AMPERSAND, _PERCENT, _SEMICOLON, _BACKSLASH = b"&%;\\"
_ESCAPED = table_of(b"ntr0u\"'\\,\n")  # after a backslash: the comma and the line feed end the cell
_HEXADECIMAL = table_of(string.hexdigits.encode())
_IN_ENTITY = table_of((string.ascii_letters + string.digits).encode())
_BEGINS_ENTITY = table_of((string.ascii_letters + "#").encode())
_SHORTEST, _LONGEST = len("&lt"), len("&Uacute")
_LINK = b"http"  # a link is meant to be encoded


def encoded_cells(rows: bytes, grid: Grid) -> Places:
    """Return the cells of plain rows with HTML entities or percent-encoding, by their ascending numbers."""
    cells = list[Places]()
    if b"&" in rows and b";" in rows:
        cells.append(grid.cells_at(_entities(grid)))
    if b"%" in rows:
        cells.append(_without_links(grid, grid.cells_at(_percent_encoded(grid))))
    return union(*cells) if cells else np.empty(0, np.intp)


def escaped_cells(rows: bytes, grid: Grid) -> Places:
    """Return the cells of plain rows with what may be backslash escapes, by their ascending numbers."""
    if b"\\" not in rows:
        return np.empty(0, np.intp)
    places = np.flatnonzero(grid.data == _BACKSLASH)
    return grid.cells_at(places[_ESCAPED.take(grid.data.take(places + 1, mode="clip"))])


def _entities(grid: Grid) -> Places:
    """Return where HTML entities begin: from `&lt;` to `&Uacute;`, `&#252;`."""
    data = grid.data
    places = np.flatnonzero(data == _AMPERSAND)
    places = places[_BEGINS_ENTITY.take(data.take(places + 1, mode="clip"))]
    found = np.zeros(len(places), np.bool_)
    inside = np.ones(len(places), np.bool_)
    for offset in range(2, _LONGEST + 1):
        signs = data.take(places + offset, mode="clip")
        if offset >= _SHORTEST:
            found |= inside & (signs == _SEMICOLON)
        inside &= _IN_ENTITY.take(signs)
    return places[found]


def _percent_encoded(grid: Grid) -> Places:
    """Return where a percent sign stands before two hexadecimal digits."""
    data = grid.data
    places = np.flatnonzero(data == _PERCENT)
    for offset in (1, 2):
        places = places[_HEXADECIMAL.take(data.take(places + offset, mode="clip"))]
    return places


def _without_links(grid: Grid, cells: Places) -> Places:
    starts = grid.starts(cells)
    is_link = np.ones(len(cells), np.bool_)
    for offset, byte in enumerate(_LINK):
        is_link &= grid.data.take(starts + offset, mode="clip") == byte
    return cells[~is_link]
