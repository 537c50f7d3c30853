"""Parquet, by way of CSV: DuckDB writes it to a temporary file faster than rows can be made here."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import BinaryIO

from bulk_profiles.errors import FileRejectedError
from bulk_profiles.feeds import Feed

from .sources import SourceFile

MAGIC = b"PAR1"
_NESTED = ("STRUCT", "MAP", "UNION", "LIST", "BLOB", "VARIANT")
_MEMORY = "512MB"
_PIECE = 1024 * 1024


class ParquetAsCsv:
    """A Parquet file as a CSV source of its own, in a folder that the caller removes."""

    def __init__(self, source: SourceFile, feed: Feed, folder: Path) -> None:
        original, self._csv = folder / "source.parquet", folder / "source.csv"
        with source.open() as stream, original.open("wb") as copy:
            shutil.copyfileobj(stream, copy, _PIECE)
        _convert(original, self._csv, feed)
        original.unlink()
        self.name = source.name
        self.size = self._csv.stat().st_size

    def open(self, start: int = 0) -> BinaryIO:
        """Open the CSV form from a byte on."""
        stream = self._csv.open("rb")
        stream.seek(start)
        return stream


def _convert(original: Path, target: Path, feed: Feed) -> None:
    import duckdb  # noqa: PLC0415 only a Parquet file needs it

    settings: dict[str, str | bool | int | float | list[str]] = {
        "threads": 1,
        "memory_limit": _MEMORY,
        "temp_directory": str(original.parent),
    }
    try:
        with duckdb.connect(config=settings) as connection:
            table = connection.read_parquet(str(original))
            columns = dict(zip(table.columns, map(str, table.types), strict=True))
            wanted = {name: columns[name] for name in columns if name not in feed.mapping.drop}
            nested = [name for name, kind in wanted.items() if kind.startswith(_NESTED) or "[" in kind]
            if nested:
                raise FileRejectedError(
                    f"Column {list(columns).index(nested[0]) + 1} of the Parquet file holds lists, objects "
                    "or bytes: only plain values are sent; drop it in the feed's mapping."
                )
            names = ", ".join('"' + name.replace('"', '""') + '"' for name in wanted)
            table.project(names).write_csv(str(target), header=True, sep=",", quotechar='"', escapechar='"')
    except duckdb.Error as error:
        raise FileRejectedError(
            "The Parquet file is damaged or cut short: write and drop it again."
        ) from error
