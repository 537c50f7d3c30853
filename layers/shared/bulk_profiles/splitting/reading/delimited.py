"""Delimited files, a block of whole records at a time.

A block is parsed as a whole where that is sure to be right, by helpers if there are any; otherwise some of
its records are parsed one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from bulk_profiles.splitting.rows.faults import MAX_ROW_BYTES, Warn
from bulk_profiles.splitting.rows.warnings import Warnings

from .block_parser import BlockParser, warn_of_swallowed_rows
from .blocks import BLOCK_BYTES, Block, FindHelpers, Helpers, Position, RawBlock, Record, too_long
from .dialect import Dialect
from .long_rows import skip_long_row
from .read_ahead import ReadAhead
from .record_parser import parse
from .scans import Places, count

_MIN_WHOLE_BYTES = 64 * 1024  # parsed as a whole after a block for which that was not possible
_MIN_SOUND_BYTES = 8 * 1024  # parsed as a whole before a value that is misquoted
_MIN_RECORDS, _MAX_RECORDS = 16, 64 * 1024  # parsed one by one
_QUOTE = ord('"')
_LINE_FEED = ord("\n")
_NO_PLACES = np.empty(0, np.intp)


@dataclass(slots=True)
class _Text:
    """Text that is in no block yet; it starts with a record."""

    start: Position
    data: bytes = b""
    ended: bool = False  # nothing follows

    def remove(self, size: int, lines: int) -> None:
        """Remove the first bytes, which are so many lines, or records where these are numbered."""
        self.data = self.data[size:]
        self.start = Position(self.start.offset + size, self.start.line + lines)


class DelimitedBlocks:
    """Iterate over the blocks of a stream that is open at the start of a record.

    With `by_record`, records are numbered instead of lines. `find_helpers` is called after
    each block until there are helpers.
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
        self._parser = BlockParser(dialect)
        self._find_helpers = find_helpers
        self._text = _Text(start)
        self._whole_bytes = BLOCK_BYTES  # that are parsed as a whole; doubled after each block
        self._records = _MIN_RECORDS  # that are parsed one by one; doubled each time in a row

    def __iter__(self) -> Iterator[Block]:
        while not self._text.ended:
            self._read_on()
            yield from self._blocks(self._text)
            if self._find_helpers and (helpers := self._find_helpers(self._parser.plain_rows)):
                yield from self._blocks_with(helpers)

    def _read_on(self) -> None:
        text, piece = self._text, self._stream.read(BLOCK_BYTES)
        text.ended = not piece
        text.data = text.data + piece if text.data else piece
        if text.ended:
            text.data = self._dialect.end_line(text.data)

    def _blocks_with(self, helpers: Helpers) -> Iterator[Block]:
        """Make the blocks that are left with the help of other processes."""
        while self._text.data or not self._text.ended:
            ahead = ReadAhead(self._raw_blocks(), helpers)
            for raw, result in ahead:
                if result:
                    find = partial(self._find, raw, None)
                    yield Block(raw.start, b"", find, result.warnings, result.prepared)
                    continue
                text = _Text(raw.start, raw.data, self._text.ended and not self._text.data and ahead.is_empty)
                yield from self._blocks(text, least=0)
                if text.data:
                    # It ends inside a record, so what was cut after it does not start with one.
                    self._text.start = text.start
                    self._text.data = b"".join([text.data, *ahead.take_back(), self._text.data])
                    self._read_on()
                    yield from self._blocks(self._text)
            # What comes next cannot be cut, so its records are parsed one by one.
            yield from self._blocks(self._text)
            self._read_on()

    def _raw_blocks(self) -> Iterator[RawBlock]:
        """Cut raw blocks off, as long as line ends and the number of quotes tell where a record ends."""
        text = self._text
        while True:
            while len(text.data) < BLOCK_BYTES and not text.ended:
                self._read_on()
            data = text.data[:MAX_ROW_BYTES]
            final = text.ended and len(data) == len(text.data)
            end = self._dialect.last_line_end(data, final=final)
            if not end and not text.ended and len(data) < MAX_ROW_BYTES:
                self._read_on()  # not even the first line is whole yet
                continue
            # Counting the quotes is faster than finding them, and shows for most blocks that all are closed.
            if self._has_quotes(data) and count(data, _QUOTE, 0, end) % 2:
                end, _ = self._last_record_end(data, final=final)
            if not end:
                return
            raw = RawBlock(text.start, data[:end])
            text.remove(end, self._dialect.count_lines(raw.data))
            yield raw

    def _blocks(self, text: _Text, *, least: int = BLOCK_BYTES) -> Iterator[Block]:
        """Make blocks of a text as far as it goes; of less than `least` bytes only at the end of the file."""
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
        """Parse many records as a whole; None where that is not sure to be right."""
        whole = data[: self._whole_bytes]
        end, quotes = self._last_record_end(whole, final=final and len(whole) == len(data))
        self._whole_bytes = min(2 * self._whole_bytes, MAX_ROW_BYTES)
        if not end:
            return None
        whole = data[:end]
        result = self._parser.plain_rows(whole, quotes)
        if result is None:
            self._whole_bytes = _MIN_WHOLE_BYTES  # where one record is odd, others are
            whole = data[: self._parser.sound_length(whole)]
            result = self._parser.plain_rows(whole) if len(whole) > _MIN_SOUND_BYTES else None
        if result is None:
            return None
        self._records = _MIN_RECORDS
        raw = RawBlock(text.start, whole)
        lines = count(result.rows, _LINE_FEED) if self._by_record else self._dialect.count_lines(whole)
        text.remove(len(whole), lines)
        return Block(raw.start, result.rows, partial(self._find, raw, None), result.warnings)

    def _parsed_block(self, text: _Text, data: bytes, *, final: bool) -> Block | None:
        """Parse some records one by one; None where not even the first one is whole.

        They are few at first, as what comes after them may be sure to be right again.
        """
        raw = RawBlock(text.start, data)
        parsed = parse(data, self._dialect, line=raw.start.line, final=final, most=self._records)
        self._records = min(2 * self._records, _MAX_RECORDS)
        if not parsed.used:
            return None
        lines = len(parsed.rows) if self._by_record else self._dialect.count_lines(data, 0, parsed.used)
        text.remove(parsed.used, lines)
        rows = b"".join([row + b"\n" for row in parsed.rows])
        spans = np.array(parsed.spans, np.intp).reshape(-1, 2)
        find = partial(self._find, raw, spans)
        warnings = Warnings()
        if parsed.spaced:
            warnings.add(Warn.SPACE_AFTER_DELIMITER, parsed.spaced, parsed.spaces)
        warn_of_swallowed_rows(rows, self._dialect, warnings)
        return Block(raw.start, rows, find, warnings)

    def _long_row(self, text: _Text) -> Block:
        """Pass over the first record, which is too long to be held."""
        start = text.start
        text.data, size, lines = skip_long_row(text.data, self._stream, self._dialect, start.line)
        text.start = Position(start.offset + size, start.line + (1 if self._by_record else lines))
        return too_long(start)

    def _has_quotes(self, data: bytes) -> bool:
        return self._dialect.quoted and b'"' in data

    def _last_record_end(self, data: bytes, *, final: bool) -> tuple[int, Places]:
        """Return where the last whole record ends, and the places of the quotes before.

        That is right if the quotes stand as they should; the end is 0 where no record is whole.
        """
        end = self._dialect.last_line_end(data, final=final)
        if not self._has_quotes(data):
            return end, _NO_PLACES
        end_of_line = self._dialect.end_of_line(data)
        quotes = np.flatnonzero(np.frombuffer(data, np.uint8)[:end] == _QUOTE)
        before = len(quotes)
        while before % 2:  # the last quote opens a value that goes on
            end = data.rfind(end_of_line, 0, int(quotes[before - 1])) + 1
            before = int(np.searchsorted(quotes, end))
        return end, quotes[:before]

    def _find(self, raw: RawBlock, spans: NDArray[np.intp] | None, numbers: Sequence[int]) -> list[Record]:
        """Find records of a block by their ascending numbers; `spans` are None where they are not known."""
        if spans is None:
            spans = self._parser.spans(raw.data)
        spans = spans[list(numbers)]
        ends = self._dialect.line_ends(raw.data)
        lines = np.array(numbers) if self._by_record else np.searchsorted(ends, spans[:, 0])
        return [
            Record(raw.start.line + line, raw.data[begin:end])
            for line, (begin, end) in zip(lines.tolist(), spans.tolist(), strict=True)
        ]
