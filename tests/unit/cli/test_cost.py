"""What AWS charges: the sums, checked by hand."""

from __future__ import annotations

import pytest

from bulk_profiles.cli import cost as costs
from bulk_profiles.cli.cost import PRICES, estimate_cost, estimate_month
from tests.worlds.deployable import resources


def test_cost_of_a_million_profiles_is_that_of_the_prices() -> None:
    cost = estimate_cost(
        size=100_000_000, batches=3, profiles=1_000_000, encoded=115_000_000, retention_days=30
    )
    assert cost["profileResults"] == pytest.approx(0.625 + 0.3 * 0.25)  # writes; 300 MB for a month
    assert cost["stateMachine"] == round(3 * 30 * 0.000025, 4)
    assert cost["transfer"] == round(0.115 * 0.09, 4)
    assert cost["storage"] == round(36 * 0.000005 + 0.227 * 0.023, 4)
    parts = [value for name, value in cost.items() if name != "total"]
    assert cost["total"] == pytest.approx(sum(parts), abs=0.001)


def test_cost_has_every_part_for_as_long_as_it_is_kept() -> None:
    cost = estimate_cost(
        size=100_000_000, batches=300, profiles=1_000_000, encoded=115_000_000, retention_days=60
    )
    gb_seconds = 300 * 60 + 100 / 60 * 2
    assert cost == {
        "profileResults": pytest.approx(0.625 + 0.3 * 0.25 * 2),
        "stateMachine": pytest.approx(300 * 30 * 0.000025),
        "functions": pytest.approx(gb_seconds * 0.0000133334 + 300 * 12 * 0.0000002, abs=0.0001),
        "storage": pytest.approx(3006 * 0.000005 + (0.1 + 0.115 + 0.012) * 2 * 0.023, abs=0.0001),
        "transfer": pytest.approx(0.115 * 0.09, abs=0.0001),
        "logs": pytest.approx(300 * 10_000 / 1e9 * 0.5),
        "total": pytest.approx(1.2781, abs=0.0001),
    }


def test_cost_of_what_is_kept_is_proportional_to_its_days() -> None:
    month, quarter = (estimate_cost(0, 0, 10**9, 0, days)["profileResults"] for days in (30, 90))
    assert quarter - month == pytest.approx(2 * 300 * 0.25)


def test_an_idle_stack_costs_little_and_each_profile_the_same() -> None:
    idle = estimate_month(0)
    assert set(idle) == {"idle", "total"}
    assert idle["total"] == idle["idle"] < 20
    small, large = estimate_month(1_000_000), estimate_month(100_000_000)
    assert large["profileResults"] == pytest.approx(100 * small["profileResults"], rel=0.01)


def test_every_price_is_positive() -> None:
    assert all(price > 0 for price in PRICES.values())


def test_idle_stack_counts_every_alarm_of_the_template() -> None:
    assert len(resources("CloudWatch::Alarm")) == costs.ALARMS
