"""The first bytes of cells that may be something special."""

from __future__ import annotations

from bulk_profiles.splitting.rows import first_bytes


def test_where_no_header_is_known_no_cell_may_be_the_name_of_a_key() -> None:
    without = first_bytes._beginnings(frozenset(), frozenset())
    assert not (without.pair_bits & first_bytes._NAME).any()
    assert (first_bytes._beginnings(frozenset(), frozenset({"pcId"})).pair_bits & first_bytes._NAME).any()
