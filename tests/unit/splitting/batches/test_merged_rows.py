"""Merging rows and finding what repeats, in memory and out of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bulk_profiles.splitting.batches import merged_rows, repeated_ids
from bulk_profiles.splitting.batches.merged_rows import Merger, merge, placed_rows
from bulk_profiles.splitting.batches.repeated_ids import Repeated, Repeats
from tests.worlds.splitting import MemoryScratch

loose = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


def test_the_last_value_that_is_not_empty_wins() -> None:
    assert merge(b"1,a,,c", b"1,x,y,") == b"1,x,y,c"


@pytest.mark.parametrize("memory", [1, 700, 1 << 20])
@loose
@given(rows=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(0, 3)), max_size=30))
def test_merged_rows_come_in_the_order_of_first_rows(
    memory: int, rows: list[tuple[int, int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merged_rows, "MEMORY", memory)
    scratch = MemoryScratch()
    merger = Merger(scratch)
    expected: dict[int, tuple[int, list[str]]] = {}
    for ordinal, (key, *cells) in enumerate(rows):
        texts = [str(cell) if cell else "" for cell in cells]
        merger.add(ordinal * 3, f"{key},{','.join(texts)}".encode())
        first, held = expected.get(key, (ordinal * 3, texts))
        expected[key] = first, [new or old for old, new in zip(held, texts, strict=True)]
    assert merger.finish("merged") == len(expected)
    assert merger.rows == len(rows)
    with scratch.open("merged") as stream:
        assert list(placed_rows(stream)) == [
            (first, f"{key},{','.join(cells)}".encode()) for key, (first, cells) in expected.items()
        ]


@pytest.mark.parametrize("run", [1, 4, 1 << 20])
@loose
@given(blocks=st.lists(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 9), max_size=8), max_size=8))
def test_rows_that_repeat_are_found(
    run: int, blocks: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repeated_ids, "RUN", run)
    found = Repeats(MemoryScratch())
    for block in blocks:
        found.add(np.array(block, np.uint64))
    flat = [number for block in blocks for number in block]
    assert found.total == len(flat)
    several = {place for place, number in enumerate(flat) if flat.count(number) > 1}
    repeated = found.rows()
    if repeated is None:
        assert not several
        return
    places = Repeated.from_bytes(repeated.to_bytes()).among(np.array(flat, np.uint64))
    assert several <= set(places)
    near = {flat[place] >> 54 for place in several}
    assert {flat[place] >> 54 for place in places} <= near  # no other is taken for one, but a near one


def test_repeats_are_seen_early() -> None:
    found = Repeats(MemoryScratch())
    found.add(np.arange(20_000, dtype=np.uint64))
    assert not found.found
    found.add(np.arange(200_000, dtype=np.uint64))
    assert found.found


def test_few_others_are_taken_for_repeats() -> None:
    hashes = np.random.default_rng(7).integers(0, 2**64, 100_000, np.uint64)
    repeated = Repeated.none(len(hashes))
    assert not repeated
    repeated.add(hashes[:1000])
    assert repeated
    places = repeated.among(hashes)
    assert places[:1000] == list(range(1000))
    assert len(places) < 1200
