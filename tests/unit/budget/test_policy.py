"""A client code's limits: which are valid, and what follows from the calls a minute."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Any

import pytest

from bulk_profiles.budget.policy import Policy
from bulk_profiles.core.errors import SettingsError


def policy(**changes: Any) -> Policy:
    return Policy(**{"calls_per_minute": 50, "max_in_flight": 10, **changes})


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
def test_policy_burst_and_spacing_follow_from_calls_a_minute(calls: int, burst: int, spacing: float) -> None:
    limits = policy(calls_per_minute=calls)
    assert (limits.burst, limits.spacing) == (burst, timedelta(seconds=spacing))


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
def test_policy_with_the_least_value_is_valid(changes: dict[str, Any]) -> None:
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
def test_policy_with_an_invalid_value_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as refused:
        policy(**changes)
    assert str(refused.value) == message


def test_policy_names_every_fault_at_once() -> None:
    with pytest.raises(SettingsError) as refused:
        policy(calls_per_minute=0, reset_hour=24, time_zone="Mars/Base", upload_window="at night")
    assert str(refused.value) == (
        "Calls a minute must be at least 1. The hour of the daily reset must be 0 to 23. "
        "The time zone is not known here: write it as Europe/Paris, and see that the function carries "
        "the tzdata package. The upload window makes no sense: write it as 20:00-06:00 or "
        "Mon-Fri 20:00-06:00, or leave it empty for always."
    )


def test_policy_has_defaults_without_limits() -> None:
    limits = Policy(calls_per_minute=50, max_in_flight=10)
    assert (limits.rows_per_day, limits.reset_hour, limits.retry_seconds) == (0, 0, 10)
    assert limits.zone is UTC
