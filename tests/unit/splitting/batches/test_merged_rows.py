"""Merging rows by id, in memory and out of it, and putting them into their places."""

from __future__ import annotations

import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bulk_profiles.splitting.batches import merged_rows
from bulk_profiles.splitting.batches.cutter import Limits
from bulk_profiles.splitting.batches.merged_rows import (
    MERGED_ROWS,
    MergedBlock,
    MergedRowReader,
    RowMerger,
    merge,
    read_rows,
)
from tests.worlds.splitting import MemoryFolder, run


def test_merge_keeps_the_last_value_that_is_not_empty() -> None:
    assert merge(b"1,a,,c", b"1,x,y,") == b"1,x,y,c"


@pytest.mark.parametrize("memory", [1, 700, 1 << 20])
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(0, 3)), max_size=30))
def test_merger_keeps_the_order_of_first_rows(
    memory: int, rows: list[tuple[int, int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merged_rows, "MEMORY_BYTES", memory)
    scratch = MemoryFolder()
    merger = RowMerger(scratch)
    expected: dict[int, tuple[int, list[str]]] = {}
    for ordinal, (key, *cells) in enumerate(rows):
        texts = [str(cell) if cell else "" for cell in cells]
        merger.add(ordinal * 3, f"{key},{','.join(texts)}".encode())
        first, earlier = expected.get(key, (ordinal * 3, texts))
        expected[key] = first, [new or old for old, new in zip(earlier, texts, strict=True)]
    assert merger.finish(int) == len(expected)
    assert merger.rows == len(rows)
    with scratch.open(MERGED_ROWS) as stream:
        assert list(read_rows(stream)) == [
            (first, f"{key},{','.join(cells)}".encode()) for key, (first, cells) in expected.items()
        ]


def _reader(merged: bytes, position: int = 0, oversized: tuple[str, ...] = ()) -> MergedRowReader:
    stream = io.BytesIO(merged)
    stream.seek(position)
    return MergedRowReader(stream, position, oversized, lambda row: len(row) < len(b"1,abcdef"))


def test_reader_puts_merged_rows_in_the_places_of_first_ones() -> None:
    reader = _reader(b"10,1,ab\n12,3,c\n40,9,z\n")
    block = reader.put_into(b"1,a\n2,x\n3,c\n1,b\n", [0, 2, 3], 10)
    assert block == MergedBlock(b"1,ab\n2,x\n3,c\n", [3], [], 0)
    assert reader.position == len(b"10,1,ab\n12,3,c\n")


def test_reader_opened_at_its_position_goes_on() -> None:
    merged = b"10,1,ab\n12,3,cd\n"
    first = _reader(merged)
    first.put_into(b"1,a\n2,x\n", [0], 10)
    second = _reader(merged, first.position)
    assert second.put_into(b"3,c\n1,b\n3,d\n", [0, 1, 2], 12).rows == b"3,cd\n"
    assert second.position == len(merged)


def test_reader_leaves_out_rows_too_large_once_merged() -> None:
    """The first row is one too many in the merge; each later one had been counted as merged."""
    first = _reader(b"0,1,abcdef\n")
    assert first.put_into(b"1,abc\n2,x\n", [0], 0) == MergedBlock(b"2,x\n", [0], [0], 0)
    later = _reader(b"", oversized=tuple(first.oversized))
    assert later.put_into(b"1,def\n3,x\n", [0], 2) == MergedBlock(b"3,x\n", [0], [0], 1)


def test_row_without_a_value_is_merged_before_it_is_skipped() -> None:
    outcome = run(b"thirdPartyId,a\n1,\n2,\n1,x\n3,y\n")
    assert outcome.received == [("1", "x"), ("3", "y")]
    assert (outcome.split.rows.merged, outcome.split.rows.skipped) == (1, 1)
    assert outcome.split.warnings == {"no_values": 1}


@pytest.mark.fault(22, "an id twice")
def test_last_value_wins_at_the_place_of_the_first_row() -> None:
    outcome = run(b"thirdPartyId,a,b\n1,old,\n2,x,y\n1,,new\n1,newer,\n")
    assert outcome.received == [("1", "newer", "new"), ("2", "x", "y")]
    assert outcome.split.rows.merged == 2


def test_rejected_rows_are_not_merged() -> None:
    outcome = run(b"thirdPartyId,a,b\n1,old,\n1,new,x,y\n")
    assert outcome.received == [("1", "old", "")]
    assert outcome.split.rejects == {"too_many_cells": 1}


def test_merged_row_that_no_batch_can_hold_is_rejected() -> None:
    data = b"thirdPartyId,a,b\n1,xxxxxxxxxx,\n2,z,\n1,,yyyyyyyyyy\n3,z,\n3,,z\n"
    outcome = run(data, limits=Limits(max_batch_bytes=40))
    assert outcome.rejects == [["2", "", "row_too_large"], ["4", "", "row_too_large"]]  # nothing is lost
    assert outcome.split.rows.merged == 1
    assert [cells[0] for cells in outcome.received] == ["2", "3"]


def test_merged_rows_are_the_same_in_pieces_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    data = b"pcId,a,b\n" + b"".join(b"%d,x%d,\n%d,,y\n" % (n, n, n) for n in range(20))
    whole = run(data)
    monkeypatch.setattr(merged_rows, "_PIECE", 30)
    assert run(data).bodies == whole.bodies
    assert whole.split.rows.merged == 20
