"""The parser of single records of a delimited file: slow, and right on every file.

The grammar is that of RFC 4180, and wider: see `Dialect` for what ends a line; a quote inside a value that is
not quoted stands for itself.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from bulk_profiles.core.errors import FileRejectedError
from bulk_profiles.splitting.rows.faults import Reject
from bulk_profiles.splitting.rows.header_names import Likeness
from bulk_profiles.splitting.rows.plain import fault_row, mark, without_invalid

from .dialect import Dialect

_QUOTE = b'"'
_QUOTES = re.compile(rb'"+')
_ANY_LINE_END = re.compile(rb"\r\n?|\n")
_LOOK_AHEAD = 64 * 1024  # bytes in which a quote shows whether what comes before it is inside quotes
_MOST_BLANKS = 256  # bytes before a quote that starts a cell all the same
_MOST_MISQUOTED = 1024 * 1024  # bytes of a record after the place where its quotes are wrong


@dataclass(slots=True)
class ParsedRecords:
    """Records in their order. Blank lines are no records."""

    rows: list[bytes] = field(default_factory=list)  # plain, without a line feed
    spans: list[tuple[int, int]] = field(default_factory=list)  # where each starts and ends in the data
    used: int = 0  # bytes of the data
    spaces: int = 0  # that were removed as parts of delimiters
    spaced: list[int] = field(default_factory=list)  # numbers of the records that had them


class _Record(NamedTuple):
    """A record whose quotes are right."""

    cells: list[bytes]
    end: int
    literal: bool = False  # a quote is part of a value that is not quoted


class _Misquote(NamedTuple):
    """The place of a quote that is neither where a quoted value starts nor where one ends."""

    place: int


class _Quote(NamedTuple):
    """What a quote may do, by what is beside it: nothing where it may as well be part of a value."""

    opens: bool = False  # it may open a value
    closes: bool = False  # it may close a value
    end: int = 0  # the place after it


def parse(data: bytes, dialect: Dialect, *, line: int, final: bool, most: int | None = None) -> ParsedRecords:
    """Parse the whole records that `data` starts with, `most` of them at most.

    `line` is the number of the line that starts there. Where the data is `final`, it ends with a line end.
    Raises `FileRejectedError` where a header with other columns comes after a byte order mark, a quoted value
    is not closed, or nobody can tell the end of a record whose quotes are wrong.
    """
    parser = _RecordParser(data, dialect, line, final=final)
    parsed = ParsedRecords()
    while parsed.used < len(data) and (most is None or len(parsed.rows) < most):
        start = parsed.used
        record = parser.record(start)
        if record is None:
            if final:
                raise parser.unclosed(start)
            break
        cells, end = record
        if not isinstance(cells, Reject) and data.startswith(codecs.BOM_UTF8, start):
            _refuse_other_header(cells, dialect, line + dialect.count_lines(data, 0, start))
        row = _plain_row(cells, quoted=data.startswith(_QUOTE, start))
        if row:
            if parser.spaces > parsed.spaces:
                parsed.spaced.append(len(parsed.rows))
            parsed.rows.append(row)
            parsed.spans.append((start, end))
        parsed.used, parsed.spaces = end, parser.spaces
    return parsed


def _refuse_other_header(cells: list[bytes], dialect: Dialect, line: int) -> None:
    """Raise `FileRejectedError` where the cells after a byte order mark are a header with other columns."""
    names = [unquote_to_bytes(cell) for cell in cells] if dialect.encoded else cells
    if dialect.header and dialect.header.likeness(names, marked=True) is Likeness.OTHER:
        raise other_header(line, Likeness.OTHER)


def other_header(line: int, likeness: Likeness) -> FileRejectedError:
    """Return the error for a header after which the rows have other columns, or may have; or for a page."""
    if likeness is Likeness.PAGE:
        return FileRejectedError(
            f"An HTML page begins in line {line}: the export failed there, and rows are missing. Export the "
            "table again."
        )
    if likeness is Likeness.JOINED:
        return FileRejectedError(
            f"Line {line} ends in another header: two files were joined without a line end between them. "
            "Drop the parts as files of their own."
        )
    return FileRejectedError(
        f"Line {line} is another header, with other columns or in another order than in the first one: drop "
        "the parts as files of their own."
    )


def unclosed(line: int) -> FileRejectedError:
    """Return the error for a quoted value whose end nobody can tell."""
    return FileRejectedError(
        f"A quoted value in the record at line {line} is not closed properly: close it and double the quotes "
        'inside it, or set "quoting": "none" in the feed if quotes do not enclose values.'
    )


def _plain_row(cells: list[bytes] | Reject, *, quoted: bool) -> bytes:
    if isinstance(cells, Reject):
        return fault_row(cells)
    if cells == [b""] and quoted:
        return b","  # not what an empty line is: a row
    return b",".join([mark(without_invalid(cell)) for cell in cells])


class _RecordParser:
    """A parser of the records in `data`."""

    def __init__(self, data: bytes, dialect: Dialect, line: int, *, final: bool) -> None:
        self.spaces = 0  # that were removed as parts of delimiters
        self._data = data
        self._dialect = dialect
        self._line = line
        self._final = final
        delimiter, blanks = re.escape(dialect.delimiter), re.escape(dialect.blanks)
        self._cell_end = re.compile(delimiter + (rb"|\r\n?|\n" if dialect.returns else rb"|\n"))
        self._after_quote = re.compile(delimiter + (rb"|\r\n?|\n" if dialect.returns else rb"|\r*\n"))
        self._before_quote = re.compile(rb"(?:\A|" + delimiter + rb")[" + blanks + rb']*(?=")')

    def record(self, start: int) -> tuple[list[bytes] | Reject, int] | None:
        """Return the cells of the record at `start` and its end; None where that is not there yet."""
        result = self._parse(start)
        if isinstance(result, _Misquote):
            end = self._end_of_misquoted(start, result.place)
            return None if end is None else (Reject.BAD_QUOTE, end)
        return (result.cells, result.end) if result else None

    def unclosed(self, start: int) -> FileRejectedError:
        """Return the error for the record at `start`, which nobody can tell the end of."""
        return unclosed(self._line + self._dialect.count_lines(self._data, 0, start))

    def _parse(self, start: int) -> _Record | _Misquote | None:
        while self._data.startswith(codecs.BOM_UTF8, start):
            start += len(codecs.BOM_UTF8)
        end = self._line_end(start)
        line = self._data[start : end[0] if end else len(self._data)]
        if _QUOTE in line:
            if self._dialect.quoted:
                return self._quoted_record(start)
            quote = self._before_quote.search(line) if self._dialect.encoded else None
            if quote:
                return _Misquote(start + quote.end())
        return _Record(self._without_spaces(line.split(self._dialect.delimiter)), end[1]) if end else None

    def _quoted_record(self, start: int) -> _Record | _Misquote | None:
        cells: list[bytes] = []
        literal = False
        while True:
            cell = self._cell(start, first=not cells)
            if cell is None or isinstance(cell, _Misquote):
                return cell
            value, end, is_quoted = cell
            separator = self._after_quote.match(self._data, end)
            if separator is None:
                if not self._final and not self._data[end:].strip(b"\r"):
                    return None  # a LF may follow
                return _Misquote(end - 1)
            if self._may_go_on(*separator.span()):
                return None
            cells.append(value)
            literal |= _QUOTE in value and not is_quoted
            start = separator.end()
            if separator[0] != self._dialect.delimiter:
                return _Record(cells, start, literal)

    def _cell(self, start: int, *, first: bool) -> tuple[bytes, int, bool] | _Misquote | None:
        """Return the value of the cell at `start`, where it ends, and whether it is quoted."""
        if self._dialect.spaced and not first and self._data.startswith(b" ", start):
            start += 1
            self.spaces += 1
        if not self._data.startswith(_QUOTE, start):
            separator = self._cell_end.search(self._data, start)
            if separator is None:
                return None
            value = self._data[start : separator.start()]
            if not self._dialect.returns and separator[0] == b"\n":
                value = value.rstrip(b"\r")
            text = value.lstrip(self._dialect.blanks)
            if text.startswith(_QUOTE):
                return _Misquote(start + len(value) - len(text))
            return value, start + len(value), False
        close = self._data.find(_QUOTE, start + 1)
        while close >= 0 and self._data.startswith(_QUOTE, close + 1):
            close = self._data.find(_QUOTE, close + 2)
        if close < 0 or close + 1 == len(self._data):
            return None
        return self._data[start + 1 : close].replace(b'""', _QUOTE), close + 1, True

    def _end_of_misquoted(self, start: int, place: int) -> int | None:
        r"""Return where the record at `start` ends, whose quote at `place` is wrong; None where it goes on.

        It ends with a line: with that of the wrong quote, or of a later one that closes a value, as then the
        lines up to there are inside the value. Lines that are no whole rows after it are part of the record.
        So the first two lines of `A1,"say \"hi\"`, `and go",Ulm` and `A2,"ok",Bonn` are one record.
        """
        quote = self._quote(place, place + 1)
        if quote is None:
            return None
        # A quote that opens a value was outside of any: the value before it was opened by mistake.
        end = self._line_end(start if quote.opens and not quote.closes else place)
        if end is None or not self._dialect.width:
            return end and end[1]
        closing = self._closing_quote(end[1])
        if closing is None:
            return None
        if closing.closes:
            end = self._line_end(closing.end)
        while end and not (self._final and end[1] == len(self._data)):
            if end[1] - place > _MOST_MISQUOTED:
                raise self.unclosed(start)
            starts_row = self._starts_row(end[1], literal=closing.closes)
            if starts_row is None:
                return None
            if starts_row:
                break
            end = self._line_end(end[1])
        return end and end[1]

    def _starts_row(self, start: int, *, literal: bool) -> bool | None:
        """Whether a row starts here, after a record whose quotes are wrong; None where it is not known yet.

        `literal`: a quote may be part of a value that is not quoted.
        """
        spaces = self.spaces
        record = self._parse(start)
        self.spaces = spaces
        if isinstance(record, _Misquote):  # another record whose quotes are wrong, if a quote opens a value
            quote = self._closing_quote(start)
            return quote and quote.opens
        if record is None:
            return True if self._final else None
        width, cells = self._dialect.width, record.cells
        fits = not any(cells[width:]) and (len(cells) >= width or self._dialect.short_rows)
        return fits and (literal or not record.literal)

    def _closing_quote(self, start: int) -> _Quote | None:
        r"""Return the quote that closes the value which the text at `start` is inside of, if it is.

        If it is not, the quote is one that opens, or there is none that tells. None: that is not known yet.
        Both are assumed until a quote is not where it may be for one of them: outside of quotes is one that
        opens no value, or inside is one that closes none. The first quote in `,"\n1",` may do either, and
        the second one closes: so the text before them is outside.
        """
        stop = start + _LOOK_AHEAD
        first: _Quote | None = None
        is_open = False  # before the quote that comes next, if the text at `start` is outside
        for run in _QUOTES.finditer(self._data, start):
            if run.start() >= stop:
                break
            quote = self._quote(*run.span())
            if quote is None:
                return None
            if not (quote.opens or quote.closes):
                continue
            first = first or quote
            if quote.opens != quote.closes:
                outside = quote.closes if is_open else quote.opens
                return _Quote(opens=outside, closes=not outside, end=first.end)
            is_open = not is_open
        return _Quote() if self._final or len(self._data) >= stop else None

    def _quote(self, start: int, end: int) -> _Quote | None:
        """Return what some quotes in a row may do; None where what follows them is not there yet.

        An even number of them may be doubled ones, and after a backslash they may be part of a value.
        """
        if end == len(self._data) and not self._final:
            return None
        before = self._data[max(0, start - _MOST_BLANKS) : start]
        if (end - start) % 2 == 0 or before.endswith(b"\\"):
            return _Quote()
        text = before.rstrip(self._dialect.blanks).removesuffix(codecs.BOM_UTF8)
        opens = not text or text.endswith((self._dialect.delimiter, *self._dialect.ends))
        closes = end == len(self._data) or self._after_quote.match(self._data, end) is not None
        return _Quote(opens, closes, end)

    def _line_end(self, start: int) -> tuple[int, int] | None:
        """Return where the next line end starts and ends; None where it is not there yet."""
        if self._dialect.returns:
            end = _ANY_LINE_END.search(self._data, start)
            return None if end is None or self._may_go_on(*end.span()) else end.span()
        feed = self._data.find(b"\n", start)
        return (start + len(self._data[start:feed].rstrip(b"\r")), feed + 1) if feed >= 0 else None

    def _may_go_on(self, begin: int, end: int) -> bool:
        """Whether a separator is a CR at the end of the data, which a LF may follow."""
        return not self._final and end == len(self._data) and self._data[begin:end] == b"\r"

    def _without_spaces(self, cells: list[bytes]) -> list[bytes]:
        if not self._dialect.spaced:
            return cells
        self.spaces += sum(cell.startswith(b" ") for cell in cells[1:])
        return [cells[0], *(cell.removeprefix(b" ") for cell in cells[1:])]
