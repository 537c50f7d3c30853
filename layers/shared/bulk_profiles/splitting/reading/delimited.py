"""Delimited files, a block of whole records at a time.

A block is taken apart as a whole where that is sure to be right, by helpers if there are any; otherwise
record by record.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from bulk_profiles.splitting.rows.faults import MAX_ROW_BYTES, Reject
from bulk_profiles.splitting.rows.plain import fault_row

from .block_parser import Places, WholeBlocks
from .blocks import Block, FindHelpers, Helpers, Position, Record
from .long_rows import skip_long_row
from .record_parser import Dialect, count, count_lines, parse

BLOCK_BYTES = 512 * 1024
MOST_WAITING = 6 * 1024 * 1024  # bytes with helpers: enough for some blocks, and for two of the longest rows
_LEAST_BYTES = 64 * 1024  # to be taken apart as a whole
_WORTHWHILE = 8 * 1024  # the same, if what comes after them is odd
_FEWEST_RECORDS, _MOST_RECORDS = 16, 64 * 1024
_QUOTE = ord('"')
_LINE_FEED = ord("\n")
_RETURN = ord("\r")
_NONE = np.empty(0, np.intp)


class DelimitedBlocks:
    """Read blocks of records from a stream that is open at the start of a record.

    `by_record` numbers records instead of lines. `helpers` is asked before every block until it gives some.
    """

    def __init__(
        self,
        stream: BinaryIO,
        dialect: Dialect,
        start: Position,
        *,
        by_record: bool = False,
        helpers: FindHelpers | None = None,
    ) -> None:
        self._stream = stream
        self._dialect = dialect
        self._position = start
        self._by_record = by_record
        self._whole = WholeBlocks(dialect)
        self._find_helpers = helpers
        self._data = b""  # read, and in no block yet
        self._ended = False
        self._most = BLOCK_BYTES  # bytes to be taken apart as a whole
        self._records = _FEWEST_RECORDS  # to be taken apart one by one, where that must be

    def __iter__(self) -> Iterator[Block]:
        while not self._ended:
            self._read_on()
            yield from self._blocks()
            if self._find_helpers and (helpers := self._find_helpers(self._whole.plain_rows)):
                yield from self._blocks_by(helpers)

    def _read_on(self) -> None:
        piece = self._stream.read(BLOCK_BYTES)
        self._ended = not piece
        self._data = self._data + piece if self._data else piece
        if self._ended and self._data and not self._data.endswith((b"\n", b"\r")):
            self._data += b"\n"

    def _blocks(self, *, least: int = BLOCK_BYTES, ended: bool | None = None) -> Iterator[Block]:
        """Make blocks of what was read, as far as it goes; of less than `least` bytes only at its end."""
        ended = self._ended if ended is None else ended
        while self._data:
            # Whatever comes before a record, it is too long or it is not.
            all_of_it = len(self._data) <= MAX_ROW_BYTES
            used, block = self._block(
                self._data if all_of_it else self._data[:MAX_ROW_BYTES], final=ended and all_of_it
            )
            self._data = self._data[used:]
            if block is not None:
                yield block
            if not used and not all_of_it:
                start = self._position
                self._data, size, lines = skip_long_row(self._data, self._stream, self._dialect, start.line)
                self._advance(size, lines, records=1)
                yield too_long(start)
            elif not used or (len(self._data) < least and not ended):
                break

    def _blocks_by(self, helpers: Helpers) -> Iterator[Block]:
        """Have helpers make the blocks that are left, several at a time."""
        waiting = deque[tuple[Position, bytes]]()
        while self._data or waiting or not self._ended:
            self._hand_out(helpers, waiting)
            if not waiting:  # what comes next cannot be cut: it is looked at record by record, or goes on
                yield from self._blocks()
                if self._ended:
                    return
                self._read_on()
                continue
            start, text = waiting.popleft()
            made, spaces = helpers.result() or (None, 0)
            if made is not None:
                self._hand_out(helpers, waiting)
                yield Block(start, b"", partial(self._find, start, text, None), spaces, made)
                continue
            rest, position = self._data, self._position
            self._data, self._position = text, start
            yield from self._blocks(least=0, ended=self._ended and not waiting and not rest)
            if not self._data:
                self._data, self._position = rest, position
                continue
            # It ends inside a record: then what was cut after it does not start where a record does.
            for _ in waiting:
                helpers.result()
            self._data = b"".join([self._data, *(later for _, later in waiting), rest])
            waiting.clear()
            self._read_on()
            yield from self._blocks()

    def _hand_out(self, helpers: Helpers, waiting: deque[tuple[Position, bytes]]) -> None:
        """Cut whole records off for every helper that has nothing to do."""
        while len(waiting) < helpers.count and sum(len(text) for _, text in waiting) < MOST_WAITING:
            while len(self._data) < BLOCK_BYTES and not self._ended:
                self._read_on()
            data = self._data[:MAX_ROW_BYTES]
            final = self._ended and len(data) == len(self._data)
            used, quoted = self._end(data, final=final)
            if not used and not self._ended and len(data) < MAX_ROW_BYTES:
                self._read_on()  # not even the first line is whole yet
                continue
            if quoted and count(data, _QUOTE, 0, used) % 2:
                used, _ = self._cut(data, final=final)
            if not used:
                return
            text, start = self._data[:used], self._position
            self._data = self._data[used:]
            self._advance(used, count_lines(text), records=0)
            helpers.take(text)
            waiting.append((start, text))

    def _block(self, data: bytes, *, final: bool) -> tuple[int, Block | None]:
        """Give how many bytes were used, and the block made of them."""
        start = self._position
        whole = data[: self._most]
        used, quotes = self._cut(whole, final=final and len(whole) == len(data))
        self._most = min(2 * self._most, MAX_ROW_BYTES)
        if used:
            whole = data[:used]
            taken_apart = self._whole.plain_rows(whole, quotes)
            if taken_apart is None:
                self._most = _LEAST_BYTES  # where one record is odd, others are
                used = self._whole.sound(whole)
                whole = data[:used]
                taken_apart = self._whole.plain_rows(whole) if used > _WORTHWHILE else None
            if taken_apart is not None:
                self._records = _FEWEST_RECORDS
                rows, spaces = taken_apart
                find = partial(self._find, start, whole, None)
                self._advance(used, count_lines(whole), count(rows, _LINE_FEED) if self._by_record else 0)
                return used, Block(start, rows, find, spaces)
        # Only some: what comes after may be sure again.
        parsed = parse(data, self._dialect, line=start.line, final=final, most=self._records)
        self._records = min(2 * self._records, _MOST_RECORDS)
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

    def _find(
        self, start: Position, data: bytes, spans: NDArray[np.intp] | None, numbers: Sequence[int]
    ) -> list[Record]:
        """Find records of a block by their ascending numbers."""
        if spans is None:
            spans = self._spans(data)
        spans = spans[list(numbers)]
        lines = np.array(numbers) if self._by_record else np.searchsorted(_line_ends(data), spans[:, 0])
        return [
            Record(start.line + line, data[begin:end])
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


def too_long(start: Position) -> Block:
    """Make the block of one record that is too long to be held."""
    return Block(start, fault_row(Reject.ROW_TOO_LARGE) + b"\n", lambda _: [Record(start.line, b"")])
