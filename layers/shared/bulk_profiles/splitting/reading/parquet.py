"""Parquet, by way of CSV: DuckDB writes it to a temporary file faster than rows can be made here."""

from __future__ import annotations

import codecs
import mmap
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from bulk_profiles.core.errors import FileRejectedError
from bulk_profiles.core.feeds import Feed, plain_name
from bulk_profiles.splitting.files import SourceFile
from bulk_profiles.splitting.rows.columns import has_key_column

from .blocks import Position
from .header import Header
from .record_parser import Dialect

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_NESTED = frozenset({"struct", "map", "union", "list", "array", "blob", "variant", "geometry"})
_TEXT = "varchar"
_MEMORY = "512MB"
_PIECE = 1024 * 1024
_MARK = "\U0010ffff" * 2  # starts a value that is not UTF-8; no text has it
# What is left out, or has something put in its place, was not UTF-8.
_MARKED = f"CASE WHEN t.c{{0}} IS DISTINCT FROM r.c{{0}} THEN '{_MARK}' || r.c{{0}} ELSE t.c{{0}} END"


class ParquetAsCsv:
    """The rows of a Parquet file as a CSV source of its own, in a folder that the caller removes.

    `header` is for rejected rows. It has a byte order mark, as the feed may name another encoding.
    """

    def __init__(self, source: SourceFile, feed: Feed, folder: Path) -> None:
        original, self._csv = folder / "source.parquet", folder / "source.csv"
        with source.open() as stream, original.open("wb") as copy:
            shutil.copyfileobj(stream, copy, _PIECE)
        delimiter = feed.delimiter or ","
        names = _convert(original, self._csv, feed, delimiter)
        original.unlink()
        line = delimiter.join('"' + name.replace('"', '""') + '"' for name in names)
        self.header = Header(
            names, codecs.BOM_UTF8 + line.encode(), Dialect(delimiter.encode()), Position(0, 1)
        )
        self.name = source.name
        self.size = self._csv.stat().st_size

    def open(self, start: int = 0) -> BinaryIO:
        """Open the CSV form from a byte on."""
        stream = self._csv.open("rb")
        stream.seek(start)
        return stream


def _convert(original: Path, target: Path, feed: Feed, delimiter: str) -> tuple[str, ...]:
    """Write the rows and give the names of their columns."""
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
                kind if has_key_column((name,), feed) or feed.mapping.sends(plain_name(name)) else None
                for name, kind in zip(names, kinds, strict=True)
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
    """Read the names of the columns as they stand there: DuckDB itself gives some of them other names."""
    schema = connection.execute("SELECT name, num_children FROM parquet_schema(?)", [str(path)]).fetchall()
    names: list[str] = []
    inside = 0  # what is left of a nested column
    for name, children in schema[1:]:
        if not inside:
            names.append(name)
        inside += (children or 0) - (inside > 0)
    for number, name in enumerate(names, 1):
        if not name.strip():
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
    """Select the columns that are sent, and nothing in the places of the others.

    With `marked`, a mark starts the values that are not UTF-8, which otherwise are an error.
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
    """Read all that a query gives: DuckDB may wait for ever where that fails while it writes."""
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
    """Make the marks bytes that are not UTF-8: DuckDB writes none."""
    mark = _MARK.encode()
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as data:
        place = data.find(mark)
        while place >= 0:
            data[place : place + len(mark)] = b"\xff" * len(mark)
            place = data.find(mark, place)
