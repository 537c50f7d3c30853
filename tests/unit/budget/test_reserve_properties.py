"""The bounds of the budget under load: many askers, late calls, wrong clocks."""

from __future__ import annotations

import bisect
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_profiles.budget.policy import Policy
from bulk_profiles.budget.reserve import release, renew, reserve_check, reserve_submission, usable, withdraw
from bulk_profiles.budget.state import BudgetState

START = datetime(2026, 11, 24, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
LEASE = timedelta(minutes=30)
WRONG_BY = timedelta(minutes=10)
LATE = timedelta(seconds=4.999)

ms = st.integers(0, 5_000).map(lambda n: timedelta(milliseconds=n))
rates = st.one_of(st.integers(1, 120), st.sampled_from([600, 3000]))


def most_in_a_minute(calls: list[datetime]) -> int:
    calls = sorted(calls)
    return max(n + 1 - bisect.bisect_right(calls, call - MINUTE) for n, call in enumerate(calls))


def greedy(policy: Policy, length: timedelta, clocks: dict[timedelta, timedelta]) -> list[datetime]:
    """Return the true times of all calls of an asker that asks whenever a call may be granted.

    `clocks`: time to the error of its clock from then on.
    """
    state, granted, now = BudgetState(), [], START
    while now < START + length:
        wrong = next(wrong for since, wrong in reversed(clocks.items()) if now >= START + since)
        after, slot = reserve_check(state, now=now + wrong, policy=policy, waited=1)
        if slot.granted:
            state = after
            granted.append(now)
        else:
            changes = [START + since for since in clocks if START + since > now]
            now = min([slot.at - wrong, *changes])
    return granted


def arrivals(calls: list[datetime], begin: datetime) -> list[datetime]:
    """Return the densest arrivals from `begin` on: earlier calls as late as possible, later ones at once."""
    return [min(max(call, begin), call + LATE) for call in calls]


@given(rates)
def test_reserve_check_never_exceeds_the_calls_a_minute(calls_per_minute: int) -> None:
    policy = Policy(calls_per_minute=calls_per_minute, max_in_flight=1)
    granted = greedy(policy, 3 * MINUTE, {timedelta(0): timedelta(0)})
    assert most_in_a_minute(arrivals(granted, START + LATE)) <= calls_per_minute
    assert most_in_a_minute(arrivals(granted, START + MINUTE)) <= calls_per_minute
    in_first_minute = len([call for call in granted if call < START + MINUTE])
    assert in_first_minute == policy.burst + -(-MINUTE // policy.spacing) - 1


@given(
    st.integers(3, 200),
    st.integers(1, 90_000).map(lambda n: timedelta(milliseconds=n)),
    st.one_of(st.integers(-600_000, 600_000), st.just(600_000)).map(lambda n: timedelta(milliseconds=n)),
    st.integers(61_000, 90_000).map(lambda n: timedelta(milliseconds=n)),
)
def test_reserve_check_with_one_wrong_clock_exceeds_nothing(
    calls_per_minute: int, begins: timedelta, wrong: timedelta, lasts: timedelta
) -> None:
    policy = Policy(calls_per_minute=calls_per_minute, max_in_flight=1)
    clocks = {timedelta(0): timedelta(0), begins: wrong, begins + lasts: timedelta(0)}
    granted = greedy(policy, 4 * MINUTE, clocks)
    for begin in {START + LATE, START + begins, START + begins + LATE, START + begins + lasts}:
        assert most_in_a_minute(arrivals(granted, begin)) <= calls_per_minute


@given(rates, st.lists(st.tuples(ms, ms, st.integers(0, 3)), min_size=1, max_size=150))
def test_reserve_check_with_late_calls_exceeds_nothing(
    calls_per_minute: int, asks: list[tuple[timedelta, timedelta, int]]
) -> None:
    policy = Policy(calls_per_minute=calls_per_minute, max_in_flight=1)
    state, now, arrived = BudgetState(), START, []
    for pause, late, waited in asks:
        now += pause / 4
        state, slot = reserve_check(state, now=now, policy=policy, waited=waited)
        if slot.granted:
            assert slot.at == now.replace(microsecond=now.microsecond // 1000 * 1000)
            assert usable(slot.at, now)
            arrived.append(now + late * 0.9999)
        else:
            assert slot.at > now - timedelta(milliseconds=1)
    assert most_in_a_minute(arrived) <= calls_per_minute


@dataclass(frozen=True)
class Step:
    verb: str
    holder: str
    after: timedelta
    clock: timedelta
    rows: int


steps = st.builds(
    Step,
    verb=st.sampled_from(["submit", "submit", "submit", "check", "renew", "release", "withdraw"]),
    holder=st.sampled_from("abcdef"),
    after=st.sampled_from([*(n * MINUTE for n in (0, 0, 0, 0, 1, 2, 3, 5, 8, 13, 19)), DAY - 2 * WRONG_BY]),
    clock=st.one_of(st.sampled_from([-WRONG_BY, timedelta(0), WRONG_BY]), st.timedeltas(-WRONG_BY, WRONG_BY)),
    rows=st.integers(1, 7).map(lambda hundreds: hundreds * 100),
)
scripts = st.lists(steps, min_size=30, max_size=80)
policies = st.builds(
    Policy,
    calls_per_minute=st.sampled_from([50, 3000]),
    max_in_flight=st.integers(1, 3),
    rows_per_day=st.just(1000),
    reset_hour=st.integers(0, 3),
    time_zone=st.sampled_from(["UTC", "Europe/Paris"]),
)


@pytest.mark.fault(40, "places in flight and rows, with any clock")
def test_reserve_submission_with_any_clock_exceeds_nothing() -> None:
    """All clocks are wrong, each by its own up to ten minutes; time passes over the resets of two days."""
    reached = Counter[str]()
    given(policies, scripts)(lambda policy, script: exceeds_nothing(policy, script, reached))()
    floor = {"granted": 300, "deferred": 300, "check": 100, "renew": 100, "release": 50, "withdraw": 100}
    assert all(reached[what] >= times for what, times in floor.items()), reached


def exceeds_nothing(policy: Policy, script: list[Step], reached: Counter[str]) -> None:
    """Hold the limits at every step of a script, from before a reset on; count what it came to."""
    paris = policy.time_zone == "Europe/Paris"
    reset = datetime(2026, 10, 25, policy.reset_hour, tzinfo=UTC) - timedelta(hours=2 * paris)
    state, now = BudgetState(), reset - 2 * WRONG_BY
    leased: dict[str, datetime] = {}  # holder to the true end of its lease
    granted_at: dict[str, tuple[datetime, int, int]] = {}  # with the rows and their true day
    per_day: dict[int, int] = {}

    def day(moment: datetime) -> int:
        """Return the true day: Paris is 2 h ahead until October 25, 2026, 01:00 UTC, then 1 h."""
        ahead = 0
        if paris:
            ahead = 2 if moment < datetime(2026, 10, 25, 1, tzinfo=UTC) else 1
        return (moment + timedelta(hours=ahead - policy.reset_hour)).toordinal()

    for step in script:
        now += step.after
        clock = now + step.clock
        if step.verb == "submit":
            state, slot = reserve_submission(
                state, holder=step.holder, rows=step.rows, now=clock, policy=policy, lease=LEASE, waited=1
            )
            reached["granted" if slot.granted else "deferred"] += 1
            if slot.granted:
                others = [h for h, end in leased.items() if end > now and h != step.holder]
                assert len(others) < policy.max_in_flight
                leased[step.holder] = now + LEASE
                granted_at.pop(step.holder, None)
                granted_at[step.holder] = (slot.at, step.rows, day(now))
                per_day[day(now)] = per_day.get(day(now), 0) + step.rows
                assert per_day[day(now)] <= 1000
            else:
                assert slot.at > clock - timedelta(milliseconds=1)
        elif step.verb == "check":
            reached["check"] += 1
            state, _ = reserve_check(state, now=clock, policy=policy, waited=1)
        elif step.verb == "renew" and (alive := [h for h, end in leased.items() if end > now]):
            reached["renew"] += 1
            holder = max(alive, key=lambda name: name == step.holder)
            state = renew(state, holder, clock, LEASE)
            leased[holder] = now + LEASE
        elif step.verb == "release":
            reached["release"] += 1
            state = release(state, step.holder)
            leased.pop(step.holder, None)
        elif step.verb == "withdraw" and granted_at:  # whoever has asked last
            reached["withdraw"] += 1
            holder, (at, rows, counted_for) = granted_at.popitem()
            state = withdraw(state, holder=holder, rows=rows, granted_at=at, policy=policy)
            per_day[counted_for] -= rows
            leased.pop(holder, None)
        assert BudgetState.from_json(state.to_json()) == state
        assert len(state.rows) <= 5


@given(policies, st.lists(steps, max_size=40), st.timedeltas(-WRONG_BY, WRONG_BY))
def test_reserve_submission_is_granted_in_the_end(
    policy: Policy, script: list[Step], clock: timedelta
) -> None:
    """Whatever was asked before, by any clocks: an asker that comes back at its time gets its call."""
    state, now = BudgetState(), datetime(2026, 10, 24, 20, tzinfo=UTC)
    for step in script:
        now += step.after
        state, _ = reserve_submission(
            state,
            holder=step.holder,
            rows=step.rows,
            now=now + step.clock,
            policy=policy,
            lease=LEASE,
            waited=0,
        )
    now += clock
    for waited in range(200):
        state, slot = reserve_submission(
            state, holder="me", rows=500, now=now, policy=policy, lease=LEASE, waited=waited
        )
        if slot.granted:
            return
        now = slot.at + timedelta(seconds=1)
    raise AssertionError("still waiting")
