"""A client code's limits, as the deployment sets them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta, tzinfo
from enum import StrEnum

from bulk_profiles.core.errors import SettingsError

from .local_time import UploadWindow, time_zone

USE_WITHIN = timedelta(seconds=3)  # from the grant to the first byte
_NETWORK = timedelta(seconds=2)  # from the first byte to Target's count
LATENESS = USE_WITHIN + _NETWORK
_ONE_IN = 25  # the share of a minute's calls that may go at once
MILLISECOND = timedelta(milliseconds=1)


class Wait(StrEnum):
    """What an asker waits for."""

    CALLS = "calls a minute"
    PLACES = "batches in flight"
    ROWS = "rows a day"
    WINDOW = "upload window"


@dataclass(frozen=True, slots=True)
class Policy:
    """A client code's limits, as the deployment sets them. Raises `SettingsError` that names every fault.

    `rows_per_day` 0: no limit. `upload_window` empty: always. `retry_seconds`: the first wait for a place.
    """

    calls_per_minute: int
    max_in_flight: int
    rows_per_day: int = 0
    reset_hour: int = 0
    time_zone: str = "UTC"
    upload_window: str = ""
    retry_seconds: int = 10

    def __post_init__(self) -> None:
        faults = [
            fault
            for right, fault in (
                (self.calls_per_minute >= 1, "Calls a minute must be at least 1."),
                (self.max_in_flight >= 1, "Batches in flight must be at least 1."),
                (self.rows_per_day >= 0, "Rows a day must be 0 (no limit) or more."),
                (self.reset_hour in range(24), "The hour of the daily reset must be 0 to 23."),
                (self.retry_seconds >= 1, "The wait for a place must be at least 1 second."),
            )
            if not right
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
        """Where days and the upload window are told."""
        return time_zone(self.time_zone)

    @property
    def window(self) -> UploadWindow | None:
        """When uploads may go, or None for always."""
        return UploadWindow.parse(self.upload_window) if self.upload_window.strip() else None

    @property
    def burst(self) -> int:
        """How many calls may go at once after a quiet time."""
        return 1 + self.calls_per_minute // _ONE_IN

    @property
    def spacing(self) -> timedelta:
        """How long the bucket takes for one more call, in whole milliseconds.

        With 1 call a minute there is no call to spare for a wrong clock.
        """
        span = (timedelta(minutes=1) + LATENESS) // MILLISECOND
        return -(-span // max(1, self.calls_per_minute - 2 * self.burst + 1)) * MILLISECOND
