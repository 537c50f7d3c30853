"""Cells that may not be meant, found by their first two bytes, which show for nearly all that they are.

A cell of nothing but blanks is empty, one that holds a word for no value may be, and one with the name of a
key column may belong to a header.
"""

from __future__ import annotations

import string
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from .grid import Grid, Places, union
from .header_names import HeaderNames, Likeness
from .plain import mark
from .row_check import BLANKS, DOUBTFUL_WORDS, Rules

type Table = NDArray[np.bool_]  # of each byte
# What may begin with two bytes, in bits.
_WORD, _BLANK, _NAME, _GUARD, _APOSTROPHE, _TEMPLATE = 1, 2, 4, 8, 16, 32
# Before these, an apostrophe keeps a spreadsheet from taking a value for a formula, as OWASP advises.
_FORMULA_SIGNS = b"=+-@"
# Of {{city}}, {% if %}, ${city}, #{city}, %%city%%, *|CITY|* and <%= city %>.
_TEMPLATE_STARTS = (b"{{", b"{%", b"${", b"#{", b"%%", b"*|", b"<%")
_ALPHANUMERIC = (string.ascii_letters + string.digits).encode()
_SEPARATORS = b",\n"
_BEYOND_ASCII = range(0x80, 0x100)
BLANK_BYTES = tuple(mark(blank.encode()) for blank in (*BLANKS, "\0"))
# What may stand before a name or after it: ASCII signs, and the bytes of characters that nobody sees, which
# start with the last three.
_SIGNS = {*range(0x80)} - {*_ALPHANUMERIC, *_SEPARATORS} | {*range(0x80, 0xC0), 0xC2, 0xE2, 0xEF}
_PREFIX, _BATCH = "profile.", b"batch="  # of a name, and of a line
_MOST_SIGNS = 16  # that are passed over before a name


def table_of(signs: Iterable[int]) -> Table:
    """Return for each byte whether it is one of these."""
    table = np.zeros(256, np.bool_)
    table[[*signs]] = True
    return table


_IS_SIGN = table_of(_SIGNS)


class Beginnings(NamedTuple):
    """What a cell may be by its first bytes, for the rules of one file."""

    first: bytes  # of each byte: 1 if it tells anything as the first one
    pair_bits: NDArray[np.uint8]  # of the first two bytes, as one number
    begins_word: Table  # whether a word for no value begins with a byte
    # Whether a byte may be the third one of a word, or come after a shorter one: by the first one and this.
    third_of_word: Table
    ends_name: Table  # whether the name of a key column may end with a byte

    @classmethod
    def of(cls, rules: Rules) -> Beginnings:
        """Return what these rules ask for."""
        return _beginnings(rules.nulls, rules.header.spellings if rules.header else frozenset())


class SpecialCells(NamedTuple):
    """The cells that may be what their first bytes say, by their ascending numbers."""

    words: Places
    blanks: Places
    names: Places
    guarded: Places  # ="...", =T("...") or =, as exports write it around a value
    apostrophes: Places  # before the sign of a formula
    templates: Places  # placeholders, as templates have them

    @classmethod
    def of(cls, grid: Grid, beginnings: Beginnings) -> Self:
        """Find these cells."""
        # The first byte of each cell, which is the separator after an empty one.
        first = np.empty(len(grid.ends), np.uint8)
        if first.size:
            first[0] = grid.data[0]
            grid.data[1:].take(grid.ends[:-1], out=first[1:], mode="wrap")  # the mode that copies nothing
        cells = np.flatnonzero(np.frombuffer(first.tobytes().translate(beginnings.first), np.bool_))
        second = grid.starts(cells) + 1
        upper = first[cells].astype(np.intp) << 8
        bits = beginnings.pair_bits.take(upper | grid.data.take(second, mode="clip"))
        found = np.flatnonzero(bits)
        cells, bits = cells[found], bits[found]
        likely = np.flatnonzero(bits & _WORD)  # few of all
        found = found[likely]
        third = grid.data.take(second[found] + 1, mode="clip")
        words = cells[likely[beginnings.third_of_word.take(upper[found] | third)]]
        others = (_BLANK, _NAME, _GUARD, _APOSTROPHE, _TEMPLATE)
        return cls(words, *(cells[bits & bit != 0] for bit in others))


def find_headers(
    rows: bytes, grid: Grid, cells: Places, header: HeaderNames, beginnings: Beginnings
) -> dict[int, Likeness]:
    """Return the headers among the rows, by their places, of the cells that may have the name of a key."""
    data, shortest = grid.data, min(map(len, header.spellings))
    starts, ends = grid.starts(cells), grid.ends[cells]
    likely = beginnings.ends_name.take(data.take(ends - 1)) & (ends - starts >= shortest)
    cells, starts, ends = cells[likely], starts[likely], ends[likely]
    at = starts
    for _ in range(_MOST_SIGNS):
        is_sign = _IS_SIGN.take(data.take(at))
        if not is_sign.any():
            break
        at = at + is_sign
    pairs = data.take(at).astype(np.intp) << 8 | data.take(at + 1, mode="clip")
    likely = beginnings.pair_bits.take(pairs) & _NAME != 0
    spans = zip(starts[likely].tolist(), ends[likely].tolist(), strict=True)
    named = [header.may_have_key(rows[start:end]) for start, end in spans]
    headers = dict[int, Likeness]()
    for place in union(cells[likely][named] // grid.width, _after_batch(rows, grid)).tolist():
        end = int(grid.ends[(place + 1) * grid.width - 1])
        likeness = header.likeness(rows[end + 1 - int(grid.row_sizes[place]) : end].split(b","))
        if likeness:
            headers[place] = likeness
    return headers


def _after_batch(rows: bytes, grid: Grid) -> Places:
    """Return the places of the rows that seem to start with `batch=`, in capitals or not."""
    if b"=" not in rows:
        return np.empty(0, np.intp)
    starts = grid.starts(np.arange(0, len(grid.ends), grid.width))
    likely = np.isin(grid.data.take(starts), [*_cases(_BATCH[0])])
    likely &= grid.data.take(starts + len(_BATCH) - 1, mode="clip") == _BATCH[-1]
    return np.flatnonzero(likely)


def _cases(byte: int) -> bytes:
    return bytes([byte]).lower() + bytes([byte]).upper()


def _forms(letter: str) -> set[bytes]:
    """Return how a letter of a name may be written: large or small, and with its accent apart."""
    cases = {letter, letter.lower(), letter.upper()}
    return {form.encode() for case in cases for form in (case, unicodedata.normalize("NFD", case))}


@lru_cache(maxsize=8)
def _beginnings(nulls: frozenset[str], names: frozenset[str]) -> Beginnings:
    pairs = np.zeros((256, 256), np.uint8)
    words = [mark(word.encode()) for word in (*nulls, *DOUBTFUL_WORDS, *map(str.upper, DOUBTFUL_WORDS))]
    after = [*_SEPARATORS, *{blank[0] for blank in BLANK_BYTES}]  # a word: the end of its cell, or a blank
    thirds = np.zeros((256, 256), np.bool_)
    for word in words:
        pairs[word[0], [*_cases(word[1])] if word[1:] else after] |= _WORD
        third = [*_cases(word[2])] if word[2:] else after if word[1:] else [*range(256)]
        thirds[word[0], third] = True
    pairs[ord("="), [*b'"Tt0123456789']] |= _GUARD
    pairs[ord("'"), [*_FORMULA_SIGNS]] |= _APOSTROPHE
    for start in _TEMPLATE_STARTS:
        pairs[start[0], start[1]] |= _TEMPLATE
    for blank in BLANK_BYTES:
        pairs[blank[0], blank[1] if len(blank) > 1 else slice(None)] |= _BLANK
    for name in (*names, _PREFIX) if names else ():
        second = {form[0] for letter in name[1:2] for form in _forms(letter)}
        for form in _forms(name[0]):
            pairs[form[0], [*(form[1:2] or {*second, *_SIGNS})]] |= _NAME
    if names:
        pairs[[*_SIGNS]] |= _NAME
    ends = {form[-1] for key in names for form in _forms(key[-1])}
    return Beginnings(
        pairs.any(axis=1).tobytes(),
        pairs.reshape(-1),
        (pairs & _WORD).any(axis=1),
        thirds.reshape(-1),
        table_of({*ends, *_SIGNS, *_BEYOND_ASCII}),
    )
