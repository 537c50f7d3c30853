"""Delimited files, a block of whole records at a time.

A block is taken apart as a whole where its quotes stand as they should, which one look at all of them
proves; otherwise record by record.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from bulk_profiles.encoding import COMMA_MARK, LINE_FEED_MARK, RETURN_MARK, without_invalid
from bulk_profiles.lint import MAX_ROW_BYTES, Reject

from .blocks import Block, Position, Record, fault_row
from .long_rows import skip_long_row
from .records import Dialect, count, count_lines, is_utf8, parse

type Places = NDArray[np.intp]

BLOCK_BYTES = 512 * 1024
_QUOTE = ord('"')
_LINE_FEED = ord("\n")
_RETURN = ord("\r")
_COMMA = ord(",")
_FEW = 16  # bytes for each quote
_NONE = np.empty(0, np.intp)
_STAY = b"\xfe"  # a quote that stays; no text has this byte, and no mark is this one
_INSIDE = np.frombuffer(bytes.maketrans(b",\n\r", COMMA_MARK + LINE_FEED_MARK + RETURN_MARK), np.uint8)
_ENDS_LINE = np.zeros(256, np.bool_)
_ENDS_LINE[[_LINE_FEED, _RETURN]] = True


class DelimitedBlocks:
    """Read blocks of records from a stream that is open at the start of a record.

    `by_record` numbers records instead of lines.
    """

    def __init__(
        self, stream: BinaryIO, dialect: Dialect, start: Position, *, by_record: bool = False
    ) -> None:
        self._stream = stream
        self._dialect = dialect
        self._position = start
        self._by_record = by_record
        # Outside quotes, the delimiter becomes the comma and a comma becomes its mark.
        self._outside = bytes.maketrans(b"," + dialect.delimiter, COMMA_MARK + b",")
        self._outer = np.frombuffer(self._outside, np.uint8)
        self._rare = b"\r" + dialect.delimiter.strip(b",")
        self._beside_quotes = np.zeros(256, np.bool_)
        self._beside_quotes[[*dialect.delimiter, _QUOTE, _LINE_FEED, _RETURN]] = True
        self._spaces = 0

    def __iter__(self) -> Iterator[Block]:
        data = b""
        while True:
            piece = self._stream.read(BLOCK_BYTES)
            final = not piece
            data = data + piece if data else piece
            if final and data and not data.endswith((b"\n", b"\r")):
                data += b"\n"
            while data:
                # Whatever comes before a record, it is too long or it is not.
                all_of_it = len(data) <= MAX_ROW_BYTES
                used, block = self._block(
                    data if all_of_it else data[:MAX_ROW_BYTES], final=final and all_of_it
                )
                if block is not None:
                    yield block
                data = data[used:]
                if not used and not all_of_it:
                    start = self._position
                    data, size, lines = skip_long_row(data, self._stream, self._dialect, start.line)
                    self._advance(size, lines, records=1)
                    yield too_long(start)
                elif not used or (all_of_it and not final):
                    break
            if final:
                return

    def _block(self, data: bytes, *, final: bool) -> tuple[int, Block | None]:
        """Give how many bytes were used, and the block made of them."""
        start = self._position
        used, quotes = self._cut(data, final=final)
        if used:
            whole = data[:used]
            self._spaces = 0
            if is_utf8(whole):
                rows = self._whole_rows(whole, quotes)
            else:
                rows = self._whole_rows(without_invalid(whole), None)
            if rows is not None:
                find = partial(self._find, start, whole, None)
                self._advance(used, count_lines(whole), count(rows, _LINE_FEED) if self._by_record else 0)
                return used, Block(start, rows, find, self._spaces)
        parsed = parse(data, self._dialect, line=start.line, final=final)
        if not parsed.used:
            return 0, None
        find = partial(self._find, start, data, np.array(parsed.spans, np.intp).reshape(-1, 2))
        self._advance(parsed.used, count_lines(data, 0, parsed.used), len(parsed.rows))
        return parsed.used, Block(start, b"".join([row + b"\n" for row in parsed.rows]), find, parsed.spaces)

    def _advance(self, size: int, lines: int, records: int) -> None:
        self._position = Position(
            self._position.offset + size, self._position.line + (records if self._by_record else lines)
        )

    def _cut(self, data: bytes, *, final: bool) -> tuple[int, Places]:
        """Find the end of the last record, if quotes stand as they should, and the quotes before it.

        The end is 0 if there is none.
        """
        end_of_line = b"\n" if b"\n" in data else b"\r"
        end = len(data) if final else data.rfind(end_of_line) + 1
        if end_of_line == b"\r" and end == len(data) and not final:
            end = data.rfind(end_of_line, 0, end - 1) + 1  # a line feed may follow
        if not self._dialect.quoted or b'"' not in data:
            return end, _NONE
        quotes = np.flatnonzero(np.frombuffer(data, np.uint8)[:end] == _QUOTE)
        before = len(quotes)
        while before % 2:  # the last quote opens a value that goes on
            end = data.rfind(end_of_line, 0, int(quotes[before - 1])) + 1
            before = int(np.searchsorted(quotes, end))
        return end, quotes[:before]

    def _whole_rows(self, text: bytes, quotes: Places | None) -> bytes | None:
        """Make plain rows of whole records at once; None where that is not sure to be right.

        `quotes` are the places of the quotes, None if they are not known.
        """
        if quotes is None:
            quotes = (
                np.flatnonzero(np.frombuffer(text, np.uint8) == _QUOTE) if self._dialect.quoted else _NONE
            )
        if quotes.size:
            unquoted = None if self._dialect.spaced else self._unquoted(text, quotes)
            if unquoted is None:
                return None
            text = unquoted
        else:
            if self._dialect.spaced:
                spaced = self._dialect.delimiter + b" "
                self._spaces = text.count(spaced)
                text = text.replace(spaced, self._dialect.delimiter)
            if self._dialect.delimiter != b",":
                text = text.translate(self._outside)
        if b"\r" in text:
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return text

    def _unquoted(self, text: bytes, quotes: Places) -> bytes | None:
        """Take the quotes away, if each starts or ends a cell or is doubled inside one; None otherwise."""
        data = np.frombuffer(bytearray(text), np.uint8)
        if quotes.size % 2:
            return None
        opening, closing = quotes[0::2], quotes[1::2]
        # Before the first byte comes the last one, which ends a line, as it should.
        before, after = data[opening - 1], data[closing + 1]
        if not (self._beside_quotes[before].all() and self._beside_quotes[after].all()):
            return None
        empty = closing - opening == 1
        if (empty & _ENDS_LINE[before] & _ENDS_LINE[after]).any():
            return None  # empty quotes on a line of their own are no blank line
        lengths = closing - opening - 1
        if self._dialect.delimiter == b"," and int(lengths.sum()) * _FEW < len(text):
            _mark_each(data, opening + 1, lengths)
        else:
            self._mark_all(text, data, opening, closing)
        doubled = np.flatnonzero(opening[1:] - closing[:-1] == 1)
        if doubled.size:
            data[closing[doubled]] = _STAY[0]
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

    def _find(
        self, start: Position, data: bytes, spans: NDArray[np.intp] | None, numbers: Sequence[int]
    ) -> list[Record]:
        """Find records of a block by their ascending numbers."""
        if spans is None:
            spans = _spans(data, quoted=self._dialect.quoted)
        line, counted, found = start.line, 0, []
        for number in numbers:
            begin, end = (int(place) for place in spans[number])
            line += count_lines(data, counted, begin)
            counted = begin
            found.append(Record(start.line + number if self._by_record else line, data[begin:end]))
        return found


def _mark_each(data: NDArray[np.uint8], starts: Places, lengths: Places) -> None:
    """Put marks for the separators in some pieces of a text, by looking at each byte of these."""
    ends = np.cumsum(lengths)
    places = np.arange(int(ends[-1])) + np.repeat(starts - ends + lengths, lengths)
    data[places] = _INSIDE[data[places]]


def too_long(start: Position) -> Block:
    """Make the block of one record that is too long to be held."""
    return Block(start, fault_row(Reject.ROW_TOO_LARGE) + b"\n", lambda _: [Record(start.line, b"")])


def _without_quotes(text: bytes, quotes: int) -> bytes:
    """Delete the quotes, in the way that is faster for so many of them."""
    return text.replace(b'"', b"") if quotes * _FEW < len(text) else text.translate(None, b'"')


def _spans(data: bytes, *, quoted: bool) -> Any:
    """Find where the records of a well-quoted block start and end; blank lines are none."""
    view = np.frombuffer(data, np.uint8)
    ends = view == _LINE_FEED
    if b"\r" in data:
        ends |= (view == _RETURN) & (np.append(view[1:], 0) != _LINE_FEED)
    places = np.flatnonzero(ends)
    if quoted and b'"' in data:
        quotes = np.flatnonzero(view == _QUOTE)
        places = places[np.searchsorted(quotes, places) % 2 == 0]
    stops = places + 1
    starts = np.concatenate(([0], stops[:-1]))
    sizes = stops - starts
    blank = (sizes == 1) | ((sizes == 2) & (view[starts] == _RETURN))  # noqa: PLR2004 a CRLF
    return np.stack((starts, stops), axis=1)[~blank]
