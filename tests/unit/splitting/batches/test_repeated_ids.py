"""Which rows may have an id that repeats: all of those that do, and few others."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bulk_profiles.splitting.batches import repeated_ids
from bulk_profiles.splitting.batches.repeated_ids import RepeatFilter, RepeatFinder
from bulk_profiles.splitting.files import read_exactly
from tests.worlds.splitting import MemoryFolder


@pytest.mark.parametrize("run", [1, 4, 1 << 20])
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(blocks=st.lists(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 9), max_size=8), max_size=8))
def test_finder_puts_all_repeated_hashes_in_the_filter(
    run: int, blocks: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repeated_ids, "RUN_HASHES", run)
    scratch = MemoryFolder()
    finder = RepeatFinder(scratch)
    for block in blocks:
        finder.add(np.array(block, np.uint64))
    flat = [number for block in blocks for number in block]
    assert len(set(flat)) <= finder.total <= len(flat)
    several = {place for place, number in enumerate(flat) if flat.count(number) > 1}
    repeated = finder.finish(int)
    if repeated is None:
        assert not several
        return
    repeated.save(scratch)
    places = RepeatFilter.load(scratch).matches(np.array(flat, np.uint64)).tolist()
    assert several <= set(places)
    near = {flat[place] >> 54 for place in several}
    assert {flat[place] >> 54 for place in places} <= near  # a false positive has the same highest bits


def test_finder_finds_repeats_before_the_last_row() -> None:
    finder = RepeatFinder(MemoryFolder())
    finder.add(np.arange(20_000, dtype=np.uint64))
    assert not finder.found
    finder.add(np.arange(200_000, dtype=np.uint64))
    assert finder.found


def test_hash_of_most_rows_is_kept_twice_in_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeated_ids, "RUN_HASHES", 1_000)
    scratch = MemoryFolder()
    finder = RepeatFinder(scratch)
    for number in range(10):
        finder.add(np.array([7] * 999 + [number + 10], np.uint64))
    assert finder.runs == [3] * 10
    repeated = finder.finish(int)
    assert repeated is not None
    assert repeated.matches(np.array([7, 2**60], np.uint64)).tolist() == [0]


def test_filter_has_few_false_positives() -> None:
    hashes = np.random.default_rng(7).integers(0, 2**64, 100_000, np.uint64)
    repeated = RepeatFilter.sized(len(hashes))
    assert not repeated
    repeated.add(hashes[:1000])
    assert repeated
    places = repeated.matches(hashes)
    assert places[:1000].tolist() == list(range(1000))
    assert len(places) < 1200


@pytest.mark.parametrize(("rows", "size"), [(0, 128), (1_000, 2_048), (1_100, 4_096), (10**9, 4_096)])
def test_filter_grows_with_the_file_up_to_its_bound(
    rows: int, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two bytes for a row, the next power of two."""
    monkeypatch.setattr(repeated_ids, "_MAX_BITS", 1 << 15)
    scratch = MemoryFolder()
    RepeatFilter.sized(rows).save(scratch)
    assert [len(data) for data in scratch.objects.values()] == [size]


def test_hashes_that_are_cut_short_are_an_error() -> None:
    assert read_exactly(io.BytesIO(b"abcd"), 3) == b"abc"
    with pytest.raises(EOFError):
        read_exactly(io.BytesIO(b"ab"), 3)
