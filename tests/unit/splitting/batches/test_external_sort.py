"""Sorting rows by keys, in memory and out of it."""

from __future__ import annotations

import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bulk_profiles.core.errors import FileRejectedError
from bulk_profiles.splitting.batches import external_sort
from bulk_profiles.splitting.batches.external_sort import ExternalSort, Rows
from tests.worlds.splitting import MemoryFolder

STARTS = np.array([0, 5, 1 << 63], np.uint64)


def rows_of(keys: list[int], first: int = 0) -> Rows:
    """Return a row for each key, with ordinals that count from the first one."""
    ordinals = np.arange(first, first + len(keys), dtype=np.uint64)
    text = b"".join(b"%s,%d\n" % (b"u" * (key % 50), key) for key in keys)
    return Rows.of(np.array(keys, np.uint64), ordinals, text)


@pytest.mark.parametrize("memory", [1, 700, 1 << 20])
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    blocks=st.lists(
        st.tuples(st.lists(st.integers(0, 9) | st.integers(0, (1 << 64) - 1), max_size=9), st.booleans()),
        max_size=8,
    )
)
def test_rows_are_sorted_by_key_and_order(
    memory: int, blocks: list[tuple[list[int], bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where another invocation goes on."""
    monkeypatch.setattr(external_sort, "MEMORY_BYTES", memory)
    monkeypatch.setattr(external_sort, "_READ_BYTES", 30)  # fewer than some lines have
    scratch = MemoryFolder()
    sort, flat = ExternalSort(scratch, "run", STARTS), list[int]()
    for keys, stops in blocks:
        sort.add(rows_of(keys, len(flat)))
        flat += keys
        if stops:
            sort.flush()
            sort = ExternalSort(scratch, "run", STARTS, runs=sort.runs)
    parts = [*sort.parts()]
    order = sorted(range(len(flat)), key=flat.__getitem__)
    assert [number for part in parts for number in part.ordinals.tolist()] == order
    assert [key for part in parts for key in part.keys.tolist()] == sorted(flat)
    assert b"".join(part.text for part in parts) == rows_of(sorted(flat)).text
    if sort.runs:
        assert all(len({*np.searchsorted(STARTS, part.keys, "right").tolist()}) < 2 for part in parts)
        assert [*scratch.objects] == [f"run-{number:05d}" for number in range(sort.runs)]


def test_rows_are_written_once_they_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(external_sort, "MEMORY_BYTES", 10 * rows_of([1]).size)
    sort = ExternalSort(MemoryFolder(), "run", STARTS)
    for _ in range(10):
        sort.add(rows_of([1]))
    assert sort.runs == 0
    sort.add(rows_of([1]))
    assert sort.runs == 1
    for _ in range(10):
        sort.add(rows_of([1]))
    assert sort.runs == 1


def test_size_of_short_rows_is_that_of_their_objects() -> None:
    rows = rows_of([1] * 100)
    assert rows.size > sum(map(sys.getsizeof, rows.lines)) + rows.keys.nbytes + rows.lines.nbytes


def test_rows_that_can_be_reduced_to_half_the_memory_stay_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """With more left, it would soon be full again."""
    monkeypatch.setattr(external_sort, "MEMORY_BYTES", 10 * rows_of([1]).size)
    for remaining, runs in ((5, 0), (6, 1)):
        sort = ExternalSort(
            MemoryFolder(),
            "run",
            STARTS,
            lambda rows, most=remaining: rows.select(slice(most)),  # type: ignore[misc]
        )
        sort.add(rows_of([1] * 11))
        assert sort.runs == runs
        assert [len(part.lines) for part in sort.parts()] == ([5] if not runs else [6, 0, 0])


def test_long_rows_of_one_part_take_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(external_sort, "MEMORY_BYTES", 1_000_000)
    sort, keys = ExternalSort(MemoryFolder(), "run", STARTS), range(5, 1005)
    for key in keys:
        number = np.array([key * 7 % 997 + 5], np.uint64)
        sort.add(Rows.of(number, number, b"x" * 10_000 + b"\n"))
    sort.flush()
    tracemalloc.start()
    try:
        lines = sum(len(part.lines) for part in sort.parts())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert lines == len(keys)
    assert peak < 4_000_000  # of 10,000,000 bytes in all


def test_large_runs_are_written_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(external_sort, "_PIECE", 10)
    scratch = MemoryFolder()
    sort = ExternalSort(scratch, "run", STARTS)
    sort.add(rows_of([7, 1 << 63, 2]))
    sort.flush()
    sort.flush()  # there is nothing more to write
    assert sort.runs == 1
    assert [part.keys.tolist() for part in sort.parts()] == [[2], [7], [1 << 63]]


def test_sort_of_too_many_runs_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(external_sort, "MAX_RUNS", 1)
    sort = ExternalSort(MemoryFolder(), "run", STARTS)
    sort.add(rows_of([1]))
    sort.flush()
    sort.add(rows_of([1]))
    with pytest.raises(FileRejectedError, match="remove repeated rows, or drop the file in parts"):
        sort.flush()
