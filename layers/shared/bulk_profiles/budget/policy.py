"""The limits that hold for a client code."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta, tzinfo

from bulk_profiles.core.errors import SettingsError

from .local_time import UploadWindow, time_zone

USE_WITHIN = timedelta(seconds=3)  # the longest time from the grant of a call to its first byte
_NETWORK = timedelta(seconds=2)  # the longest time from the first byte to Target's count
LATENESS = USE_WITHIN + _NETWORK
_BURST_DIVISOR = 25  # one in 25 of a minute's calls may go at once
MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Policy:
    """A client code's limits. Raises `SettingsError`, which names every fault at once."""

    calls_per_minute: int
    max_in_flight: int  # batches that Target has not finished
    rows_per_day: int = 0  # 0: no limit
    reset_hour: int = 0  # local time at which a day of rows begins
    time_zone: str = "UTC"  # IANA name
    upload_window: str = ""  # such as "Mon-Fri 20:00-06:00", local time; empty: always
    retry_seconds: int = 10  # the first wait for a place

    def __post_init__(self) -> None:
        faults = [
            fault
            for valid, fault in (
                (self.calls_per_minute >= 1, "Calls a minute must be at least 1."),
                (self.max_in_flight >= 1, "Batches in flight must be at least 1."),
                (self.rows_per_day >= 0, "Rows a day must be 0 (no limit) or more."),
                (self.reset_hour in range(24), "The hour of the daily reset must be 0 to 23."),
                (self.retry_seconds >= 1, "The wait for a place must be at least 1 second."),
            )
            if not valid
        ]
        for read in (lambda: self.zone, lambda: self.window):
            try:
                read()
            except SettingsError as error:
                faults.append(str(error))
        if faults:
            raise SettingsError(" ".join(faults))

    @property
    def zone(self) -> tzinfo:
        """The time zone of the days and of the upload window."""
        return time_zone(self.time_zone)

    @property
    def window(self) -> UploadWindow | None:
        """When uploads may go; None: always."""
        return UploadWindow.parse(self.upload_window) if self.upload_window.strip() else None

    @property
    def burst(self) -> int:
        """The calls that may go at once after a quiet time."""
        return 1 + self.calls_per_minute // _BURST_DIVISOR

    @property
    def spacing(self) -> timedelta:
        """The time in which the token bucket gains one call, in whole milliseconds.

        The bucket (GCRA) grants `burst` calls at once, then one every `spacing`: within any time T at most
        `burst + T / spacing`. Calls that arrive within a minute were granted within 60 s + `LATENESS`. A
        wrong clock may make the budget's clock leap ahead, which fills the bucket once more. So a minute has
        at most `2 * burst - 1 + (60 s + LATENESS) / spacing` calls, which must not exceed `calls_per_minute`.

        50 calls a minute have a burst of 3 and a spacing of 65 s / (50 - 5) = 1.445 s, rounded up. With 1
        call a minute none is left for a wrong clock.
        """
        span = (timedelta(minutes=1) + LATENESS) // MILLISECOND
        calls = max(1, self.calls_per_minute - (2 * self.burst - 1))
        return -(-span // calls) * MILLISECOND  # rounded up
