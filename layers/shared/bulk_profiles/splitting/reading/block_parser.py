"""The parser of whole blocks of a delimited file: all records at once, where that is sure to be right.

It is sure where each quote stands where a quote should, and one look at the bytes beside all of them proves
that. In `1,"a,""b"" c",x` they come in pairs, each around a part of a value: `a,` and `b` and ` c`. Before
every opening quote is a delimiter, a line end, or the quote that closes the part before; after every closing
quote is one of these as well. So, from the first to the last, each quote opens or closes what it seems to,
and a doubled quote is where one part begins right after another.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bulk_profiles.splitting.rows.faults import Warn
from bulk_profiles.splitting.rows.grid import union
from bulk_profiles.splitting.rows.plain import COMMA_MARK, LINE_FEED_MARK, RETURN_MARK, mark, without_invalid
from bulk_profiles.splitting.rows.warnings import Warnings, first_records

from .blocks import PlainRows
from .dialect import Dialect
from .scans import Places, check_utf8

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
_ENDS_LINE[[_LINE_FEED, _RETURN]] = True  # a CR stands for the LF that follows it


class BlockParser:
    """A parser of blocks that are written in one dialect. Each block is whole records and ends a line."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        # Outside quotes, the delimiter becomes the comma and a comma becomes its mark.
        self._outside = bytes.maketrans(b"," + dialect.delimiter, COMMA_MARK + b",")
        self._outside_table = np.frombuffer(self._outside, np.uint8)
        self._rare = b"\r" + dialect.delimiter.strip(b",")  # separators that a block need not have
        self._before_cells = np.zeros(256, np.bool_)
        self._before_cells[[*dialect.delimiter, *b"".join(dialect.ends)]] = True
        self._after_cells = self._before_cells | _ENDS_LINE
        self._before_parts, self._after_parts = self._before_cells.copy(), self._after_cells.copy()
        self._before_parts[_QUOTE] = self._after_parts[_QUOTE] = True
        self._blanks = np.zeros(256, np.bool_)
        self._blanks[[*dialect.blanks]] = True

    def plain_rows(self, text: bytes, quotes: Places | None = None) -> PlainRows | None:
        """Return the plain rows of a block; None where they are not sure to be right.

        `quotes` are the places of all quotes; None where they are not known.
        """
        is_utf8, may_be_marked = check_utf8(text)
        if may_be_marked and self._dialect.marked_line(text) >= 0:
            return None
        if not is_utf8:
            text, quotes = without_invalid(text), None
        if quotes is None:
            quotes = self._quotes(text)
        if self._dialect.encoded and b'"' in text and self._wrong_quotes(text).size:
            return None
        if quotes.size:
            unquoted = self._unquoted(text, quotes)
            if unquoted is None:
                return None
            text = unquoted
        elif self._dialect.delimiter != b",":
            text = text.translate(self._outside)
        warnings = Warnings()
        text = self._with_line_feeds(text)
        if self._dialect.spaced:
            text = _without_spaces(text, warnings)
        if quotes.size:
            warn_of_swallowed_rows(text, self._dialect, warnings)
        return PlainRows(text, warnings)

    def spans(self, text: bytes) -> NDArray[np.intp]:
        """Return where each record of a block starts and ends, as an array of two columns.

        There must be plain rows of the block. Blank lines are left out. A line end is outside quotes where
        as many quotes have closed before it as have opened.
        """
        data = np.frombuffer(text, np.uint8)
        ends = self._dialect.line_ends(text)
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
        blank = sizes == 1
        for number in np.flatnonzero(data[starts] == _RETURN).tolist():
            blank[number] = not text[starts[number] : stops[number]].strip(b"\r\n")
        spans: NDArray[np.intp] = np.stack((starts, stops), axis=1)[~blank]
        return spans

    def sound_length(self, text: bytes) -> int:
        """Return the length of the lines before the first one that is not sure to be right.

        It is 0 where no such line was found.
        """
        wrong = self._wrong_quotes(text)[:1].tolist()
        marked = self._dialect.marked_line(text)
        wrong += [marked] if marked >= 0 else []
        return max(text.rfind(end, 0, min(wrong)) for end in self._dialect.ends) + 1 if wrong else 0

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
            and self._before_parts[data[opening - 1]].all()
            and self._after_parts[data[closing + 1]].all()
            and not self._before_return(data, closing).any()
        ):
            return opening, closing
        quoting = self._quoting(data, quotes)
        if len(quoting) % 2 or self._after_blanks(data, _difference(quotes, quoting)).any():
            return None
        return quoting[0::2], quoting[1::2]

    def _wrong_quotes(self, text: bytes) -> Places:
        """Return the places of quotes that are not where they should be, the first of these among them."""
        data = np.frombuffer(text, np.uint8)
        if self._dialect.encoded:
            quotes = np.flatnonzero(data == _QUOTE)
            return quotes[self._before_cells[data[quotes - 1]] | self._after_blanks(data, quotes)]
        quotes = self._quotes(text)
        quoting = self._quoting(data, quotes)
        unclosed = quoting[-1:] if len(quoting) % 2 else _NO_PLACES
        others = _difference(quotes, quoting)
        return union(unclosed, others[self._after_blanks(data, others)])

    def _quoting(self, data: NDArray[np.uint8], quotes: Places) -> Places:
        """Return the quotes that open and close in turn, up to one that opens and is not closed rightly."""
        starts_cell = self._before_cells[data[quotes - 1]]
        if self._dialect.spaced:
            starts_cell |= (data[quotes - 1] == _SPACE) & (data[quotes - 2] == self._dialect.delimiter[0])
        if not starts_cell.any():
            return _NO_PLACES
        after = data[quotes + 1]
        ends_cell = self._after_cells[after] & ~self._before_return(data, quotes)
        return quotes[_quoting(starts_cell.tolist(), ends_cell.tolist(), (after == _QUOTE).tolist())]

    def _before_return(self, data: NDArray[np.uint8], quotes: Places) -> NDArray[np.bool_]:
        """Return which quotes have a CR after them that is part of a value."""
        before_return: NDArray[np.bool_] = data[quotes + 1] == _RETURN
        if self._dialect.returns:
            before_return[:] = False
        elif before_return.any():
            before_return[before_return] = data[quotes[before_return] + 2] != _LINE_FEED
        return before_return

    def _after_blanks(self, data: NDArray[np.uint8], quotes: Places) -> NDArray[np.bool_]:
        """Return which quotes have nothing but blanks between them and the start of a cell."""
        before = quotes - 1
        after_blanks: NDArray[np.bool_] = self._blanks[data[before]]
        blank = after_blanks
        while blank.any():
            before = before - blank
            blank = self._blanks[data[before]]
        return after_blanks & self._before_cells[data[before]]

    def _with_line_feeds(self, text: bytes) -> bytes:
        """Put a LF for every line end, and a mark for every CR that is part of a value."""
        if b"\r" not in text:
            return text
        text = text.replace(b"\r\n", b"\n")
        if self._dialect.returns:
            return text.replace(b"\r", b"\n")
        while b"\r" in text and b"\r\n" in text:  # more than one CR before a LF
            text = text.replace(b"\r\n", b"\n")
        return text.replace(b"\r", RETURN_MARK)

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
            data[_difference(quotes, np.concatenate(pairs))] = _QUOTE_MARK[0]
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


def warn_of_swallowed_rows(rows: bytes, dialect: Dialect, warnings: Warnings) -> None:
    """Warn of the records whose quoted values may hold other rows.

    It is those that span lines, of which the first and the last have as many delimiters as a row, and each
    one between has any and at most one more or less: `A1,"x,y`, `A2,z` and `A3,v",w`. An address with commas
    seldom has just as many in its first and its last line.
    """
    if dialect.width <= 1 or LINE_FEED_MARK not in rows:
        return
    data = np.frombuffer(rows, np.uint8)
    inner = mark(dialect.delimiter)
    ends = np.flatnonzero(data == _LINE_FEED)
    feeds, delimiters = (
        np.bincount(np.searchsorted(ends, np.flatnonzero(data == sign[0])), minlength=len(ends))
        for sign in (LINE_FEED_MARK, inner)
    )
    # The lines between, one fewer than the line feeds, may differ from a row by one delimiter each.
    differences = np.abs(delimiters - feeds * (dialect.width - 1))
    suspects = np.flatnonzero((feeds > 0) & (differences < feeds)).tolist()
    lines = rows.split(b"\n") if suspects else []
    swallowing = [
        number - lines[:number].count(b"")
        for number in suspects
        if _holds_rows(
            [line.count(b",") + line.count(inner) for line in lines[number].split(LINE_FEED_MARK)],
            dialect.width - 1,
        )
    ]
    if swallowing:
        warnings.add(Warn.SWALLOWED_ROWS, swallowing)


def _holds_rows(delimiters: Sequence[int], usual: int) -> bool:
    """Whether the lines of a record may be rows, by the numbers of their delimiters."""
    first, *between, last = delimiters
    return first == last == usual and all(count and abs(count - usual) <= 1 for count in between)


def _without_spaces(rows: bytes, warnings: Warnings) -> bytes:
    """Remove the space after each comma."""
    spaces = rows.count(b", ")
    if spaces:
        warnings.add(Warn.SPACE_AFTER_DELIMITER, first_records(rows, b", "), spaces)
    return rows.replace(b", ", b",").replace(_SPACE_MARK, b" ")


def _difference(places: Places, others: Places) -> Places:
    return np.setdiff1d(places, others, assume_unique=True)


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
