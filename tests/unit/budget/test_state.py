"""What the ledger keeps of a budget, as JSON and back."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from bulk_profiles.budget.state import BudgetState
from bulk_profiles.core.errors import LedgerError

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
TODAY, TOMORROW = date(2026, 11, 24), date(2026, 11, 25)
MS = timedelta(milliseconds=1)

STATE = BudgetState(
    asked_at=NOON,
    full_at=NOON + MS,
    call_turn_at=NOON + 2 * MS,
    place_turn_at=NOON + 3 * MS,
    places={"b": NOON, "a": NOON},
    rows={TOMORROW: 2, TODAY: 1},
)
TEXT = (
    '{"askedAt": "2026-11-24T12:00:00.000Z", "fullAt": "2026-11-24T12:00:00.001Z",'
    ' "callTurnAt": "2026-11-24T12:00:00.002Z", "placeTurnAt": "2026-11-24T12:00:00.003Z",'
    ' "places": {"a": "2026-11-24T12:00:00.000Z", "b": "2026-11-24T12:00:00.000Z"},'
    ' "rows": {"2026-11-24": 1, "2026-11-25": 2}}'
)


def test_to_json_of_a_budget_is_sorted() -> None:
    assert json.dumps(STATE.to_json()) == TEXT


def test_from_json_reads_moments_in_utc() -> None:
    read = BudgetState.from_json(json.loads(TEXT))
    assert read == STATE
    assert read.asked_at.tzinfo is UTC


def test_from_json_reads_a_new_budget() -> None:
    assert BudgetState.from_json(BudgetState().to_json()) == BudgetState()


def test_from_json_reads_another_offset_as_the_same_moment() -> None:
    data = json.loads(TEXT) | {"askedAt": "2026-11-24T13:00:00.000+01:00"}
    assert BudgetState.from_json(data) == STATE


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
def test_from_json_of_a_malformed_field_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(LedgerError) as refused:
        BudgetState.from_json(json.loads(TEXT) | change)
    assert str(refused.value) == (
        "The client's budget in the ledger cannot be read. When no import of the client is running, "
        "delete its item (CLIENT#<client code> / BUDGET): the budget starts afresh."
    )


@pytest.mark.parametrize("data", [None, [], "state", {}, {"askedAt": "2026-11-24T12:00:00.000Z"}])
def test_from_json_of_another_shape_is_refused(data: Any) -> None:
    with pytest.raises(LedgerError):
        BudgetState.from_json(data)


def test_from_json_takes_zero_rows() -> None:
    data = json.loads(TEXT) | {"rows": {"2026-11-24": 0}}
    assert BudgetState.from_json(data).rows == {TODAY: 0}
