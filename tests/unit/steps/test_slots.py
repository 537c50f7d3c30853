"""The slots of a client: what a batch reserves of the budget, for how long, and what it gives back."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bulk_profiles.aws.dynamodb import VersionedTable
from bulk_profiles.budget.policy import Policy
from bulk_profiles.budget.state import BudgetState
from bulk_profiles.core.errors import ConflictError
from bulk_profiles.core.models import BatchState, Why
from bulk_profiles.ledger.batch_entry import BatchEntry, FollowUp
from bulk_profiles.ledger.ledger import Ledger
from bulk_profiles.steps.settings import TargetSettings
from bulk_profiles.steps.slots import Slots
from tests.worlds.watched_table import WatchedTable

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
LIFETIME = timedelta(minutes=15)  # the longest that a function runs
CLOCKS = timedelta(minutes=20)  # two clocks may differ by so much
SETTINGS = TargetSettings(
    data_bucket="data",
    imports_table="imports",
    target_endpoint="https://{client}.tt.omtrdc.net",
    client_code="demo",
    calls_per_minute=50,
    max_in_flight=1,
    rows_per_day=1000,
    reset_hour=0,
    time_zone="UTC",
    max_submissions=3,
    first_check_seconds=60,
    max_check_seconds=900,
    deadline_hours=24,
    retention_days=30,
)
FIRST, SECOND = (BatchEntry("crm-1", number, 100, 2000, f"{number}") for number in (1, 2))


@pytest.fixture
def ledger(table: WatchedTable) -> Ledger:
    return Ledger(VersionedTable(table, timedelta(days=30)))  # type: ignore[arg-type]  # at the boundary


POLICY = Policy(calls_per_minute=50, max_in_flight=1, rows_per_day=1000)
EACH_GIVING_BACK = pytest.mark.parametrize(
    "give_back",
    [lambda slots: slots.withdraw(FIRST, POLICY, NOW), lambda slots: slots.free(FIRST, NOW)],
    ids=["withdraw", "free"],
)
ONE_CALL = dataclasses.replace(POLICY, calls_per_minute=1)


def slots(ledger: Ledger, **settings: Any) -> Slots:
    return Slots(ledger, dataclasses.replace(SETTINGS, **settings), "demo")


def budget(ledger: Ledger) -> BudgetState:
    return ledger.change_budget("demo", NOW, lambda state: (state, state))


@pytest.fixture
def contended(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """A ledger whose budget others change all the time."""

    def conflict(*_: Any) -> None:
        raise ConflictError("changed")

    monkeypatch.setattr(Ledger, "change_budget", conflict)
    return ledger


# --- taking ---


def test_take_submission_leases_a_place_and_counts_rows(ledger: Ledger) -> None:
    batch, ask_at = slots(ledger).take_submission(FIRST.change(deferrals=2), POLICY, NOW)
    assert (ask_at, batch.deferrals) == (None, 0)
    assert list(budget(ledger).places) == ["crm-1#1"]
    assert budget(ledger).rows == {NOW.date(): 100}


def test_take_submission_of_a_follow_up_counts_its_own_rows(ledger: Ledger) -> None:
    slots(ledger).take_submission(FIRST.change(follow_ups=(FollowUp(2, 7, 99, "aa"),)), POLICY, NOW)
    assert budget(ledger).rows == {NOW.date(): 7}


@pytest.mark.parametrize(("first_check", "longest_check"), [(60, 900), (900, 60)])
def test_place_outlives_the_longest_wait_and_the_function_after_it(
    ledger: Ledger, first_check: int, longest_check: int
) -> None:
    """Whoever comes to renew it may be at the very end of its time."""
    held = slots(ledger, first_check_seconds=first_check, max_check_seconds=longest_check)
    held.take_submission(FIRST, POLICY, NOW)
    assert budget(ledger).places["crm-1#1"] == NOW + timedelta(seconds=900) + LIFETIME + CLOCKS


@pytest.mark.parametrize(
    ("limits", "wait"),
    [
        ({"max_in_flight": 1}, timedelta(seconds=10)),
        ({"rows_per_day": 150}, timedelta(hours=15, minutes=10)),
        ({"rows_per_day": 150, "reset_hour": 12}, timedelta(hours=3, minutes=10)),
        ({"rows_per_day": 150, "time_zone": "Asia/Tokyo"}, timedelta(hours=6, minutes=10)),
        ({"calls_per_minute": 1}, timedelta(seconds=65)),
        ({"upload_window": "20:00-21:00"}, timedelta(hours=11)),
    ],
)
def test_take_submission_obeys_every_limit(ledger: Ledger, limits: dict[str, Any], wait: timedelta) -> None:
    """Those who wait for a day or a window come back spread over the minute after it has begun."""
    policy = dataclasses.replace(POLICY, **{"max_in_flight": 9} | limits)
    slots(ledger).take_submission(FIRST, dataclasses.replace(policy, upload_window=""), NOW)
    _, ask_at = slots(ledger).take_submission(SECOND, policy, NOW)
    assert ask_at is not None
    assert wait <= ask_at - NOW <= wait + timedelta(seconds=66)


def test_deferral_is_counted_and_written_without_a_new_version(ledger: Ledger) -> None:
    """Another execution of the import may be at work on the same batch."""
    taken = slots(ledger)
    taken.take_submission(FIRST, POLICY, NOW)
    ledger._table.create({"pk": "IMPORT#crm-1", "sk": "BATCH#00002"}, SECOND.to_json(), NOW, over=False)
    for deferrals in (1, 2):
        batch, ask_at = taken.take_submission(ledger.get_batch("crm-1", 2), POLICY, NOW)
        assert ask_at is not None
        assert batch.deferrals == ledger.get_batch("crm-1", 2).deferrals == deferrals
        assert ledger.get_batch("crm-1", 2).version == 0


def test_batch_that_came_back_often_waits_longer(ledger: Ledger) -> None:
    slots(ledger).take_submission(FIRST, POLICY, NOW)
    _, soon = slots(ledger).take_submission(SECOND, POLICY, NOW)
    _, later = slots(ledger).take_submission(SECOND.change(deferrals=5), POLICY, NOW)
    assert soon is not None
    assert later is not None
    assert soon - NOW == timedelta(seconds=10)
    assert later - NOW >= timedelta(seconds=60)


def test_take_check_renews_the_place_of_its_batch(ledger: Ledger) -> None:
    """A batch that Target works on for hours stays in flight as long as somebody asks for it."""
    slots(ledger).take_submission(FIRST, POLICY, NOW)
    _, ask_at = slots(ledger).take_check(FIRST, POLICY, NOW + timedelta(minutes=30))
    assert ask_at is None
    assert budget(ledger).places["crm-1#1"] == NOW + timedelta(minutes=30 + 15) + LIFETIME + CLOCKS


def test_take_check_needs_no_place_and_no_rows(ledger: Ledger) -> None:
    slots(ledger).take_submission(FIRST, POLICY, NOW)
    _, ask_at = slots(ledger).take_check(SECOND, POLICY, NOW)
    assert ask_at is None
    assert budget(ledger).rows == {NOW.date(): 100}


def test_take_check_counts_as_a_call(ledger: Ledger) -> None:
    one_call = slots(ledger)
    one_call.take_check(FIRST, ONE_CALL, NOW)
    batch, ask_at = one_call.take_check(FIRST, ONE_CALL, NOW + timedelta(seconds=1))
    assert ask_at == NOW + timedelta(seconds=65)
    assert batch.deferrals == 1


def test_check_that_comes_back_goes_before_new_ones(ledger: Ledger) -> None:
    one_call = slots(ledger)
    one_call.take_check(FIRST, ONE_CALL, NOW)
    waiting, ask_at = one_call.take_check(FIRST, ONE_CALL, NOW)
    assert ask_at is not None
    assert one_call.take_check(SECOND, ONE_CALL, ask_at)[1] is not None
    assert one_call.take_check(waiting, ONE_CALL, ask_at)[1] is None


# --- giving back ---


def test_withdraw_gives_back_place_and_rows_of_its_batch(ledger: Ledger) -> None:
    both, policy = slots(ledger), dataclasses.replace(POLICY, max_in_flight=2)
    both.take_submission(FIRST, policy, NOW)
    both.take_submission(SECOND, policy, NOW)
    both.withdraw(FIRST, policy, NOW)
    assert list(budget(ledger).places) == ["crm-1#2"]
    assert budget(ledger).rows == {NOW.date(): 100}


@EACH_GIVING_BACK
def test_place_that_another_execution_has_renewed_is_kept(
    ledger: Ledger, give_back: Callable[[Slots], None]
) -> None:
    held = slots(ledger)
    held.take_submission(FIRST, POLICY, NOW)
    held.take_check(FIRST, POLICY, NOW + timedelta(seconds=1))
    give_back(held)
    assert list(budget(ledger).places) == ["crm-1#1"]


@pytest.mark.parametrize("state", list(BatchState))
def test_free_keeps_the_place_of_a_batch_that_target_may_work_on(ledger: Ledger, state: BatchState) -> None:
    slots(ledger).take_submission(FIRST, POLICY, NOW)
    slots(ledger).free(dataclasses.replace(FIRST, state=state), NOW)
    kept = state in {BatchState.UNKNOWN, BatchState.EXPIRED}
    assert list(budget(ledger).places) == (["crm-1#1"] if kept else [])


# --- a budget that others change at the same time ---


@pytest.mark.parametrize("take", ["take_submission", "take_check"])
def test_take_under_contention_comes_back_in_two_seconds(contended: Ledger, take: str) -> None:
    """It waited for the ledger, not for the budget: that is no deferral."""
    batch, ask_at = getattr(slots(contended), take)(FIRST, POLICY, NOW)
    assert ask_at == NOW + timedelta(seconds=2)
    assert batch == (FIRST if take == "take_check" else FIRST.waiting(Why.CONTENTION, ask_at))


@EACH_GIVING_BACK
def test_give_back_under_contention_leaves_it_to_the_end_of_the_lease(
    contended: Ledger, give_back: Callable[[Slots], None]
) -> None:
    give_back(slots(contended))
