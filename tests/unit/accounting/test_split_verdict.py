"""The verdict on a split: what its counts mean, in the same words for imports and plans."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_profiles.accounting.split_verdict import (
    DEFAULT_MAX_REJECTED_PERCENT,
    first_examples,
    judge_split,
    status_line,
    too_long_to_send,
)
from bulk_profiles.core.models import ImportStatus, RowCounts

WHERE = "rejected-rows.csv has them with line and reason: mend it, and drop it as it is."


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (RowCounts(), "Nothing can be sent: the file has a header and no rows."),
        (
            RowCounts(read=3, skipped=2, merged=1),
            "Nothing can be sent: no row of the 3 read has a value beside its id.",
        ),
        (RowCounts(read=3, rejected=3), f"Nothing can be sent: 3 rows rejected of 3 read; {WHERE}"),
        (
            RowCounts(read=3, rejected=1, skipped=2),
            "Nothing can be sent: 1 row rejected of 3 read, and the others have no value beside their id; "
            + WHERE,
        ),
    ],
)
@pytest.mark.parametrize("limit", [0, 10, 100])
def test_judge_split_without_a_row_to_send_is_rejected(rows: RowCounts, reason: str, limit: int) -> None:
    verdict = judge_split(rows, limit)

    assert (verdict.status, verdict.reason) == (ImportStatus.REJECTED, reason)


@pytest.mark.parametrize(
    ("rejected", "limit", "status"),
    [
        (0, 0, ImportStatus.SUCCEEDED),
        (1, 0, ImportStatus.PARTIAL),
        (100, 10, ImportStatus.SUCCEEDED),
        (101, 10, ImportStatus.PARTIAL),
        (999, 99, ImportStatus.PARTIAL),
        (999, 100, ImportStatus.SUCCEEDED),
        (100, None, ImportStatus.SUCCEEDED),
        (101, None, ImportStatus.PARTIAL),
    ],
)
def test_judge_split_above_the_limit_is_partial(
    rejected: int, limit: int | None, status: ImportStatus
) -> None:
    verdict = judge_split(RowCounts(read=1_000, rejected=rejected, sent=1_000 - rejected), limit)

    assert verdict.status is status


def test_judge_split_counts_the_share_of_rows_read() -> None:
    """Rows that were merged or skipped are read, too: 2 of 20 are 10 %."""
    rows = RowCounts(read=20, rejected=2, merged=10, skipped=7, sent=1)

    assert judge_split(rows, 10).status is ImportStatus.SUCCEEDED
    assert judge_split(rows, 9).status is ImportStatus.PARTIAL


def test_judge_split_names_count_limit_and_files() -> None:
    rows = RowCounts(read=20, rejected=3, sent=17)

    assert judge_split(rows, 15).reason == f"3 rows rejected of 20 read: {WHERE}"
    assert judge_split(rows, 14).reason == (
        f"3 rows rejected of 20 read, which is above the limit of 14 %: {WHERE}"
    )


def test_judge_split_ends_its_reason_with_the_advice() -> None:
    for rows in (RowCounts(read=9, rejected=3, sent=6), RowCounts(read=3, rejected=3)):
        assert judge_split(rows, 10, "Do this.").reason == f"{judge_split(rows, 10).reason} Do this."


def test_judge_split_without_rejects_has_no_reason() -> None:
    assert judge_split(RowCounts(read=2, merged=1, sent=1), 0).reason == ""


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 100))
def test_judge_split_says_how_many_rows_are_rejected(rejected: int, sent: int, limit: int) -> None:
    verdict = judge_split(RowCounts(read=rejected + sent, rejected=rejected, sent=sent), limit)

    assert (f"{rejected:,} row{'s' * (rejected != 1)} rejected" in verdict.reason) is (rejected > 0)
    assert verdict.status in {ImportStatus.SUCCEEDED, ImportStatus.PARTIAL, ImportStatus.REJECTED}


def test_default_limit_is_ten_percent() -> None:
    assert DEFAULT_MAX_REJECTED_PERCENT == 10


@pytest.mark.parametrize(
    ("status", "rejected", "line"),
    [
        ("succeeded", 0, "succeeded"),
        ("succeeded", 1, "succeeded, 1 row rejected"),
        ("succeeded", 12, "succeeded, 12 rows rejected"),
        ("partial", 2, "partial, 2 rows rejected"),
        ("failed", 2, "failed, 2 rows rejected"),
        ("rejected", 2, "rejected"),
    ],
)
def test_status_line_has_the_number_of_rejected_rows(status: str, rejected: int, line: str) -> None:
    assert status_line(status, rejected) == line


@pytest.mark.parametrize(
    ("lines", "count", "text"),
    [
        ([], 0, ""),
        ([], 7, ""),
        ([3], 1, "3"),
        ([3, 7], 3, "3, 7"),
        ([3, 4, 5, 6, 7], 5, "3, 4, 5, 6, 7"),
        ([3, 4, 5, 6, 7], 6, "3, 4, 5, 6, 7, ..."),
    ],
)
def test_first_examples_end_in_dots_where_there_may_be_more(lines: list[int], count: int, text: str) -> None:
    assert first_examples(lines, count) == text


@pytest.mark.parametrize(
    ("sent", "rows_per_day", "deadline_hours", "retention_days", "days"),
    [
        (29_000_000, 1_000_000, 24, 30, 0),
        (29_000_001, 1_000_000, 24, 30, 31),
        (29_000_001, 1_000_000, 24, 31, 0),
        (29_000_000, 1_000_000, 25, 30, 31),
        (29_000_000, 1_000_000, 168, 35, 36),
        (10**9, 0, 24, 2, 0),
        (1, 0, 168, 7, 8),
    ],
)
def test_a_file_whose_batches_would_expire_first_is_told_the_days(
    sent: int, rows_per_day: int, deadline_hours: int, retention_days: int, days: int
) -> None:
    sentence = too_long_to_send(sent, rows_per_day, deadline_hours, retention_days)
    if not days:
        assert sentence == ""
        return
    assert f"would take {days} days, and its batches are kept for {retention_days}:" in sentence
    assert "RetentionDays" in sentence
