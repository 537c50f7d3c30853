"""Timestamps: a moment as text and back."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_profiles.core.timestamps import moment, timestamp


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (datetime(2026, 11, 23, 18, tzinfo=UTC), "2026-11-23T18:00:00.000Z"),
        (datetime(2026, 11, 23, 18, 0, 0, 999_999, tzinfo=UTC), "2026-11-23T18:00:00.999Z"),
        (datetime(2026, 11, 23, 18, tzinfo=timezone(timedelta(hours=-5))), "2026-11-23T23:00:00.000Z"),
        (datetime(2028, 2, 29, 23, 59, 59, 1000, tzinfo=UTC), "2028-02-29T23:59:59.001Z"),
    ],
)
def test_timestamp_is_in_utc_with_milliseconds(value: datetime, written: str) -> None:
    assert timestamp(value) == written


@given(
    st.integers(0, 4_000_000_000_000).map(
        lambda ms: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
    ),
    st.integers(-14, 14),
)
def test_moment_reads_a_timestamp_of_any_offset(value: datetime, offset: int) -> None:
    elsewhere = value.astimezone(timezone(timedelta(hours=offset)))
    assert moment(timestamp(elsewhere)) == value


def test_moment_is_in_utc_whatever_the_offset() -> None:
    assert moment("2026-11-23T18:00:00.5-05:00").isoformat() == "2026-11-23T23:00:00.500000+00:00"


@given(st.lists(st.integers(0, 4_000_000_000_000), min_size=2, max_size=2))
def test_timestamp_sorts_as_its_moment(milliseconds: list[int]) -> None:
    moments = [datetime.fromtimestamp(ms / 1000, UTC) for ms in milliseconds]
    written = [timestamp(value) for value in moments]
    assert sorted(written) == [timestamp(value) for value in sorted(moments)]


def test_moment_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="without a time zone"):
        moment("2026-11-24T12:00:00")


def test_timestamp_is_in_utc_wherever_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert timestamp(datetime(2026, 11, 23, 18, tzinfo=UTC)) == "2026-11-23T18:00:00.000Z"
    finally:
        monkeypatch.undo()
        time.tzset()
