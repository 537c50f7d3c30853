"""Parquet files, made here by the same library that reads them."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from bulk_profiles.errors import FileRejectedError
from bulk_profiles.feeds import Feed, Mapping
from tests.unit.splitting_world import run


def parquet(folder: Path, query: str) -> bytes:
    path = folder / "customers.parquet"
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
    return path.read_bytes()


def test_values_of_every_kind(tmp_path: Path) -> None:
    data = parquet(
        tmp_path,
        """SELECT 'São, "x"' || chr(10) || 'y' AS name, 'id1' AS thirdPartyId, 1.5 AS score, true AS flag,
           NULL AS nothing, DATE '2024-02-29' AS day""",
    )
    outcome = run(data, name="customers.csv")
    assert outcome.received == [("id1", 'São, "x"\ny', "1.5", "true", "", "2024-02-29")]


def test_rejects_are_numbered_by_row(tmp_path: Path) -> None:
    key = "CASE WHEN i = 4 THEN '' ELSE 'id' || i END AS pcId"
    query = f"SELECT {key}, 'a' || chr(10) || 'b' AS v FROM range(9) t(i)"
    outcome = run(parquet(tmp_path, query))
    assert outcome.rejects == [["5", "pcId", "empty_id"]]
    assert outcome.split.rows.sent == 8


def test_columns_that_hold_lists_must_be_dropped(tmp_path: Path) -> None:
    data = parquet(tmp_path, "SELECT 'a' AS pcId, [1, 2] AS list, 'x' AS v")
    with pytest.raises(FileRejectedError, match="Column 2"):
        run(data)
    assert run(data, Feed(mapping=Mapping(drop=("list",)))).received == [("a", "x")]


def test_a_damaged_file_is_rejected(tmp_path: Path) -> None:
    data = parquet(tmp_path, "SELECT 'a' AS pcId, 'x' AS v")
    for broken in (data[:-8], data[:40], b"PAR1"):
        with pytest.raises(FileRejectedError, match="damaged"):
            run(broken)
