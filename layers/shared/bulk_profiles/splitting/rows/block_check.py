"""The check of a whole block of plain rows.

A few passes over all bytes prove most rows good; only the others are checked one by one.
"""

from __future__ import annotations

import re
import string
from dataclasses import dataclass, field

import numpy as np

from .faults import LONG_ID_LENGTH, LONG_VALUE_LENGTH, Fault, Reject, Warn
from .grid import Grid, Places
from .id_hashes import Hashes, hash_ids
from .plain import FAULT_MARK, PLUS_MARK, SEPARATORS, mark, unmark
from .row_check import BLANKS, Rules, check_row, fit_row
from .warnings import MOST_EXAMPLES, Warnings

_COMMA = ord(",")
_LINE_FEED = ord("\n")
_DELETE = ord("\x7f")
_SPACE = ord(" ")
_UNDERSCORE = ord("_")
_MAY_BE_BLANK = np.zeros(256, np.bool_)  # the first bytes of blanks
_MAY_BE_BLANK[list({mark(blank.encode())[0] for blank in BLANKS})] = True
_BLANK_LINES = re.compile(rb"\n\n+")
_SURROGATE = re.compile(rb"\xed[\xa0-\xbf]")


@dataclass(frozen=True, slots=True)
class BlockCheck:
    """The result of a check: the good rows may be sent. Blank lines are no records."""

    hashes: Hashes  # of the ids of the good rows
    numbers: Places | None = None  # of the records, in the block, that are good rows; None: of all
    faults: dict[int, Fault] = field(default_factory=dict)  # of the other records, by number
    warnings: Warnings = field(default_factory=Warnings)
    valueless: bool = False  # some good rows have nothing but an id

    def reject(self, places: list[int], reason: Reject) -> dict[int, Fault]:
        """Return a fault for the good rows in each of these places, by the numbers of their records."""
        return dict.fromkeys(self.records(places), Fault(reason))

    def records(self, places: list[int]) -> list[int]:
        """Return the numbers of the records that are the good rows in these places."""
        return places if self.numbers is None else self.numbers[places].tolist()


def is_unreserved(rows: bytes) -> bool:
    """Whether no byte of some plain rows needs encoding; a tilde counts as one that does.

    Each range is one comparison, as unsigned bytes wrap around: `byte - ord("a") < 26` holds for the letters
    a to z, and for no byte below them.
    """
    data = np.frombuffer(rows, np.uint8)
    shifted = data | _SPACE  # A to Z become a to z, and nothing else becomes a letter
    shifted -= ord("a")
    unreserved = shifted < len(string.ascii_lowercase)
    np.subtract(data, _COMMA, out=shifted)
    unreserved |= shifted <= ord("9") - _COMMA  # comma, hyphen, full stop, slash and digits
    unreserved |= data == _UNDERSCORE
    unreserved |= data == _LINE_FEED
    return bool(unreserved.all()) and b"/" not in rows


def check_block(
    rows: bytes, rules: Rules, *, warn: bool = True, unreserved: bool = False
) -> tuple[bytes, BlockCheck]:
    """Check some plain rows. Return the good ones, each with one cell for each column, and the result.

    Warnings are counted if `warn`. `unreserved`: no byte needs encoding, which leaves less to check.
    """
    faults: dict[int, Fault] = {}
    numbers: Places | None = None
    odd = not unreserved and _is_odd(rows)
    grid = None if odd else Grid.of(rows, rules, unreserved=unreserved)
    if grid is None or rules.width == 1:  # in one column, a blank line looks like an empty cell
        lines = _lines(_BLANK_LINES.sub(b"\n", rows).removeprefix(b"\n"))
        commas = rules.width - 1
        misfits = [
            number
            for number, line in enumerate(lines)
            if line.count(b",") != commas or (odd and _is_odd(line))
        ]
        rows, numbers, faults = _checked(lines, {number: fit_row(lines[number], rules) for number in misfits})
        grid = _even_grid(rows, rules, unreserved=unreserved)
    hashes, suspects = hash_ids(rows, grid, rules)
    if not unreserved:
        suspects = np.union1d(suspects, np.flatnonzero(_MAY_BE_BLANK[grid.data[grid.id_starts]]))
    if rules.reject_separators:
        suspects = np.union1d(suspects, grid.cells_at(_separators(rows, grid)) // rules.width)
    if suspects.size:
        lines = _lines(rows)
        rows, good, more_faults = _checked(
            lines, {number: check_row(lines[number], rules) for number in suspects.tolist()}
        )
        origin = np.arange(len(hashes)) if numbers is None else numbers
        faults |= {int(origin[number]): fault for number, fault in more_faults.items()}
        hashes, numbers = hashes[good], origin[good]
        grid = _even_grid(rows, rules, unreserved=unreserved)
    check = BlockCheck(hashes, numbers, faults, valueless=grid.any_valueless())
    if warn and not unreserved:
        _count_odd_values(rows, grid, check)
    if warn:
        _count_long_values(rows, grid, rules, check)
    return rows, check


def _lines(rows: bytes) -> list[bytes]:
    lines = rows.split(b"\n")
    del lines[-1]
    return lines


def _even_grid(rows: bytes, rules: Rules, *, unreserved: bool) -> Grid:
    grid = Grid.of(rows, rules, unreserved=unreserved)
    if grid is None:
        raise AssertionError  # rows that were checked have one cell for each column
    return grid


def _is_odd(rows: bytes) -> bool:
    """Whether some rows hold the mark of a fault, or a byte that was not UTF-8."""
    return FAULT_MARK in rows or (b"\xed" in rows and _SURROGATE.search(rows) is not None)


def _checked(
    lines: list[bytes], results: dict[int, bytes | Fault | None]
) -> tuple[bytes, Places, dict[int, Fault]]:
    """Put the results of a check in the places of lines: a row, a fault, or None for a blank line.

    Returns the rows, the numbers of their lines, and the faults of other lines.
    """
    faults = {number: result for number, result in results.items() if isinstance(result, Fault)}
    good = np.ones(len(lines), np.bool_)
    for number, result in results.items():
        if isinstance(result, bytes):
            lines[number] = result
        else:
            good[number] = False
    numbers = np.flatnonzero(good)
    return b"".join([lines[number] + b"\n" for number in numbers.tolist()]), numbers, faults


def _count_odd_values(rows: bytes, grid: Grid, check: BlockCheck) -> None:
    """Count the values that are sent, and whose characters may not be meant."""
    separators = _separators(rows, grid)
    if separators.size:
        _warn(check, Warn.SEPARATOR_IN_VALUE, grid.cells_at(separators), grid)
    if PLUS_MARK in rows:
        plus_signs = np.flatnonzero(grid.data == PLUS_MARK[0])
        _warn(check, Warn.PLUS_SIGN, grid.cells_at(plus_signs), grid)
    if np.count_nonzero(grid.data < _SPACE) > len(grid.row_sizes) or b"\x7f" in rows:
        control = (grid.data < _SPACE) & (grid.data != _LINE_FEED) | (grid.data == _DELETE)
        _warn(check, Warn.CONTROL_CHARACTER, grid.cells_at(np.flatnonzero(control)), grid)


def _warn(check: BlockCheck, warning: Warn, cells: Places, grid: Grid) -> None:
    """Count a warning for each of some cells, by their ascending numbers in the block."""
    # So many cells are in as many rows as there are examples, at least.
    first_rows = dict.fromkeys((cells[: MOST_EXAMPLES * grid.width] // grid.width).tolist())
    check.warnings.add(warning, check.records(list(first_rows)), len(cells))


def _separators(rows: bytes, grid: Grid) -> Places:
    """Return the places of the bytes that stand for separators inside values."""
    if rows.isascii():
        return np.flatnonzero(grid.data == SEPARATORS[-1]) if b'"' in rows else np.empty(0, np.intp)
    marks = (grid.data >= SEPARATORS[0]) & (grid.data <= SEPARATORS[-2])
    return np.flatnonzero(marks | (grid.data == SEPARATORS[-1]))


def _count_long_values(rows: bytes, grid: Grid, rules: Rules, check: BlockCheck) -> None:
    """Count the ids and the values that are longer than Target handles well."""
    if grid.row_sizes.max(initial=0) <= LONG_ID_LENGTH:
        return
    sizes = np.diff(grid.ends, prepend=-1)
    long_ids, long_values = list[int](), list[int]()  # their cells
    for cell in np.flatnonzero(sizes > LONG_ID_LENGTH).tolist():
        end = int(grid.ends[cell])
        length = len(unmark(rows[end + 1 - int(sizes[cell]) : end]).decode())
        if cell % rules.width == rules.key:
            long_ids += [cell] * (length > LONG_ID_LENGTH)
        else:
            long_values += [cell] * (length > LONG_VALUE_LENGTH)
    for warning, cells in ((Warn.LONG_ID, long_ids), (Warn.LONG_VALUE, long_values)):
        if cells:
            _warn(check, warning, np.array(cells), grid)
