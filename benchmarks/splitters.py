"""Other ways to split a CSV file into Target's batches: `python -m benchmarks.splitters NAME SOURCE FOLDER`.

Each of them reads, percent-encodes and cuts the same file. None of them checks rows or merges repeated ids,
and only `naive` keeps the limits of a batch, so they have less to do than ours. Imports are inside the
functions, so that each splitter pays for its own.
"""

# ruff: noqa: PLC0415  # each splitter pays for its own imports

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

ROWS, SIZE = 500_000, 49_999_999
UNRESERVED = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"


def naive(source: Path, folder: Path) -> None:
    """The straightforward way: the csv module, and `quote` for each cell. Its batches are equal to ours."""
    import csv
    from urllib.parse import quote

    (folder / "batches").mkdir()
    with source.open(encoding="utf-8", newline="") as stream:
        reader = csv.reader(stream)
        head = "batch=" + ",".join([quote(name, safe="") for name in next(reader)])
        batch, number, rows, size = None, 0, 0, 0
        for row in reader:
            line = "\n" + ",".join([quote(cell, safe="") for cell in row])
            if batch is None or rows == ROWS or size + len(line) > SIZE:
                if batch:
                    batch.close()
                number, rows, size = number + 1, 0, len(head)
                batch = (folder / "batches" / f"{number:05d}.batch").open("w", encoding="ascii")
                batch.write(head)
            batch.write(line)
            rows, size = rows + 1, size + len(line)
        if batch:
            batch.close()


def with_polars(source: Path, folder: Path) -> None:
    polars = import_module("polars")

    escapes = {chr(byte): f"%{byte:02X}" for byte in range(1, 128) if chr(byte) not in UNRESERVED}
    letters = {
        sign: "".join(f"%{byte:02X}" for byte in sign.encode()) for sign in map(chr, range(0xA0, 0x180))
    }
    frame = polars.read_csv(source, infer_schema=False)
    encoded = frame.with_columns(polars.all().str.replace_many(escapes | letters).fill_null(""))
    for start in range(0, len(encoded), ROWS):
        part = encoded.slice(start, ROWS)
        part.write_csv(folder / f"{start}.batch", quote_style="never")


def with_duckdb(source: Path, folder: Path) -> None:
    import duckdb

    connection = duckdb.connect()
    table = connection.read_csv(str(source), all_varchar=True)
    cells = ", ".join(f'url_encode("{name}") AS "{name}"' for name in table.columns)
    table.project(cells).write_csv(str(folder / "all.batch"), header=True, quotechar="")


def with_pandas(source: Path, folder: Path) -> None:
    from urllib.parse import quote

    pandas = import_module("pandas")

    for number, frame in enumerate(pandas.read_csv(source, dtype=str, na_filter=False, chunksize=ROWS)):
        encoded = frame.map(lambda cell: quote(cell, safe=""))
        encoded.to_csv(folder / f"{number}.batch", index=False, lineterminator="\n")


SPLITTERS: dict[str, Callable[[Path, Path], None]] = {
    "naive": naive,
    "polars": with_polars,
    "duckdb": with_duckdb,
    "pandas": with_pandas,
}

if __name__ == "__main__":
    SPLITTERS[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))
