"""The budget's rules, one limit after the other."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from bulk_profiles.budget.policy import Policy
from bulk_profiles.budget.reserve import (
    Slot,
    lease_end,
    release,
    renew,
    reserve_check,
    reserve_submission,
    usable,
    withdraw,
)
from bulk_profiles.budget.state import BudgetState
from bulk_profiles.core.models import Why

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
TODAY, TOMORROW = date(2026, 11, 24), date(2026, 11, 25)
MIDNIGHT = datetime(2026, 11, 25, tzinfo=UTC)
LEASE = timedelta(minutes=30)
CLOCK_ERROR = timedelta(minutes=10)
AROUND = CLOCK_ERROR + timedelta(seconds=5)
MS = timedelta(milliseconds=1)


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def policy(**changes: Any) -> Policy:
    return Policy(**{"calls_per_minute": 50, "max_in_flight": 10, **changes})


def submit(
    state: BudgetState,
    now: datetime,
    holder: str = "one",
    *,
    rows: int = 100,
    under: Policy | None = None,
    waited: int = 1,
) -> tuple[BudgetState, Slot]:
    return reserve_submission(
        state, holder=holder, rows=rows, now=now, policy=under or policy(), lease=LEASE, waited=waited
    )


def check(
    state: BudgetState, now: datetime, *, under: Policy | None = None, waited: int = 1
) -> tuple[BudgetState, Slot]:
    return reserve_check(state, now=now, policy=under or policy(), waited=waited)


def quiet_since(now: datetime, **changes: Any) -> BudgetState:
    return BudgetState(**{"asked_at": now, "full_at": now, **changes})


class TestCalls:
    def test_reserve_check_after_quiet_is_granted(self) -> None:
        assert check(BudgetState(), NOON, waited=0)[1] == Slot(NOON, granted=True, why=None)

    def test_reserve_check_grants_a_burst_then_one_every_spacing(self) -> None:
        state = BudgetState()
        for _ in range(3):
            state, slot = check(state, NOON)
            assert slot == Slot(NOON, granted=True)
        state, slot = check(state, NOON)
        assert slot == Slot(NOON + seconds(1.445), granted=False, why=Why.CALLS)
        assert not check(state, slot.at - MS)[1].granted
        state, slot = check(state, slot.at)
        assert slot.granted
        assert not check(state, slot.at)[1].granted

    def test_reserve_check_gives_each_waiter_a_turn(self) -> None:
        state = quiet_since(NOON, full_at=NOON + seconds(4.335))
        turns = []
        for _ in range(4):
            state, slot = check(state, NOON)
            turns.append(slot.at - NOON)
        assert turns == [seconds(1.445 * n) for n in (1, 2, 3, 4)]
        assert state.full_at == NOON + seconds(4.335)  # waiting costs nothing
        assert check(state, NOON + MS)[0].asked_at == NOON + MS  # but the budget's clock goes on

    def test_reserve_check_of_a_newcomer_waits_for_its_turn(self) -> None:
        state = quiet_since(NOON, call_turn_at=NOON + seconds(3))
        after, slot = check(state, NOON, waited=0)
        assert slot == Slot(NOON + seconds(3), granted=False, why=Why.CALLS)
        assert after.call_turn_at == NOON + seconds(3 + 1.445)
        assert check(state, NOON, waited=1)[1].granted
        assert check(state, NOON + seconds(3) - MS, waited=0)[1].granted is False
        assert check(state, NOON + seconds(3), waited=0)[1].granted

    def test_reserve_check_drops_a_turn_that_is_too_late(self) -> None:
        state = quiet_since(NOON, call_turn_at=NOON + MS + timedelta(minutes=15))
        assert check(state, NOON, waited=0)[1].at == NOON + MS + timedelta(minutes=15)
        state = quiet_since(NOON, call_turn_at=NOON + 2 * MS + timedelta(minutes=15))
        assert check(state, NOON, waited=0)[1].at == NOON + MS

    def test_reserve_check_with_a_clock_that_goes_back_waits(self) -> None:
        state = BudgetState()
        for _ in range(3):
            state, _ = check(state, NOON)
        state, slot = check(state, NOON - CLOCK_ERROR)
        assert slot == Slot(NOON + seconds(1.445), granted=False, why=Why.CALLS)
        assert state.asked_at == NOON

    @pytest.mark.fault(60, "a clock that is slow")
    def test_reserve_check_with_a_slow_clock_uses_the_latest_clock(self) -> None:
        slow = NOON - CLOCK_ERROR
        state, slot = check(quiet_since(NOON), slow)
        assert slot == Slot(slow, granted=True)
        assert (state.asked_at, state.full_at) == (NOON, NOON + seconds(1.445))

    @pytest.mark.fault(60, "a clock that leaps ahead")
    def test_reserve_check_with_a_leaping_clock_gains_one_burst(self) -> None:
        state, granted = BudgetState(), 0
        for now in (NOON, NOON + CLOCK_ERROR, NOON):
            for _ in range(10):
                state, slot = check(state, now)
                granted += slot.granted
        assert granted == 2 * policy().burst

    def test_reserve_check_cuts_times_to_milliseconds(self) -> None:
        state, slot = check(BudgetState(), NOON + timedelta(microseconds=1999))
        assert slot.at == NOON + MS
        assert state == quiet_since(NOON + MS, full_at=NOON + MS + seconds(1.445))

    def test_reserve_check_takes_a_time_of_any_zone(self) -> None:
        elsewhere = NOON.astimezone(policy(time_zone="Asia/Tokyo").zone)
        state, _ = check(BudgetState(), elsewhere)
        assert state.asked_at == NOON
        assert state.asked_at.tzinfo is UTC

    @pytest.mark.parametrize(
        ("late", "fits"),
        [(-0.001, False), (0, True), (0.0005, True), (3, True), (3.0005, True), (3.001, False)],
    )
    def test_usable_is_true_for_three_seconds(self, late: float, fits: bool) -> None:
        assert usable(NOON, NOON + seconds(late)) is fits

    def test_usable_compares_whole_milliseconds(self) -> None:
        assert usable(NOON + timedelta(microseconds=900), NOON + timedelta(microseconds=100))


class TestPlaces:
    def full(self, **changes: Any) -> BudgetState:
        return quiet_since(NOON, places={"a": NOON + LEASE, "b": NOON + 2 * LEASE}, **changes)

    def test_reserve_submission_takes_a_call_and_a_place(self) -> None:
        state, slot = submit(BudgetState(), NOON)
        assert slot == Slot(NOON, granted=True)
        assert state == quiet_since(
            NOON, full_at=NOON + seconds(1.445), places={"one": NOON + LEASE + 2 * CLOCK_ERROR}
        )

    def test_reserve_submission_without_a_free_place_waits(self) -> None:
        two = policy(max_in_flight=2)
        state, first = submit(BudgetState(), NOON, "a", under=two)
        state, second = submit(state, NOON, "b", under=two)
        after, third = submit(state, NOON, "c", under=two)
        assert (first.granted, second.granted) == (True, True)
        assert third == Slot(NOON + seconds(20), granted=False, why=Why.PLACES)
        assert after.full_at == state.full_at
        assert submit(release(state, "a"), NOON, "c", under=two)[1].granted

    def test_reserve_submission_of_a_holder_takes_no_second_place(self) -> None:
        state, slot = submit(self.full(), NOON, "b", under=policy(max_in_flight=2))
        assert slot.granted
        assert state.places == {"a": NOON + LEASE, "b": NOON + 2 * LEASE}

    def test_reserve_submission_of_a_holder_needs_no_turn(self) -> None:
        state = self.full(place_turn_at=NOON + seconds(5))
        assert submit(state, NOON, "a", waited=0)[1].granted

    @pytest.mark.parametrize(
        ("waited", "wait"), [(0, 10), (1, 20), (10, 110), (89, 900), (90, 900), (500, 900)]
    )
    def test_reserve_submission_waits_longer_each_time(self, waited: int, wait: int) -> None:
        after, slot = submit(self.full(), NOON, "c", under=policy(max_in_flight=2), waited=waited)
        assert slot.at == NOON + seconds(wait)
        assert after.place_turn_at == slot.at + seconds(1)

    def test_reserve_submission_gives_each_waiter_a_turn(self) -> None:
        state, turns = self.full(), []
        for name in ("c", "d", "e"):
            state, slot = submit(state, NOON, name, under=policy(max_in_flight=2, retry_seconds=20), waited=0)
            turns.append(slot.at)
        assert turns == [NOON + seconds(n) for n in (20, 22, 24)]

    def test_reserve_submission_of_a_newcomer_waits_for_its_turn(self) -> None:
        state = quiet_since(NOON, place_turn_at=NOON + seconds(11))
        assert submit(state, NOON, waited=0)[1] == Slot(NOON + seconds(11), granted=False, why=Why.PLACES)
        assert submit(state, NOON, waited=1)[1].granted
        assert not submit(state, NOON + seconds(11) - MS, waited=0)[1].granted
        assert submit(state, NOON + seconds(11), waited=0)[1].granted

    def test_reserve_submission_of_a_newcomer_waits_for_calls_too(self) -> None:
        state = quiet_since(NOON, call_turn_at=NOON + seconds(1))
        assert submit(state, NOON, waited=0)[1].why == Why.CALLS
        assert submit(state, NOON, waited=1)[1].granted

    def test_reserve_submission_takes_a_place_whose_lease_ended(self) -> None:
        two = policy(max_in_flight=2)
        assert not submit(self.full(), NOON + LEASE - MS, "c", under=two)[1].granted
        state, slot = submit(self.full(), NOON + LEASE, "c", under=two)
        assert slot.granted
        assert sorted(state.places) == ["b", "c"]

    def test_reserve_submission_that_waits_drops_ended_leases(self) -> None:
        one = policy(max_in_flight=1)
        after, slot = submit(self.full(), NOON + LEASE, "c", under=one)
        assert slot.why == Why.PLACES
        assert after.places == {"b": NOON + 2 * LEASE}

    def test_renew_lasts_for_the_lease_and_twice_the_clock_error(self) -> None:
        state = renew(self.full(), "a", NOON + seconds(1), LEASE)
        assert state.places == {
            "a": NOON + seconds(1) + LEASE + 2 * CLOCK_ERROR,
            "b": NOON + 2 * LEASE,
        }

    def test_renew_never_shortens_a_lease(self) -> None:
        assert renew(self.full(), "b", NOON - LEASE, LEASE).places["b"] == NOON + 2 * LEASE

    def test_renew_after_the_lease_ended_takes_the_place_again(self) -> None:
        late = NOON + 2 * LEASE
        assert renew(self.full(), "a", late, LEASE).places == {"a": late + LEASE + 2 * CLOCK_ERROR}

    def test_renew_cuts_times_to_milliseconds(self) -> None:
        state = renew(BudgetState(), "a", NOON + timedelta(microseconds=1), LEASE)
        assert BudgetState.from_json(state.to_json()) == state

    def test_release_frees_one_place(self) -> None:
        assert release(self.full(), "a").places == {"b": NOON + 2 * LEASE}
        assert release(self.full(), "nobody") == self.full()

    def test_release_of_a_place_renewed_since_changes_nothing(self) -> None:
        ours = lease_end(NOON, LEASE)
        state = renew(BudgetState(), "a", NOON, LEASE)
        assert release(state, "a", ours).places == {}
        later = renew(state, "a", NOON + timedelta(milliseconds=1), LEASE)
        assert release(later, "a", ours) == later
        assert withdraw(
            later, holder="a", rows=1, granted_at=NOON, policy=policy(), leased_until=ours
        ).places == dict(later.places)

    def test_reserve_submission_without_a_call_takes_nothing(self) -> None:
        state = quiet_since(NOON, full_at=NOON + seconds(60))
        after, slot = submit(state, NOON, under=policy(rows_per_day=1000))
        assert slot.why == Why.CALLS
        assert slot.at == NOON + seconds(60 - 2 * 1.445)
        assert (after.places, after.rows, after.full_at) == ({}, {}, state.full_at)

    def test_reserve_submission_2000_times_keeps_a_small_item(self) -> None:
        many = policy(max_in_flight=10, rows_per_day=10**9, calls_per_minute=3000)
        state = BudgetState()
        for n in range(2000):
            holder = f"{'x' * 53}#{n:05d}"
            state, _ = submit(state, NOON + n * timedelta(minutes=1), holder, under=many, waited=n % 3)
        assert len(json.dumps(state.to_json())) < 2000


class TestRows:
    limits = policy(rows_per_day=1000)

    def day_with(self, rows: int, day: date = TODAY) -> BudgetState:
        return quiet_since(NOON, rows={day: rows})

    def test_reserve_submission_counts_rows_of_the_day(self) -> None:
        state, _ = submit(BudgetState(), NOON, rows=300, under=self.limits)
        assert state.rows == {TODAY: 300}
        state, _ = submit(state, NOON, rows=300, under=self.limits)
        assert state.rows == {TODAY: 600}

    def test_reserve_submission_fills_a_day_to_the_last_row(self) -> None:
        assert submit(self.day_with(900), NOON, rows=100, under=self.limits)[1].granted
        assert not submit(self.day_with(900), NOON, rows=101, under=self.limits)[1].granted

    def test_reserve_submission_on_a_full_day_waits_for_the_reset(self) -> None:
        state = self.day_with(1000)
        after, slot = submit(state, NOON, rows=1, under=self.limits)
        assert after is state
        assert (slot.granted, slot.why) == (False, Why.ROWS)
        assert MIDNIGHT + AROUND <= slot.at < MIDNIGHT + AROUND + seconds(60)

    def test_reserve_submission_spreads_waits_in_a_new_order(self) -> None:
        def turns(day: date, now: datetime) -> list[int]:
            slots = [
                submit(self.day_with(1000, day), now, f"b{n}", under=self.limits)[1].at for n in range(50)
            ]
            assert len(set(slots)) > 45
            return sorted(range(50), key=slots.__getitem__)

        assert turns(TODAY, NOON) != turns(TOMORROW, NOON + timedelta(days=1))

    def test_reserve_submission_at_its_time_after_reset_is_granted(self) -> None:
        _, slot = submit(self.day_with(1000), NOON, rows=1, under=self.limits)
        after, slot = submit(self.day_with(1000), slot.at, rows=1, under=self.limits)
        assert slot.granted
        assert after.rows[TOMORROW] == 1

    @pytest.mark.parametrize(
        ("now", "days"),
        [
            (MIDNIGHT - AROUND - MS, {TODAY}),
            (MIDNIGHT - AROUND, {TODAY, TOMORROW}),
            (MIDNIGHT, {TODAY, TOMORROW}),
            (MIDNIGHT + AROUND - MS, {TODAY, TOMORROW}),
            (MIDNIGHT + AROUND, {TOMORROW}),
        ],
    )
    def test_reserve_submission_near_the_reset_counts_both_days(self, now: datetime, days: set[date]) -> None:
        state, _ = submit(BudgetState(), now, rows=300, under=self.limits)
        assert state.rows == dict.fromkeys(days, 300)

    @pytest.mark.parametrize(("full", "reset"), [(TODAY, MIDNIGHT), (TOMORROW, MIDNIGHT + timedelta(days=1))])
    def test_reserve_submission_near_the_reset_needs_room_on_both(self, full: date, reset: datetime) -> None:
        _, slot = submit(self.day_with(1000, full), MIDNIGHT, under=self.limits)
        assert reset + AROUND <= slot.at < reset + AROUND + seconds(60)

    def test_reserve_submission_with_both_days_full_waits_for_later(self) -> None:
        state = quiet_since(NOON, rows={TODAY: 1000, TOMORROW: 1000})
        _, slot = submit(state, MIDNIGHT, under=self.limits)
        assert slot.at >= MIDNIGHT + timedelta(days=1)

    def test_reserve_submission_above_a_day_goes_on_an_empty_day(self) -> None:
        state, slot = submit(self.day_with(1), NOON, rows=1001, under=self.limits)
        assert not slot.granted
        state, slot = submit(state, slot.at, rows=1001, under=self.limits)
        assert slot.granted
        assert state.rows[TOMORROW] == 1001
        assert not submit(state, slot.at + seconds(60), rows=1, under=self.limits)[1].granted

    def test_reserve_submission_without_a_limit_counts_nothing(self) -> None:
        state, slot = submit(self.day_with(10**9), NOON)
        assert slot.granted
        assert state.rows == {}

    def test_reserve_submission_counts_a_second_submission_again(self) -> None:
        state, _ = submit(self.day_with(0), NOON, rows=400, under=self.limits)
        state, _ = submit(state, NOON + seconds(60), rows=400, under=self.limits)
        assert state.rows == {TODAY: 800}
        assert len(state.places) == 1

    def test_reserve_submission_keeps_rows_of_two_days_around(self) -> None:
        before = {TODAY + timedelta(days=days): 1 for days in range(-4, 5)}
        state, _ = submit(quiet_since(NOON, rows=before), NOON, rows=300, under=self.limits)
        kept = {TODAY + timedelta(days=days): 1 for days in range(-2, 3)}
        assert state.rows == kept | {TODAY: 301}

    def test_withdraw_frees_rows_and_place_and_not_the_call(self) -> None:
        before = self.day_with(200)
        state, slot = submit(before, NOON, rows=400, under=self.limits)
        state = withdraw(state, holder="one", rows=400, granted_at=slot.at, policy=self.limits)
        assert (state.rows, state.places) == ({TODAY: 200}, {})
        assert state.full_at > before.full_at  # the call was made

    def test_withdraw_subtracts_on_the_counted_days_only(self) -> None:
        state = quiet_since(NOON, rows={TODAY: 50, TOMORROW: 900})
        after = withdraw(state, holder="one", rows=100, granted_at=NOON, policy=self.limits)
        assert after.rows == {TODAY: 0, TOMORROW: 900}

    def test_reserve_submission_starts_a_day_at_the_reset_hour(self) -> None:
        limits = policy(rows_per_day=1000, reset_hour=4, time_zone="Asia/Tokyo")
        reset = datetime(2026, 11, 24, 19, tzinfo=UTC)
        assert submit(BudgetState(), NOON, under=limits)[0].rows == {TODAY: 100}
        assert submit(BudgetState(), reset + AROUND, under=limits)[0].rows == {TOMORROW: 100}
        _, slot = submit(self.day_with(1000), NOON, under=limits)
        assert reset + AROUND <= slot.at < reset + AROUND + seconds(60)

    def test_withdraw_near_the_reset_keeps_other_submissions(self) -> None:
        """Near the reset two clocks disagree: what one counted for tomorrow, the other must not forget."""
        policy = Policy(calls_per_minute=3000, max_in_flight=9, rows_per_day=1000)
        eve, early = datetime(2026, 11, 24, 23, 55, tzinfo=UTC), datetime(2026, 11, 24, 23, 45, tzinfo=UTC)

        def submit(state: BudgetState, holder: str, rows: int, now: datetime) -> BudgetState:
            state, slot = reserve_submission(
                state, holder=holder, rows=rows, now=now, policy=policy, lease=timedelta(hours=1), waited=1
            )
            assert slot.granted
            return state

        state = submit(BudgetState(), "a", 400, eve)  # may arrive today or tomorrow
        state = submit(state, "b", 1, early)  # today, for certain
        state = submit(state, "c", 500, eve)
        state = withdraw(state, holder="a", rows=400, granted_at=eve, policy=policy)

        assert state.rows == {date(2026, 11, 24): 501, date(2026, 11, 25): 500}


class TestWindow:
    limits = policy(upload_window="20:00-06:00", time_zone="Europe/Paris", rows_per_day=1)

    def test_reserve_submission_outside_the_window_waits(self) -> None:
        state = quiet_since(NOON, rows={TODAY: 5})
        after, slot = submit(state, NOON, under=self.limits)
        assert after is state
        assert (slot.granted, slot.why) == (False, Why.WINDOW)
        opens = datetime(2026, 11, 24, 19, tzinfo=UTC)
        assert opens <= slot.at < opens + seconds(60)

    def test_reserve_submission_spreads_the_waits_for_the_window(self) -> None:
        slots = {submit(BudgetState(), NOON, f"b{n}", under=self.limits)[1].at for n in range(50)}
        assert len(slots) > 45
        assert max(slots) - min(slots) > seconds(30)
        assert all(slot.microsecond % 1000 == 0 for slot in slots)

    def test_reserve_submission_inside_the_window_is_granted(self) -> None:
        assert submit(BudgetState(), NOON.replace(hour=19), under=self.limits)[1].granted

    def test_reserve_check_outside_the_window_is_granted(self) -> None:
        assert check(BudgetState(), NOON, under=self.limits)[1].granted
