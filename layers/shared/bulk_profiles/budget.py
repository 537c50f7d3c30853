"""What a client code may still ask of Target: calls a minute, batches in flight, rows a day, upload window.

All rules work on one small value that the ledger keeps for each client code. Either everything that a call
needs is granted, for now, or nothing is and the asker comes back at the moment it is given: so whoever dies
while it waits leaves nothing behind.

**Calls.** A bucket (GCRA): `burst` calls at once, then one every `spacing`. Calls granted within any time T
are at most `burst + T / spacing`. What reaches Target within 60 s was granted within 60 s + `_LATENESS`; and
a wrong clock may make the budget's clock leap ahead, which fills the bucket once more. `spacing` is such that
`2 * burst - 1 + (60 s + _LATENESS) / spacing` is at most `calls_per_minute`.

**Batches in flight.** A place is leased until the batch is settled; a dead batch's lease ends.

**Rows.** A submission counts for every day that it may reach Target on, by any clock within `_CLOCK_ERROR`.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Any, Self

from .errors import LedgerError, SettingsError
from .local_time import UploadWindow, day_of, day_start, time_zone
from .models import Json, moment, timestamp

_USE_WITHIN = timedelta(seconds=3)  # from the grant to the first byte
_NETWORK = timedelta(seconds=2)  # from the first byte to Target's count
_LATENESS = _USE_WITHIN + _NETWORK
_CLOCK_ERROR = timedelta(minutes=10)  # how far a function's clock may be off, either way
_COUNTED_AROUND = _CLOCK_ERROR + _LATENESS
_DAYS_KEPT = timedelta(days=2)
_LONGEST_TURN = timedelta(minutes=15)  # beyond it turns start over: perhaps nobody waits any more
_SPREAD = 60_000  # ms over which those who wait for the same moment come back
_ONE_IN = 25  # the share of a minute's calls that may go at once
_GROWTH = 12  # times `retry_seconds` that the wait for a place grows to
_MILLISECOND = timedelta(milliseconds=1)
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


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
        span = (timedelta(minutes=1) + _LATENESS) // _MILLISECOND
        return -(-span // max(1, self.calls_per_minute - 2 * self.burst + 1)) * _MILLISECOND


@dataclass(frozen=True, slots=True)
class BudgetState:
    """What the ledger keeps of one client code's budget.

    `asked_at`: the budget's clock, the latest of all askers' clocks. `full_at`: when the bucket of calls is
    full again. `call_turn_at`, `place_turn_at`: the first turn that nobody waits for. `places`: holder to end
    of lease. `rows`: day to rows counted for it, a few days.
    """

    asked_at: datetime = _LONG_AGO
    full_at: datetime = _LONG_AGO
    call_turn_at: datetime = _LONG_AGO
    place_turn_at: datetime = _LONG_AGO
    places: Mapping[str, datetime] = field(default_factory=dict)
    rows: Mapping[date, int] = field(default_factory=dict)

    def to_json(self) -> Json:
        """Give the budget's item in the ledger."""
        return {
            "askedAt": timestamp(self.asked_at),
            "fullAt": timestamp(self.full_at),
            "callTurnAt": timestamp(self.call_turn_at),
            "placeTurnAt": timestamp(self.place_turn_at),
            "places": {holder: timestamp(end) for holder, end in sorted(self.places.items())},
            "rows": {day.isoformat(): count for day, count in sorted(self.rows.items())},
        }

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """Read what `to_json` wrote. Raises `LedgerError` for anything else."""
        try:
            return cls(
                asked_at=_moment(data["askedAt"]),
                full_at=_moment(data["fullAt"]),
                call_turn_at=_moment(data["callTurnAt"]),
                place_turn_at=_moment(data["placeTurnAt"]),
                places={str(holder): _moment(end) for holder, end in data["places"].items()},
                rows={date.fromisoformat(day): _count(rows) for day, rows in data["rows"].items()},
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise LedgerError(
                "The client's budget in the ledger cannot be read. When no import of the client is running, "
                "delete its item (CLIENT#<client code> / BUDGET): the budget starts afresh."
            ) from error


@dataclass(frozen=True, slots=True)
class Slot:
    """The budget's answer: granted now, or not, and then when to ask again and what it waits for."""

    at: datetime
    granted: bool
    reason: str = ""


def reserve_submission(
    state: BudgetState,
    *,
    holder: str,
    rows: int,
    now: datetime,
    policy: Policy,
    lease: timedelta,
    waited: int,
) -> tuple[BudgetState, Slot]:
    """Ask for one submission of a batch: a call, a place in flight for `lease`, and its rows of the day.

    `waited`: how often in a row this batch has come back already; at 0 those who wait go first. A holder with
    a place keeps it and never gets a second one. A batch of more rows than a day has goes on an empty day.
    """
    now = _whole(now)
    waits = _wait_for_window(now, holder, policy) or _wait_for_rows(state, rows, now, holder, policy)
    if waits:
        return state, waits
    places = _live(state.places, now)
    if holder not in places:
        queued = waited == 0 and state.place_turn_at > now
        if queued or len(places) >= policy.max_in_flight:
            retry = timedelta(seconds=policy.retry_seconds)
            turn = _turn(state.place_turn_at, now + retry * min(waited + 1, _GROWTH))
            state = dataclasses.replace(state, places=places, place_turn_at=turn + retry / 10)
            return state, Slot(turn, granted=False, reason=Wait.PLACES)
    after, slot = reserve_check(state, now=now, policy=policy, waited=waited)
    if not slot.granted:
        return after, slot
    counted = _count_rows(state, rows, now, policy) if policy.rows_per_day else {}
    return renew(dataclasses.replace(after, rows=counted), holder, now, lease), slot


def reserve_check(
    state: BudgetState, *, now: datetime, policy: Policy, waited: int
) -> tuple[BudgetState, Slot]:
    """Ask for one call that needs nothing else: the window, places and rows do not bind it."""
    now = _whole(now)
    clock = max(now, state.asked_at)
    free_at = state.full_at - (policy.burst - 1) * policy.spacing
    queued = waited == 0 and state.call_turn_at > clock
    if queued or free_at > clock:
        turn = _turn(state.call_turn_at, max(free_at, clock + _MILLISECOND))
        state = dataclasses.replace(state, asked_at=clock, call_turn_at=turn + policy.spacing)
        return state, Slot(turn, granted=False, reason=Wait.CALLS)
    full_at = max(state.full_at, clock) + policy.spacing
    return dataclasses.replace(state, asked_at=clock, full_at=full_at), Slot(now, granted=True)


def release(state: BudgetState, holder: str, leased_until: datetime | None = None) -> BudgetState:
    """Free the place of a batch that is settled; one without a place changes nothing.

    A place whose lease ends later than `leased_until` stays: somebody else has renewed it since.
    """
    places = {
        name: end
        for name, end in state.places.items()
        if name != holder or (leased_until is not None and end > leased_until)
    }
    return dataclasses.replace(state, places=places)


def withdraw(
    state: BudgetState,
    *,
    holder: str,
    rows: int,
    granted_at: datetime,
    policy: Policy,
    leased_until: datetime | None = None,
) -> BudgetState:
    """Give back the place and the rows of a submission that Target surely did not take; its call was made."""
    counted = _days(_whole(granted_at), policy)
    kept = {day: max(0, count - rows) if day in counted else count for day, count in state.rows.items()}
    return dataclasses.replace(release(state, holder, leased_until), rows=kept)


def renew(state: BudgetState, holder: str, now: datetime, lease: timedelta) -> BudgetState:
    """Keep the place of a batch for `lease` from now; one whose lease had ended has it back.

    Then there may be more places than allowed for a while: the batch is in flight all the same, and nobody
    else gets a place meanwhile. Between two askers clocks may differ by twice their error.
    """
    now = _whole(now)
    end = max(lease_end(now, lease), state.places.get(holder, _LONG_AGO))
    return dataclasses.replace(state, places={**_live(state.places, now), holder: end})


def lease_end(now: datetime, lease: timedelta) -> datetime:
    """Give the end of a lease that is taken or renewed now."""
    return _whole(now) + lease + 2 * _CLOCK_ERROR


def usable(slot_at: datetime, now: datetime) -> bool:
    """Whether a call granted at `slot_at` may still be made; if not, ask again. Look right before it."""
    return _whole(slot_at) <= _whole(now) <= _whole(slot_at) + _USE_WITHIN


def _wait_for_window(now: datetime, holder: str, policy: Policy) -> Slot | None:
    window = policy.window
    if window is None:
        return None
    opens = window.next_open(now, policy.zone)
    return Slot(_spread(opens, holder), granted=False, reason=Wait.WINDOW) if opens > now else None


def _wait_for_rows(state: BudgetState, rows: int, now: datetime, holder: str, policy: Policy) -> Slot | None:
    """Give the reset to wait for where a day is full. Nothing is kept for it: who comes first is served."""
    if not policy.rows_per_day:
        return None
    limit = policy.rows_per_day
    full = [day for day in _days(now, policy) if 0 < state.rows.get(day, 0) > limit - rows]
    if not full:
        return None
    reset = day_start(max(full) + timedelta(days=1), policy.reset_hour, policy.zone)
    return Slot(_spread(reset + _COUNTED_AROUND, holder), granted=False, reason=Wait.ROWS)


def _count_rows(state: BudgetState, rows: int, now: datetime, policy: Policy) -> dict[date, int]:
    """Count rows for each day that they may reach Target on; forget the days that are surely over.

    A day that one clock no longer touches another may still touch, and a withdrawal may still be about it.
    """
    days = _days(now, policy)
    kept = {day: count for day, count in state.rows.items() if abs(day - min(days)) <= _DAYS_KEPT}
    return kept | {day: state.rows.get(day, 0) + rows for day in days}


def _days(now: datetime, policy: Policy) -> set[date]:
    """Give the days on which a submission granted now may reach Target: one, or two near a reset."""
    around = (now - _COUNTED_AROUND, now + _COUNTED_AROUND)
    return {day_of(moment, policy.reset_hour, policy.zone) for moment in around}


def _turn(free: datetime, earliest: datetime) -> datetime:
    """Give the next free turn, so that those who wait come back one after the other."""
    return free if earliest <= free <= earliest + _LONGEST_TURN else earliest


def _spread(opens: datetime, holder: str) -> datetime:
    """Give each of those who wait for the same moment one of its own, drawn anew each time."""
    return opens + zlib.crc32(f"{holder} {timestamp(opens)}".encode()) % _SPREAD * _MILLISECOND


def _live(places: Mapping[str, datetime], now: datetime) -> dict[str, datetime]:
    return {holder: end for holder, end in places.items() if end > now}


def _whole(moment: datetime) -> datetime:
    """Cut a moment to milliseconds, as it is written."""
    return moment.astimezone(UTC).replace(microsecond=moment.microsecond // 1000 * 1000)


def _moment(text: str) -> datetime:
    value = moment(text)
    if value.tzinfo is None:
        raise ValueError("a moment without a time zone")
    return value.astimezone(UTC)


def _count(value: object) -> int:
    if not isinstance(value, int) or value < 0:
        raise ValueError("rows must be a whole number")
    return value
