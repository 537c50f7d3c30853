"""When batches that wait will have been submitted."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from bulk_profiles.budget.forecast import last_submission
from bulk_profiles.budget.policy import Policy
from bulk_profiles.budget.state import BudgetState

NOW = datetime(2026, 11, 27, 15, tzinfo=UTC)
POLICY = Policy(calls_per_minute=50, max_in_flight=1, rows_per_day=1000)
SPREAD = timedelta(minutes=12)  # around a reset, and between those who wait for it


def forecast(batches: list[int], policy: Policy = POLICY, state: BudgetState | None = None) -> datetime:
    return last_submission(state or BudgetState(), batches, NOW, policy)


def test_what_the_day_has_room_for_goes_at_once() -> None:
    assert forecast([]) == NOW
    assert forecast([400, 600]) - NOW < timedelta(seconds=5)


def test_batches_beyond_the_rows_of_the_day_wait_for_the_days_they_need() -> None:
    used = BudgetState(rows={date(2026, 11, 27): 500})
    last = forecast([600, 600, 400], state=used)  # two days: 600, then 600 and 400
    assert timedelta(0) <= last - datetime(2026, 11, 29, tzinfo=UTC) <= SPREAD


def test_window_that_is_closed_is_waited_for() -> None:
    policy = Policy(calls_per_minute=50, max_in_flight=1, upload_window="20:00-21:00")
    last = forecast([1], policy)
    assert timedelta(0) <= last - datetime(2026, 11, 27, 20, tzinfo=UTC) <= SPREAD


@pytest.mark.parametrize(("calls", "minutes"), [(50, 4), (100, 2)])
def test_calls_a_minute_bound_how_fast_batches_go(calls: int, minutes: int) -> None:
    policy = Policy(calls_per_minute=calls, max_in_flight=1)
    last = forecast([1] * 200, policy)
    assert timedelta(minutes=minutes) <= last - NOW <= timedelta(minutes=minutes + 1)


def test_batch_larger_than_a_day_goes_on_a_day_of_its_own() -> None:
    last = forecast([500, 1500])
    assert timedelta(0) <= last - datetime(2026, 11, 28, tzinfo=UTC) <= SPREAD
