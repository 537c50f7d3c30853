"""The header of a delimited file: the names of its columns, and the dialect that the file is written in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import unquote

from bulk_profiles.core.errors import FileRejectedError
from bulk_profiles.core.feeds import Feed, Quoting, ShortRows
from bulk_profiles.splitting.rows.faults import MAX_ROW_BYTES
from bulk_profiles.splitting.rows.header_names import HeaderNames
from bulk_profiles.splitting.rows.key_column import has_key_column, key_number
from bulk_profiles.splitting.rows.plain import FAULT_MARK, unmark

from .batch_format import BODY_PREFIX
from .blocks import Position
from .dialect import Dialect
from .record_parser import parse
from .scans import count_lines
from .text import HEAD_BYTES, Text

DELIMITERS = (b",", b";", b"\t", b"|")  # that are found out
# What is beyond these is hardly a header, and takes minutes to hold against all that columns may be called.
MAX_COLUMNS = 10_000
MAX_HEADER_LENGTH = 1024 * 1024  # characters, each name with a separator
_MOST_ROWS = 100  # that are held against the header
_SEPARATOR_HINT = re.compile(rb'"?sep=([^"\r\nA-Za-z0-9\x80-\xff])"?\1*(?:\r\n|\n|\r)', re.IGNORECASE)
_RETURNS = re.compile(rb"\r*\n?")
_BLANK_LINES = re.compile(rb"(?:[ \t,;|]*[\r\n])*")  # of delimiters and blanks


@dataclass(frozen=True, slots=True)
class Header:
    """The header of a file, as it stands there."""

    names: tuple[str, ...]
    raw: bytes  # with all that comes before the rows
    dialect: Dialect
    end: Position  # where the rows start
    start: int = 0  # bytes before the first name


def read_header(text: Text, feed: Feed, *, encoded: bool = False) -> Header:
    """Read the header, of Target's own format if `encoded`; raises `FileRejectedError` where there is none.

    More and more of the file is read until the header is whole, or longer than a row may be.
    """
    after = len(BODY_PREFIX) if encoded else 0
    delimiter = b"," if encoded else (feed.delimiter or "").encode() or None
    quoted = feed.quoting is Quoting.DOUBLE and not encoded
    with text.open() as stream:
        data, final = b"", False
        while True:
            piece = stream.read(max(HEAD_BYTES, len(data)))
            final = not piece
            data += piece
            if final and not data.endswith((b"\n", b"\r")):
                data += b"\n"
            start = _after_blank_lines(data, after)
            hint = _SEPARATOR_HINT.match(data, start)
            if hint and not encoded:
                delimiter = delimiter or hint[1]
                start = _after_blank_lines(data, hint.end())
            last = final or len(data) > MAX_ROW_BYTES
            dialects = [
                Dialect(candidate, quoted, _is_spaced(data[start:], candidate), returns=True, encoded=encoded)
                for candidate in ((delimiter,) if delimiter else DELIMITERS)
            ]
            header = _parse(data, start, dialects, feed, final=final, last=last)
            if header:
                return header
            if final:
                raise FileRejectedError("The file is empty: it has no header.")
            if last:
                raise FileRejectedError(
                    "The file is not text in lines, or a quoted name in its header is never closed."
                )


def refuse_endless(names: Sequence[str]) -> None:
    """Raise `FileRejectedError` for more names, or longer ones, than those of a table."""
    if len(names) > MAX_COLUMNS:
        found = f"has more than {MAX_COLUMNS:,} columns"
    elif sum(len(name) + 1 for name in names) > MAX_HEADER_LENGTH:
        found = f"is longer than {MAX_HEADER_LENGTH:,} characters"
    else:
        return
    raise FileRejectedError(
        f"The header {found}: names must be those of columns, not values, and each row a line of its own."
    )


def first_rows(text: Text, header: Header) -> list[bytes]:
    """Return the first records below the header as plain rows, up to one whose quotes are wrong."""
    with text.open(header.end.offset) as stream:
        data = stream.read(HEAD_BYTES)
        final = not stream.read(1)
    data = header.dialect.end_line(data) if final else data
    data = data[: header.dialect.last_line_end(data, final=final)]
    try:
        rows = parse(data, header.dialect, line=1, final=False, most=_MOST_ROWS).rows
    except FileRejectedError:
        return []
    return [row for row in rows if not row.startswith(FAULT_MARK)]


def _after_blank_lines(data: bytes, start: int) -> int:
    blank = _BLANK_LINES.match(data, start)
    return blank.end() if blank and blank.end() < len(data) else start


def _parse(
    data: bytes, start: int, dialects: list[Dialect], feed: Feed, *, final: bool, last: bool
) -> Header | None:
    """Parse the header at `start` in the dialect that gives a key column, or else the most columns.

    Returns None where more data is needed to decide that; where this is the `last` data, where there is no
    header.
    """
    line = 1 + count_lines(data, 0, start)
    headers: list[Header] = []
    faults: list[FileRejectedError] = []
    is_cut = False  # in some dialect, the header goes on after the data
    for dialect in dialects:
        try:
            parsed = parse(data[start:], dialect, line=line, final=final, most=1)
            if not parsed.rows:
                is_cut = True
                continue
            names = _names(parsed.rows[0])
        except FileRejectedError as error:
            faults.append(error)
            continue
        refuse_endless(names)
        end = start + parsed.spans[0][1]
        # Any line end ends the header; a CR that does, with no LF after it, ends rows as well.
        returns = _RETURNS.match(data, end) if data[end - 1 : end] == b"\r" else None
        if returns and returns.end() == len(data) and not final:
            is_cut = True
            continue
        if returns and returns[0].endswith(b"\n"):
            end, returns = returns.end(), None
        key = key_number(names, feed)
        written = replace(
            dialect,
            returns=bool(returns),
            header=None if key is None else _header_names(names, key, encoded=dialect.encoded),
            width=len(names),
            short_rows=dialect.encoded or feed.short_rows is ShortRows.FILL,
        )
        position = Position(end, line + written.count_lines(data, start, end))
        headers.append(Header(names, data[:end], written, position, start))
    keyed = [header for header in headers if has_key_column(header.names, feed)]
    if is_cut and not keyed and (not last or not headers):
        return None
    if not headers and faults:
        raise faults[0]
    return max(keyed or headers, key=lambda header: len(header.names), default=None)


def _header_names(names: Sequence[str], key: int, *, encoded: bool) -> HeaderNames:
    return HeaderNames.of([unquote(name) for name in names] if encoded else names, key)


def _is_spaced(data: bytes, delimiter: bytes) -> bool:
    """Whether a space follows every delimiter in the first line, as in `pcId, city, age`."""
    line = data.split(b"\n", 1)[0].split(b"\r", 1)[0]
    return 0 < line.count(delimiter) == line.count(delimiter + b" ") and b"\t" not in delimiter


def _names(row: bytes) -> tuple[str, ...]:
    """Return the cells of a plain row."""
    if row.startswith(FAULT_MARK):
        raise FileRejectedError("Text follows a closing quote in the header: double the quotes inside names.")
    try:
        return tuple(unmark(cell).decode() for cell in row.split(b","))
    except UnicodeDecodeError as error:
        raise FileRejectedError(
            "The header is not UTF-8: save the file as UTF-8, or name its encoding in the feed, as in "
            '"encoding": "cp1252".'
        ) from error
