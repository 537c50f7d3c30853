"""All pairs."""

from __future__ import annotations

from itertools import combinations, product

from hypothesis import given
from hypothesis import strategies as st

from tests.worlds.pairwise import all_pairs

sizes = st.lists(st.integers(1, 4), min_size=2, max_size=6)


def test_three_factors_of_two_values_need_four_combinations() -> None:
    assert len(all_pairs(dict.fromkeys("abc", "01"))) == 4


@given(sizes)
def test_every_pair_of_values_meets(counts: list[int]) -> None:
    factors = {str(place): range(count) for place, count in enumerate(counts)}

    rows = all_pairs(factors)

    for one, other in combinations(factors, 2):
        pairs = {(row[one], row[other]) for row in rows}
        assert pairs == set(product(factors[one], factors[other]))
    assert rows == all_pairs(factors)
