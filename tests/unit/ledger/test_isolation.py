"""The search for failing rows: what is sent next, what is found, and when it ends."""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from bulk_profiles.ledger.isolation import Cost, Group, Isolation, Span, Spans, search_cost, select

type Fails = Callable[[int, int], bool]  # a row, how often it was sent before


def positions(spans: Spans) -> list[int]:
    """The rows of spans; they are in order, apart from one another, and none is empty."""
    assert all(span.start < span.stop for span in spans)
    assert all(one.stop < other.start for one, other in itertools.pairwise(spans))
    return [row for span in spans for row in range(*span)]


@dataclass
class Run:
    """A search against a Target that counts the failures of each part."""

    state: Isolation
    fails: Fails
    sent: Counter[int] = field(default_factory=Counter)
    submissions: int = 1
    cleared: set[int] = field(default_factory=set)
    failed: set[int] = field(default_factory=set)

    def to_the_end(self) -> Run:
        while not self.state.over:
            part = positions(self.state.part)
            assert self.state.begun == self.submissions
            assert not self.cleared.intersection(part), "a row that is a success is sent again"
            assert not self.failed.intersection(part)
            failing = [row for row in part if self.fails(row, self.sent[row])]
            self.sent.update(part)
            self.submissions += 1
            if not failing:
                self.cleared.update(part)
            elif len(failing) == len(part):
                self.failed.update(part)
            after = self.state.after(len(failing), 0, self.submissions)
            self.state = Isolation.from_json(json.loads(json.dumps(after.to_json())))
            assert self.state == after
        return self


def begin(rows: int, failing: set[int], budget: int) -> Run:
    """A search after the whole body was sent once."""
    state = Isolation.begin(1, rows, len(failing), 1, budget)
    return Run(state, lambda row, _: row in failing, Counter(range(rows)))


@st.composite
def bodies(draw: st.DrawFn) -> tuple[int, set[int]]:
    rows = draw(st.integers(1, 300))
    return rows, draw(st.sets(st.integers(0, rows - 1), min_size=1, max_size=8))


@given(bodies())
def test_search_finds_every_failing_row_and_clears_every_other(body: tuple[int, set[int]]) -> None:
    rows, failing = body

    run = begin(rows, failing, budget=1_000).to_the_end()

    assert run.failed == (failing if len(failing) < rows else set())
    assert run.cleared == (set(range(rows)) - failing)
    assert (run.state.found, run.state.unknown) == (len(failing), 0)
    event(f"{min(len(failing), 3)} failing rows")


@given(bodies())
def test_search_takes_about_k_log_n_by_k_submissions(body: tuple[int, set[int]]) -> None:
    rows, failing = body
    k = len(failing)

    run = begin(rows, failing, budget=1_000).to_the_end()

    assert run.submissions - 1 <= k * (math.log2(rows / k) + 4)


@given(bodies(), st.integers(1, 20))
def test_search_never_sends_more_than_its_budget_and_accounts_for_every_row(
    body: tuple[int, set[int]], budget: int
) -> None:
    rows, failing = body

    run = begin(rows, failing, budget).to_the_end()

    assert run.submissions - 1 <= budget
    assert run.cleared.isdisjoint(failing)
    assert run.failed <= failing
    if len(failing) < rows:
        assert run.state.unknown == rows - len(run.cleared) - len(run.failed)
    event("over early" if run.state.unknown else "complete")


@given(bodies(), st.data())
def test_search_clears_rows_whose_failure_does_not_come_again(
    body: tuple[int, set[int]], data: st.DataObject
) -> None:
    rows, failing = body
    once = data.draw(st.sets(st.sampled_from(sorted(failing))))
    run = begin(rows, failing, budget=1_000)
    run.fails = lambda row, before: row in failing and (row not in once or before == 0)

    run.to_the_end()

    if len(failing) < rows:
        assert run.failed == failing - once
        assert run.cleared == set(range(rows)) - run.failed
        assert run.state.unknown == 0
    event(f"once: {min(len(once), 2)}")


def test_last_submission_of_the_budget_sends_all_rows_that_are_presumed_good() -> None:
    """The failing row is in each first half, so the second halves have never been sent without it."""
    run = begin(1_024, {0}, budget=5).to_the_end()
    assert run.cleared == set(range(64, 1_024))
    assert run.state.unknown == 64


def test_largest_group_is_searched_first() -> None:
    """Few rows stay unknown, where a search row by row would find one of three and leave most unknown."""
    run = begin(100_000, {10, 50_000, 99_990}, budget=30).to_the_end()
    assert run.state.unknown < 1_000


def test_rows_that_are_presumed_to_fail_all_are_sent_together() -> None:
    run = begin(64, set(range(16, 24)), budget=100).to_the_end()
    assert run.failed == set(range(16, 24))
    assert max(run.sent[row] for row in range(16, 24)) <= 8


def test_every_row_that_fails_is_found_at_once() -> None:
    state = Isolation.begin(1, 7, 7, 1, 60)
    assert (state.over, state.found, state.unknown) == (True, 7, 0)


def test_named_failures_are_found_and_not_searched_for() -> None:
    state = Isolation.begin(1, 8, 2, 1, 60)
    part = len(positions(state.part))
    after = state.after(0, 2, 2)
    assert after.found == 2
    assert positions(after.part) == list(range(part, 8))
    assert after.after(0, 0, 3).over


def test_stopped_search_knows_nothing_of_the_rows_on_their_way_and_of_the_others() -> None:
    state = Isolation.begin(1, 900, 1, 1, 60).after(0, 0, 2)
    stopped = state.stopped()
    assert stopped.over
    assert stopped.unknown == state.unknown == 450
    assert [group.failures for group in stopped.groups] == [state.presumed]


@pytest.mark.parametrize(
    ("rows", "cost"), [(1, Cost(0, 0)), (2, Cost(2, 2)), (900, Cost(11, 1_798)), (500_000, Cost(20, 999_996))]
)
def test_search_cost_is_that_of_the_worst_place_of_one_failing_row(rows: int, cost: Cost) -> None:
    assert search_cost(rows, 60) == cost


def test_search_cost_is_at_most_the_budget() -> None:
    assert search_cost(500_000, 5).submissions == 5


def test_select_gives_the_rows_of_the_spans() -> None:
    rows = [b"%d" % number for number in range(10)]
    assert list(select(rows, (Span(1, 3), Span(7, 8)))) == [b"1", b"2", b"7"]
    assert list(select(rows, ())) == []


def test_select_stops_behind_the_last_span() -> None:
    rows = iter(range(10))
    list(select(rows, (Span(0, 2),)))  # type: ignore[arg-type]  # any rows
    assert next(rows) == 3


def test_group_of_one_presumed_failure_is_cut_in_half() -> None:
    assert Group((Span(0, 10),), 1).split() == ((Span(0, 5),), (Span(5, 10),))


def test_group_is_cut_across_its_spans() -> None:
    group = Group((Span(0, 2), Span(10, 14)), 1)
    assert group.split() == ((Span(0, 2), Span(10, 11)), (Span(11, 14),))
