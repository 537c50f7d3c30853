r"""Parquet files, by way of CSV: DuckDB writes it to a temporary file faster than Python could make rows.

A value that is not UTF-8 rejects its row, not the file. Where there is one, the file is read twice side by
side: with invalid bytes left out, and with question marks in their places. Where the two differ, a mark is
put before the value; once all rows are written, the marks become bytes that UTF-8 forbids. Of `Jos` and an
invalid byte, one reading makes `Jos` and the other one `Jos?`; written is `MARKJos?`, and in the end
`\xff...\xffJos?`, which the reader of the CSV rejects.
"""

from __future__ import annotations

import errno
import mmap
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from bulk_profiles.core.errors import FileRejectedError
from bulk_profiles.core.feeds import Feed
from bulk_profiles.core.text import quoted, without_invisible
from bulk_profiles.splitting.files import SourceFile
from bulk_profiles.splitting.rows.key_column import key_number, sent_columns
from bulk_profiles.splitting.rows.plain import unmark

from .blocks import Position
from .dialect import Dialect
from .header import Header, refuse_endless
from .mendable import MendableJson, plain_row
from .number_cells import NumberCells

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_NESTED = frozenset({"struct", "map", "union", "list", "array", "variant", "geometry"})
_LONG_DECIMAL = "long decimal"  # which DuckDB reads as a floating-point number
_MOST_DIGITS = 38
_TEXT, _BYTES, _DECIMAL, _BOOLEAN = "varchar", "blob", "decimal", "boolean"
_EXACT_BELOW = {"float": 2**24, "double": 2**53}  # whole numbers that floating-point numbers are exact for
_MEMORY = "512MB"
_PIECE = 1024 * 1024
_DISK_FULL = os.strerror(errno.ENOSPC)
_MARK = "\U0010ffff" * 2  # a noncharacter, twice: no text has it
# Ids that are numbers: of floating-point numbers, whole ones; decimals without the zeros after the point.
_FLOAT_ID = (
    "CASE WHEN t.c{0} = trunc(t.c{0}) AND abs(t.c{0}) < {1} THEN CAST(CAST(t.c{0} AS BIGINT) AS VARCHAR) "
    "WHEN NOT isnan(t.c{0}) THEN CAST(t.c{0} AS VARCHAR) END"
)
_DECIMAL_ID = r"regexp_replace(CAST(t.c{0} AS VARCHAR), '\.0+$', '')"
_MARKED = f"CASE WHEN t.c{{0}} IS DISTINCT FROM r.c{{0}} THEN '{_MARK}' || r.c{{0}} ELSE t.c{{0}} END"


class ParquetAsCsv:
    """The rows of a Parquet file as a CSV source file without a header; the caller removes its folder."""

    def __init__(self, source: SourceFile, feed: Feed, folder: Path) -> None:
        original, self._csv = folder / "source.parquet", folder / "source.csv"
        delimiter = feed.delimiter or ","
        with _room_on_disk():
            with source.open() as stream, original.open("wb") as copy:
                shutil.copyfileobj(stream, copy, _PIECE)
            names, kinds = _convert(original, self._csv, feed, delimiter)
        original.unlink()
        key = key_number(names, feed)
        dialect = Dialect(delimiter.encode())
        self.header = Header(names, b"", dialect, Position(0, 1))
        self.numbers = NumberCells(
            tuple(number for number, kind in enumerate(kinds) if kind in _EXACT_BELOW and number != key),
            key if key is not None and kinds[key] in {*_EXACT_BELOW, _DECIMAL} else None,
        )
        self.mendable = MendableJson(
            marked=bool(feed.encoding),
            key="" if key is None else names[key],
            numbers=self.numbers.key is not None,
            names=names,
            cells_of=self._cells,
        )
        self.name = source.name
        self.size = self._csv.stat().st_size

    def _cells(self, raw: bytes) -> list[bytes] | None:
        """Take a record of the CSV apart, without numbers that are none."""
        row = plain_row(raw, self.header.dialect)
        return None if row is None else [unmark(cell) for cell in self.numbers.without_none(row.split(b","))]

    def open(self, start: int = 0) -> BinaryIO:
        """Open it for reading from byte `start` on."""
        stream = self._csv.open("rb")
        stream.seek(start)
        return stream


@contextmanager
def _room_on_disk() -> Iterator[None]:
    """Raise `FileRejectedError` where the disk is full: the same file would fill it again."""
    try:
        yield
    except Exception as error:  # Python's OSError, or one of DuckDB's
        if _DISK_FULL in str(error):
            raise FileRejectedError(
                "The Parquet file needs more room on the disk than there is: drop it in parts, or as CSV."
            ) from error
        raise


def _convert(
    original: Path, target: Path, feed: Feed, delimiter: str
) -> tuple[tuple[str, ...], Sequence[str | None]]:
    """Write the rows as CSV. Return the names and the kinds of the columns; None for one that is not sent."""
    import duckdb  # noqa: PLC0415 only a Parquet file needs it

    settings: dict[str, str | bool | int | float | list[str]] = {
        "threads": 1,
        "memory_limit": _MEMORY,
        "temp_directory": str(original.parent),
    }
    with duckdb.connect(config=settings) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        # The format leaves NaN out of a column's minimum and maximum. DuckDB concludes from these that there
        # is none: `isnan` is then false for every row.
        connection.execute("SET disabled_optimizers = 'statistics_propagation'")
        try:
            names, long = _names(connection, original)
            types = connection.read_parquet(str(original)).types
            kinds = [_LONG_DECIMAL if n in long else kind.id for n, kind in enumerate(types)]
            sent = [
                kind if is_sent else None
                for kind, is_sent in zip(kinds, sent_columns(names, feed), strict=True)
            ]
            _refuse_kinds(names, sent)
            _refuse_bytes(connection, original, names, sent)
            key = key_number(names, feed)
            marked = not _is_utf8(connection, _query(original, sent, key))
            query = _query(original, sent, key, marked=marked)
            if marked:
                _prove(connection, query)
        except duckdb.OutOfMemoryException as error:
            raise FileRejectedError(
                "A row group of the Parquet file does not fit in memory: write it with smaller row groups."
            ) from error
        except duckdb.Error as error:
            if _DISK_FULL in str(error):
                raise
            raise FileRejectedError(
                "The Parquet file is damaged or cut short: write and drop it again."
            ) from error
        connection.sql(query).write_csv(
            str(target), header=False, sep=delimiter, quotechar='"', escapechar='"'
        )
    if marked:
        _break_marked(target)
    return names, sent


def _names(connection: DuckDBPyConnection, path: Path) -> tuple[tuple[str, ...], set[int]]:
    """Return the names of the columns as they stand there, and the numbers of those with long decimals.

    DuckDB renames some columns: of `City` and `city` it makes `City` and `city_1`. So they come from the
    schema, which is a tree in preorder: an element is followed by its children.
    """
    query = "SELECT name, num_children, precision FROM parquet_schema(?)"
    schema = connection.execute(query, [str(path)]).fetchall()
    names: list[str] = []
    long = set[int]()
    inside = 0  # elements of a nested column that are left
    for name, children, digits in schema[1:]:
        if not inside:
            if (digits or 0) > _MOST_DIGITS:
                long.add(len(names))
            names.append(name)
        inside += (children or 0) - (inside > 0)
    for number, name in enumerate(names, 1):
        if not without_invisible(name):
            raise FileRejectedError(f"Column {number} of the Parquet file has no name: name it.")
    refuse_endless(names)
    return tuple(names), long


def _refuse_kinds(names: Sequence[str], sent: Sequence[str | None]) -> None:
    """Raise `FileRejectedError` for columns that cannot be sent as the file means them."""
    for name, kind in zip(names, sent, strict=True):
        if kind == _LONG_DECIMAL:
            raise FileRejectedError(
                f"Column {quoted([name])} of the Parquet file holds decimals of more than {_MOST_DIGITS} "
                'digits: write it with fewer, or as text, or add it to "drop" in the feed\'s mapping.'
            )
        if kind in _NESTED:
            raise FileRejectedError(
                f"Column {quoted([name])} of the Parquet file holds lists or objects: only plain values are "
                'sent; add it to "drop" in the feed\'s mapping.'
            )


def _refuse_bytes(
    connection: DuckDBPyConnection, path: Path, names: Sequence[str], sent: Sequence[str | None]
) -> None:
    """Raise `FileRejectedError` for bytes that are not text. Some writers do not say that bytes are text."""
    for number, (name, kind) in enumerate(zip(names, sent, strict=True)):
        if kind != _BYTES:
            continue
        wrong = f"t.c{number} IS NOT NULL AND try(decode(t.c{number})) IS NULL"
        query = f"SELECT 1 FROM {_table(path, len(sent))} WHERE {wrong} LIMIT 1"  # noqa: S608 made here
        if connection.execute(query).fetchone():
            raise FileRejectedError(
                f"Column {quoted([name])} of the Parquet file holds bytes that are not UTF-8 text: write it "
                'as text, or add it to "drop" in the feed\'s mapping.'
            )


def _query(path: Path, sent: Sequence[str | None], key: int | None, *, marked: bool = False) -> str:
    """Return the query for the columns that are sent, with NULL in the places of the others.

    `sent` are the kinds of the columns, None for those that are not sent. If `marked`, values that are not
    UTF-8 start with a mark; otherwise they are an error.
    """
    cells = [
        _cell(number, kind, is_key=number == key, marked=marked) if kind else "NULL"
        for number, kind in enumerate(sent)
    ]
    if len(cells) == 1:
        cells = [f"coalesce(CAST({cells[0]} AS VARCHAR), '')"]  # in quotes: a blank line is no row
    table = _table(path, len(sent), "ignore" if marked else "")
    if marked:
        table += f" POSITIONAL JOIN {_table(path, len(sent), 'replace', name='r')}"
    return f"SELECT {', '.join(cells)} FROM {table}"  # noqa: S608 nothing in it comes from the file


def _cell(number: int, kind: str, *, is_key: bool, marked: bool) -> str:
    """Return the expression for the values of a column."""
    if kind == _TEXT and marked:
        return _MARKED.format(number)
    if kind == _BYTES:
        return f"decode(t.c{number})"
    if is_key and kind in _EXACT_BELOW:
        return _FLOAT_ID.format(number, _EXACT_BELOW[kind])
    if is_key and kind == _BOOLEAN:
        return "NULL"  # true and false are no ids
    if is_key and kind == _DECIMAL:
        return _DECIMAL_ID.format(number)
    return f"t.c{number}"


def _table(path: Path, width: int, validation: str = "", *, name: str = "t") -> str:
    """Return the table of a file, whose columns are called c0, c1 and so on."""
    literal = "'" + str(path).replace("'", "''") + "', hive_partitioning = false"
    if validation:
        literal += f", utf8_validation = '{validation}'"
    columns = ", ".join(f"c{number}" for number in range(width))
    return f"read_parquet({literal}) AS {name}({columns})"


def _prove(connection: DuckDBPyConnection, query: str) -> None:
    """Read all rows of a query, so that it fails here: DuckDB may hang where it fails while it writes."""
    connection.execute(f"SELECT bit_xor(hash(q)) FROM ({query}) q").fetchall()  # noqa: S608 made here


def _is_utf8(connection: DuckDBPyConnection, query: str) -> bool:
    from duckdb import InvalidInputException  # noqa: PLC0415 only a Parquet file needs it

    try:
        _prove(connection, query)
    except InvalidInputException as error:
        if "UTF8" in str(error):
            return False
        raise
    return True


def _break_marked(path: Path) -> None:
    """Replace the marks with bytes that UTF-8 forbids, which DuckDB itself cannot write."""
    mark = _MARK.encode()
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as data:
        place = data.find(mark)
        while place >= 0:
            data[place : place + len(mark)] = b"\xff" * len(mark)
            place = data.find(mark, place)
