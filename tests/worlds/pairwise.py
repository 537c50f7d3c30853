"""All pairs: few combinations in which every value of every factor meets every value of every other one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations


def all_pairs[Value](factors: Mapping[str, Sequence[Value]]) -> list[dict[str, Value]]:
    """Return combinations that cover every pair of values of two factors, by a greedy search.

    A combination begins with the first pair that is not covered yet; each further factor takes the value that
    covers most pairs with those chosen before. The same factors give the same combinations.

    Three factors of two values each, `a`, `b` and `c`, need 4 combinations instead of 8.
    """
    positions = {name: range(len(values)) for name, values in factors.items()}
    missing = {
        ((one, first), (other, second)): None  # a dict keeps the order
        for one, other in combinations(factors, 2)
        for first in positions[one]
        for second in positions[other]
    }
    rows: list[dict[str, int]] = []
    while missing:
        row = dict(next(iter(missing)))
        for name in factors:
            if name not in row:
                shift = len(rows)  # so that values that cover equally much take turns
                order = [(place + shift) % len(positions[name]) for place in positions[name]]
                row[name] = max(order, key=lambda place: _covered(row, name, place, missing, factors))
        for pair in combinations([(name, row[name]) for name in factors], 2):
            missing.pop(pair, None)
        rows.append(row)
    return [{name: factors[name][row[name]] for name in factors} for row in rows]


type _Choice = tuple[str, int]


def _covered(
    row: Mapping[str, int],
    name: str,
    place: int,
    missing: Mapping[tuple[_Choice, _Choice], None],
    factors: Mapping[str, object],
) -> int:
    """Count the missing pairs that a value of one more factor covers."""
    order = list(factors)
    mine = (name, place)
    count = 0
    for other, chosen in row.items():
        theirs = (other, chosen)
        pair = (mine, theirs) if order.index(name) < order.index(other) else (theirs, mine)
        count += pair in missing
    return count
