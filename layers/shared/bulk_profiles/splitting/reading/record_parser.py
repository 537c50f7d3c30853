"""Delimited records one by one: slow, and right on every file."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np

from bulk_profiles.core.errors import FileRejectedError
from bulk_profiles.splitting.rows.faults import Reject
from bulk_profiles.splitting.rows.plain import fault_row, mark, without_invalid

_QUOTE = b'"'
_LINE_FEED = 10
_HIGH = 0x80
_FEW = 8  # bytes for each one that is not ASCII
_LINE_END = re.compile(rb"\r\n|\n|\r")


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a delimited file is written. `spaced`: one space after each delimiter belongs to it."""

    delimiter: bytes = b","
    quoted: bool = True
    spaced: bool = False


@dataclass(slots=True)
class Parsed:
    """Plain rows, and where each record starts and ends in the bytes it was taken from."""

    rows: list[bytes] = field(default_factory=list)
    spans: list[tuple[int, int]] = field(default_factory=list)
    used: int = 0
    spaces: int = 0


def count(data: bytes, byte: int, start: int = 0, end: int | None = None) -> int:
    """Count a byte that comes often: faster than `bytes.count`."""
    return int(np.count_nonzero(np.frombuffer(data, np.uint8)[start:end] == byte))


def count_lines(data: bytes, start: int = 0, end: int | None = None) -> int:
    """Count line ends: LF, CRLF or CR."""
    end = len(data) if end is None else end
    lines = count(data, _LINE_FEED, start, end)
    if b"\r" in data:
        lines += data.count(b"\r", start, end) - data.count(b"\r\n", start, end)
    return lines


def is_utf8(text: bytes) -> bool:
    """Say whether a text is UTF-8: faster than decoding it where few bytes are not ASCII."""
    if text.isascii():
        return True
    data = np.frombuffer(text, np.uint8)
    high = data >= _HIGH
    if np.count_nonzero(high) * _FEW < len(data):
        high[1:] |= high[:-1]  # the byte after each run parts it from the next one
        text = data[high].tobytes()
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def parse(data: bytes, dialect: Dialect, *, line: int, final: bool, most: int | None = None) -> Parsed:
    """Take whole records apart, `most` of them, from the start of `data`, which is the start of line `line`.

    The last record must be ended by a line end where `final`. Raises `FileRejectedError` where a quoted
    value is not closed, or spans lines and is closed in the wrong place.
    """
    parser = _Parser(data, dialect, line, final=final)
    parsed = Parsed()
    while parsed.used < len(data) and (most is None or len(parsed.rows) < most):
        found = parser.record(parsed.used)
        if found is None:
            if final:
                raise unclosed(line + count_lines(data, 0, parsed.used))
            break
        cells, end = found
        if isinstance(cells, Reject):
            parsed.rows.append(fault_row(cells))
        elif cells == [b""] and data[parsed.used : parsed.used + 1] == _QUOTE:
            parsed.rows.append(fault_row(Reject.EMPTY_ID))  # not a blank line
        else:
            parsed.rows.append(b",".join([mark(without_invalid(cell)) for cell in cells]))
        parsed.spans.append((parsed.used, end))
        if not parsed.rows[-1]:  # a blank line is no row
            parsed.rows.pop()
            parsed.spans.pop()
        parsed.used, parsed.spaces = end, parser.spaces
    return parsed


def unclosed(line: int) -> FileRejectedError:
    """Make the error for a quoted value that nobody can tell the end of."""
    return FileRejectedError(
        f"A quoted value in the record at line {line} is not closed properly: close it, or double the quotes "
        "inside it."
    )


class _Parser:
    def __init__(self, data: bytes, dialect: Dialect, line: int, *, final: bool) -> None:
        self._data = data
        self._dialect = dialect
        self._line = line
        self._final = final
        self._cell_end = re.compile(re.escape(dialect.delimiter) + rb"|\r\n|\n|\r")
        self._next = {b"\n": -1, b"\r": -1}  # where these come next
        self._nowhere = len(data) + 1  # behind the place after the last byte
        self.spaces = 0

    def record(self, start: int) -> tuple[list[bytes] | Reject, int] | None:
        """Give the cells of the record at `start` and where it ends; None where its end is not there yet."""
        end = self._line_end(start)
        line = self._data[start : end[0] if end else len(self._data)]
        if self._dialect.quoted and _QUOTE in line:
            return self._quoted_record(start)
        return (self._without_spaces(line.split(self._dialect.delimiter)), end[1]) if end else None

    def _quoted_record(self, start: int) -> tuple[list[bytes] | Reject, int] | None:
        cells: list[bytes] = []
        position = start
        while True:
            found = self._cell(position, first=not cells)
            if found is None:
                return None
            cell, end = found
            separator = self._cell_end.match(self._data, end)
            if separator is None:
                return self._misquoted(start, end)
            if self._open_ended(*separator.span()):
                return None
            cells.append(cell)
            position = separator.end()
            if separator[0] != self._dialect.delimiter:
                return cells, position

    def _cell(self, start: int, *, first: bool) -> tuple[bytes, int] | None:
        """Give the value of the cell at `start` and where it ends."""
        if self._dialect.spaced and not first and self._data[start : start + 1] == b" ":
            start += 1
            self.spaces += 1
        if self._data[start : start + 1] != _QUOTE:
            separator = self._cell_end.search(self._data, start)
            return (self._data[start : separator.start()], separator.start()) if separator else None
        close = self._data.find(_QUOTE, start + 1)
        while close >= 0 and self._data[close + 1 : close + 2] == _QUOTE:
            close = self._data.find(_QUOTE, close + 2)
        if close < 0 or close + 1 == len(self._data):
            return None
        return self._data[start + 1 : close].replace(b'""', _QUOTE), close + 1

    def _misquoted(self, start: int, end: int) -> tuple[Reject, int] | None:
        """Reject the one line that holds text after a closing quote; with more lines, nothing is sure."""
        if _LINE_END.search(self._data, start, end):
            raise unclosed(self._line + count_lines(self._data, 0, start))
        line_end = self._line_end(end)
        return (Reject.BAD_QUOTE, line_end[1]) if line_end else None

    def _line_end(self, start: int) -> tuple[int, int] | None:
        """Find where the next line end starts and ends; None where it is not there yet."""
        feed, back = self._find(b"\n", start), self._find(b"\r", start)
        begin = min(feed, back)
        end = begin + 1 + (feed == back + 1)
        return None if begin == self._nowhere or self._open_ended(begin, end) else (begin, end)

    def _find(self, sign: bytes, start: int) -> int:
        """Find one of the two signs of a line end; places that are asked for never go back."""
        if self._next[sign] < start:
            found = self._data.find(sign, start)
            self._next[sign] = found if found >= 0 else self._nowhere
        return self._next[sign]

    def _open_ended(self, begin: int, end: int) -> bool:
        """Say whether a line feed may still follow a return that is the last byte."""
        return not self._final and end == len(self._data) and self._data[begin:end] == b"\r"

    def _without_spaces(self, cells: list[bytes]) -> list[bytes]:
        if not self._dialect.spaced:
            return cells
        self.spaces += sum(cell.startswith(b" ") for cell in cells[1:])
        return [cells[0], *(cell.removeprefix(b" ") for cell in cells[1:])]
