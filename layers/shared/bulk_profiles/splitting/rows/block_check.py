"""Linting whole blocks of plain rows: what one look proves sound is not looked at row by row."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from .faults import LONG_ID_LENGTH, LONG_VALUE_LENGTH, Fault, Warn
from .grid import Grid, Places
from .id_hashes import Hashes, look_at_ids
from .plain import FAULT_MARK, PLUS_MARK, SEPARATORS, read_fault, unmark
from .row_check import Rules, lint_row

_COMMA = ord(",")
_LINE_FEED = ord("\n")
_HYPHEN = ord("-")
_PLUS = ord("+")
_SLASH = ord("/")
_DELETE = ord("\x7f")
_SPACE = ord(" ")
_UNDERSCORE = ord("_")
_BLANK_LINES = re.compile(rb"\n\n+")
_SURROGATE = re.compile(rb"\xed[\xa0-\xbf]")


@dataclass(frozen=True, slots=True)
class Screened:
    """Rows that may be sent, each with one cell for each column.

    `hashes` are those of their ids, `numbers` tells which rows of the block they were (None: all);
    `faults` are the others, by number. Blank lines are not counted. `valueless`: some rows have only an id.
    `encoded`: the rows are encoded by now, and arranged as they are sent.
    """

    rows: bytes
    hashes: Hashes
    numbers: Places | None = None
    faults: dict[int, Fault] = field(default_factory=dict)
    warnings: Counter[str] = field(default_factory=Counter)
    valueless: bool = False
    encoded: bool = False


def is_unreserved(rows: bytes) -> bool:
    """Say whether no byte of some plain rows needs encoding; a tilde is taken for one that does."""
    data = np.frombuffer(rows, np.uint8)
    shifted = data | _SPACE  # capital letters become small ones, and nothing else becomes a letter
    shifted -= ord("a")
    found = shifted < len(string.ascii_lowercase)
    np.subtract(data, _COMMA, out=shifted)
    found |= shifted <= ord("9") - _COMMA  # comma, hyphen, full stop, slash and digits
    found |= data == _UNDERSCORE
    found |= data == _LINE_FEED
    return bool(found.all()) and b"/" not in rows


def screen(rows: bytes, rules: Rules, *, warn: bool = True, unreserved: bool = False) -> Screened:
    """Lint some plain rows, and hash their ids. Without `warn`, no warnings are counted.

    `unreserved`: it is known that no value has a byte that needs encoding, so there is less to look at.
    """
    faults: dict[int, Fault] = {}
    numbers: Places | None = None
    sound = unreserved or not (FAULT_MARK in rows or _has_surrogate(rows))
    grid = Grid.of(rows, rules, unreserved=unreserved) if sound else None
    if grid is None or rules.width == 1:
        rows = _BLANK_LINES.sub(b"\n", rows).removeprefix(b"\n")
        rows, numbers = _lint(rows, range(rows.count(b"\n")), rules, faults, all_rows=True)
        grid = Grid.of(rows, rules, unreserved=unreserved)
    if grid is None:
        raise AssertionError  # rows that passed have one cell for each column
    hashes, suspects = look_at_ids(rows, grid, rules)
    if rules.reject_separators:
        suspects = np.union1d(suspects, grid.cells_at(_separators(rows, grid)) // rules.width)
    if suspects.size:
        before = len(faults)
        found: dict[int, Fault] = {}
        rows, kept = _lint(rows, suspects.tolist(), rules, found, all_rows=False)
        origin = np.arange(len(hashes)) if numbers is None else numbers
        faults |= {int(origin[number]): fault for number, fault in found.items()}
        if len(faults) > before:
            hashes, numbers = hashes[kept], origin[kept]
            grid = Grid.of(rows, rules, unreserved=unreserved) or grid
    warnings = Counter[str]()
    if warn and not unreserved:
        _count_odd_values(rows, grid, warnings)
    if warn:
        _count_long(rows, grid, rules, warnings)
    return Screened(rows, hashes, numbers, faults, warnings, grid.any_valueless())


def _lint(
    rows: bytes, suspects: Iterable[int], rules: Rules, faults: dict[int, Fault], *, all_rows: bool
) -> tuple[bytes, Places]:
    """Lint some of the rows; give the rows that are left, short ones padded, and their numbers."""
    lines = rows.split(b"\n")
    del lines[-1]
    for number in suspects:
        line = lines[number]
        if all_rows and line.count(b",") == rules.width - 1 and not _is_odd(line):
            continue
        mended = _mend(line, rules)
        if isinstance(mended, Fault):
            faults[number] = mended
        else:
            lines[number] = mended
    kept = np.ones(len(lines), np.bool_)
    if faults:
        kept[list(faults)] = False
        lines = [line for number, line in enumerate(lines) if number not in faults]
    return b"".join([line + b"\n" for line in lines]), np.flatnonzero(kept)


def _is_odd(line: bytes) -> bool:
    return line.startswith(FAULT_MARK) or _has_surrogate(line)


def _has_surrogate(text: bytes) -> bool:
    return b"\xed" in text and _SURROGATE.search(text) is not None


def _mend(line: bytes, rules: Rules) -> bytes | Fault:
    """Give the row with one cell for each column, or say what is wrong with it."""
    if line.startswith(FAULT_MARK):
        return Fault(*read_fault(line))
    cells = line.split(b",")
    fault = lint_row(cells, rules)
    if fault:
        return fault
    return b",".join(cells[: rules.width]) + b"," * (rules.width - len(cells))


def _count_odd_values(rows: bytes, grid: Grid, found: Counter[str]) -> None:
    """Count the values that are sent and may not be meant, for what is in them."""
    separators = _separators(rows, grid)
    if separators.size:
        found[Warn.SEPARATOR_IN_VALUE] = len(grid.cells_at(separators))
    if PLUS_MARK in rows:
        found[Warn.PLUS_SIGN] = len(grid.cells_at(np.flatnonzero(grid.data == PLUS_MARK[0])))
    if np.count_nonzero(grid.data < _SPACE) > len(grid.row_sizes) or b"\x7f" in rows:
        control = (grid.data < _SPACE) & (grid.data != _LINE_FEED) | (grid.data == _DELETE)
        found[Warn.CONTROL_CHARACTER] = len(grid.cells_at(np.flatnonzero(control)))


def _separators(rows: bytes, grid: Grid) -> Places:
    """Find what stands for a separator inside values."""
    if rows.isascii():
        return np.flatnonzero(grid.data == SEPARATORS[-1]) if b'"' in rows else np.empty(0, np.intp)
    marks = (grid.data >= SEPARATORS[0]) & (grid.data <= SEPARATORS[-2])
    return np.flatnonzero(marks | (grid.data == SEPARATORS[-1]))


def _count_long(rows: bytes, grid: Grid, rules: Rules, found: Counter[str]) -> None:
    """Count the values that are very long."""
    if grid.row_sizes.max(initial=0) <= LONG_ID_LENGTH:
        return
    sizes = np.diff(grid.ends, prepend=-1)
    for cell in np.flatnonzero(sizes > LONG_ID_LENGTH).tolist():
        end = int(grid.ends[cell])
        length = len(unmark(rows[end + 1 - int(sizes[cell]) : end]).decode())
        if cell % rules.width == rules.key:
            found[Warn.LONG_ID] += length > LONG_ID_LENGTH
        else:
            found[Warn.LONG_VALUE] += length > LONG_VALUE_LENGTH
