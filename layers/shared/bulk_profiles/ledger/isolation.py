"""The search for the rows that fail, where Target counts the failures of a body and names none of them.

Some rows of the body, a part, are sent again as a body of their own, and Target counts the failures among
them. A part without a failure is done, and so is one in which every row fails; any other becomes two groups
of rows, until the failing rows stand alone. This is adaptive group testing with counts: k failures among
n rows take about k * log2(n / k) parts.

A group in which no failure is presumed has not been sent without one. All these rows are sent together, as
the last part: only an answer about them shows that none of them fails.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Self

from bulk_profiles.core.json_object import JsonObject


class Span(NamedTuple):
    """Consecutive rows of a body, by their positions from 0."""

    start: int
    stop: int


type Spans = tuple[Span, ...]  # in the order of the rows, none empty


@dataclass(frozen=True, slots=True)
class Group(JsonObject):
    """Rows, and how many failures are presumed among them: what Target counted, less what was found since."""

    spans: Spans
    failures: int

    @property
    def rows(self) -> int:
        """The number of rows."""
        return _length(self.spans)

    def split(self) -> tuple[Spans, Spans]:
        """Return the rows to be sent next, and the others.

        The first are as many as have, as likely as not, no failure among them. Rows that are presumed to
        fail all are sent together.
        """
        rows = self.rows
        if self.failures >= rows:
            return self.spans, ()
        return _cut(self.spans, max(1, round(rows * (1 - 2 ** (-1 / self.failures)))))


@dataclass(frozen=True, slots=True)
class Isolation(JsonObject):
    """The state of a search: the part that is on its way, and the groups that are left."""

    attempt: int  # the body whose rows are searched
    failures: int  # that Target counted in it
    first: int  # the submissions of the batch before the search
    limit: int  # the search ends when the batch has had so many submissions
    begun: int  # the submissions of the batch before this part
    part: Spans = ()  # on its way; empty once the search is over
    others: Spans = ()  # of the group that the part is of
    presumed: int = 0  # failures, in the part and the others
    groups: tuple[Group, ...] = ()  # with presumed failures
    rest: Spans = ()  # without
    found: int = 0  # failing rows

    @classmethod
    def begin(cls, attempt: int, rows: int, failures: int, submissions: int, budget: int) -> Self:
        """Return the search with its first part; it is over at once where every row fails.

        `submissions`: of the batch so far; `budget`: how many the search may add.
        """
        state = cls(attempt, failures, submissions, submissions + budget, submissions)
        if failures >= rows:
            return dataclasses.replace(state, found=rows)
        return dataclasses.replace(state, groups=(Group((Span(0, rows),), failures),)).next(submissions)

    def after(self, failures: int, named: int, submissions: int) -> Self:
        """Return the search after Target's answer about the part: with the next part, or over.

        `failures`: that Target counted and did not name; `named`: rows that it named as failed.
        """
        groups, rest, rows = list(self.groups), self.rest, _length(self.part)
        left = max(0, self.presumed - failures - named)
        if left and self.others:
            groups.append(Group(self.others, left))
        else:
            rest = _merge(rest, self.others)
        if 0 < failures < rows:
            groups.append(Group(self.part, failures))
        found = self.found + named + (rows if failures >= rows else 0)
        state = dataclasses.replace(self, groups=tuple(groups), rest=rest, part=(), others=(), found=found)
        return state.next(submissions)

    def stopped(self) -> Self:
        """Return the search without a next part, because it is not known how many rows of this one fail."""
        group = Group(_merge(self.part, self.others), self.presumed)
        return dataclasses.replace(self, part=(), others=(), groups=(*self.groups, group))

    @property
    def over(self) -> bool:
        """Whether no part is to be sent any more."""
        return not self.part

    @property
    def unknown(self) -> int:
        """The rows of which it is not known whether they fail."""
        groups = sum(group.rows for group in self.groups)
        return groups + _length(self.part) + _length(self.others) + _length(self.rest)

    def next(self, submissions: int) -> Self:
        """Return the search with the next part, or over where nothing is left, of rows or of the budget.

        The largest group is the next, so that few rows stay unknown where the budget is too small.
        """
        left = self.limit - submissions
        if left <= 0 or not (self.groups or self.rest):
            return self
        state = dataclasses.replace(self, begun=submissions)
        if not self.groups or (left == 1 and self.rest):
            return dataclasses.replace(state, part=self.rest, others=(), presumed=0, rest=())
        largest = max(self.groups, key=lambda group: group.rows)
        part, others = largest.split()
        groups = tuple(group for group in self.groups if group is not largest)
        return dataclasses.replace(state, part=part, others=others, presumed=largest.failures, groups=groups)


class Cost(NamedTuple):
    """What a search adds to an import, at most."""

    submissions: int
    rows: int  # in all submissions


def search_cost(rows: int, budget: int) -> Cost:
    """Return what it takes to find one failing row among `rows`, wherever it is."""
    return max(_search(rows, position, budget) for position in {0, rows - 1})


def _search(rows: int, failing: int, budget: int) -> Cost:
    """Return what it takes to find the row at one position."""
    sent, state = [0], Isolation.begin(1, rows, 1, 0, budget)
    while not state.over:
        sent.append(_length(state.part))
        failures = sum(span.start <= failing < span.stop for span in state.part)
        state = state.after(failures, 0, len(sent) - 1)
    return Cost(len(sent) - 1, sum(sent))


def select(rows: Iterable[bytes], spans: Spans) -> Iterator[bytes]:
    """Yield the rows at the positions of the spans."""
    left = iter(spans)
    span = next(left, None)
    for position, row in enumerate(rows):
        if span is not None and position >= span.stop:
            span = next(left, None)
        if span is None:
            return
        if position >= span.start:
            yield row


def _length(spans: Spans) -> int:
    return sum(span.stop - span.start for span in spans)


def _cut(spans: Spans, rows: int) -> tuple[Spans, Spans]:
    """Return the first so many rows, and the others."""
    first: list[Span] = []
    others: list[Span] = []
    for span in spans:
        middle = min(span.stop, span.start + rows)
        rows -= middle - span.start
        first += [Span(span.start, middle)] if span.start < middle else []
        others += [Span(middle, span.stop)] if middle < span.stop else []
    return tuple(first), tuple(others)


def _merge(one: Spans, other: Spans) -> Spans:
    """Return the rows of both, in their order, with spans that touch as one."""
    merged: list[Span] = []
    for span in sorted([*one, *other]):
        if merged and merged[-1].stop == span.start:
            merged[-1] = Span(merged[-1].start, span.stop)
        else:
            merged.append(span)
    return tuple(merged)
