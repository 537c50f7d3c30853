"""Why a delimited file cannot be read by its header: one sentence for each reason, with the remedy.

The first lines of the file are looked at. No sentence repeats a value in them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from bulk_profiles.core.errors import FileRejectedError
from bulk_profiles.core.feeds import Feed
from bulk_profiles.splitting.rows.key_column import has_key_column, key_number, sent_columns
from bulk_profiles.splitting.rows.plain import FAULT_MARK, mark, unmark

from .dialect import Dialect
from .header import DELIMITERS, Header
from .record_parser import parse
from .signatures import Foreign
from .text import HEAD_BYTES, Text

type _Rows = Sequence[Sequence[str]]  # the cells of records

_OTHER_DELIMITERS = b"\x01\x02\x1e\x1f^~:!#*"  # that exports use, and that a feed has to name
_OTHER_QUOTES = "`\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb"
_IN_OTHER_QUOTES = re.compile(f"'[^']*'|[{_OTHER_QUOTES}][^{_OTHER_QUOTES}]*[{_OTHER_QUOTES}]")
# Signs beside each other that are seldom in a name.
# As a name in MySQL or SQL Server, or in quotes that were doubled once too often.
_BRACKETED = re.compile(rf"""\[[^\[\]]+\]|"[^"]+"|[bu]?'[^']+'|{_IN_OTHER_QUOTES.pattern}""")
# As SQLite and Python print a text, and as some exports do that enclose texts but not numbers.
_PRINTED = re.compile(r"[bu]?'[^']*'")
# The type of a column, as some exports have it below the header.
_TYPE = re.compile(
    r"(?:(?:nullable|lowcardinality)\()*"
    r"(?:(?:fixed)?string|text|n?(?:var)?char2?|character varying|u?int(?:eger|\d+)?|bigint|smallint|long"
    r"|float\d*|double(?: precision)?|decimal|numeric|number|bool(?:ean)?|date(?:time)?(?:32|64)?|timestamp"
    r"|uuid)(?:\([\w, '/]+\))?\)*",
    re.IGNORECASE,
)
_BATCH = re.compile(r"\W*batch\s*=", re.IGNORECASE)
_IMPORT_ID = b'{"ImportId":'  # begins the cells of the third line of Qualtrics
_LINE_ENDS = "\x85\u2028\u2029\x1e"  # that are none here
_DECIMAL_COMMAS = re.compile(rb"(?:[^,]*[0-9],(?=[0-9]))+[^,]*")  # and no other commas
# The signs of a line end, as a writer has them that escapes them once too often.
_PRINTED_END = re.compile(r"\w(?P<sign>\\r\\n|\\[nr])(?P<end>\s*$)?")
_SECOND_DELIMITER = re.compile(r".*\w([,;|])\1*\s*")
_LONG_DELIMITER = re.compile(r"""[^\w "'`.()\[\]{}/\\""" + _OTHER_QUOTES + "-]{2,}")
_RULE = re.compile(rb"-+(?:\+-+)+")  # the line that psql draws below the header
_PLURALS = {b",": "commas", b";": "semicolons", b"\t": "tabs", b"|": "pipes"}
_FEWEST_PRINTED = 3  # values from which a column is known to be in quotes
_FEWEST_NUMBERED = 3  # rows from which their numbers are known as such
_MOST_LINES = 20  # in which a header is looked for
_MOST_ROWS = 100  # that are held against the header
# A number, a date, a time, an e-mail address or a UUID is no name of a column.
_VALUE = re.compile(r"[-+]?\d[\d.,:/TZ +-]*|\S+@\S+|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def diagnose(text: Text, header: Header, rows: Sequence[bytes], feed: Feed) -> None:
    """Raise `FileRejectedError` if the first lines show why the rows cannot be read by the header.

    `rows` are the first ones, as plain rows.
    """
    _refuse_batch(header)
    _refuse_drawn(header, rows)
    _refuse_other_quotes(header, rows)
    _refuse_printed(header, rows, feed)
    _refuse_decimal_commas(header, rows, feed)
    _refuse_enclosed(header, rows)
    _refuse_types(header, rows)
    _refuse_row_numbers(header, rows, feed)
    _refuse_second_delimiter(header, rows)
    _refuse_line_ends(header, rows)
    width = len(header.names)
    if has_key_column(header.names, feed) and all(row.count(b",") == width - 1 for row in rows):
        return
    with text.open(header.start) as stream:
        size = header.end.offset - header.start
        data = stream.read(size + HEAD_BYTES)
    first, below = data[:size], data[size:]
    if has_key_column(header.names, feed):
        _refuse_other_delimiter(below, _cells(rows), header)
    else:
        _refuse_other_header(first, below, header, feed)
        _refuse_values(_cells(rows), header)
        if not below.strip():
            raise FileRejectedError(
                "The file has one line, which names no key column: add a header with a column pcId or "
                "thirdPartyId, and rows below it."
            )


def _refuse_batch(header: Header) -> None:
    """Raise `FileRejectedError` for a header of Target's own format that does not begin as that does.

    Read as CSV, its rows would be encoded once more.
    """
    if _BATCH.match(header.names[0]):
        raise FileRejectedError(
            "The header begins with batch=, but in capitals, or with something before or inside it: write "
            "batch= in small letters, as the first characters of the file."
        )


def _refuse_other_quotes(header: Header, rows: Sequence[bytes]) -> None:
    """Raise `FileRejectedError` if names or values are in quotes that do not enclose values."""

    def in_quotes(cells: Iterable[str]) -> bool:
        return all(_IN_OTHER_QUOTES.fullmatch(cell.strip()) for cell in cells if cell)

    starts = {row.decode(errors="replace")[:1] for row in rows}
    values = (unmark(cell).decode(errors="replace") for row in rows for cell in row.split(b","))
    if starts and starts <= {"'", *_OTHER_QUOTES} and (in_quotes(header.names) or in_quotes(values)):
        raise FileRejectedError(
            "The values are in single or typographic quotes or in backticks: export the table with double "
            "quotes."
        )
    if all(_BRACKETED.fullmatch(name.strip()) for name in header.names):
        raise FileRejectedError(
            "The names in the header are in brackets, in backticks or in quotes that are part of them: "
            "remove these."
        )


def _refuse_printed(header: Header, rows: Sequence[bytes], feed: Feed) -> None:
    """Raise `FileRejectedError` if all values of a column that is sent are in single quotes."""
    width = len(header.names)
    sent = sent_columns(header.names, feed)
    table = [cells for cells in _cells(rows) if len(cells) == width]
    for number, column in enumerate(zip(*table, strict=True), 1):
        values = [cell for cell in column if cell]
        if (
            sent[number - 1]
            and len(values) >= _FEWEST_PRINTED
            and all(_PRINTED.fullmatch(value.strip()) for value in values)
        ):
            raise FileRejectedError(
                f"The values in column {number} are in single quotes: export the table with double quotes."
            )


def _refuse_decimal_commas(header: Header, rows: Sequence[bytes], feed: Feed) -> None:
    """Raise `FileRejectedError` for rows such as `A1;1,5` below a header with commas.

    They have as many decimal commas as the header has commas. In each row the id would have the delimiter.
    """
    key, separators = key_number(header.names, feed), len(header.names) - 1
    if key is None or header.dialect.delimiter != b"," or len(rows) < _FEWEST_NUMBERED or not separators:
        return
    for other in (b";", b"\t"):
        if all(
            row.count(b",") == separators == row.count(other)
            and other in row.split(b",")[key]
            and _DECIMAL_COMMAS.fullmatch(row)
            for row in rows
        ):
            raise FileRejectedError(
                f"The header is separated by commas, and the rows from line {header.end.line} on by "
                f"{_name(other)}: use one delimiter in all lines."
            )


def _refuse_types(header: Header, rows: Sequence[bytes]) -> None:
    """Raise `FileRejectedError` if the first row has a type for each column."""
    first = _cells(rows[:1])
    if first and len(first[0]) == len(header.names) > 1 and all(map(_TYPE.fullmatch, first[0])):
        raise FileRejectedError(
            "The first row below the header has the types of the columns: remove that line."
        )
    if any(_IMPORT_ID in row for row in rows[:2]):
        raise FileRejectedError(
            "The header has three lines, as Qualtrics writes it: remove the second and the third."
        )


def _refuse_row_numbers(header: Header, rows: Sequence[bytes], feed: Feed) -> None:
    """Raise `FileRejectedError` if rows begin with their numbers, for which the header has no name.

    R's `write.table` writes tables like that, and so does pandas with `index_label=False`. Where the last
    column is empty, there may be a delimiter at the end of each row instead: then what would be the ids
    repeats sooner or later.
    """
    cells = [row.split(b",") for row in rows if row]
    key = key_number(header.names, feed)
    if key is None or len(cells) < _FEWEST_NUMBERED or {len(row) for row in cells} != {len(header.names) + 1}:
        return
    numbers = [row[0] for row in cells]
    if not any(numbers == [b"%d" % (n + first) for n in range(len(cells))] for first in (0, 1)):
        return
    if any(row[-1] for row in cells) or len({row[key + 1] for row in cells}) == len(cells):
        raise FileRejectedError(
            "The rows begin with their numbers, and the header has no name for these: export the table "
            "without them, or with a name for each column. If the numbers are ids, remove the delimiter at "
            "the end of each row."
        )


def _refuse_second_delimiter(header: Header, rows: Sequence[bytes]) -> None:
    """Raise `FileRejectedError` for a header like `pcId,city;;` and rows with as many semicolons.

    A spreadsheet writes them that took a table for one column, and cut some of its rows apart.
    """
    delimiter, ends = header.dialect.delimiter, _SECOND_DELIMITER.fullmatch(header.names[-1])
    if not ends or ends[1].encode() == delimiter or len(header.names) == 1:
        return
    counts = {row.count(mark(ends[1].encode())) for row in rows if row}
    if counts == {"".join(header.names).count(ends[1])}:
        raise FileRejectedError(
            f"The header is separated by {_name(delimiter)} and ends in {_name(ends[1].encode())}, as where "
            "a table is saved again with another delimiter: export it again."
        )


def _refuse_line_ends(header: Header, rows: Sequence[bytes]) -> None:
    """Raise `FileRejectedError` if the whole file is a header, as its lines end with other characters."""
    ends = [sign for sign in _LINE_ENDS if any(sign in name for name in header.names)]
    if ends and not rows:
        raise FileRejectedError(f"The lines end with {_printed(ends[0])}: end them with a line feed.")
    printed = _PRINTED_END.search(header.names[-1] if rows else " ".join(header.names))
    if printed and (printed["end"] is not None or not rows):
        raise FileRejectedError(
            f"The lines end with the characters {printed['sign']}: end them with a line feed."
        )


def _refuse_enclosed(header: Header, rows: Sequence[bytes]) -> None:
    """Raise `FileRejectedError` if each line is a quoted line of a mail, or a tuple as Python prints it."""
    first, last = header.names[0], header.names[-1]
    if rows and first.startswith(">") and all(row.startswith(b">") for row in rows):
        raise FileRejectedError("Each line begins with >, as in a quoted mail: remove that from every line.")
    if rows and first.startswith("(") and last.endswith(")") and all(row.startswith(b"(") for row in rows):
        raise FileRejectedError("Each line is in brackets: export the table as CSV (UTF-8).")


def _refuse_drawn(header: Header, rows: Sequence[bytes]) -> None:
    """Raise `FileRejectedError` for a table like `| pcId | city |`, in which blanks line the columns up."""
    names = header.names
    if (
        header.dialect.delimiter == b"|"
        and (not (names[0] + names[-1]).strip() or (rows and _RULE.fullmatch(rows[0])))
        and any(name.strip() not in {"", name} for name in names)
    ):
        raise Foreign.DRAWN.rejection()


def refuse_long_delimiter(start: bytes, feed: Feed) -> None:
    """Raise `FileRejectedError` if the first lines are separated by several characters, as in `a||b`."""
    lines = [line for line in start.decode(errors="replace").splitlines() if line.strip()]
    first, *rows = lines[:_MOST_LINES] or [""]
    long_delimiters = set(_LONG_DELIMITER.findall(first))
    if len(long_delimiters) != 1:
        return
    delimiter = long_delimiters.pop()
    if delimiter != delimiter[::-1] and any(single.decode() in delimiter for single in DELIMITERS):
        return  # as `,%`, which is a delimiter before a name that begins with a sign
    others = first.replace(delimiter, "")
    if any(single in others for single in (*b"".join(DELIMITERS).decode(), feed.delimiter or "\0")):
        return
    if rows and all(row.count(delimiter) == first.count(delimiter) for row in rows):
        raise FileRejectedError(
            f"The header and the rows are separated by {_printed(delimiter)}, which is more than one "
            "character: export the table with a delimiter of one."
        )


def _refuse_other_header(first: bytes, rows: bytes, header: Header, feed: Feed) -> None:
    """Raise `FileRejectedError` if it is known why the header, which is `first`, has no key column."""

    def has_key(line: bytes, delimiter: bytes) -> bool:
        cells = _table(line, replace(header.dialect, delimiter=delimiter))
        return bool(cells) and has_key_column(cells[0], feed)

    for other in DELIMITERS:
        if has_key(first, other):
            raise FileRejectedError(
                f"The header is separated by {_name(other)}, and the delimiter is said to be "
                f"{_name(header.dialect.delimiter)}: correct the feed, or the line sep= in the file."
            )
    if len(header.names) == 1 and any(has_key(header.names[0].encode(), other) for other in DELIMITERS):
        raise _lines_in_quotes()
    for other in (bytes([byte]) for byte in _OTHER_DELIMITERS):
        if other in first and has_key(first, other):
            raise FileRejectedError(
                f"The header is separated by {_name(other)}: name that as the delimiter in the feed."
            )
    _refuse_delimiter_beyond_ascii(first.decode(errors="replace"), feed)
    _refuse_spaces(header, feed)
    for number, line in enumerate(rows.splitlines()[:_MOST_LINES], header.end.line):
        if any(has_key(line, other) for other in DELIMITERS):
            raise FileRejectedError(f"The header is in line {number}: remove the lines above it.")


def _refuse_delimiter_beyond_ascii(first: str, feed: Feed) -> None:
    """Raise `FileRejectedError` if the header is separated by a sign that a feed cannot name."""
    for sign in sorted({sign for sign in first if not sign.isascii() and not sign.isalnum()}):
        if has_key_column(first.split(sign), feed):
            raise FileRejectedError(
                f"The header is separated by {_printed(sign)}: export the table with a comma, a semicolon, a "
                "tab or a pipe."
            )


def _refuse_spaces(header: Header, feed: Feed) -> None:
    """Raise `FileRejectedError` if spaces are between the names, or line the columns up."""
    line = header.names[0].strip() if len(header.names) == 1 else ""
    if any(has_key_column(cells, feed) for cells in (line.split(), re.split(" {2,}", line))):
        raise FileRejectedError("The columns are separated by spaces: export the table as CSV (UTF-8).")


def _refuse_values(rows: _Rows, header: Header) -> None:
    """Raise `FileRejectedError` if the header, which has no key column, may be a row: it is not repeated."""
    if _is_row(header.names, rows):
        raise FileRejectedError(
            "The file does not start with a header: add one, with a name for each column."
        )


def _refuse_other_delimiter(data: bytes, rows: _Rows, header: Header) -> None:
    """Raise `FileRejectedError` if most of the rows at the start of `data` are separated otherwise."""
    width, dialect = len(header.names), header.dialect
    fitting = _fitting(rows, width)
    if width == 1:
        return
    if not dialect.returns and data.count(b"\r") > 2 * data.count(b"\n"):
        others = _table(data.replace(b"\r\n", b"\n"), replace(dialect, returns=True))
        if _fitting(others, width) > max(2 * fitting, len(others) // 2):
            raise FileRejectedError(
                "The header ends with a line feed, and rows with a return (CR): use one line end for all."
            )
    for other in DELIMITERS:
        others = _table(data, replace(dialect, delimiter=other, spaced=False))
        if _fitting(others, width) > max(2 * fitting, len(others) // 2):
            raise FileRejectedError(
                f"The header is separated by {_name(dialect.delimiter)}, and the rows from line "
                f"{header.end.line} on by {_name(other)}: use one delimiter in all lines."
            )
    inside = [row for cells in rows if len(cells) == 1 for row in _table(cells[0].encode(), dialect)]
    if _fitting(inside, width) > max(2 * fitting, len(rows) // 2):
        raise _lines_in_quotes()


def _table(data: bytes, dialect: Dialect) -> _Rows:
    """Take the first records apart, up to one whose quotes are wrong."""
    try:
        rows = parse(data + b"\n", dialect, line=1, final=False, most=_MOST_ROWS).rows
    except FileRejectedError:
        return []
    return _cells([row for row in rows if not row.startswith(FAULT_MARK)])


def _cells(rows: Sequence[bytes]) -> _Rows:
    return [[unmark(cell).decode(errors="replace") for cell in row.split(b",")] for row in rows]


def _fitting(rows: _Rows, width: int) -> int:
    return sum(len(cells) == width for cells in rows)


def _is_row(names: Sequence[str], rows: _Rows) -> bool:
    """Whether the first line looks like one of the rows below it."""
    cells = [name.strip() for name in names]
    if any(map(_VALUE.fullmatch, cells)):
        return True
    columns = list(zip(*(row for row in rows if len(row) == len(names)), strict=True))
    return any(
        name in column
        or (any(map(str.isdigit, name)) and {_shape(cell) for cell in column} == {_shape(name)})
        for name, column in zip(cells, columns, strict=False)
    )


def _shape(cell: str) -> str:
    """Return a cell with one sign for each run of letters or digits: `A1` and `xy23` become `a9`."""
    return re.sub(r"[^\W\d_]+", "a", re.sub(r"\d+", "9", cell.strip()))


def _printed(text: str) -> str:
    return f'"{text}"' if text.isprintable() else " ".join(f"U+{ord(sign):04X}" for sign in text)


def _name(delimiter: bytes) -> str:
    return _PLURALS.get(delimiter) or (
        f'"{delimiter.decode()}"' if delimiter.isalnum() or delimiter > b" " else f"U+{delimiter[0]:04X}"
    )


def _lines_in_quotes() -> FileRejectedError:
    return FileRejectedError(
        "Each line is one quoted value: export the table again, with quotes around single values only."
    )
