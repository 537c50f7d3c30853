"""Delimited files, a block of whole records at a time.

A block is taken apart as a whole where that is sure to be right, by helpers if there are any; otherwise
record by record.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from bulk_profiles.splitting.rows.faults import MAX_ROW_BYTES

from .block_parser import Places, WholeBlocks
from .blocks import BLOCK_BYTES, Block, FindHelpers, Helpers, Position, RawBlock, Record, too_long
from .long_rows import skip_long_row
from .read_ahead import ReadAhead
from .record_parser import Dialect, count, count_lines, parse

_LEAST_BYTES = 64 * 1024  # to be taken apart as a whole
_WORTHWHILE = 8 * 1024  # the same, if what comes after them is odd
_FEWEST_RECORDS, _MOST_RECORDS = 16, 64 * 1024
_QUOTE = ord('"')
_LINE_FEED = ord("\n")
_RETURN = ord("\r")
_NONE = np.empty(0, np.intp)


@dataclass(slots=True)
class _Text:
    """Text that is in no block yet; it starts with a record."""

    start: Position
    data: bytes = b""
    ended: bool = False  # nothing follows it

    def remove(self, size: int, lines: int) -> None:
        """Remove the first bytes, which are so many lines, or records where these are numbered."""
        self.data = self.data[size:]
        self.start = Position(self.start.offset + size, self.start.line + lines)


class DelimitedBlocks:
    """Read blocks of records from a stream that is open at the start of a record.

    With `by_record`, records are numbered instead of lines. `find_helpers` is asked after each block until
    there are some.
    """

    def __init__(
        self,
        stream: BinaryIO,
        dialect: Dialect,
        start: Position,
        *,
        by_record: bool = False,
        find_helpers: FindHelpers | None = None,
    ) -> None:
        self._stream = stream
        self._dialect = dialect
        self._by_record = by_record
        self._whole = WholeBlocks(dialect)
        self._find_helpers = find_helpers
        self._text = _Text(start)
        self._most = BLOCK_BYTES  # bytes to be taken apart as a whole
        self._records = _FEWEST_RECORDS  # to be taken apart one by one, where that must be

    def __iter__(self) -> Iterator[Block]:
        while not self._text.ended:
            self._read_on()
            yield from self._blocks(self._text)
            if self._find_helpers and (helpers := self._find_helpers(self._whole.plain_rows)):
                yield from self._blocks_by(helpers)

    def _read_on(self) -> None:
        text, piece = self._text, self._stream.read(BLOCK_BYTES)
        text.ended = not piece
        text.data = text.data + piece if text.data else piece
        if text.ended and text.data and not text.data.endswith((b"\n", b"\r")):
            text.data += b"\n"

    def _blocks_by(self, helpers: Helpers) -> Iterator[Block]:
        """Read the blocks that are left with the help of others."""
        while self._text.data or not self._text.ended:
            ahead = ReadAhead(self._raw_blocks(), helpers)
            for raw, result in ahead:
                if result:
                    yield Block(
                        raw.start, b"", partial(self._find, raw, None), result.spaces, result.prepared
                    )
                    continue
                text = _Text(raw.start, raw.data, self._text.ended and not self._text.data and ahead.is_empty)
                yield from self._blocks(text, least=0)
                if text.data:
                    # It ends inside a record, so what was cut after it does not start with one.
                    self._text.start = text.start
                    self._text.data = b"".join([text.data, *ahead.take_back(), self._text.data])
                    self._read_on()
                    yield from self._blocks(self._text)
            # What comes next cannot be cut: its end is found record by record.
            yield from self._blocks(self._text)
            self._read_on()

    def _raw_blocks(self) -> Iterator[RawBlock]:
        """Cut whole records off, as far as line ends and the number of quotes tell where one ends."""
        text = self._text
        while True:
            while len(text.data) < BLOCK_BYTES and not text.ended:
                self._read_on()
            data = text.data[:MAX_ROW_BYTES]
            final = text.ended and len(data) == len(text.data)
            used, quoted = self._end(data, final=final)
            if not used and not text.ended and len(data) < MAX_ROW_BYTES:
                self._read_on()  # not even the first line is whole yet
                continue
            if quoted and count(data, _QUOTE, 0, used) % 2:
                used, _ = self._cut(data, final=final)
            if not used:
                return
            raw = RawBlock(text.start, data[:used])
            text.remove(used, count_lines(raw.data))
            yield raw

    def _blocks(self, text: _Text, *, least: int = BLOCK_BYTES) -> Iterator[Block]:
        """Make blocks of a text, as far as it goes; of less than `least` bytes only at its end."""
        while text.data:
            # How long a record may be does not depend on what comes before it.
            data = text.data[:MAX_ROW_BYTES]
            final = text.ended and len(data) == len(text.data)
            block = self._whole_block(text, data, final=final) or self._parsed_block(text, data, final=final)
            if block:
                yield block
                if len(text.data) < least and not text.ended:
                    break
            elif len(text.data) > MAX_ROW_BYTES:
                yield self._long_row(text)
            else:
                break

    def _whole_block(self, text: _Text, data: bytes, *, final: bool) -> Block | None:
        """Take many records apart at once; None where that is not sure to be right."""
        whole = data[: self._most]
        used, quotes = self._cut(whole, final=final and len(whole) == len(data))
        self._most = min(2 * self._most, MAX_ROW_BYTES)
        if not used:
            return None
        whole = data[:used]
        result = self._whole.plain_rows(whole, quotes)
        if result is None:
            self._most = _LEAST_BYTES  # where one record is odd, others are
            whole = data[: self._whole.sound(whole)]
            result = self._whole.plain_rows(whole) if len(whole) > _WORTHWHILE else None
        if result is None:
            return None
        self._records = _FEWEST_RECORDS
        rows, spaces = result
        raw = RawBlock(text.start, whole)
        text.remove(len(whole), count(rows, _LINE_FEED) if self._by_record else count_lines(whole))
        return Block(raw.start, rows, partial(self._find, raw, None), spaces)

    def _parsed_block(self, text: _Text, data: bytes, *, final: bool) -> Block | None:
        """Take some records apart one by one; None where not even the first one is whole."""
        raw = RawBlock(text.start, data)
        # Only some: what comes after them may be sure again.
        parsed = parse(data, self._dialect, line=raw.start.line, final=final, most=self._records)
        self._records = min(2 * self._records, _MOST_RECORDS)
        if not parsed.used:
            return None
        text.remove(parsed.used, len(parsed.rows) if self._by_record else count_lines(data, 0, parsed.used))
        rows = b"".join([row + b"\n" for row in parsed.rows])
        spans = np.array(parsed.spans, np.intp).reshape(-1, 2)
        return Block(raw.start, rows, partial(self._find, raw, spans), parsed.spaces)

    def _long_row(self, text: _Text) -> Block:
        """Pass over the first record, which is too long to be held."""
        start = text.start
        text.data, size, lines = skip_long_row(text.data, self._stream, self._dialect, start.line)
        text.start = Position(start.offset + size, start.line + (1 if self._by_record else lines))
        return too_long(start)

    def _cut(self, data: bytes, *, final: bool) -> tuple[int, Places]:
        """Find the end of the last record, if quotes stand as they should, and the quotes before it.

        The end is 0 if there is none.
        """
        end, quoted = self._end(data, final=final)
        if not quoted:
            return end, _NONE
        end_of_line = _end_of_line(data)
        quotes = np.flatnonzero(np.frombuffer(data, np.uint8)[:end] == _QUOTE)
        before = len(quotes)
        while before % 2:  # the last quote opens a value that goes on
            end = data.rfind(end_of_line, 0, int(quotes[before - 1])) + 1
            before = int(np.searchsorted(quotes, end))
        return end, quotes[:before]

    def _end(self, data: bytes, *, final: bool) -> tuple[int, bool]:
        """Find the end of the last line, and say whether it may be inside quotes."""
        end_of_line = _end_of_line(data)
        end = len(data) if final else data.rfind(end_of_line) + 1
        if end_of_line == b"\r" and end == len(data) and not final:
            end = data.rfind(end_of_line, 0, end - 1) + 1  # a line feed may follow
        return end, self._dialect.quoted and b'"' in data

    def _find(self, raw: RawBlock, spans: NDArray[np.intp] | None, numbers: Sequence[int]) -> list[Record]:
        """Find records of a block by their ascending numbers."""
        if spans is None:
            spans = self._spans(raw.data)
        spans = spans[list(numbers)]
        lines = np.array(numbers) if self._by_record else np.searchsorted(_line_ends(raw.data), spans[:, 0])
        return [
            Record(raw.start.line + line, raw.data[begin:end])
            for line, (begin, end) in zip(lines.tolist(), spans.tolist(), strict=True)
        ]

    def _spans(self, data: bytes) -> Any:
        """Find where the records of a block that was taken apart as a whole start and end."""
        view = np.frombuffer(data, np.uint8)
        places = _line_ends(data)
        if self._dialect.quoted and b'"' in data:
            pairs = self._whole.pairs(view, np.flatnonzero(view == _QUOTE))
            if pairs is None:
                raise AssertionError  # then it was not taken apart as a whole
            opening, closing = pairs
            places = places[np.searchsorted(opening, places) == np.searchsorted(closing, places)]
        stops = places + 1
        starts = np.concatenate(([0], stops[:-1]))
        sizes = stops - starts
        blank = (sizes == 1) | ((sizes == len(b"\r\n")) & (view[starts] == _RETURN))
        return np.stack((starts, stops), axis=1)[~blank]


def _line_ends(data: bytes) -> Places:
    """Find the last bytes of all line ends: LF, CRLF or CR."""
    view = np.frombuffer(data, np.uint8)
    ends = view == _LINE_FEED
    if b"\r" in data:
        ends |= (view == _RETURN) & (np.append(view[1:], 0) != _LINE_FEED)
    return np.flatnonzero(ends)


def _end_of_line(data: bytes) -> bytes:
    return b"\n" if b"\n" in data else b"\r"
