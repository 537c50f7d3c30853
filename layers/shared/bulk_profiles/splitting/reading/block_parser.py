"""Taking whole records of a delimited file apart, all at once, where that is sure to be right.

It is where the quotes stand as they should, which one look at all of them proves.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bulk_profiles.splitting.rows.plain import COMMA_MARK, LINE_FEED_MARK, RETURN_MARK, without_invalid

from .record_parser import Dialect, is_utf8

type Places = NDArray[np.intp]
_QUOTE = ord('"')
_LINE_FEED = ord("\n")
_RETURN = ord("\r")
_COMMA = ord(",")
_FEW = 16  # bytes for each quote
_NONE = np.empty(0, np.intp)
_SPACE = ord(" ")
_SPACE_MARK = b"\xfd"  # a space that is no part of a delimiter; no text has this byte, nor is it another mark
_STAY = b"\xfe"  # a quote that stays; no text has this byte, and no mark is this one
_INSIDE = np.frombuffer(bytes.maketrans(b",\n\r", COMMA_MARK + LINE_FEED_MARK + RETURN_MARK), np.uint8)
_ENDS_LINE = np.zeros(256, np.bool_)
_ENDS_LINE[[_LINE_FEED, _RETURN]] = True


class WholeBlocks:
    """Take apart blocks of whole records that are written in one dialect."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        # Outside quotes, the delimiter becomes the comma and a comma becomes its mark.
        self._outside = bytes.maketrans(b"," + dialect.delimiter, COMMA_MARK + b",")
        self._outer = np.frombuffer(self._outside, np.uint8)
        self._rare = b"\r" + dialect.delimiter.strip(b",")
        self._beside_cells = np.zeros(256, np.bool_)
        self._beside_cells[[*dialect.delimiter, _LINE_FEED, _RETURN]] = True
        self._beside_quotes = self._beside_cells.copy()
        self._beside_quotes[_QUOTE] = True

    def plain_rows(self, text: bytes, quotes: Places | None = None) -> tuple[bytes, int] | None:
        """Give plain rows, and how many spaces were taken as part of delimiters; None where that is not sure.

        `quotes` are the places of the quotes, None if they are not known.
        """
        if not is_utf8(text):
            text, quotes = without_invalid(text), None
        if quotes is None:
            quotes = (
                np.flatnonzero(np.frombuffer(text, np.uint8) == _QUOTE)
                if self._dialect.quoted and b'"' in text
                else _NONE
            )
        if quotes.size:
            unquoted = self._unquoted(text, quotes)
            if unquoted is None:
                return None
            text = unquoted
        elif self._dialect.delimiter != b",":
            text = text.translate(self._outside)
        spaces = 0
        if self._dialect.spaced:
            spaces = text.count(b", ")
            text = text.replace(b", ", b",").replace(_SPACE_MARK, b" ")
        if b"\r" in text:
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return text, spaces

    def pairs(self, data: NDArray[np.uint8], quotes: Places) -> tuple[Places, Places] | None:
        """Give the quotes that open and those that close a quoted value or a part of one; None if not sure.

        A doubled quote closes a part and opens the next one. Any other quote is in a value without quotes.
        """
        opening, closing = quotes[0::2], quotes[1::2]
        if (
            len(opening) == len(closing)
            # Before the first byte comes the last one, which ends a line, as it should.
            and self._beside_quotes[data[opening - 1]].all()
            and self._beside_quotes[data[closing + 1]].all()
        ):
            return opening, closing
        found = self._quoting(data, quotes)
        return (found[0::2], found[1::2]) if len(found) % 2 == 0 else None

    def sound(self, text: bytes) -> int:
        """Give the length of the lines before the first value that is not quoted as it should be."""
        data = np.frombuffer(text, np.uint8)
        found = self._quoting(data, np.flatnonzero(data == _QUOTE)) if self._dialect.quoted else _NONE
        if len(found) % 2 == 0:
            return 0
        return max(text.rfind(b"\n", 0, int(found[-1])), text.rfind(b"\r", 0, int(found[-1]))) + 1

    def _quoting(self, data: NDArray[np.uint8], quotes: Places) -> Places:
        """Find the quotes that open and close in turn, up to one that opens and is not closed rightly."""
        starts_cell = self._beside_cells[data[quotes - 1]]
        if self._dialect.spaced:
            starts_cell |= (data[quotes - 1] == _SPACE) & (data[quotes - 2] == self._dialect.delimiter[0])
        if not starts_cell.any():
            return _NONE
        after = data[quotes + 1]
        return quotes[
            _quoting(starts_cell.tolist(), self._beside_cells[after].tolist(), (after == _QUOTE).tolist())
        ]

    def _unquoted(self, text: bytes, quotes: Places) -> bytes | None:
        """Take the quotes around values away, if it is sure which ones these are; None otherwise."""
        data = np.frombuffer(bytearray(text), np.uint8)
        pairs = self.pairs(data, quotes)
        if pairs is None:
            return None
        opening, closing = pairs
        empty = closing - opening == 1
        if (empty & _ENDS_LINE[data[opening - 1]] & _ENDS_LINE[data[closing + 1]]).any():
            return None  # empty quotes on a line of their own are no blank line
        if self._dialect.spaced:  # a space that is part of a quoted value, and none before its quote
            kept = opening[data[opening - 1] == self._dialect.delimiter[0]] + 1
            data[kept[data[kept] == _SPACE]] = _SPACE_MARK[0]
        lengths = closing - opening - 1
        if self._dialect.delimiter == b"," and int(lengths.sum()) * _FEW < len(text):
            _mark_each(data, opening + 1, lengths)
        else:
            self._mark_all(text, data, opening, closing)
        doubled = closing[:-1][opening[1:] - closing[:-1] == 1]
        literal = len(quotes) - 2 * len(opening)
        if literal:
            data[np.setdiff1d(quotes, np.concatenate(pairs), assume_unique=True)] = _STAY[0]
        if doubled.size or literal:
            data[doubled] = _STAY[0]
            return _without_quotes(data.tobytes(), len(quotes)).replace(_STAY, b'"')
        return _without_quotes(data.tobytes(), len(quotes))

    def _mark_all(self, text: bytes, data: NDArray[np.uint8], opening: Places, closing: Places) -> None:
        """Put marks for the separators inside quotes, and commas for the delimiters outside."""
        special = (data == _COMMA) | (data == _LINE_FEED)
        for byte in self._rare:
            if byte in text:
                special |= data == byte
        places = np.flatnonzero(special)
        # Between quotes are the places from the first after an opening to the last before its closing.
        first, last = np.searchsorted(places, opening), np.searchsorted(places, closing)
        holding = last > first
        if holding.any() or self._dialect.delimiter != b",":
            steps = np.zeros(len(places) + 1, np.int8)
            steps[first[holding]] += 1
            steps[last[holding]] -= 1
            inside = np.cumsum(steps[:-1], dtype=np.int8).view(np.bool_)
            if self._dialect.delimiter != b",":
                outer = places[~inside]
                data[outer] = self._outer[data[outer]]
            inner = places[inside]
            data[inner] = _INSIDE[data[inner]]


def _quoting(starts_cell: list[bool], ends_cell: list[bool], next_to_quote: list[bool]) -> list[int]:
    """Give the numbers of the quotes that open and close in turn, from what is beside each quote.

    The number of these is odd where the last one opens, and what should close it does not.
    """
    found = list[int]()
    quoted = doubled = False
    for number, (starts, ends, next_to) in enumerate(zip(starts_cell, ends_cell, next_to_quote, strict=True)):
        if doubled:
            doubled = False
        elif quoted:
            if not (ends or next_to):
                break  # text after a closing quote
            quoted, doubled = next_to, next_to
        elif starts:
            quoted = True
        else:
            continue
        found.append(number)
    return found


def _mark_each(data: NDArray[np.uint8], starts: Places, lengths: Places) -> None:
    """Put marks for the separators in some pieces of a text, by looking at each byte of these."""
    if not len(starts):
        return
    ends = np.cumsum(lengths)
    places = np.arange(int(ends[-1])) + np.repeat(starts - ends + lengths, lengths)
    data[places] = _INSIDE[data[places]]


def _without_quotes(text: bytes, quotes: int) -> bytes:
    """Delete the quotes, in the way that is faster for so many of them."""
    return text.replace(b'"', b"") if quotes * _FEW < len(text) else text.translate(None, b'"')
