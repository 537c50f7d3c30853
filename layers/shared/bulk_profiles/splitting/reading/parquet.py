r"""Parquet files, by way of CSV: DuckDB writes it to a temporary file faster than Python could make rows.

A value that is not UTF-8 rejects its row, not the file. Where there is one, the file is read twice side by
side: with invalid bytes left out, and with question marks in their places. Where the two differ, a mark is
put before the value; once all rows are written, the marks become bytes that UTF-8 forbids. Of `Jos` and an
invalid byte, one reading makes `Jos` and the other one `Jos?`; written is `MARKJos?`, and in the end
`\xff...\xffJos?`, which the reader of the CSV rejects.
"""

from __future__ import annotations

import codecs
import mmap
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from bulk_profiles.core.errors import FileRejectedError
from bulk_profiles.core.feeds import Feed
from bulk_profiles.core.text import without_invisible
from bulk_profiles.splitting.files import SourceFile
from bulk_profiles.splitting.rows.key_column import key_number, sent_columns

from .blocks import Position
from .dialect import Dialect
from .header import Header
from .repeated_header import HeaderNames

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_NESTED = frozenset({"struct", "map", "union", "list", "array", "blob", "variant", "geometry"})
_TEXT = "varchar"
_MEMORY = "512MB"
_PIECE = 1024 * 1024
_MARK = "\U0010ffff" * 2  # a noncharacter, twice: no text has it
_MARKED = f"CASE WHEN t.c{{0}} IS DISTINCT FROM r.c{{0}} THEN '{_MARK}' || r.c{{0}} ELSE t.c{{0}} END"


class ParquetAsCsv:
    """The rows of a Parquet file as a CSV source file, without a header, in a folder that the caller removes.

    `header` is for the file of rejected rows. It has a byte order mark, as the feed may name an encoding.
    """

    def __init__(self, source: SourceFile, feed: Feed, folder: Path) -> None:
        original, self._csv = folder / "source.parquet", folder / "source.csv"
        with source.open() as stream, original.open("wb") as copy:
            shutil.copyfileobj(stream, copy, _PIECE)
        delimiter = feed.delimiter or ","
        names = _convert(original, self._csv, feed, delimiter)
        original.unlink()
        line = delimiter.join('"' + name.replace('"', '""') + '"' for name in names)
        key = key_number(names, feed)
        header = None if key is None else HeaderNames.of(names, key, encoded=False)
        dialect = Dialect(delimiter.encode(), header=header)
        self.header = Header(names, codecs.BOM_UTF8 + line.encode(), dialect, Position(0, 1))
        self.name = source.name
        self.size = self._csv.stat().st_size

    def open(self, start: int = 0) -> BinaryIO:
        """Open it for reading from byte `start` on."""
        stream = self._csv.open("rb")
        stream.seek(start)
        return stream


def _convert(original: Path, target: Path, feed: Feed, delimiter: str) -> tuple[str, ...]:
    """Write the rows as CSV and return the names of their columns."""
    import duckdb  # noqa: PLC0415 only a Parquet file needs it

    settings: dict[str, str | bool | int | float | list[str]] = {
        "threads": 1,
        "memory_limit": _MEMORY,
        "temp_directory": str(original.parent),
    }
    with duckdb.connect(config=settings) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        try:
            names = _names(connection, original)
            kinds = [kind.id for kind in connection.read_parquet(str(original)).types]
            sent = [
                kind if is_sent else None
                for kind, is_sent in zip(kinds, sent_columns(names, feed), strict=True)
            ]
            _refuse_nested(sent)
            marked = not _is_utf8(connection, _query(original, sent))
            query = _query(original, sent, marked=marked)
            if marked:
                _prove(connection, query)
        except duckdb.OutOfMemoryException as error:
            raise FileRejectedError(
                "A row group of the Parquet file does not fit in memory: write it with smaller row groups."
            ) from error
        except duckdb.Error as error:
            raise FileRejectedError(
                "The Parquet file is damaged or cut short: write and drop it again."
            ) from error
        connection.sql(query).write_csv(
            str(target), header=False, sep=delimiter, quotechar='"', escapechar='"'
        )
    if marked:
        _break_marked(target)
    return names


def _names(connection: DuckDBPyConnection, path: Path) -> tuple[str, ...]:
    """Return the names of the columns as they stand there.

    DuckDB renames some columns: of `City` and `city` it makes `City` and `city_1`. So they come from the
    schema, which is a tree in preorder: an element is followed by its children.
    """
    schema = connection.execute("SELECT name, num_children FROM parquet_schema(?)", [str(path)]).fetchall()
    names: list[str] = []
    inside = 0  # elements of a nested column that are left
    for name, children in schema[1:]:
        if not inside:
            names.append(name)
        inside += (children or 0) - (inside > 0)
    for number, name in enumerate(names, 1):
        if not without_invisible(name):
            raise FileRejectedError(f"Column {number} of the Parquet file has no name: name it.")
    return tuple(names)


def _refuse_nested(sent: Sequence[str | None]) -> None:
    for number, kind in enumerate(sent, 1):
        if kind in _NESTED:
            raise FileRejectedError(
                f"Column {number} of the Parquet file holds lists, objects or bytes: only plain values are "
                "sent; drop it in the feed's mapping."
            )


def _query(path: Path, sent: Sequence[str | None], *, marked: bool = False) -> str:
    """Return the query for the columns that are sent, with NULL in the places of the others.

    `sent` are the kinds of the columns, None for those that are not sent. If `marked`, values that are not
    UTF-8 start with a mark; otherwise they are an error.
    """
    cells = [
        "NULL" if not kind else _MARKED.format(number) if marked and kind == _TEXT else f"t.c{number}"
        for number, kind in enumerate(sent)
    ]
    if len(cells) == 1:
        cells = [f"coalesce(CAST({cells[0]} AS VARCHAR), '')"]  # in quotes: a blank line is no row
    columns = ", ".join(f"c{number}" for number in range(len(sent)))
    literal = "'" + str(path).replace("'", "''") + "', hive_partitioning = false"
    tables = (
        f"read_parquet({literal}, utf8_validation = 'ignore') AS t({columns}) POSITIONAL JOIN "
        f"read_parquet({literal}, utf8_validation = 'replace') AS r({columns})"
        if marked
        else f"read_parquet({literal}) AS t({columns})"
    )
    return f"SELECT {', '.join(cells)} FROM {tables}"  # noqa: S608 nothing in it comes from the file


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
