"""The choice of modules for `make mutate`."""

from __future__ import annotations

import pytest

from tools.mutate import select


def test_select_a_room_stands_for_its_modules() -> None:
    modules = select(["budget", "splitting.rows.plain"])
    assert modules == ["splitting.rows.plain", "budget.policy", "budget.state", "budget.reserve"]


def test_select_no_name_stands_for_all_modules() -> None:
    assert set(select(["budget"])) < set(select([]))


@pytest.mark.parametrize("name", ["budge", "policy", "steps"])
def test_select_an_unknown_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"no module or room {name}; there are"):
        select(["ledger", name])
