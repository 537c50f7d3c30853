"""Real writers of tables, and what goes wrong with files on their way: for the tests of a split.

A damage changes the records of a written table and says which rows it hit. Damages that nobody could see in
the file are none of these, such as a line break in the last cell of a row without quotes around it.
"""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from urllib.parse import quote

import duckdb

type Rows = Sequence[Sequence[str]]

BOM = "\ufeff"
KEY = "thirdPartyId"
QUOTINGS = (csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC)


@dataclass(frozen=True)
class Dialect:
    """How a table is written as text."""

    delimiter: str = ","
    end: str = "\n"
    quoting: int = csv.QUOTE_MINIMAL

    def records(self, names: Sequence[str], rows: Rows) -> list[str]:
        """Return the header and the rows, each as a record without its line end."""
        return [self.record(cells) for cells in (names, *rows)]

    def record(self, cells: Sequence[str]) -> str:
        """Write one record as Python's csv module does."""
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=self.delimiter, lineterminator="", quoting=self.quoting).writerow(cells)  # type: ignore[arg-type]  # an int
        return text.getvalue()


def with_batch_prefix(names: Sequence[str], rows: Rows) -> bytes:
    """Write Target's own format."""
    lines = [",".join(quote(cell, safe="") for cell in cells) for cells in (names, *rows)]
    return b"batch=" + "\n".join(lines).encode()


def as_json_lines(names: Sequence[str], rows: Rows) -> bytes:
    """Write JSON Lines as Python's json module does."""
    return "\n".join(json.dumps(dict(zip(names, row, strict=True))) for row in rows).encode()


def by_duckdb(names: Sequence[str], rows: Rows, options: str) -> bytes:
    """Write what DuckDB's COPY writes with these options."""
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        path = Path(folder) / "table"
        columns = ", ".join(f'"{name}" VARCHAR' for name in names)
        connection.execute(f"CREATE TABLE t ({columns})")
        connection.executemany(f"INSERT INTO t VALUES ({', '.join('?' * len(names))})", rows)
        connection.execute(f"COPY t TO '{path}' ({options})")
        return path.read_bytes()


DUCKDB = (
    "FORMAT csv, HEADER",
    "FORMAT csv, HEADER, DELIMITER ';', FORCE_QUOTE *",
    "FORMAT csv, HEADER, DELIMITER '\t', COMPRESSION gzip",
    "FORMAT json",
    "FORMAT parquet",
)


class Effect(Enum):
    """What a damage does to a file."""

    NO_ROW = auto()  # its records are no rows, and all others are sent
    ROW = auto()  # the row that it hits is rejected, and all others are sent
    FILE = auto()  # the file is rejected
    QUOTES = auto()  # it may take rows after it along


@dataclass(frozen=True)
class Damage:
    """A kind of damage.

    `apply` returns the records in the place of one record, which is a row of `cells`.
    """

    effect: Effect
    apply: Callable[[Dialect, Sequence[str], Sequence[str]], list[str]]  # dialect, names, cells
    least: int = 2  # columns


def _broken(dialect: Dialect, cells: Sequence[str]) -> list[str]:
    """Put a line break into a value that is not the last one, without quotes around it."""
    return dialect.delimiter.join([cells[0], "x\ny", *cells[2:]]).split("\n")


def _in_place(change: Callable[[Dialect, Sequence[str]], str]) -> Callable[..., list[str]]:
    """Return a damage in which the row is changed."""
    return lambda dialect, _, cells: [change(dialect, cells)]


def _before(line: Callable[[Dialect, Sequence[str]], str]) -> Callable[..., list[str]]:
    """Return a damage in which a line comes before the row."""
    return lambda dialect, names, cells: [line(dialect, names), dialect.record(cells)]


DAMAGES = {
    # Lines that are no rows.
    "a header again": Damage(Effect.NO_ROW, _before(lambda dialect, names: dialect.record(names))),
    "a header again, with a mark": Damage(
        Effect.NO_ROW, _before(lambda dialect, names: BOM + dialect.record(names))
    ),
    "a header again, in quotes": Damage(
        Effect.NO_ROW,
        _before(lambda dialect, names: Dialect(dialect.delimiter, quoting=csv.QUOTE_ALL).record(names)),
    ),
    "a blank line": Damage(Effect.NO_ROW, _before(lambda _, __: "")),
    "a line of delimiters": Damage(
        Effect.NO_ROW, _before(lambda dialect, names: dialect.delimiter * len(names))
    ),
    "a mark": Damage(Effect.NO_ROW, _in_place(lambda dialect, cells: BOM + dialect.record(cells))),
    "a formula around a value": Damage(
        Effect.NO_ROW, _in_place(lambda dialect, cells: dialect.record([*cells[:-1], f'="{cells[-1]}"']))
    ),
    # Rows that are not whole.
    "a cell is missing": Damage(Effect.ROW, _in_place(lambda dialect, cells: dialect.record(cells[:-1]))),
    "a cell too many": Damage(Effect.ROW, _in_place(lambda dialect, cells: dialect.record([*cells, "x"]))),
    "a line break without quotes": Damage(
        Effect.ROW, lambda dialect, _, cells: _broken(dialect, cells), least=3
    ),
    "another delimiter": Damage(Effect.ROW, _in_place(lambda _, cells: ":".join(cells))),
    "a byte that is not UTF-8": Damage(
        Effect.ROW, _in_place(lambda dialect, cells: dialect.record([*cells[:-1], "x\udcff"]))
    ),
    "no id": Damage(Effect.ROW, _in_place(lambda dialect, cells: dialect.record(["", *cells[1:]]))),
    # Headers of other tables.
    "a header in another order": Damage(
        Effect.FILE, _before(lambda dialect, names: dialect.record([*names[1:], names[0]]))
    ),
    "a header with another column": Damage(
        Effect.FILE, _before(lambda dialect, names: dialect.record([*names, "other"]))
    ),
    "a header with the other kind of key": Damage(
        Effect.FILE, _before(lambda dialect, names: dialect.record(["pcId", *names[1:]]))
    ),
    # Quotes.
    "text after a closing quote": Damage(
        Effect.QUOTES,
        _in_place(lambda dialect, cells: dialect.delimiter.join([*cells[:-1], '"x" y'])),
    ),
    "a blank before a quote": Damage(
        Effect.QUOTES,
        _in_place(lambda dialect, cells: dialect.delimiter.join([*cells[:-1], f' "x{dialect.delimiter}y"'])),
    ),
    "an escaped quote": Damage(
        Effect.QUOTES,
        _in_place(lambda dialect, cells: dialect.delimiter.join([*cells[:-1], '"say \\"hi\\""'])),
    ),
    "a quote that opens": Damage(
        Effect.QUOTES, _in_place(lambda dialect, cells: dialect.delimiter.join([*cells[:-1], '"x']))
    ),
    "inches": Damage(
        Effect.QUOTES, _in_place(lambda dialect, cells: dialect.delimiter.join([*cells[:-1], '"5" pipe"']))
    ),
}  # fmt: skip
