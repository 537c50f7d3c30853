"""The table at the end of a local run."""

from __future__ import annotations

import pytest

from local.display import outcome
from local.imports import Json
from tests.worlds.summaries import summary


def _summary(status: str, rejected: int) -> Json:
    return summary(batches=1, rows=10).to_json() | {
        "status": status,
        "rows": {"read": 10, "rejected": rejected, "merged": 0, "skipped": 0, "sent": 10 - rejected},
        "rejects": {"empty_id": rejected},
        "profiles": {"success": 10 - rejected, "error": 0, "pending": 0, "unknown": 0, "notSent": 7},
        "basesByStatus": {"success": {"reported": 3, "implied": 6}},
    }


@pytest.mark.parametrize(
    ("status", "rejected", "title"),
    [
        ("succeeded", 0, "succeeded"),
        ("succeeded", 1, "succeeded, 1 row rejected"),
        ("partial", 2, "partial, 2 rows rejected"),
        ("rejected", 10, "rejected"),
    ],
)
def test_table_says_how_many_rows_were_rejected(status: str, rejected: int, title: str) -> None:
    assert outcome(_summary(status, rejected)).title == f"customers-csv-0a1b2c3d4e5f: {title}"


def test_table_says_by_whose_word_profiles_are_successes() -> None:
    table = outcome(_summary("succeeded", 1))
    names, counts = (list(column.cells) for column in table.columns)
    shown = dict(zip(names, counts, strict=True))
    assert shown["Updated"] == "9"
    assert shown["  empty_id"] == "1"
    assert shown["  named by Target"] == "3"
    assert shown["  implied by a complete batch"] == "6"
    assert shown["Not sent"] == "7"
