"""Linting whole blocks of plain rows: what one look proves sound is not looked at row by row."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from .encoding import FAULT_MARK, PLUS_MARK, SEPARATORS, unmark
from .lint import LONG_ID_LENGTH, LONG_VALUE_LENGTH, Fault, Rules, Warn, lint_row
from .reading.blocks import read_fault

type Places = NDArray[np.intp]
type Hashes = NDArray[np.uint64]

_COMMA, _LINE_FEED, _HYPHEN, _PLUS, _SLASH, _DELETE, _SPACE, _UNDERSCORE = b",\n-+/\x7f _"
_BLANK_LINES = re.compile(rb"\n\n+")
_SURROGATE = re.compile(rb"\xed[\xa0-\xbf]")
_WORD = 8
_MASKS = np.array([(1 << 8 * size) - 1 for size in range(_WORD + 1)], np.uint64)
_ONES, _HIGHS = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
_PRIME, _SHIFT = np.uint64(0x9E3779B97F4A7C15), np.uint64(32)


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


@dataclass(frozen=True, slots=True)
class _Grid:
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
    grid = _Grid.of(rows, rules, unreserved=unreserved) if sound else None
    if grid is None or rules.width == 1:
        rows = _BLANK_LINES.sub(b"\n", rows).removeprefix(b"\n")
        rows, numbers = _lint(rows, range(rows.count(b"\n")), rules, faults, all_rows=True)
        grid = _Grid.of(rows, rules, unreserved=unreserved)
    if grid is None:
        raise AssertionError  # rows that passed have one cell for each column
    hashes, suspects = _look_at_ids(rows, grid, rules)
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
            grid = _Grid.of(rows, rules, unreserved=unreserved) or grid
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


def _look_at_ids(rows: bytes, grid: _Grid, rules: Rules) -> tuple[Hashes, Places]:
    """Hash the ids, and give the numbers of the rows whose id needs a closer look."""
    starts, sizes = grid.id_starts, grid.id_sizes
    longest = int(sizes.max(initial=0))
    if len(starts) and int(starts[-1]) + longest + 2 * _WORD > len(rows):
        rows += bytes(longest + 2 * _WORD)  # so that the last id can be read in whole words, too
    words = np.ndarray((max(0, len(rows) - _WORD + 1),), "<u8", rows, strides=(1,))
    odd = (sizes == 0) | (sizes > LONG_ID_LENGTH)
    signs = [_PLUS, _SLASH, PLUS_MARK[0]] if rules.third_party_id else []
    signs += SEPARATORS if rules.plain_ids else b""
    signs = [sign for sign in signs if sign in rows]
    hashes = sizes.view(np.uint64)
    for offset in range(0, longest, _WORD):
        word = words[starts + offset if offset else starts]
        left = sizes - offset if offset else sizes
        used = np.minimum(left, _WORD)
        word &= _MASKS[np.maximum(used, 0) if offset else used]
        mixed = _mix(hashes, word)
        hashes = np.where(left > 0, mixed, hashes) if offset else mixed
        for sign in signs:
            odd |= _has_byte(word, sign)
    return hashes, np.flatnonzero(odd)


def _mix(hashes: Hashes, word: Hashes) -> Hashes:
    mixed = (hashes ^ word) * _PRIME
    mixed ^= mixed >> _SHIFT
    mixed *= _PRIME
    return mixed


def _has_byte(words: Hashes, byte: int) -> Any:
    """Say which words hold a byte: the classic test for a zero byte, after an exclusive or."""
    differing = words ^ (np.uint64(byte) * _ONES)
    return ((differing - _ONES) & ~differing & _HIGHS) != 0


def _count_odd_values(rows: bytes, grid: _Grid, found: Counter[str]) -> None:
    """Count the values that are sent and may not be meant, for what is in them."""
    separators = _separators(rows, grid)
    if separators.size:
        found[Warn.SEPARATOR_IN_VALUE] = len(grid.cells_at(separators))
    if PLUS_MARK in rows:
        found[Warn.PLUS_SIGN] = len(grid.cells_at(np.flatnonzero(grid.data == PLUS_MARK[0])))
    if np.count_nonzero(grid.data < _SPACE) > len(grid.row_sizes) or b"\x7f" in rows:
        control = (grid.data < _SPACE) & (grid.data != _LINE_FEED) | (grid.data == _DELETE)
        found[Warn.CONTROL_CHARACTER] = len(grid.cells_at(np.flatnonzero(control)))


def _separators(rows: bytes, grid: _Grid) -> Places:
    """Find what stands for a separator inside values."""
    if rows.isascii():
        return np.flatnonzero(grid.data == SEPARATORS[-1]) if b'"' in rows else np.empty(0, np.intp)
    marks = (grid.data >= SEPARATORS[0]) & (grid.data <= SEPARATORS[-2])
    return np.flatnonzero(marks | (grid.data == SEPARATORS[-1]))


def _count_long(rows: bytes, grid: _Grid, rules: Rules, found: Counter[str]) -> None:
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
