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
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from bulk_profiles.core.timestamps import timestamp

from .local_time import day_of, day_start
from .policy import LATENESS, MILLISECOND, USE_WITHIN, Policy, Wait
from .state import LONG_AGO, BudgetState

_CLOCK_ERROR = timedelta(minutes=10)  # how far a function's clock may be off, either way
_COUNTED_AROUND = _CLOCK_ERROR + LATENESS
_DAYS_KEPT = timedelta(days=2)
_LONGEST_TURN = timedelta(minutes=15)  # beyond it turns start over: perhaps nobody waits any more
_SPREAD = 60_000  # ms over which those who wait for the same moment come back
_GROWTH = 12  # times `retry_seconds` that the wait for a place grows to


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
        turn = _turn(state.call_turn_at, max(free_at, clock + MILLISECOND))
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
    end = max(lease_end(now, lease), state.places.get(holder, LONG_AGO))
    return dataclasses.replace(state, places={**_live(state.places, now), holder: end})


def lease_end(now: datetime, lease: timedelta) -> datetime:
    """Give the end of a lease that is taken or renewed now."""
    return _whole(now) + lease + 2 * _CLOCK_ERROR


def usable(slot_at: datetime, now: datetime) -> bool:
    """Whether a call granted at `slot_at` may still be made; if not, ask again. Look right before it."""
    return _whole(slot_at) <= _whole(now) <= _whole(slot_at) + USE_WITHIN


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
    return opens + zlib.crc32(f"{holder} {timestamp(opens)}".encode()) % _SPREAD * MILLISECOND


def _live(places: Mapping[str, datetime], now: datetime) -> dict[str, datetime]:
    return {holder: end for holder, end in places.items() if end > now}


def _whole(moment: datetime) -> datetime:
    """Cut a moment to milliseconds, as it is written."""
    return moment.astimezone(UTC).replace(microsecond=moment.microsecond // 1000 * 1000)
