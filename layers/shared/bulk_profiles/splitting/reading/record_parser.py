"""The parser of single records of a delimited file: slow, and right on every file.

The grammar is that of RFC 4180, and wider: lines end with LF, CRLF or CR, and a quote inside a value that is
not quoted stands for itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from bulk_profiles.core.errors import FileRejectedError
from bulk_profiles.splitting.rows.faults import Reject
from bulk_profiles.splitting.rows.plain import fault_row, mark, without_invalid

from .scans import count_lines

_QUOTE = b'"'
_LINE_END = re.compile(rb"\r\n|\n|\r")


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a delimited file is written."""

    delimiter: bytes = b","
    quoted: bool = True  # a quote at the start of a cell opens a quoted value
    spaced: bool = False  # one space after each delimiter is a part of it


@dataclass(slots=True)
class ParsedRecords:
    """Records in their order. Blank lines are no records."""

    rows: list[bytes] = field(default_factory=list)  # plain, without a line feed
    spans: list[tuple[int, int]] = field(default_factory=list)  # where each starts and ends in the data
    used: int = 0  # bytes of the data
    spaces: int = 0  # that were removed as parts of delimiters


def parse(data: bytes, dialect: Dialect, *, line: int, final: bool, most: int | None = None) -> ParsedRecords:
    """Parse the whole records that `data` starts with, `most` of them at most.

    `line` is the number of the line that starts there. Where the data is `final`, it ends with a line end.
    Raises `FileRejectedError` where a quoted value is not closed, or spans lines and is closed in the wrong
    place: nobody can tell then where the record ends.
    """
    parser = _RecordParser(data, dialect, line, final=final)
    parsed = ParsedRecords()
    while parsed.used < len(data) and (most is None or len(parsed.rows) < most):
        start = parsed.used
        record = parser.record(start)
        if record is None:
            if final:
                raise unclosed(line + count_lines(data, 0, start))
            break
        cells, end = record
        row = _plain_row(cells, quoted=data.startswith(_QUOTE, start))
        if row:
            parsed.rows.append(row)
            parsed.spans.append((start, end))
        parsed.used, parsed.spaces = end, parser.spaces
    return parsed


def unclosed(line: int) -> FileRejectedError:
    """Return the error for a quoted value whose end nobody can tell."""
    return FileRejectedError(
        f"A quoted value in the record at line {line} is not closed properly: close it, or double the quotes "
        "inside it."
    )


def _plain_row(cells: list[bytes] | Reject, *, quoted: bool) -> bytes:
    if isinstance(cells, Reject):
        return fault_row(cells)
    if cells == [b""] and quoted:
        return fault_row(Reject.EMPTY_ID)  # an empty value in quotes is no blank line
    return b",".join([mark(without_invalid(cell)) for cell in cells])


class _RecordParser:
    """A parser of the records in `data`, which are asked for from the first to the last."""

    def __init__(self, data: bytes, dialect: Dialect, line: int, *, final: bool) -> None:
        self.spaces = 0  # that were removed as parts of delimiters
        self._data = data
        self._dialect = dialect
        self._line = line
        self._final = final
        self._cell_end = re.compile(re.escape(dialect.delimiter) + rb"|\r\n|\n|\r")
        self._next = {b"\n": -1, b"\r": -1}  # the places of the next ones
        self._nowhere = len(data) + 1

    def record(self, start: int) -> tuple[list[bytes] | Reject, int] | None:
        """Return the cells of the record at `start` and its end; None where that is not there yet."""
        end = self._line_end(start)
        line = self._data[start : end[0] if end else len(self._data)]
        if self._dialect.quoted and _QUOTE in line:
            return self._quoted_record(start)
        return (self._without_spaces(line.split(self._dialect.delimiter)), end[1]) if end else None

    def _quoted_record(self, start: int) -> tuple[list[bytes] | Reject, int] | None:
        cells: list[bytes] = []
        position = start
        while True:
            result = self._cell(position, first=not cells)
            if result is None:
                return None
            cell, end = result
            separator = self._cell_end.match(self._data, end)
            if separator is None:
                return self._misquoted(start, end)
            if self._may_go_on(*separator.span()):
                return None
            cells.append(cell)
            position = separator.end()
            if separator[0] != self._dialect.delimiter:
                return cells, position

    def _cell(self, start: int, *, first: bool) -> tuple[bytes, int] | None:
        """Return the value of the cell at `start` and its end; None where that is not there yet."""
        if self._dialect.spaced and not first and self._data.startswith(b" ", start):
            start += 1
            self.spaces += 1
        if not self._data.startswith(_QUOTE, start):
            separator = self._cell_end.search(self._data, start)
            return (self._data[start : separator.start()], separator.start()) if separator else None
        close = self._data.find(_QUOTE, start + 1)
        while close >= 0 and self._data.startswith(_QUOTE, close + 1):
            close = self._data.find(_QUOTE, close + 2)
        if close < 0 or close + 1 == len(self._data):
            return None
        return self._data[start + 1 : close].replace(b'""', _QUOTE), close + 1

    def _misquoted(self, start: int, end: int) -> tuple[Reject, int] | None:
        """Reject the line that has text after a closing quote at `end`; raises where there are more lines."""
        if _LINE_END.search(self._data, start, end):
            raise unclosed(self._line + count_lines(self._data, 0, start))
        line_end = self._line_end(end)
        return (Reject.BAD_QUOTE, line_end[1]) if line_end else None

    def _line_end(self, start: int) -> tuple[int, int] | None:
        """Return where the next line end starts and ends; None where it is not there yet."""
        line_feed, carriage_return = self._find(b"\n", start), self._find(b"\r", start)
        begin = min(line_feed, carriage_return)
        end = begin + 1 + (line_feed == carriage_return + 1)
        return None if begin == self._nowhere or self._may_go_on(begin, end) else (begin, end)

    def _find(self, sign: bytes, start: int) -> int:
        """Return the place of the next LF or CR.

        It is remembered for the next calls, as `start` only grows: a file without any CR is searched for it
        once, not once for each record.
        """
        if self._next[sign] < start:
            place = self._data.find(sign, start)
            self._next[sign] = place if place >= 0 else self._nowhere
        return self._next[sign]

    def _may_go_on(self, begin: int, end: int) -> bool:
        """Whether a separator is a CR at the end of the data, which a LF may follow."""
        return not self._final and end == len(self._data) and self._data[begin:end] == b"\r"

    def _without_spaces(self, cells: list[bytes]) -> list[bytes]:
        if not self._dialect.spaced:
            return cells
        self.spaces += sum(cell.startswith(b" ") for cell in cells[1:])
        return [cells[0], *(cell.removeprefix(b" ") for cell in cells[1:])]
