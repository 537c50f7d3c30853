"""Local time: when a day of rows begins, and when uploads may go."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bulk_profiles.core.errors import SettingsError

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MINUTES_A_DAY = 24 * 60
# Every weekday comes twice: an opening that the start of summer time skips is found a week later.
_SEARCHED_DAYS = 16
_WINDOW = re.compile(r"(?:([A-Za-z,-]+) +)?([0-9]{2}):([0-5][0-9])-([0-9]{2}):([0-5][0-9])")
_HELP = "write it as 20:00-06:00 or Mon-Fri 20:00-06:00, or leave it empty for always"


def time_zone(name: str) -> tzinfo:
    """Return a time zone by its IANA name; UTC needs no time zone data. Raises `SettingsError`."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise SettingsError(
            "The time zone is not known here: write it as Europe/Paris, "
            "and see that the function carries the tzdata package."
        ) from error


def day_of(moment: datetime, reset_hour: int, zone: tzinfo) -> date:
    """Return the day that a moment belongs to. Days begin at `reset_hour` local time."""
    local = moment.astimezone(zone)
    return local.date() if local.hour >= reset_hour else local.date() - timedelta(days=1)


def day_start(day: date, reset_hour: int, zone: tzinfo) -> datetime:
    """Return the moment (UTC) at which a day begins."""
    return _local(day, reset_hour * 60, zone)


@dataclass(frozen=True, slots=True)
class UploadWindow:
    """When uploads may go, in local time: on some weekdays from one time of day until before another.

    `Mon-Fri 20:00-06:00` opens on Friday at 1200 and closes at 1800, which is 06:00 on Saturday.
    """

    days: frozenset[int]  # on which it opens; Monday is 0
    opens: int  # in minutes after midnight
    closes: int  # in minutes after the same midnight: beyond 1440 where it passes the next one

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `20:00-06:00`, `Mon-Fri 20:00-06:00`, `Sat,Sun 00:00-24:00`. Raises `SettingsError`."""
        match = _WINDOW.fullmatch(text.strip())
        if match is None:
            raise SettingsError(f"The upload window makes no sense: {_HELP}.")
        days, *clock = match.groups()
        open_hour, open_minute, close_hour, close_minute = map(int, clock)
        opens, closes = open_hour * 60 + open_minute, close_hour * 60 + close_minute
        if opens >= _MINUTES_A_DAY or closes > _MINUTES_A_DAY:
            raise SettingsError("The upload window makes no sense: a day goes from 00:00 to 24:00.")
        if opens == closes:
            raise SettingsError(f"The upload window never opens: {_HELP}.")
        if closes < opens:
            closes += _MINUTES_A_DAY
        return cls(_parse_days(days) if days else frozenset(range(7)), opens, closes)

    def next_open(self, now: datetime, zone: tzinfo) -> datetime:
        """Return `now` if the window is open, else the moment at which it opens."""
        yesterday = now.astimezone(zone).date() - timedelta(days=1)
        days = (yesterday + timedelta(days=n) for n in range(_SEARCHED_DAYS))
        spans = (
            (_local(day, self.opens, zone), _local(day, self.closes, zone))
            for day in days
            if day.weekday() in self.days
        )
        return next(max(now, opens) for opens, closes in spans if max(now, opens) < closes)


def _parse_days(text: str) -> frozenset[int]:
    days: set[int] = set()
    for part in text.lower().split(","):
        first, dash, last = part.partition("-")
        if first not in _DAYS or (dash and last not in _DAYS):
            raise SettingsError("The upload window names a day that is none of Mon Tue Wed Thu Fri Sat Sun.")
        begin, end = _DAYS.index(first), _DAYS.index(last if dash else first)
        days.update((begin + n) % 7 for n in range((end - begin) % 7 + 1))
    return frozenset(days)


def _local(day: date, minutes: int, zone: tzinfo) -> datetime:
    """Return the moment (UTC) of a local time: the first in a repeated hour, the next in a skipped one."""
    days, minutes = divmod(minutes, _MINUTES_A_DAY)
    wall = time(*divmod(minutes, 60))
    return datetime.combine(day + timedelta(days=days), wall, zone).astimezone(UTC)
