"""Merging rows by id, in memory and out of it, and putting them into their places."""

from __future__ import annotations

import io
import tracemalloc
import zlib
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bulk_profiles.splitting.batches import external_sort, merged_rows
from bulk_profiles.splitting.batches.cutter import Limits
from bulk_profiles.splitting.batches.merged_rows import (
    MERGED_ROWS,
    MergedBlock,
    MergedRowReader,
    RowMerger,
    merge,
)
from bulk_profiles.splitting.checked_scratch import Sum
from tests.worlds.splitting import MemoryFolder, run


def test_merge_keeps_the_last_value_that_is_not_empty() -> None:
    assert merge(b"1,a,,c", b"1,x,y,") == b"1,x,y,c"
    assert merge(b"1,a,b,c", b"1,,y,z") == b"1,a,y,z"
    assert merge(b"1,a,b,c", b"1,x,,z") == b"1,x,b,z"
    assert merge(b"1,a,,c", b"1,x,y,z") == b"1,x,y,z"


@pytest.mark.parametrize("memory", [1, 700, 1 << 20])
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    blocks=st.lists(
        st.tuples(
            st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(0, 3)), max_size=9),
            st.booleans(),
        ),
        max_size=6,
    )
)
def test_merger_keeps_the_order_of_first_rows(
    memory: int, blocks: list[tuple[list[tuple[int, int, int]], bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where several ids have one hash, and where another invocation goes on."""
    few_parts(monkeypatch)
    monkeypatch.setattr(external_sort, "MEMORY_BYTES", memory)
    scratch = MemoryFolder()
    merger = RowMerger(scratch)
    expected: dict[int, tuple[int, list[str]]] = {}
    ordinal = 0
    for rows, stops in blocks:
        texts = [[str(cell) if cell else "" for cell in cells] for _, *cells in rows]
        keys = [key for key, *_ in rows]
        ordinals = ordinal + 3 * np.arange(len(rows), dtype=np.uint64)
        merger.add(
            np.array(keys, np.uint64) % np.uint64(4) << np.uint64(62),
            ordinals,
            b"".join(_line(key, cells) + b"\n" for key, cells in zip(keys, texts, strict=True)),
        )
        for key, place, cells in zip(keys, ordinals.tolist(), texts, strict=True):
            first, earlier = expected.get(key, (place, cells))
            expected[key] = first, [new or old for old, new in zip(earlier, cells, strict=True)]
        ordinal += 3 * len(rows)
        if stops:
            merger.flush()
            merger = RowMerger(scratch, merger.runs, merger.rows)
    assert merger.finish(int, ordinal) == len(expected)
    assert merger.rows == sum(len(rows) for rows, _ in blocks)
    with scratch.open(MERGED_ROWS) as stream:
        assert [*stream] == [
            b"%d,%s\n" % (first, _line(key, cells)) for key, (first, cells) in expected.items()
        ]


def _line(key: int, cells: list[str]) -> bytes:
    return f"{'u' * key}{key},{','.join(cells)}".encode()


def few_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let sorts have four parts, as many parts of few rows take long."""
    monkeypatch.setattr(merged_rows, "_PARTS", 4)
    monkeypatch.setattr(merged_rows, "_HASHES", np.arange(4, dtype=np.uint64) << np.uint64(62))


def test_parts_of_a_large_file_hold_few_rows() -> None:
    """All of them may repeat, as where a file has the same rows at its start and at its end."""
    for most in (1, 1024, 2_000_000, 400_000_000):
        starts = merged_rows.starts_of_parts(most)
        assert starts[0] == 0
        assert most - 65_536 <= starts[-1] < most
        assert set(np.diff(starts).tolist()) <= {min(most // 1024 + 1, 65_536)}


def test_rows_of_few_ids_make_no_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are merged where the memory is full."""
    monkeypatch.setattr(external_sort, "MEMORY_BYTES", 10_000)
    merger, ids = RowMerger(MemoryFolder()), np.arange(9, dtype=np.uint64)
    for number in range(90):
        merger.add(ids, ids + np.uint64(9 * number), b"".join(b"u%d,%d\n" % (n, number) for n in range(9)))
    assert merger.runs == 0
    assert merger.finish(int, 9 * 90) == 9


def test_merge_of_many_rows_of_few_ids_takes_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of all runs that are in one part are merged while they are read."""
    few_parts(monkeypatch)
    scratch = MemoryFolder()
    merger, hashes = RowMerger(scratch), np.zeros(1, np.uint64)
    for number in range(90):
        merger.add(hashes, hashes + np.uint64(number), b"u,%s\n" % (b"%d" % number * 5_000))
        merger.flush()
    assert merger.runs == 90
    monkeypatch.setattr(external_sort, "MEMORY_BYTES", 30_000)
    tracemalloc.start()
    assert merger.finish(int, 90) == 1
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 300_000  # of 900,000 bytes in all


def _reader(merged: bytes, taken: Sum | None = None, oversized: tuple[str, ...] = ()) -> MergedRowReader:
    taken = taken or Sum()
    stream = io.BytesIO(merged)
    stream.seek(taken.size)
    return MergedRowReader(stream, taken, oversized, _too_large)


def _put_into(reader: MergedRowReader, rows: bytes, places: Sequence[int], ordinal: int) -> MergedBlock:
    block = reader.put_into(rows, np.array(places, np.intp), ordinal)
    block.pieces = [*block.pieces]
    return block


def _too_large(rows: bytes) -> list[int]:
    return [place for place, row in enumerate(rows.splitlines()) if len(row) >= len(b"1,abcdef")]


def test_reader_puts_merged_rows_in_the_places_of_first_ones() -> None:
    reader = _reader(b"10,1,ab\n12,3,c\n40,9,z\n")
    block = _put_into(reader, b"1,a\n2,x\n3,c\n1,b\n", [0, 2, 3], 10)
    assert block == MergedBlock([b"1,ab\n2,x\n3,c\n"], [3], [], 0)
    assert reader.taken.size == len(b"10,1,ab\n12,3,c\n")


def test_reader_takes_neighbours_and_rows_between_them() -> None:
    reader = _reader(b"0,1,A\n2,3,C\n5,6,F\n7,8,H\n")
    block = _put_into(reader, b"1,a\n1,b\n3,c\n4,d\n1,e\n6,f\n6,g\n8,h\n9,i\n", [0, 1, 2, 4, 5, 6, 7], 0)
    assert block == MergedBlock([b"1,A\n3,C\n4,d\n6,F\n8,H\n9,i\n"], [1, 4, 6], [], 0)
    assert _put_into(reader, b"1,j\n6,k\n", [0, 1], 9) == MergedBlock([b""], [0, 1], [], 0)


def test_reader_leaves_a_block_without_places_as_it_is() -> None:
    reader = _reader(b"10,1,ab\n")
    assert _put_into(reader, b"2,x\n", [], 10) == MergedBlock([b"2,x\n"], [], [], 0)
    assert reader.taken.size == 0


def test_reader_opened_at_its_position_goes_on() -> None:
    merged = b"10,1,ab\n12,3,cd\n"
    first = _reader(merged)
    _put_into(first, b"1,a\n2,x\n", [0], 10)
    second = _reader(merged, first.taken)
    assert _put_into(second, b"3,c\n1,b\n3,d\n", [0, 1, 2], 12).pieces == [b"3,cd\n"]
    assert second.taken == Sum(len(merged), zlib.crc32(merged))


def test_reader_leaves_out_rows_too_large_once_merged() -> None:
    """The first row is one too many in the merge; each later one had been counted as merged."""
    first = _reader(b"0,1,abcdef\n3,4,w\n")
    rows = b"1,abc\n2,x\n1,y\n4,v\n1,abcdef\n4,w\n"
    expected = MergedBlock([b"2,x\n4,w\n"], [0, 2, 4, 5], [0, 2], 1)
    assert _put_into(first, rows, [0, 2, 3, 4, 5], 0) == expected
    later = _reader(b"", oversized=tuple(first.oversized))
    assert _put_into(later, b"1,def\n3,x\n", [0], 2) == MergedBlock([b"3,x\n"], [0], [0], 1)


def test_long_merged_rows_of_a_block_come_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short first rows in one block may have more merged bytes than fit in memory."""
    merged = b"10,1,a\n12,3,cdefgh\n14,5,e\n15,6,f\n40,9,z\n"
    rows = b"1,a\n2,x\n3,c\n1,\n5,e\n6,f\n3,d\n8,x\n"
    places = [0, 2, 3, 4, 5, 6]
    monkeypatch.setattr(merged_rows, "_MOST_BYTES", 0)
    reader = _reader(merged)
    block = _put_into(reader, rows, places, 10)
    assert block == MergedBlock([b"1,a\n", b"2,x\n", b"5,e\n", b"6,f\n8,x\n"], [2, 3, 6], [2, 6], 1)
    assert reader.taken == Sum(len(merged) - 7, zlib.crc32(merged[:-7]))


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


def test_row_that_no_batch_can_hold_is_not_merged() -> None:
    data = b"thirdPartyId,a,b\n1,%s,\n2,x,y\n1,,new\n2,,%s\n1,z,\n" % (b"x" * 40, b"y" * 40)
    outcome = run(data, limits=Limits(max_batch_bytes=40))
    assert outcome.rejects == [["2", "", "row_too_large"], ["5", "", "row_too_large"]]
    assert outcome.received == [("2", "x", "y"), ("1", "z", "new")]


def test_merged_row_that_no_batch_can_hold_is_rejected() -> None:
    data = b"thirdPartyId,a,b\n1,xxxxxxxxxx,\n2,z,\n1,,yyyyyyyyyy\n3,z,\n3,,z\n"
    outcome = run(data, limits=Limits(max_batch_bytes=40))
    assert outcome.rejects == [["2", "", "row_too_large"], ["4", "", "row_too_large"]]  # nothing is lost
    assert outcome.split.rows.merged == 1
    assert [cells[0] for cells in outcome.received] == ["2", "3"]


def test_merged_rows_are_the_same_in_pieces_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    data = b"pcId,a,b\n" + b"".join(b"%d,x%d,\n%d,,y\n" % (n, n, n) for n in range(20))
    whole = run(data)
    monkeypatch.setattr(merged_rows, "_PIECE", 3)
    assert run(data).bodies == whole.bodies
    assert whole.split.rows.merged == 20
