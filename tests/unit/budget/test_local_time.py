from __future__ import annotations

import sys
import time
import zoneinfo
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_profiles.budget.local_time import UploadWindow, day_of, day_start, time_zone
from bulk_profiles.core.errors import SettingsError

PARIS = time_zone("Europe/Paris")
NEW_YORK = time_zone("America/New_York")
SECOND = timedelta(seconds=1)
moments = st.integers(0, 5 * 366 * 86_400).map(lambda n: datetime(2025, 1, 1, tzinfo=UTC) + n * SECOND)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.fixture
def no_zone_data(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = zoneinfo.TZPATH
    for name in ["tzdata", *(name for name in sys.modules if name.startswith("tzdata."))]:
        monkeypatch.setitem(sys.modules, name, None)
    zoneinfo.reset_tzpath(to=[])
    zoneinfo.ZoneInfo.clear_cache()
    yield
    zoneinfo.reset_tzpath(to=before)


@pytest.fixture(params=["Pacific/Kiritimati", "Etc/GMT+12"])
def machine_elsewhere(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[None]:
    """Run on a machine whose own time zone is none of those asked for."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("no_zone_data")
def test_time_zone_without_data_names_the_remedy() -> None:
    with pytest.raises(SettingsError, match=r"write it as Europe/Paris, and see that .* the tzdata package"):
        time_zone("Europe/Paris")


@pytest.mark.usefixtures("no_zone_data")
def test_time_zone_utc_needs_no_data() -> None:
    assert time_zone("UTC") is UTC


@pytest.mark.parametrize("name", ["", "Mars/Base", "Europe", "../etc/passwd", "/etc/localtime", "a\0b"])
def test_time_zone_unknown_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="time zone is not known") as refused:
        time_zone(name)
    assert not name or name == "Europe" or name not in str(refused.value)


@pytest.mark.fault(60, "summer time, leap day")
@pytest.mark.parametrize(
    ("moment", "day"),
    [
        ("2026-11-24T01:59:59", "2026-11-23"),
        ("2026-11-24T02:00:00", "2026-11-24"),
        ("2026-11-25T01:59:59", "2026-11-24"),
        # Summer time begins on March 28, 2027 at 01:00 UTC, when 03:00 has come already.
        ("2027-03-28T00:59:59", "2027-03-27"),
        ("2027-03-28T01:00:00", "2027-03-28"),
        # It ends on October 25, 2026 at 01:00 UTC: 02:00 to 03:00 comes twice, 03:00 once.
        ("2026-10-25T01:59:59", "2026-10-24"),
        ("2026-10-25T02:00:00", "2026-10-25"),
    ],
)
def test_day_of_begins_a_day_at_its_local_hour(moment: str, day: str) -> None:
    assert day_of(at(moment), 3, PARIS) == date.fromisoformat(day)


@pytest.mark.parametrize(
    ("day", "hour", "start"),
    [
        ("2026-11-24", 3, "2026-11-24T02:00"),
        ("2026-07-24", 3, "2026-07-24T01:00"),
        ("2027-03-28", 3, "2027-03-28T01:00"),
        ("2027-03-28", 2, "2027-03-28T01:00"),  # there is no 02:00: it is 03:00 at once
        ("2026-10-25", 2, "2026-10-25T00:00"),  # the first of two
        ("2026-10-25", 23, "2026-10-25T22:00"),
        ("2026-11-24", 0, "2026-11-23T23:00"),
    ],
)
def test_day_start_is_at_the_local_hour(day: str, hour: int, start: str) -> None:
    assert day_start(date.fromisoformat(day), hour, PARIS) == at(start)


@given(
    moments,
    st.integers(0, 23),
    st.sampled_from(["UTC", "Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]),
)
def test_day_of_a_moment_contains_the_moment(moment: datetime, hour: int, name: str) -> None:
    zone = time_zone(name)
    day = day_of(moment, hour, zone)
    assert day_start(day, hour, zone) <= moment + timedelta(
        hours=1
    )  # an hour that is missing begins it early
    assert moment < day_start(day + timedelta(days=1), hour, zone)
    assert day_of(day_start(day, hour, zone), hour, zone) == day


@pytest.mark.parametrize(
    ("text", "days", "opens", "closes"),
    [
        ("20:00-06:00", {0, 1, 2, 3, 4, 5, 6}, 1200, 1800),
        ("  08:30-17:45 ", {0, 1, 2, 3, 4, 5, 6}, 510, 1065),
        ("Mon-Fri 20:00-06:00", {0, 1, 2, 3, 4}, 1200, 1800),
        ("sat,SUN 00:00-24:00", {5, 6}, 0, 1440),
        ("Fri-Mon 20:00-00:00", {4, 5, 6, 0}, 1200, 1440),
        ("Wed  00:01-00:00", {2}, 1, 1440),
        ("Mon-Mon,Wed-Thu 23:59-23:58", {0, 2, 3}, 1439, 2878),
        ("Tue 00:00-00:01", {1}, 0, 1),
    ],
)
def test_upload_window_is_parsed(text: str, days: set[int], opens: int, closes: int) -> None:
    assert UploadWindow.parse(text) == UploadWindow(frozenset(days), opens, closes)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "always",
        "20-06",
        "8:00-17:00",
        "20:00",
        "20:00-06:00 Mon",
        "20:60-06:00",
        "Mon20:00-06:00",
        "٢٠:00-06:00",
    ],
)
def test_upload_window_misspelled_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(SettingsError) as refused:
        UploadWindow.parse(text)
    assert str(refused.value) == (
        "The upload window makes no sense: write it as 20:00-06:00 or Mon-Fri 20:00-06:00, "
        "or leave it empty for always."
    )


@pytest.mark.parametrize("text", ["24:00-06:00", "20:00-24:01", "25:00-06:00", "20:00-99:00"])
def test_upload_window_beyond_24_hours_is_refused(text: str) -> None:
    with pytest.raises(SettingsError) as refused:
        UploadWindow.parse(text)
    assert str(refused.value) == "The upload window makes no sense: a day goes from 00:00 to 24:00."


def test_upload_window_that_never_opens_is_refused() -> None:
    with pytest.raises(SettingsError) as refused:
        UploadWindow.parse("20:00-20:00")
    assert str(refused.value) == (
        "The upload window never opens: write it as 20:00-06:00 or Mon-Fri 20:00-06:00, "
        "or leave it empty for always."
    )


@pytest.mark.parametrize("text", ["Mo", "Mon-", "-Fri", "Mon,", "Mon-Tue-Wed", "Day", ",", "Mon-Xyz"])
def test_upload_window_of_an_unknown_day_is_refused(text: str) -> None:
    with pytest.raises(SettingsError) as refused:
        UploadWindow.parse(f"{text} 20:00-06:00")
    assert str(refused.value) == "The upload window names a day that is none of Mon Tue Wed Thu Fri Sat Sun."


@pytest.mark.parametrize(
    ("window", "now", "opens"),
    [
        # November 24, 2026 is a Tuesday; Paris is an hour ahead of UTC.
        ("20:00-06:00", "2026-11-24T18:59:59", "2026-11-24T19:00"),
        ("20:00-06:00", "2026-11-24T19:00:00", None),
        ("20:00-06:00", "2026-11-25T04:59:59", None),
        ("20:00-06:00", "2026-11-25T05:00:00", "2026-11-25T19:00"),
        ("08:00-09:00", "2026-11-24T08:00:00", "2026-11-25T07:00"),
        ("Mon-Fri 20:00-06:00", "2026-11-28T04:59:59", None),  # Friday's night, on Saturday
        ("Mon-Fri 20:00-06:00", "2026-11-28T05:00:00", "2026-11-30T19:00"),
        ("Tue 12:00-13:00", "2026-11-24T12:00:00", "2026-12-01T11:00"),
        ("00:00-24:00", "2026-11-24T22:59:59", None),
        ("00:00-24:00", "2026-11-24T23:00:00", None),
        ("Wed 00:00-24:00", "2026-11-24T22:59:59", "2026-11-24T23:00"),
        # Summer time: a night of 9 hours, one of 11, and windows within the hour that is missing or double.
        ("20:00-06:00", "2027-03-28T03:59:59", None),
        ("20:00-06:00", "2027-03-28T04:00:00", "2027-03-28T18:00"),
        ("20:00-06:00", "2026-10-25T04:59:59", None),
        ("20:00-06:00", "2026-10-25T05:00:00", "2026-10-25T19:00"),
        ("02:30-03:00", "2027-03-28T00:00:00", "2027-03-29T00:30"),
        ("Sun 02:30-03:00", "2027-03-22T00:00:00", "2027-04-04T00:30"),
        ("02:15-02:45", "2026-10-25T00:45:00", "2026-10-26T01:15"),
    ],
)
@pytest.mark.usefixtures("machine_elsewhere")
def test_next_open_is_now_or_when_the_window_opens(window: str, now: str, opens: str | None) -> None:
    expected = at(opens) if opens else at(now)
    opening = UploadWindow.parse(window).next_open(at(now), PARIS)
    assert opening == expected
    assert opening.tzinfo is UTC


@given(
    moments,
    st.sets(st.integers(0, 6), min_size=1),
    st.integers(0, 1439),
    st.integers(1, 1440),
)
def test_next_open_agrees_with_the_local_clock(
    now: datetime, days: set[int], opens: int, length: int
) -> None:
    window = UploadWindow(frozenset(days), opens, opens + length)
    opened = window.next_open(now, NEW_YORK)
    wall = opened.astimezone(NEW_YORK)
    minute = wall.hour * 60 + wall.minute
    today = wall.weekday() in days and opens <= minute < opens + length
    since_yesterday = (wall.weekday() - 1) % 7 in days and minute + 1440 < opens + length
    changes_today = {(wall + timedelta(hours=h)).utcoffset() for h in (-30, 30)}
    assert now <= opened <= now + timedelta(days=14)
    assert today or since_yesterday or len(changes_today) == 2
    if opened > now:
        assert window.next_open(opened - SECOND, NEW_YORK) == opened
