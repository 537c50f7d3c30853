from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from bulk_profiles.budget.policy import Policy
from bulk_profiles.budget.reserve import (
    Slot,
    Wait,
    lease_end,
    release,
    renew,
    reserve_check,
    reserve_submission,
    usable,
    withdraw,
)
from bulk_profiles.budget.state import BudgetState
from bulk_profiles.core.errors import LedgerError, SettingsError

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


class TestPolicy:
    @pytest.mark.parametrize(
        ("calls", "burst", "spacing"),
        [
            (1, 1, 65.0),
            (2, 1, 65.0),
            (3, 1, 32.5),
            (10, 1, 7.223),
            (24, 1, 2.827),
            (25, 2, 2.955),
            (50, 3, 1.445),
            (3000, 121, 0.024),
            (1_000_000, 40_001, 0.001),
        ],
    )
    def test_a_bucket_follows_from_the_calls_a_minute(self, calls: int, burst: int, spacing: float) -> None:
        limits = policy(calls_per_minute=calls)
        assert (limits.burst, limits.spacing) == (burst, seconds(spacing))

    @pytest.mark.parametrize(
        "changes",
        [
            {"calls_per_minute": 1},
            {"max_in_flight": 1},
            {"rows_per_day": 0},
            {"reset_hour": 0},
            {"reset_hour": 23},
            {"retry_seconds": 1},
            {"upload_window": "  "},
        ],
    )
    def test_the_least_that_makes_sense_is_taken(self, changes: dict[str, Any]) -> None:
        assert policy(**changes).window is None

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"calls_per_minute": 0}, "Calls a minute must be at least 1."),
            ({"max_in_flight": 0}, "Batches in flight must be at least 1."),
            ({"rows_per_day": -1}, "Rows a day must be 0 (no limit) or more."),
            ({"reset_hour": -1}, "The hour of the daily reset must be 0 to 23."),
            ({"reset_hour": 24}, "The hour of the daily reset must be 0 to 23."),
            ({"retry_seconds": 0}, "The wait for a place must be at least 1 second."),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, changes: dict[str, Any], message: str) -> None:
        with pytest.raises(SettingsError) as refused:
            policy(**changes)
        assert str(refused.value) == message

    def test_all_faults_are_named_at_once(self) -> None:
        with pytest.raises(SettingsError) as refused:
            policy(calls_per_minute=0, reset_hour=24, time_zone="Mars/Base", upload_window="at night")
        assert str(refused.value) == (
            "Calls a minute must be at least 1. The hour of the daily reset must be 0 to 23. "
            "The time zone is not known here: write it as Europe/Paris, and see that the function carries "
            "the tzdata package. The upload window makes no sense: write it as 20:00-06:00 or "
            "Mon-Fri 20:00-06:00, or leave it empty for always."
        )

    def test_defaults(self) -> None:
        limits = Policy(calls_per_minute=50, max_in_flight=10)
        assert (limits.rows_per_day, limits.reset_hour, limits.retry_seconds) == (0, 0, 10)
        assert limits.zone is UTC


class TestCalls:
    def test_the_first_call_after_quiet_goes_at_once(self) -> None:
        assert check(BudgetState(), NOON, waited=0)[1] == Slot(NOON, granted=True, reason="")

    def test_a_burst_goes_at_once_then_one_call_every_spacing(self) -> None:
        state = BudgetState()
        for _ in range(3):
            state, slot = check(state, NOON)
            assert slot == Slot(NOON, granted=True)
        state, slot = check(state, NOON)
        assert slot == Slot(NOON + seconds(1.445), granted=False, reason="calls a minute")
        assert not check(state, slot.at - MS)[1].granted
        state, slot = check(state, slot.at)
        assert slot.granted
        assert not check(state, slot.at)[1].granted

    def test_those_who_wait_get_one_turn_each(self) -> None:
        state = quiet_since(NOON, full_at=NOON + seconds(4.335))
        turns = []
        for _ in range(4):
            state, slot = check(state, NOON)
            turns.append(slot.at - NOON)
        assert turns == [seconds(1.445 * n) for n in (1, 2, 3, 4)]
        assert state.full_at == NOON + seconds(4.335)  # waiting costs nothing
        assert check(state, NOON + MS)[0].asked_at == NOON + MS  # but the budget's clock goes on

    def test_a_newcomer_lets_those_who_wait_go_first(self) -> None:
        state = quiet_since(NOON, call_turn_at=NOON + seconds(3))
        after, slot = check(state, NOON, waited=0)
        assert slot == Slot(NOON + seconds(3), granted=False, reason=Wait.CALLS)
        assert after.call_turn_at == NOON + seconds(3 + 1.445)
        assert check(state, NOON, waited=1)[1].granted
        assert check(state, NOON + seconds(3) - MS, waited=0)[1].granted is False
        assert check(state, NOON + seconds(3), waited=0)[1].granted

    def test_turns_far_ahead_start_over(self) -> None:
        state = quiet_since(NOON, call_turn_at=NOON + MS + timedelta(minutes=15))
        assert check(state, NOON, waited=0)[1].at == NOON + MS + timedelta(minutes=15)
        state = quiet_since(NOON, call_turn_at=NOON + 2 * MS + timedelta(minutes=15))
        assert check(state, NOON, waited=0)[1].at == NOON + MS

    def test_a_clock_that_goes_back_frees_nothing(self) -> None:
        state = BudgetState()
        for _ in range(3):
            state, _ = check(state, NOON)
        state, slot = check(state, NOON - CLOCK_ERROR)
        assert slot == Slot(NOON + seconds(1.445), granted=False, reason=Wait.CALLS)
        assert state.asked_at == NOON

    @pytest.mark.fault(60, "a clock that is slow")
    def test_a_slow_clock_goes_by_that_of_the_others(self) -> None:
        slow = NOON - CLOCK_ERROR
        state, slot = check(quiet_since(NOON), slow)
        assert slot == Slot(slow, granted=True)
        assert (state.asked_at, state.full_at) == (NOON, NOON + seconds(1.445))

    @pytest.mark.fault(60, "a clock that leaps ahead")
    def test_a_clock_that_leaps_ahead_gains_one_burst_and_no_more(self) -> None:
        state, granted = BudgetState(), 0
        for now in (NOON, NOON + CLOCK_ERROR, NOON):
            for _ in range(10):
                state, slot = check(state, now)
                granted += slot.granted
        assert granted == 2 * policy().burst

    def test_times_are_cut_to_milliseconds(self) -> None:
        state, slot = check(BudgetState(), NOON + timedelta(microseconds=1999))
        assert slot.at == NOON + MS
        assert state == quiet_since(NOON + MS, full_at=NOON + MS + seconds(1.445))

    def test_any_time_zone_will_do(self) -> None:
        elsewhere = NOON.astimezone(policy(time_zone="Asia/Tokyo").zone)
        state, _ = check(BudgetState(), elsewhere)
        assert state.asked_at == NOON
        assert state.asked_at.tzinfo is UTC

    @pytest.mark.parametrize(
        ("late", "fits"),
        [(-0.001, False), (0, True), (0.0005, True), (3, True), (3.0005, True), (3.001, False)],
    )
    def test_a_grant_is_good_for_three_seconds(self, late: float, fits: bool) -> None:
        assert usable(NOON, NOON + seconds(late)) is fits

    def test_a_grant_is_good_as_it_is_written(self) -> None:
        assert usable(NOON + timedelta(microseconds=900), NOON + timedelta(microseconds=100))


class TestPlaces:
    def full(self, **changes: Any) -> BudgetState:
        return quiet_since(NOON, places={"a": NOON + LEASE, "b": NOON + 2 * LEASE}, **changes)

    def test_a_submission_takes_a_call_and_a_place_together(self) -> None:
        state, slot = submit(BudgetState(), NOON)
        assert slot == Slot(NOON, granted=True)
        assert state == quiet_since(
            NOON, full_at=NOON + seconds(1.445), places={"one": NOON + LEASE + 2 * CLOCK_ERROR}
        )

    def test_the_last_place_is_given_and_no_more(self) -> None:
        two = policy(max_in_flight=2)
        state, first = submit(BudgetState(), NOON, "a", under=two)
        state, second = submit(state, NOON, "b", under=two)
        after, third = submit(state, NOON, "c", under=two)
        assert (first.granted, second.granted) == (True, True)
        assert third == Slot(NOON + seconds(20), granted=False, reason="batches in flight")
        assert after.full_at == state.full_at
        assert submit(release(state, "a"), NOON, "c", under=two)[1].granted

    def test_a_holder_keeps_its_place_and_takes_no_second(self) -> None:
        state, slot = submit(self.full(), NOON, "b", under=policy(max_in_flight=2))
        assert slot.granted
        assert state.places == {"a": NOON + LEASE, "b": NOON + 2 * LEASE}

    def test_a_holder_needs_no_turn(self) -> None:
        state = self.full(place_turn_at=NOON + seconds(5))
        assert submit(state, NOON, "a", waited=0)[1].granted

    @pytest.mark.parametrize(
        ("waited", "wait"), [(0, 10), (1, 20), (10, 110), (11, 120), (12, 120), (500, 120)]
    )
    def test_waits_grow(self, waited: int, wait: int) -> None:
        after, slot = submit(self.full(), NOON, "c", under=policy(max_in_flight=2), waited=waited)
        assert slot.at == NOON + seconds(wait)
        assert after.place_turn_at == slot.at + seconds(1)

    def test_those_who_wait_get_one_turn_each(self) -> None:
        state, turns = self.full(), []
        for name in ("c", "d", "e"):
            state, slot = submit(state, NOON, name, under=policy(max_in_flight=2, retry_seconds=20), waited=0)
            turns.append(slot.at)
        assert turns == [NOON + seconds(n) for n in (20, 22, 24)]

    def test_a_newcomer_lets_those_who_wait_go_first(self) -> None:
        state = quiet_since(NOON, place_turn_at=NOON + seconds(11))
        assert submit(state, NOON, waited=0)[1] == Slot(NOON + seconds(11), granted=False, reason=Wait.PLACES)
        assert submit(state, NOON, waited=1)[1].granted
        assert not submit(state, NOON + seconds(11) - MS, waited=0)[1].granted
        assert submit(state, NOON + seconds(11), waited=0)[1].granted

    def test_a_newcomer_also_waits_for_calls(self) -> None:
        state = quiet_since(NOON, call_turn_at=NOON + seconds(1))
        assert submit(state, NOON, waited=0)[1].reason == Wait.CALLS
        assert submit(state, NOON, waited=1)[1].granted

    def test_a_dead_batch_frees_its_place_when_its_lease_ends(self) -> None:
        two = policy(max_in_flight=2)
        assert not submit(self.full(), NOON + LEASE - MS, "c", under=two)[1].granted
        state, slot = submit(self.full(), NOON + LEASE, "c", under=two)
        assert slot.granted
        assert sorted(state.places) == ["b", "c"]

    def test_ended_leases_are_forgotten_also_while_waiting(self) -> None:
        one = policy(max_in_flight=1)
        after, slot = submit(self.full(), NOON + LEASE, "c", under=one)
        assert slot.reason == Wait.PLACES
        assert after.places == {"b": NOON + 2 * LEASE}

    def test_a_renewed_place_lasts_for_the_lease_and_twice_the_clocks_error(self) -> None:
        state = renew(self.full(), "a", NOON + seconds(1), LEASE)
        assert state.places == {
            "a": NOON + seconds(1) + LEASE + 2 * CLOCK_ERROR,
            "b": NOON + 2 * LEASE,
        }

    def test_a_renewal_never_shortens_a_lease(self) -> None:
        assert renew(self.full(), "b", NOON - LEASE, LEASE).places["b"] == NOON + 2 * LEASE

    def test_a_batch_whose_lease_had_ended_has_its_place_back(self) -> None:
        late = NOON + 2 * LEASE
        assert renew(self.full(), "a", late, LEASE).places == {"a": late + LEASE + 2 * CLOCK_ERROR}

    def test_a_renewal_is_cut_to_milliseconds(self) -> None:
        state = renew(BudgetState(), "a", NOON + timedelta(microseconds=1), LEASE)
        assert BudgetState.from_json(state.to_json()) == state

    def test_release_frees_one_place(self) -> None:
        assert release(self.full(), "a").places == {"b": NOON + 2 * LEASE}
        assert release(self.full(), "nobody") == self.full()

    def test_a_place_that_was_renewed_since_is_not_released(self) -> None:
        ours = lease_end(NOON, LEASE)
        state = renew(BudgetState(), "a", NOON, LEASE)
        assert release(state, "a", ours).places == {}
        later = renew(state, "a", NOON + timedelta(milliseconds=1), LEASE)
        assert release(later, "a", ours) == later
        assert withdraw(
            later, holder="a", rows=1, granted_at=NOON, policy=policy(), leased_until=ours
        ).places == dict(later.places)

    def test_without_a_call_no_place_is_taken(self) -> None:
        state = quiet_since(NOON, full_at=NOON + seconds(60))
        after, slot = submit(state, NOON, under=policy(rows_per_day=1000))
        assert slot.reason == Wait.CALLS
        assert slot.at == NOON + seconds(60 - 2 * 1.445)
        assert (after.places, after.rows, after.full_at) == ({}, {}, state.full_at)


class TestRows:
    limits = policy(rows_per_day=1000)

    def day_with(self, rows: int, day: date = TODAY) -> BudgetState:
        return quiet_since(NOON, rows={day: rows})

    def test_rows_are_counted_for_the_day(self) -> None:
        state, _ = submit(BudgetState(), NOON, rows=300, under=self.limits)
        assert state.rows == {TODAY: 300}
        state, _ = submit(state, NOON, rows=300, under=self.limits)
        assert state.rows == {TODAY: 600}

    def test_the_day_can_be_filled_to_the_last_row(self) -> None:
        assert submit(self.day_with(900), NOON, rows=100, under=self.limits)[1].granted
        assert not submit(self.day_with(900), NOON, rows=101, under=self.limits)[1].granted

    def test_what_does_not_fit_waits_for_the_reset_and_changes_nothing(self) -> None:
        state = self.day_with(1000)
        after, slot = submit(state, NOON, rows=1, under=self.limits)
        assert after is state
        assert (slot.granted, slot.reason) == (False, "rows a day")
        assert MIDNIGHT + AROUND <= slot.at < MIDNIGHT + AROUND + seconds(60)

    def test_those_who_wait_for_the_reset_come_one_by_one_in_a_new_order_each_day(self) -> None:
        def turns(day: date, now: datetime) -> list[int]:
            slots = [
                submit(self.day_with(1000, day), now, f"b{n}", under=self.limits)[1].at for n in range(50)
            ]
            assert len(set(slots)) > 45
            return sorted(range(50), key=slots.__getitem__)

        assert turns(TODAY, NOON) != turns(TOMORROW, NOON + timedelta(days=1))

    def test_whoever_waits_is_served_at_the_reset(self) -> None:
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
    def test_near_the_reset_rows_count_for_both_days(self, now: datetime, days: set[date]) -> None:
        state, _ = submit(BudgetState(), now, rows=300, under=self.limits)
        assert state.rows == dict.fromkeys(days, 300)

    @pytest.mark.parametrize(("full", "reset"), [(TODAY, MIDNIGHT), (TOMORROW, MIDNIGHT + timedelta(days=1))])
    def test_near_the_reset_both_days_must_have_room(self, full: date, reset: datetime) -> None:
        _, slot = submit(self.day_with(1000, full), MIDNIGHT, under=self.limits)
        assert reset + AROUND <= slot.at < reset + AROUND + seconds(60)

    def test_near_the_reset_the_fuller_day_later_decides(self) -> None:
        state = quiet_since(NOON, rows={TODAY: 1000, TOMORROW: 1000})
        _, slot = submit(state, MIDNIGHT, under=self.limits)
        assert slot.at >= MIDNIGHT + timedelta(days=1)

    def test_a_batch_of_more_rows_than_a_day_goes_on_an_empty_day(self) -> None:
        state, slot = submit(self.day_with(1), NOON, rows=1001, under=self.limits)
        assert not slot.granted
        state, slot = submit(state, slot.at, rows=1001, under=self.limits)
        assert slot.granted
        assert state.rows[TOMORROW] == 1001
        assert not submit(state, slot.at + seconds(60), rows=1, under=self.limits)[1].granted

    def test_without_a_limit_nothing_is_counted(self) -> None:
        state, slot = submit(self.day_with(10**9), NOON)
        assert slot.granted
        assert state.rows == {}

    def test_a_second_submission_counts_again(self) -> None:
        state, _ = submit(self.day_with(0), NOON, rows=400, under=self.limits)
        state, _ = submit(state, NOON + seconds(60), rows=400, under=self.limits)
        assert state.rows == {TODAY: 800}
        assert len(state.places) == 1

    def test_a_day_is_remembered_for_two_more(self) -> None:
        before = {TODAY + timedelta(days=days): 1 for days in range(-4, 5)}
        state, _ = submit(quiet_since(NOON, rows=before), NOON, rows=300, under=self.limits)
        kept = {TODAY + timedelta(days=days): 1 for days in range(-2, 3)}
        assert state.rows == kept | {TODAY: 301}

    def test_rows_that_target_surely_did_not_take_are_given_back(self) -> None:
        before = self.day_with(200)
        state, slot = submit(before, NOON, rows=400, under=self.limits)
        state = withdraw(state, holder="one", rows=400, granted_at=slot.at, policy=self.limits)
        assert (state.rows, state.places) == ({TODAY: 200}, {})
        assert state.full_at > before.full_at  # the call was made

    def test_rows_are_given_back_only_to_days_they_were_counted_for(self) -> None:
        state = quiet_since(NOON, rows={TODAY: 50, TOMORROW: 900})
        after = withdraw(state, holder="one", rows=100, granted_at=NOON, policy=self.limits)
        assert after.rows == {TODAY: 0, TOMORROW: 900}

    def test_a_day_begins_at_the_reset_hour_of_the_time_zone(self) -> None:
        limits = policy(rows_per_day=1000, reset_hour=4, time_zone="Asia/Tokyo")
        reset = datetime(2026, 11, 24, 19, tzinfo=UTC)
        assert submit(BudgetState(), NOON, under=limits)[0].rows == {TODAY: 100}
        assert submit(BudgetState(), reset + AROUND, under=limits)[0].rows == {TOMORROW: 100}
        _, slot = submit(self.day_with(1000), NOON, under=limits)
        assert reset + AROUND <= slot.at < reset + AROUND + seconds(60)


class TestWindow:
    limits = policy(upload_window="20:00-06:00", time_zone="Europe/Paris", rows_per_day=1)

    def test_outside_submissions_wait_and_nothing_changes(self) -> None:
        state = quiet_since(NOON, rows={TODAY: 5})
        after, slot = submit(state, NOON, under=self.limits)
        assert after is state
        assert (slot.granted, slot.reason) == (False, "upload window")
        opens = datetime(2026, 11, 24, 19, tzinfo=UTC)
        assert opens <= slot.at < opens + seconds(60)

    def test_those_who_wait_come_one_by_one(self) -> None:
        slots = {submit(BudgetState(), NOON, f"b{n}", under=self.limits)[1].at for n in range(50)}
        assert len(slots) > 45
        assert max(slots) - min(slots) > seconds(30)
        assert all(slot.microsecond % 1000 == 0 for slot in slots)

    def test_inside_they_go(self) -> None:
        assert submit(BudgetState(), NOON.replace(hour=19), under=self.limits)[1].granted

    def test_checks_are_not_bound_by_it(self) -> None:
        assert check(BudgetState(), NOON, under=self.limits)[1].granted


class TestJson:
    state = BudgetState(
        asked_at=NOON,
        full_at=NOON + MS,
        call_turn_at=NOON + 2 * MS,
        place_turn_at=NOON + 3 * MS,
        places={"b": NOON, "a": NOON},
        rows={TOMORROW: 2, TODAY: 1},
    )
    text = (
        '{"askedAt": "2026-11-24T12:00:00.000Z", "fullAt": "2026-11-24T12:00:00.001Z",'
        ' "callTurnAt": "2026-11-24T12:00:00.002Z", "placeTurnAt": "2026-11-24T12:00:00.003Z",'
        ' "places": {"a": "2026-11-24T12:00:00.000Z", "b": "2026-11-24T12:00:00.000Z"},'
        ' "rows": {"2026-11-24": 1, "2026-11-25": 2}}'
    )

    def test_written(self) -> None:
        assert json.dumps(self.state.to_json()) == self.text

    def test_read(self) -> None:
        read = BudgetState.from_json(json.loads(self.text))
        assert read == self.state
        assert read.asked_at.tzinfo is UTC

    def test_a_new_budget_survives_too(self) -> None:
        assert BudgetState.from_json(BudgetState().to_json()) == BudgetState()

    def test_another_offset_is_read_as_the_same_moment(self) -> None:
        data = json.loads(self.text) | {"askedAt": "2026-11-24T13:00:00.000+01:00"}
        assert BudgetState.from_json(data) == self.state

    @pytest.mark.parametrize(
        "change",
        [
            {"askedAt": None},
            {"fullAt": 5},
            {"callTurnAt": "soon"},
            {"placeTurnAt": "2026-11-24T12:00:00"},
            {"places": ["a"]},
            {"places": {"a": 1}},
            {"rows": {"someday": 1}},
            {"rows": {"2026-11-24": "1"}},
            {"rows": {"2026-11-24": -1}},
            {"rows": {"2026-11-24": 0.5}},
            {"rows": None},
        ],
    )
    def test_what_was_never_written_is_refused(self, change: dict[str, Any]) -> None:
        with pytest.raises(LedgerError) as refused:
            BudgetState.from_json(json.loads(self.text) | change)
        assert str(refused.value) == (
            "The client's budget in the ledger cannot be read. When no import of the client is running, "
            "delete its item (CLIENT#<client code> / BUDGET): the budget starts afresh."
        )

    @pytest.mark.parametrize("data", [None, [], "state", {}, {"askedAt": "2026-11-24T12:00:00.000Z"}])
    def test_other_shapes_are_refused(self, data: Any) -> None:
        with pytest.raises(LedgerError):
            BudgetState.from_json(data)

    def test_no_rows_today_is_legal(self) -> None:
        data = json.loads(self.text) | {"rows": {"2026-11-24": 0}}
        assert BudgetState.from_json(data).rows == {TODAY: 0}

    def test_the_item_stays_small(self) -> None:
        many = policy(max_in_flight=10, rows_per_day=10**9, calls_per_minute=3000)
        state = BudgetState()
        for n in range(2000):
            holder = f"{'x' * 53}#{n:05d}"
            state, _ = submit(state, NOON + n * timedelta(minutes=1), holder, under=many, waited=n % 3)
        assert len(json.dumps(state.to_json())) < 2000


def test_a_withdrawal_takes_nothing_from_another_days_count() -> None:
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
