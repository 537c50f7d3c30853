"""The ids of a block that must be checked by themselves: a few of their bytes prove the others good."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from .first_bytes import Beginnings, SpecialCells, find_headers, table_of
from .grid import Grid, Places, union
from .header_names import TAIL, HeaderNames, Likeness
from .id_hashes import HashedIds, hash_ids
from .nulls import NullCells
from .plain import COMMA_MARK, PLUS_MARK, SEPARATORS, mark
from .row_check import (
    BLANKS,
    GROUPING_ENDS,
    ID_WORDS,
    LONGEST_EXPONENT,
    LONGEST_ROUNDED,
    PLACEHOLDER_STARTS,
    SHORTEST_ROUNDED,
    SPREADSHEET_DIGITS,
    SUBTOTAL_ENDS,
    Rules,
)

_SPACE, _LINE_FEED, _DELETE = ord(" "), ord("\n"), ord("\x7f")
_SMALL_E, _HYPHEN, _ZERO = ord("e"), ord("-"), ord("0")
_ONE = np.uint8(ord("1"))
_YEAR, _MONTH, _DATE = len("2024"), len("2024-05"), len("2024-05-01")
_GROUP = len("234")
# U+0080 to U+009F in UTF-8: control characters, that Windows-1252 read as ISO-8859-1 has for quotes.
_C1_LEAD, _C1_END = b"\xc2", 0xA0
_LETTERS = "ÃÂ".encode()
_NO_PLACES = np.empty(0, np.intp)
_ZEROS, _TO_HIGHS, _HIGHS = np.uint32(0x30303030), np.uint32(0x46464646), np.uint32(0x80808080)
# A number with a fraction, an exponent or both, as a cell of a plain row.
_NUMBER = re.compile(rb"[+\xfb-]?[0-9]+(?:[.\xf8][0-9]*(?:[eE][+\xfb-]?[0-9]+)?|[eE][+\xfb-]?[0-9]+)")


_BLANKS = [mark(blank.encode()) for blank in BLANKS]
_FIRST = table_of(b"='`#(-" + PLACEHOLDER_STARTS + bytes({blank[0] for blank in _BLANKS}))
# The first bytes of the blanks of one to four bytes.
_LEADS = [table_of(bytes({blank[0] for blank in _BLANKS if len(blank) == size})) for size in (1, 2, 3, 4)]
_SMALL = 0x202020  # makes small letters of three
_ID_WORDS = sorted(form.encode() for word in (*ID_WORDS, "err:", "system.") for form in (word, word.upper()))
_LIKELY = _FIRST | table_of(word[0] for word in _ID_WORDS)
_WORD_STARTS = np.array(sorted({(word[0] << 16 | word[1] << 8 | word[2]) | _SMALL for word in _ID_WORDS}))
_SMALL_TAIL = 0x20202020  # the same of four
_ENDS_PRINTED = table_of(b"')")
_ENDS_SUBTOTAL = table_of(byte for end in SUBTOTAL_ENDS for byte in (end[-1], *end[-1:].upper()))
_SUBTOTALS = np.frombuffer(b"".join(SUBTOTAL_ENDS), "<u4")
_STARTS_NUMBER = table_of(b"0123456789+-" + PLUS_MARK)
_DIGITS = table_of(b"0123456789")
_GROUPING = table_of(GROUPING_ENDS)
_MONTHS = table_of(b"JFMASOND")  # the first letters of months


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
            # As unsigned bytes wrap around, this is one comparison for all marks.
            found = data - np.uint8(SEPARATORS[0]) <= SEPARATORS[-2] - SEPARATORS[0]
            found |= data == SEPARATORS[-1]
            separators = np.flatnonzero(found)
        if np.count_nonzero(data < _SPACE) > len(grid.row_sizes) or b"\x7f" in rows:
            places = np.flatnonzero((data < _SPACE) & (data != _LINE_FEED) | (data == _DELETE))
            controls = grid.cells_at(places)
        if _C1_LEAD in rows and not rows.isascii():
            places = np.flatnonzero(data[:-1] == _C1_LEAD[0])
            places = places[data.take(places + 1) < _C1_END]
            # After Ã or Â it is a part of a letter that was decoded twice, which has a warning of its own.
            after_letter = np.isin(data.take(places - 1), [*_LETTERS[1::2]])
            after_letter &= data.take(places - 2) == _LETTERS[0]
            places = places[~after_letter]
            controls = union(controls, grid.cells_at(places))
        return cls(grid.cells_at(separators), controls)


class BlockView(NamedTuple):
    """What a few passes over all bytes show of some plain rows."""

    grid: Grid
    ids: HashedIds
    nulls: NullCells
    special: SpecialCells
    headers: dict[int, Likeness]  # rows that are one, by their places
    odd: OddCells | None  # None: no byte needs encoding

    @classmethod
    def of(cls, rows: bytes, grid: Grid, rules: Rules, *, unreserved: bool) -> Self:
        """Look at plain rows, whose grid is known."""
        odd = None if unreserved else OddCells.of(rows, grid)
        beginnings = Beginnings.of(rules)
        special = SpecialCells.of(grid, beginnings)
        nulls = NullCells.of(rows, grid, rules, special, beginnings.begins_word)
        headers = dict[int, Likeness]()
        if rules.header and (special.names.size or (odd and b"=" in rows)):
            headers = find_headers(rows, grid, special.names, rules.header, beginnings)
        if rules.header and rules.header.long_name:
            headers = _with_long_name(rows, grid, rules.header) | headers
        if rules.header and len(rules.header.tail) == TAIL:
            headers = _joined(rows, grid, rules.header) | headers
        ids = hash_ids(rows, grid, rules, unreserved=unreserved)
        return cls(grid, ids, nulls, special, headers, odd)


def _with_long_name(rows: bytes, grid: Grid, header: HeaderNames) -> dict[int, Likeness]:
    """Return the headers among the rows, of those with the name of a column in it.

    By the longest name, because few values are as long.
    """
    number, size = header.long_number, len(header.long_name)
    ends = grid.ends[number :: grid.width]
    starts = grid.ends[number - 1 :: grid.width] + 1 if number else grid.row_starts
    likely = np.flatnonzero(ends - starts == size)
    likely = likely[grid.data.take(starts[likely]) == header.long_name[0]]
    likely = likely[grid.data.take(ends[likely] - 1) == header.long_name[-1]]
    found = dict[int, Likeness]()
    for place in likely.tolist():
        end = int(grid.ends[(place + 1) * grid.width - 1])
        cells = rows[end + 1 - int(grid.row_sizes[place]) : end].split(b",")
        likeness = header.likeness(cells) if header.has_long_name(cells) else None
        if likeness:
            found[place] = likeness
    return found


def _joined(rows: bytes, grid: Grid, header: HeaderNames) -> dict[int, Likeness]:
    """Return the rows that end in a header, of those whose id ends as the name of the key column does."""
    ends = grid.id_starts + grid.id_sizes
    likely = np.flatnonzero(grid.data.take(ends - 1, mode="wrap") == header.tail[-1])
    if not likely.size:  # as where all ids are numbers
        return {}
    tails = _tails(rows, ends[likely])
    found = dict[int, Likeness]()
    for place in likely[tails == np.frombuffer(header.tail, "<u4")].tolist():
        end = int(grid.ends[(place + 1) * grid.width - 1])
        if header.joined(rows[end + 1 - int(grid.row_sizes[place]) : end].split(b",")):
            found[place] = Likeness.JOINED
    return found


def _tails(rows: bytes, ends: Places) -> NDArray[np.uint32]:
    """Return the four bytes before each of some places, as little-endian numbers."""
    if ends.size and ends[0] < TAIL:
        rows, ends = bytes(TAIL) + rows, ends + TAIL  # so that four bytes are before the first end, too
    words = np.ndarray((max(0, len(rows) - TAIL + 1),), "<u4", rows, strides=(1,))  # one starts at each byte
    return words[ends - TAIL]


def suspect_ids(rows: bytes, view: BlockView, rules: Rules) -> Places:
    """Return the places of the rows whose id `check_id` must look at."""
    grid, odd = view.grid, view.odd
    cells = np.concatenate(view.nulls)
    suspects = [view.ids.odd]
    if odd or b"." in rows:
        places = _not_ending_in_digits(rows, grid)
        suspects.append(_spoiled_numbers(rows, grid, places))
        suspects.append(_in_groups(grid, places))
    suspects += [_with_exponent(grid), _like_months(grid), _rounded(grid)]
    first = grid.data.take(grid.id_starts)
    suspects.append(_like_dates(grid, first))
    likely = np.flatnonzero(_LIKELY.take(first))
    if likely.size:
        suspects.append(likely[_FIRST.take(first[likely])])
        suspects.append(_beginning_as_words(grid, likely))
    if odd:
        suspects.append(_ending_in_blank(grid, places))
        suspects.append(_ending_as_words(rows, grid, places))
        cells = np.concatenate((cells, *odd))
        suspects.append(_holding_odd(rows, grid, view.ids.beyond))
    suspects.append(cells[cells % rules.width == rules.key] // rules.width)
    return np.concatenate(suspects)


def _beginning_as_words(grid: Grid, places: Places) -> Places:
    """Return those of some places whose id begins as a word does that is no id, in capitals or not."""
    starts = grid.id_starts[places]
    text = np.zeros(len(places), np.intp)
    for offset in range(3):
        text = text << 8 | grid.data.take(starts + offset, mode="clip")
    return places[np.isin(text | _SMALL, _WORD_STARTS)]


def _ending_as_words(rows: bytes, grid: Grid, places: Places) -> Places:
    """Return those of some places whose id ends as a subtotal does, or as a value that a program prints."""
    last = grid.data.take(grid.id_starts[places] + grid.id_sizes[places] - 1)
    printed, likely = places[_ENDS_PRINTED.take(last)], places[_ENDS_SUBTOTAL.take(last)]
    if likely.size:
        tails = _tails(rows, grid.id_starts[likely] + grid.id_sizes[likely])
        likely = likely[np.isin(tails | np.uint32(_SMALL_TAIL), _SUBTOTALS)]
    return np.concatenate((printed, likely))


def _in_groups(grid: Grid, places: Places) -> Places:
    """Return those of some places whose id may be a number such as 1,234,567."""
    places = places[grid.id_sizes[places] > _GROUP]
    starts = grid.id_starts[places]
    before = grid.data.take(starts + grid.id_sizes[places] - _GROUP - 1)
    return places[_GROUPING.take(before) & _DIGITS.take(grid.data.take(starts))]


def _like_dates(grid: Grid, first: NDArray[np.uint8]) -> Places:
    """Return the places of the ids that may begin with a date such as 2024-05-01, by their first bytes."""
    places = np.flatnonzero(first - _ONE < len("12"))  # unsigned: no byte below 1 passes
    places = places[grid.id_sizes[places] >= _DATE]
    starts = grid.id_starts[places]
    likely: NDArray[np.bool_] = grid.data.take(starts + _YEAR) == _HYPHEN
    likely &= grid.data.take(starts + _MONTH) == _HYPHEN
    return places[likely]


def _rounded(grid: Grid) -> Places:
    """Return the places of the ids that may be long rounded numbers: they end in zeros."""
    places = np.flatnonzero((grid.id_sizes >= SHORTEST_ROUNDED) & (grid.id_sizes <= LONGEST_ROUNDED))
    ends = grid.id_starts[places] + grid.id_sizes[places]
    for offset in range(1, SHORTEST_ROUNDED - SPREADSHEET_DIGITS + 1):
        zero = grid.data.take(ends - offset) == _ZERO
        places, ends = places[zero], ends[zero]
    return places


def _with_exponent(grid: Grid) -> Places:
    """Return the places of the ids that may be like 1E15: short, with an E after up to three digits."""
    places = np.flatnonzero(grid.id_sizes <= LONGEST_EXPONENT)
    if not places.size:
        return places
    starts = grid.id_starts[places]
    found = np.zeros(len(places), np.bool_)
    for offset in (1, 2, 3):
        found |= grid.data.take(starts + offset, mode="clip") | _SPACE == _SMALL_E
    return places[found & _DIGITS.take(grid.data.take(starts))]


def _like_months(grid: Grid) -> Places:
    """Return the places of the ids that may be 1-Mar, 12-Mar or Mar-24, by hyphen and capital."""
    found = []
    for size, hyphen, letter in ((len("1-Mar"), 1, 2), (len("12-Mar"), 2, 3), (len("Mar-24"), 3, 0)):
        places = np.flatnonzero(grid.id_sizes == size)
        starts = grid.id_starts[places]
        likely: NDArray[np.bool_] = grid.data.take(starts + hyphen) == _HYPHEN
        found.append(places[likely & _MONTHS.take(grid.data.take(starts + letter))])
    return np.concatenate(found)


def _not_ending_in_digits(rows: bytes, grid: Grid) -> Places:
    """Return the places of the ids that do not end in four digits, or end in four zeros.

    This is SWAR: of a byte that is a digit, neither `byte - 48` nor `byte + 70` has the highest bit.
    """
    tails = _tails(rows, grid.id_starts + grid.id_sizes)
    no_digits = ((tails - _ZEROS) | (tails + _TO_HIGHS)) & _HIGHS
    return np.flatnonzero((no_digits != 0) | (tails == _ZEROS))


def _ending_in_blank(grid: Grid, places: Places) -> Places:
    """Return those of some places whose id seems to end in a blank, by each byte that may begin it."""
    ends = grid.id_starts[places] + grid.id_sizes[places]
    blank = np.zeros(len(places), np.bool_)
    for size, lead in enumerate(_LEADS, 1):
        blank |= lead.take(grid.data.take(np.maximum(ends - size, 0)))
    return places[blank]


@lru_cache
def _odd() -> re.Pattern[bytes]:
    """Return the pattern of blanks beyond ASCII, control characters, U+FFFD, U+FFFE and U+FFFF.

    And of what begins a letter that was decoded wrongly, or an accent that is a character of its own.
    """
    return re.compile(
        b"\xc2[\x80-\xa0\xad]|\xef\xbf[\xbd-\xbf]|\xc3[\x82\x83\xa2\xaf]|[\xcc\xcd]|"
        + b"|".join(sorted({re.escape(blank[:3]) for blank in _BLANKS if len(blank) > 1}))
    )


def _holding_odd(rows: bytes, grid: Grid, places: Places) -> Places:
    """Return those of some places whose id holds a character beyond ASCII that must be looked at."""
    odd, starts = _odd(), grid.id_starts[places]
    spans = zip(starts.tolist(), (starts + grid.id_sizes[places]).tolist(), strict=True)
    return places[[odd.search(rows, start, end) is not None for start, end in spans]]


def _spoiled_numbers(rows: bytes, grid: Grid, places: Places) -> Places:
    """Return those of some places whose id is a number with a fraction or an exponent."""
    if not places.size or not any(sign in rows for sign in (b".", b"+", COMMA_MARK, PLUS_MARK)):
        return places[:0]
    starts, sizes = grid.id_starts[places], grid.id_sizes[places]
    first, last = grid.data.take(starts), grid.data.take(starts + sizes - 1)
    may_be_number = _STARTS_NUMBER.take(first) & _DIGITS.take(last)
    places, starts, sizes = places[may_be_number], starts[may_be_number], sizes[may_be_number]
    spans = zip(starts.tolist(), (starts + sizes).tolist(), strict=True)
    return places[[_NUMBER.fullmatch(rows, start, end) is not None for start, end in spans]]
