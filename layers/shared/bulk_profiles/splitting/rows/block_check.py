"""The check of a whole block of plain rows.

A few passes over all bytes prove most rows good; only the others are checked one by one.
"""

from __future__ import annotations

import re
import string
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bulk_profiles.core.models import MOST_EXAMPLES

from .encoded_text import encoded_cells, escaped_cells
from .faults import LONG_ID_LENGTH, LONG_VALUE_LENGTH, Fault, Reject, Warn
from .grid import Grid, Places, union
from .header_names import Likeness
from .id_hashes import Hashes
from .nulls import without_cells
from .plain import FAULT_MARK, PLUS_MARK, unmark
from .row_check import (
    DECODED_TWICE,
    GUARDED_CELL,
    PLACEHOLDER,
    REPLACEMENT,
    CheckedId,
    CheckedRow,
    Rules,
    check_id,
    check_row,
    fit_row,
    header_row,
    is_footer,
)
from .suspects import BlockView, suspect_ids
from .warnings import Warnings

_COMMA = ord(",")
_LINE_FEED = ord("\n")
_SPACE = ord(" ")
_UNDERSCORE = ord("_")
_BLANK_LINES = re.compile(rb"\n\n+")
_REPLACEMENT = REPLACEMENT.encode()
_SURROGATE = re.compile(rb"\xed[\xa0-\xbf]")
_A_TILDE = b"\x83"  # the last byte of the letter with which nearly all begin that were decoded twice


@dataclass(frozen=True, slots=True)
class BlockCheck:
    """The result of a check: the good rows may be sent. Blank lines are no records."""

    hashes: Hashes  # of the ids of the good rows
    numbers: Places | None = None  # of the records, in the block, that are good rows; None: of all
    faults: dict[int, Fault] = field(default_factory=dict)  # of the other records, by number
    warnings: Warnings = field(default_factory=Warnings)
    valueless: bool = False  # some good rows have nothing but an id
    # The number of the first record after which rows have other columns, or may have, and what it is.
    other_header: tuple[int, Likeness] | None = None

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
    draft = _Draft(rows)
    odd = not unreserved and _is_odd(rows)
    grid = None if odd else Grid.of(rows, rules, unreserved=unreserved)
    if grid is None or rules.width == 1:  # in one column, a blank line looks like an empty cell
        lines = _lines(_BLANK_LINES.sub(b"\n", rows).removeprefix(b"\n"))
        commas = rules.width - 1
        draft.replace(
            lines,
            {
                number: fit_row(line, rules)
                for number, line in enumerate(lines)
                if line.count(b",") != commas or (odd and _is_odd(line)) or (not commas and is_footer(line))
            },
        )
        grid = _even_grid(draft.rows, rules, unreserved=unreserved)
    view = BlockView.of(draft.rows, grid, rules, unreserved=unreserved)
    guarded = _unguard(draft, view) if view.special.guarded.size else []
    if guarded:
        view = _even_view(draft.rows, rules, unreserved=unreserved)
    unsound = _unsound_ids(draft.rows, view, rules)
    if unsound or view.headers:
        lines = _lines(draft.rows)
        results = {place: check_row(lines[place], checked, rules) for place, checked in unsound.items()}
        results |= {place: header_row(likeness) for place, likeness in view.headers.items()}
        draft.replace(lines, results)
        view = _even_view(draft.rows, rules, unreserved=unreserved)
    if view.nulls.empty.size:
        draft.rows = without_cells(draft.rows, view.grid, view.nulls.empty)
        view = _even_view(draft.rows, rules, unreserved=unreserved)
    check = BlockCheck(
        view.ids.hashes,
        draft.numbers,
        draft.faults,
        valueless=view.grid.any_valueless(),
        other_header=draft.other_header,
    )
    if warn:
        for warning, records in draft.warned.items():
            check.warnings.add(warning, sorted(records))
        guarded = [record for record in guarded if record not in draft.faults]
        if guarded:
            check.warnings.add(Warn.VALUE_GUARDED, guarded, len(guarded))
        _count_odd_values(draft.rows, view, rules, check)
        _count_long_values(draft.rows, view.grid, rules, check)
    return draft.rows, check


@dataclass(slots=True)
class _Draft:
    """Rows that are being checked."""

    rows: bytes
    numbers: Places | None = None  # of their records; None: all are there
    faults: dict[int, Fault] = field(default_factory=dict)  # of other records, by number
    warned: dict[Warn, list[int]] = field(default_factory=dict)  # records by the warning that they have
    other_header: tuple[int, Likeness] | None = None  # as in the result

    def replace(self, lines: list[bytes], results: dict[int, CheckedRow]) -> None:
        """Make the rows of lines, which are the present rows, and of the results of a check for some."""
        good = np.ones(len(lines), np.bool_)
        for place, (result, warnings) in results.items():
            number = place if self.numbers is None else int(self.numbers[place])
            for warning in warnings:
                self.warned.setdefault(warning, []).append(number)
            if isinstance(result, bytes):
                lines[place] = result
                continue
            good[place] = False
            if isinstance(result, Likeness):
                if self.other_header is None or number < self.other_header[0]:
                    self.other_header = number, result
            elif result:
                self.faults[number] = result
        places = np.flatnonzero(good)
        self.rows = b"".join([lines[place] + b"\n" for place in places.tolist()])
        self.numbers = places if self.numbers is None else self.numbers[places]


def _unguard(draft: _Draft, view: BlockView) -> list[int]:
    """Take what keeps a spreadsheet from changing a value off it; return the records, once for each value.

    An id is left to its own check.
    """
    grid, width = view.grid, view.grid.width
    cells = view.special.guarded[~np.isin(grid.starts(view.special.guarded), grid.id_starts)]
    pieces, end, found = list[bytes](), 0, list[int]()
    spans = (cells // width, grid.starts(cells), grid.ends[cells])
    for place, start, stop in zip(*(numbers.tolist() for numbers in spans), strict=True):
        match = GUARDED_CELL.fullmatch(draft.rows, start, stop)
        if match:
            pieces += [draft.rows[end:start], b"".join(match.groups(b""))]
            end = stop
            found.append(place if draft.numbers is None else int(draft.numbers[place]))
    draft.rows = b"".join([*pieces, draft.rows[end:]])
    return found


def _unsound_ids(rows: bytes, view: BlockView, rules: Rules) -> dict[int, CheckedId]:
    """Return the ids that cannot stay as they are, or must be warned of, by the places of their rows.

    Where separators in values are rejected, the ids of rows that have any are among them.
    """
    suspects = suspect_ids(rows, view, rules)
    separated = (view.odd.separators if rules.reject_separators and view.odd else suspects[:0]) // rules.width
    places = union(suspects, separated)
    always = frozenset(separated.tolist())
    unsound = dict[int, CheckedId]()
    spans = (places, view.grid.id_starts[places], view.grid.id_sizes[places])
    for place, start, size in zip(*(numbers.tolist() for numbers in spans), strict=True):
        text = unmark(rows[start : start + size]).decode()
        checked = check_id(text, rules)
        if place in always or checked != (text, None, ()) or text.startswith(("-", "=", "(")):
            unsound[place] = checked
    return unsound


def _lines(rows: bytes) -> list[bytes]:
    lines = rows.split(b"\n")
    del lines[-1]
    return lines


def _even_grid(rows: bytes, rules: Rules, *, unreserved: bool) -> Grid:
    grid = Grid.of(rows, rules, unreserved=unreserved)
    if grid is None:
        raise AssertionError  # rows that were checked have one cell for each column
    return grid


def _even_view(rows: bytes, rules: Rules, *, unreserved: bool) -> BlockView:
    return BlockView.of(rows, _even_grid(rows, rules, unreserved=unreserved), rules, unreserved=unreserved)


def _is_odd(rows: bytes) -> bool:
    """Whether some rows hold the mark of a fault, or a byte that was not UTF-8."""
    return FAULT_MARK in rows or (b"\xed" in rows and _SURROGATE.search(rows) is not None)


def _count_odd_values(rows: bytes, view: BlockView, rules: Rules, check: BlockCheck) -> None:
    """Count the values that are sent, and that may not be meant."""
    grid = view.grid
    odd_cells = {
        Warn.NULL_WORD: view.nulls.doubtful,
        Warn.LEADING_SPACE: _spaced(grid, view.special.blanks),
        Warn.VALUE_APOSTROPHE: _values(view.special.apostrophes, rules),
    }
    if view.odd:
        templates = union(view.special.templates, _printed_types(rows, grid))
        odd_cells[Warn.PLACEHOLDER] = _placeholders(rows, grid, templates)
        odd_cells |= {Warn.SEPARATOR_IN_VALUE: view.odd.separators, Warn.CONTROL_CHARACTER: view.odd.controls}
    if view.odd and _REPLACEMENT[:1] in rows and _REPLACEMENT in rows:  # one byte is found faster
        replaced = [match.start() for match in re.finditer(_REPLACEMENT, rows)]
        odd_cells[Warn.REPLACEMENT_CHARACTER] = grid.cells_at(np.array(replaced, np.intp))
    if view.odd:
        odd_cells[Warn.ENCODED_TEXT] = encoded_cells(rows, grid)
        odd_cells[Warn.BACKSLASH] = escaped_cells(rows, grid)
        odd_cells[Warn.DECODED_TWICE] = _decoded_twice(rows, grid)
    if view.odd and PLUS_MARK in rows:
        odd_cells[Warn.PLUS_SIGN] = grid.cells_at(np.flatnonzero(grid.data == PLUS_MARK[0]))
    for warning, cells in odd_cells.items():
        if cells.size:
            sent = cells[~np.isin(cells % rules.width, [*rules.not_sent])] if rules.not_sent else cells
            if sent.size:
                _warn(check, warning, sent, grid)


def _values(cells: Places, rules: Rules) -> Places:
    """Return those of some cells that are no ids: these have a warning of their own."""
    is_value: NDArray[np.bool_] = cells % rules.width != rules.key
    return cells[is_value]


def _spaced(grid: Grid, cells: Places) -> Places:
    """Return those of some cells that begin with a space: no ids, as these are trimmed by now."""
    is_spaced: NDArray[np.bool_] = grid.data.take(grid.starts(cells)) == _SPACE
    return cells[is_spaced]


def _printed_types(rows: bytes, grid: Grid) -> Places:
    """Return the cells that may be `System.String[]`, as .NET prints a list: by the `]`, as S is frequent."""
    if b"]" not in rows:
        return np.empty(0, np.intp)
    places = np.flatnonzero(grid.data == ord("]"))
    cells = grid.cells_at(places[np.isin(grid.data.take(places + 1), [_COMMA, _LINE_FEED])])
    is_likely: NDArray[np.bool_] = grid.data.take(grid.starts(cells)) == ord("S")
    return cells[is_likely]


def _placeholders(rows: bytes, grid: Grid, cells: Places) -> Places:
    """Return those of some cells that are placeholders of a template, which were not filled in."""
    spans = zip(grid.starts(cells).tolist(), grid.ends[cells].tolist(), strict=True)
    texts = [unmark(rows[start:end]).decode() for start, end in spans]
    return cells[[PLACEHOLDER.fullmatch(text) is not None for text in texts]]


def _decoded_twice(rows: bytes, grid: Grid) -> Places:
    """Return the cells with letters whose bytes were decoded wrongly, by their ascending numbers."""
    if _A_TILDE not in rows:  # one byte is found faster than a pattern
        return np.empty(0, np.intp)
    places = [match.start() for match in DECODED_TWICE.finditer(rows)]
    return grid.cells_at(np.array(places, np.intp))


def _warn(check: BlockCheck, warning: Warn, cells: Places, grid: Grid) -> None:
    """Count a warning for each of some cells, by their ascending numbers in the block."""
    # So many cells are in as many rows as there are examples, at least.
    first_rows = dict.fromkeys((cells[: MOST_EXAMPLES * grid.width] // grid.width).tolist())
    check.warnings.add(warning, check.records(list(first_rows)), len(cells))


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
        elif cell % rules.width not in rules.not_sent:
            long_values += [cell] * (length > LONG_VALUE_LENGTH)
    for warning, cells in ((Warn.LONG_ID, long_ids), (Warn.LONG_VALUE, long_values)):
        if cells:
            _warn(check, warning, np.array(cells), grid)
