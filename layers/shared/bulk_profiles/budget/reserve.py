"""The budget's rules: whether a call to Target may be made now, and if not, when to ask again.

The rules are pure functions of the `BudgetState` that the ledger keeps for each client code. Either
everything that a call needs is granted, for now, or nothing is, and the asker comes back at the time that it
is given: an asker that dies while it waits leaves nothing behind.

**Calls.** A token bucket, GCRA: see `Policy.spacing`.

**Batches in flight.** A batch leases a place until it is settled. The lease of a dead batch ends.

**Rows.** A submission counts for every day on which it may reach Target, by any clock within `_CLOCK_ERROR`.

**Upload window.** A submission waits until the window opens. Status checks do not wait for it.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from bulk_profiles.core.models import Why
from bulk_profiles.core.timestamps import timestamp

from .local_time import day_of, day_start
from .policy import LATENESS, MILLISECOND, USE_WITHIN, Policy
from .state import LONG_AGO, BudgetState

_CLOCK_ERROR = timedelta(minutes=10)  # the largest error of a function's clock, either way
_COUNTED_AROUND = _CLOCK_ERROR + LATENESS
_DAYS_KEPT = timedelta(days=2)
_LONGEST_TURN = timedelta(minutes=15)  # a later turn is given up: perhaps nobody waits any more
_SPREAD = 60_000  # milliseconds over which those who wait for the same time come back
_MOST_RETRIES = 90  # times `retry_seconds`: the longest wait for a place


@dataclass(frozen=True, slots=True)
class Slot:
    """The budget's answer to a request for one call."""

    at: datetime  # when it was granted, or when to ask again
    granted: bool
    why: Why | None = None  # the limit to wait for, where it is not granted


# Seven parameters: the state, the policy, and five facts of one request.
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

    `waited`: how often in a row this batch has come back already; at 0 the batches that wait go first. A
    holder with a place keeps it and never gets a second one. A batch of more rows than a day may have is
    granted on a day without any.
    """
    now = _to_millisecond(now)
    later = _wait_for_window(now, holder, policy) or _wait_for_rows(state, rows, now, holder, policy)
    if later:
        return state, later
    places = _unexpired(state.places, now)
    if holder not in places:
        queued = waited == 0 and state.place_turn_at > now
        if queued or len(places) >= policy.max_in_flight:
            retry = timedelta(seconds=policy.retry_seconds)
            turn = _turn(state.place_turn_at, now + retry * min(waited + 1, _MOST_RETRIES))
            state = dataclasses.replace(state, places=places, place_turn_at=turn + retry / 10)
            return state, Slot(turn, granted=False, why=Why.PLACES)
    after, slot = reserve_check(state, now=now, policy=policy, waited=waited)
    if not slot.granted:
        return after, slot
    counted = _count_rows(state, rows, now, policy) if policy.rows_per_day else {}
    return renew(dataclasses.replace(after, rows=counted), holder, now, lease), slot


def reserve_check(
    state: BudgetState, *, now: datetime, policy: Policy, waited: int
) -> tuple[BudgetState, Slot]:
    """Ask for one status call: it needs no place and no rows, and does not wait for the window."""
    now = _to_millisecond(now)
    clock = max(now, state.asked_at)
    free_at = state.full_at - (policy.burst - 1) * policy.spacing
    queued = waited == 0 and state.call_turn_at > clock
    if queued or free_at > clock:
        turn = _turn(state.call_turn_at, max(free_at, clock + MILLISECOND))
        state = dataclasses.replace(state, asked_at=clock, call_turn_at=turn + policy.spacing)
        return state, Slot(turn, granted=False, why=Why.CALLS)
    full_at = max(state.full_at, clock) + policy.spacing
    return dataclasses.replace(state, asked_at=clock, full_at=full_at), Slot(now, granted=True)


def release(state: BudgetState, holder: str, leased_until: datetime | None = None) -> BudgetState:
    """Free the place of a batch that is settled, if it has one.

    A place whose lease ends later than `leased_until` stays: another invocation has renewed it since.
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
    """Free the place and the rows of a submission that Target certainly did not take.

    Its call stays counted: it was made.
    """
    days = _days(_to_millisecond(granted_at), policy)
    remaining = {day: max(0, count - rows) if day in days else count for day, count in state.rows.items()}
    return dataclasses.replace(release(state, holder, leased_until), rows=remaining)


def renew(state: BudgetState, holder: str, now: datetime, lease: timedelta) -> BudgetState:
    """Lease the place of a batch for `lease` from now on, even if its lease has ended.

    In that case there may be more places than allowed for a while: the batch is in flight all the same, and
    no other batch gets a place in the meantime.
    """
    now = _to_millisecond(now)
    end = max(lease_end(now, lease), state.places.get(holder, LONG_AGO))
    return dataclasses.replace(state, places={**_unexpired(state.places, now), holder: end})


def lease_end(now: datetime, lease: timedelta) -> datetime:
    """Return the end of a lease that is taken or renewed now: two clocks differ by twice their error."""
    return _to_millisecond(now) + lease + 2 * _CLOCK_ERROR


def usable(slot_at: datetime, now: datetime) -> bool:
    """Whether a call granted at `slot_at` may still be made: to be asked right before the call."""
    granted_at = _to_millisecond(slot_at)
    return granted_at <= _to_millisecond(now) <= granted_at + USE_WITHIN


def _wait_for_window(now: datetime, holder: str, policy: Policy) -> Slot | None:
    window = policy.window
    if window is None:
        return None
    opens = window.next_open(now, policy.zone)
    return Slot(_spread(opens, holder), granted=False, why=Why.WINDOW) if opens > now else None


def _wait_for_rows(state: BudgetState, rows: int, now: datetime, holder: str, policy: Policy) -> Slot | None:
    """Return the wait for the next reset where a day is full. No rows are kept for those who wait."""
    if not policy.rows_per_day:
        return None
    limit = policy.rows_per_day
    full = [day for day in _days(now, policy) if 0 < state.rows.get(day, 0) > limit - rows]
    if not full:
        return None
    reset = day_start(max(full) + timedelta(days=1), policy.reset_hour, policy.zone)
    return Slot(_spread(reset + _COUNTED_AROUND, holder), granted=False, why=Why.ROWS)


def _count_rows(state: BudgetState, rows: int, now: datetime, policy: Policy) -> dict[date, int]:
    """Count rows for each day on which they may reach Target, and drop the days that are certainly over.

    A day that is over by one clock may not be over by another, and a withdrawal may still be about it.
    """
    days = _days(now, policy)
    recent = {day: count for day, count in state.rows.items() if abs(day - min(days)) <= _DAYS_KEPT}
    return recent | {day: state.rows.get(day, 0) + rows for day in days}


def _days(now: datetime, policy: Policy) -> set[date]:
    """Return the days on which a submission granted now may reach Target: one, or two near a reset."""
    around = (now - _COUNTED_AROUND, now + _COUNTED_AROUND)
    return {day_of(moment, policy.reset_hour, policy.zone) for moment in around}


def _turn(free: datetime, earliest: datetime) -> datetime:
    """Return the next free turn, so that those who wait come back one after the other."""
    return free if earliest <= free <= earliest + _LONGEST_TURN else earliest


def _spread(opens: datetime, holder: str) -> datetime:
    """Return a time of the holder's own after an opening, so that not all who wait come back at once."""
    return opens + zlib.crc32(f"{holder} {timestamp(opens)}".encode()) % _SPREAD * MILLISECOND


def _unexpired(places: Mapping[str, datetime], now: datetime) -> dict[str, datetime]:
    return {holder: end for holder, end in places.items() if end > now}


def _to_millisecond(moment: datetime) -> datetime:
    """Cut a moment to whole milliseconds, as a timestamp has them."""
    return moment.astimezone(UTC).replace(microsecond=moment.microsecond // 1000 * 1000)
