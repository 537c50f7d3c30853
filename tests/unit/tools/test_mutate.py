"""Which rooms `make mutate` tries, and the table that it writes."""

from __future__ import annotations

import re

import pytest

from tools.equivalent import EQUIVALENT
from tools.mutate import Score, function_of, new_lines, read_scores, rooms, select, table, with_table

FILE = "# Title\n\n<!-- mutation: begin -->\n\nold\n\n<!-- mutation: end -->\n\nThe end.\n"


def current() -> dict[str, Score]:
    """Return scores of all rooms as they are now."""
    return {room.name: Score(room.name, 9, 4, 3, room.digest) for room in rooms()}


def test_rooms_have_every_module_and_tests_of_their_own() -> None:
    names = [room.name for room in rooms()]
    assert {"core", "steps", "functions", "splitting", "splitting.rows"} < set(names)
    assert all(path.is_file() for room in rooms() for path in room.sources)
    assert all(path.exists() and room.tests for room in rooms() for path in room.tests)
    assert "steps.slots" in next(room for room in rooms() if room.name == "steps").modules


@pytest.mark.parametrize(
    ("names", "selected"),
    [
        (["budget"], ["budget"]),
        (["budget.policy", "ledger"], ["budget", "ledger"]),
        (["splitting.rows"], ["splitting.rows"]),
        (["functions.split_file"], ["functions"]),
    ],
)
def test_select_named_rooms_and_those_of_named_modules(names: list[str], selected: list[str]) -> None:
    assert [room.name for room in select(names, {})] == selected


def test_select_a_room_stands_for_the_rooms_in_it() -> None:
    selected = [room.name for room in select(["splitting"], {})]
    assert selected == [room.name for room in rooms() if room.name.startswith("splitting")]


def test_select_all_stands_for_every_room() -> None:
    assert select(["all"], current()) == rooms()


def test_select_no_name_stands_for_the_rooms_that_changed() -> None:
    """And for those that were never tried."""
    scores = current()
    assert select([], scores) == []
    scores["budget"] = Score("budget", 9, 4, 3, "0" * 8)
    del scores["ledger"]
    assert [room.name for room in select([], scores)] == ["budget", "ledger"]


@pytest.mark.parametrize("name", ["budge", "policy", "budget.polic"])
def test_select_an_unknown_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"no room or module {name}; there are"):
        select(["ledger", name], {})


def test_digest_of_every_room_is_its_own() -> None:
    digests = {room.digest for room in rooms()}
    assert len(digests) == len(rooms())


def test_table_has_a_row_for_each_room_in_order() -> None:
    scores = {name: Score(name, 300, 60, 57, "0a1b2c3d") for name in ("steps", "core")}
    assert table(scores).splitlines()[2:] == [
        "| core | 300 | 60 | 57 | 95% | `0a1b2c3d` |",
        "| steps | 300 | 60 | 57 | 95% | `0a1b2c3d` |",
    ]
    assert read_scores(table(scores)) == scores


def test_table_of_a_room_without_a_tried_change_has_no_share() -> None:
    scores = {"core": Score("core", 3, 0, 0, "0a1b2c3d")}
    assert table(scores).endswith("| core | 3 | 0 | 0 | - | `0a1b2c3d` |")
    assert read_scores(table(scores)) == scores


def test_table_replaces_the_one_between_the_marks() -> None:
    scores = {"core": Score("core", 3, 2, 1, "0a1b2c3d")}
    assert with_table(FILE, scores) == FILE.replace("old", table(scores))


def test_table_needs_its_marks() -> None:
    with pytest.raises(ValueError, match="there is no <!-- mutation: begin -->"):
        with_table("# Title\n", {})


@pytest.mark.parametrize(
    ("change", "function"),
    [
        ("bulk_profiles.budget.policy.x_parse__mutmut_1", "parse"),
        ("bulk_profiles.budget.policy.x__parse__mutmut_12", "_parse"),
        ("bulk_profiles.aws.s3.xǁSinkǁ_abort__mutmut_3", "Sink._abort"),
        ("bulk_profiles.aws.s3.xǁ_Sinkǁ__init____mutmut_3", "_Sink.__init__"),
    ],
)
def test_function_of_a_change(change: str, function: str) -> None:
    assert function_of(change) == function


def test_new_lines_of_a_change() -> None:
    diff = "--- a.py\n+++ a.py\n@@ -1,3 +1,3 @@\n def f():\n-    return 1\n+    return (\n+        2)\n"
    assert new_lines(diff) == "return ( 2)"


def test_equivalent_changes_are_of_functions_that_exist() -> None:
    sources = {
        module: path for room in rooms() for module, path in zip(room.modules, room.sources, strict=True)
    }
    for each in EQUIVALENT:
        text = sources[each.module].read_text(encoding="utf-8")
        assert re.search(rf"def {each.function.rpartition('.')[2]}\b", text)
