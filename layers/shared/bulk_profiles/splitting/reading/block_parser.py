"""The parser of whole blocks of a delimited file: all records at once, where that is sure to be right.

It is sure where each quote stands where a quote should, and one look at the bytes beside all of them proves
that. In `1,"a,""b"" c",x` they come in pairs, each around a part of a value: `a,` and `b` and ` c`. Before
every opening quote is a delimiter, a line end, or the quote that closes the part before; after every closing
quote is one of these as well. So, from the first to the last, each quote opens or closes what it seems to,
and a doubled quote is where one part begins right after another.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bulk_profiles.splitting.rows.plain import COMMA_MARK, LINE_FEED_MARK, RETURN_MARK, without_invalid

from .record_parser import Dialect
from .scans import Places, is_utf8, line_ends

_QUOTE = ord('"')
_LINE_FEED = ord("\n")
_RETURN = ord("\r")
_COMMA = ord(",")
_SPACE = ord(" ")
_SPARSE = 16  # bytes of a text, at least, for each quote, or each byte inside quotes
_NO_PLACES = np.empty(0, np.intp)
# Two more marks, which no plain row has: they stand for bytes between two steps of the parser.
_SPACE_MARK = b"\xfd"  # a space that is no part of a delimiter
_QUOTE_MARK = b"\xfe"  # a quote that is part of a value
_MARKS = np.frombuffer(bytes.maketrans(b",\n\r", COMMA_MARK + LINE_FEED_MARK + RETURN_MARK), np.uint8)
_ENDS_LINE = np.zeros(256, np.bool_)
_ENDS_LINE[[_LINE_FEED, _RETURN]] = True


class BlockParser:
    """A parser of blocks that are written in one dialect. Each block is whole records and ends a line."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        # Outside quotes, the delimiter becomes the comma and a comma becomes its mark.
        self._outside = bytes.maketrans(b"," + dialect.delimiter, COMMA_MARK + b",")
        self._outside_table = np.frombuffer(self._outside, np.uint8)
        self._rare = b"\r" + dialect.delimiter.strip(b",")  # separators that a block need not have
        self._beside_cells = np.zeros(256, np.bool_)
        self._beside_cells[[*dialect.delimiter, _LINE_FEED, _RETURN]] = True
        self._beside_parts = self._beside_cells.copy()
        self._beside_parts[_QUOTE] = True

    def plain_rows(self, text: bytes, quotes: Places | None = None) -> tuple[bytes, int] | None:
        """Return plain rows, and the number of spaces that were removed as parts of delimiters.

        `quotes` are the places of all quotes; None where they are not known. Returns None where it is not
        sure what is quoted.
        """
        if not is_utf8(text):
            text, quotes = without_invalid(text), None
        if quotes is None:
            quotes = self._quotes(text)
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

    def spans(self, text: bytes) -> NDArray[np.intp]:
        """Return where each record of a block starts and ends, as an array of two columns.

        There must be plain rows of the block. Blank lines are left out. A line end is outside quotes where
        as many quotes have closed before it as have opened.
        """
        data = np.frombuffer(text, np.uint8)
        ends = line_ends(text)
        quotes = self._quotes(text)
        if quotes.size:
            pairs = self._pairs(data, quotes)
            if pairs is None:
                raise AssertionError  # then there are no plain rows
            opening, closing = pairs
            ends = ends[np.searchsorted(opening, ends) == np.searchsorted(closing, ends)]
        stops = ends + 1
        starts = np.concatenate(([0], stops[:-1]))
        sizes = stops - starts
        blank = (sizes == 1) | ((sizes == len(b"\r\n")) & (data[starts] == _RETURN))
        spans: NDArray[np.intp] = np.stack((starts, stops), axis=1)[~blank]
        return spans

    def sound_length(self, text: bytes) -> int:
        """Return the length of the lines before the first value that is not quoted as it should be.

        It is 0 where no such value was found.
        """
        data = np.frombuffer(text, np.uint8)
        quoting = self._quoting(data, self._quotes(text))
        if len(quoting) % 2 == 0:
            return 0
        last = int(quoting[-1])
        return max(text.rfind(b"\n", 0, last), text.rfind(b"\r", 0, last)) + 1

    def _quotes(self, text: bytes) -> Places:
        if not self._dialect.quoted or b'"' not in text:
            return _NO_PLACES
        return np.flatnonzero(np.frombuffer(text, np.uint8) == _QUOTE)

    def _pairs(self, data: NDArray[np.uint8], quotes: Places) -> tuple[Places, Places] | None:
        """Return the quotes that open parts of values, and those that close them; None where not sure.

        Any other quote is in a value that is not quoted.
        """
        opening, closing = quotes[0::2], quotes[1::2]
        if (
            len(opening) == len(closing)
            # Before the first byte numpy sees the last one, which ends a line, as it should.
            and self._beside_parts[data[opening - 1]].all()
            and self._beside_parts[data[closing + 1]].all()
        ):
            return opening, closing
        quoting = self._quoting(data, quotes)
        return (quoting[0::2], quoting[1::2]) if len(quoting) % 2 == 0 else None

    def _quoting(self, data: NDArray[np.uint8], quotes: Places) -> Places:
        """Return the quotes that open and close in turn, up to one that opens and is not closed rightly."""
        starts_cell = self._beside_cells[data[quotes - 1]]
        if self._dialect.spaced:
            starts_cell |= (data[quotes - 1] == _SPACE) & (data[quotes - 2] == self._dialect.delimiter[0])
        if not starts_cell.any():
            return _NO_PLACES
        after = data[quotes + 1]
        return quotes[
            _quoting(starts_cell.tolist(), self._beside_cells[after].tolist(), (after == _QUOTE).tolist())
        ]

    def _unquoted(self, text: bytes, quotes: Places) -> bytes | None:
        """Remove the quotes around values and mark what is inside; None where it is not sure what is quoted.

        Outside quotes, the delimiter becomes the comma.
        """
        data = np.frombuffer(bytearray(text), np.uint8)
        pairs = self._pairs(data, quotes)
        if pairs is None:
            return None
        opening, closing = pairs
        empty = closing - opening == 1
        if (empty & _ENDS_LINE[data[opening - 1]] & _ENDS_LINE[data[closing + 1]]).any():
            return None  # empty quotes on a line of their own are no blank line
        if self._dialect.spaced:  # a space right after an opening quote, with no space before the quote
            kept = opening[data[opening - 1] == self._dialect.delimiter[0]] + 1
            data[kept[data[kept] == _SPACE]] = _SPACE_MARK[0]
        lengths = closing - opening - 1
        if self._dialect.delimiter == b"," and int(lengths.sum()) * _SPARSE < len(text):
            _mark_each(data, opening + 1, lengths)
        else:
            self._mark_all(text, data, opening, closing)
        doubled = closing[:-1][opening[1:] - closing[:-1] == 1]
        literal = len(quotes) - 2 * len(opening)
        if literal:
            data[np.setdiff1d(quotes, np.concatenate(pairs), assume_unique=True)] = _QUOTE_MARK[0]
        if doubled.size or literal:
            data[doubled] = _QUOTE_MARK[0]
            return _without_quotes(data.tobytes(), len(quotes)).replace(_QUOTE_MARK, b'"')
        return _without_quotes(data.tobytes(), len(quotes))

    def _mark_all(self, text: bytes, data: NDArray[np.uint8], opening: Places, closing: Places) -> None:
        """Put marks for the separators inside quotes, and commas for the delimiters outside.

        Whether a separator is inside is the running sum of a difference array over all separators: +1 at the
        first one after an opening quote, -1 at the first one after its closing quote. In `1,"a,b",c` the
        commas have the steps 0, +1, -1, and their sums 0, 1, 0 say that the second one is inside.
        """
        special = (data == _COMMA) | (data == _LINE_FEED)
        for byte in self._rare:
            if byte in text:
                special |= data == byte
        places = np.flatnonzero(special)
        first, after = np.searchsorted(places, opening), np.searchsorted(places, closing)
        holding = after > first
        if holding.any() or self._dialect.delimiter != b",":
            steps = np.zeros(len(places) + 1, np.int8)
            steps[first[holding]] += 1
            steps[after[holding]] -= 1
            inside = np.cumsum(steps[:-1], dtype=np.int8).view(np.bool_)
            if self._dialect.delimiter != b",":
                outer = places[~inside]
                data[outer] = self._outside_table[data[outer]]
            inner = places[inside]
            data[inner] = _MARKS[data[inner]]


def _quoting(starts_cell: list[bool], ends_cell: list[bool], next_to_quote: list[bool]) -> list[int]:
    """Return the numbers of the quotes that open and close in turn, from what is beside each quote.

    Their count is odd where the last one opens, and the quote that should close it has text after it.
    """
    numbers = list[int]()
    quoted = doubled = False
    for number, (starts, ends, next_to) in enumerate(zip(starts_cell, ends_cell, next_to_quote, strict=True)):
        if doubled:
            doubled = False
        elif quoted:
            if not (ends or next_to):
                break
            quoted, doubled = next_to, next_to
        elif starts:
            quoted = True
        else:
            continue
        numbers.append(number)
    return numbers


def _mark_each(data: NDArray[np.uint8], starts: Places, lengths: Places) -> None:
    """Put marks for the separators in some parts of a text, by a look at each byte of these.

    Their places are made for all parts at once: parts of 2 bytes at 5 and 3 bytes at 9 have the numbers 0, 1
    and 2, 3, 4, and what is added to these is the start less the bytes before, 5 - 0 and 9 - 2.
    """
    if not len(starts):
        return
    ends = np.cumsum(lengths)
    places = np.arange(int(ends[-1])) + np.repeat(starts - ends + lengths, lengths)
    data[places] = _MARKS[data[places]]


def _without_quotes(text: bytes, quotes: int) -> bytes:
    """Delete the quotes: `replace` copies between them and is faster for few, `translate` for many."""
    return text.replace(b'"', b"") if quotes * _SPARSE < len(text) else text.translate(None, b'"')
