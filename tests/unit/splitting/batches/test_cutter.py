"""Cutting rows into batches, at the edges of the limits."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_profiles.core.errors import FileRejectedError
from bulk_profiles.core.feeds import Feed
from bulk_profiles.splitting.batches.cutter import Cutter, Limits
from bulk_profiles.splitting.parallel.thread import Background
from bulk_profiles.splitting.reading import delimited
from tests.worlds.splitting import MemoryFolder, run, run_in_slices

HEAD = len(b"batch=id,a")

PLAIN = b"thirdPartyId,city,age\n1,Oslo,40\n2,Rome,50\n"


@pytest.fixture
def background() -> Iterator[Background]:
    with closing(Background()) as calls:
        yield calls


def cut(blocks: list[bytes], limits: Limits) -> tuple[Cutter, list[bytes]]:
    output = MemoryFolder()
    with closing(Background()) as background:
        cutter = Cutter(b"id,a", limits, output, background)
        for block in blocks:
            list(cutter.add(block))
        cutter.finish()
    return cutter, [output.objects[name] for name in sorted(output.objects)]


@given(
    st.lists(st.lists(st.integers(1, 9), max_size=6), max_size=6),
    st.integers(1, 5),
    st.integers(HEAD + 12, 60),
)
def test_cutter_fills_batches_up_to_the_limits(blocks: list[list[int]], rows: int, size: int) -> None:
    lines = [[b"x," + b"y" * length for length in block] for block in blocks]
    limits = Limits(max_batch_rows=rows, max_batch_bytes=size)
    cutter, bodies = cut([b"".join(line + b"\n" for line in block) for block in lines], limits)
    flat = [line for block in lines for line in block]
    assert [line for body in bodies for line in body.split(b"\n")[1:]] == flat
    for number, (batch, body) in enumerate(zip(cutter.batches, bodies, strict=True), 1):
        assert body.startswith(b"batch=id,a\n")
        assert (batch.number, batch.size, batch.rows) == (number, len(body), body.count(b"\n"))
        assert batch.sha256 == hashlib.sha256(body).hexdigest()
        assert len(body) <= size
        assert batch.rows <= rows
    for body, following in pairwise(bodies):
        first = following.split(b"\n")[1]
        assert body.count(b"\n") == rows or len(body) + 1 + len(first) > size


def test_cutter_yields_the_rows_in_finished_batches(background: Background) -> None:
    cutter = Cutter(b"id", Limits(max_batch_rows=2), MemoryFolder(), background)
    assert list(cutter.add(b"1\n")) == []
    assert list(cutter.add(b"2\n3\n4\n5\n")) == [1, 3]
    assert cutter.is_open
    assert list(cutter.add(b"")) == []


def test_cutter_with_finished_batches_goes_on_after_them(background: Background) -> None:
    first, _ = cut([b"1,x\n2,x\n"], Limits(max_batch_rows=1))
    output = MemoryFolder()
    second = Cutter(b"id,a", Limits(max_batch_rows=1), output, background, tuple(first.batches))
    list(second.add(b"3,x\n"))
    second.finish()
    assert [batch.number for batch in second.batches] == [1, 2, 3]
    assert list(output.objects) == ["batches/00003.batch"]


def test_cutter_once_aborted_leaves_no_object(background: Background) -> None:
    output = MemoryFolder()
    cutter = Cutter(b"id,a", Limits(), output, background)
    list(cutter.add(b"1,x\n"))
    cutter.abort()
    cutter.finish()
    assert output.objects == {}
    assert cutter.batches == []


def test_cutter_beyond_the_most_batches_raises() -> None:
    cut([b"1\n2\n"], Limits(max_batch_rows=1, max_batches=2))
    with pytest.raises(FileRejectedError, match="more than 2 batches"):
        cut([b"1\n2\n3\n"], Limits(max_batch_rows=1, max_batches=2))


@pytest.mark.fault(21, "one row less and more than fits; no empty last batch")
@pytest.mark.parametrize("rows", [499, 500, 501, 1000])
def test_batches_of_the_most_rows_are_full_and_none_is_empty(rows: int) -> None:
    data = b"thirdPartyId,a\n" + b"".join(b"%d,x\n" % number for number in range(rows))
    outcome = run(data, limits=Limits(max_batch_rows=500))
    assert [batch.rows for batch in outcome.split.batches] == [500] * (rows // 500) + [rows % 500] * (
        rows % 500 > 0
    )


@pytest.mark.fault(21, "one byte less and more than fits")
@pytest.mark.parametrize("less", [-1, 0, 1])
def test_batches_of_the_most_bytes_count_encoded_bytes(less: int) -> None:
    data = "thirdPartyId,a\n1,é\n2,ü\n".encode()
    whole = len(run(data).bodies[0])
    outcome = run(data, limits=Limits(max_batch_bytes=whole - less))
    assert len(outcome.split.batches) == (2 if less > 0 else 1)


def test_file_of_too_many_batches_is_rejected() -> None:
    with pytest.raises(FileRejectedError, match="drop it in parts"):
        run(PLAIN, limits=Limits(max_batch_rows=1, max_batches=1))


MANY = b"pcId,a\n" + b"".join(b"%d,%d\n" % (number % 8, number) for number in range(40))


@pytest.mark.parametrize("budget", [0, 1, 2, 3, 7, 1000])
def test_file_whose_merged_rows_fit_is_not_rejected_for_its_draft(
    budget: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the batches that are sent count, wherever the split is interrupted."""
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 20)
    limits = Limits(max_batch_rows=2, max_batches=4)

    def out_of_time() -> Callable[[], bool]:
        asked = itertools.count()
        return lambda: next(asked) >= budget

    outcome, _ = run_in_slices(MANY, Feed(), limits, out_of_time)
    assert outcome.received == [(str(number), str(32 + number)) for number in range(8)]
    assert outcome.split.batches == run(MANY, limits=limits).split.batches
    for data, most in ((MANY, 3), (MANY[: MANY.index(b"\n0,8\n") + 1], 3)):
        with pytest.raises(FileRejectedError, match="more than 3 batches"):
            run_in_slices(data, Feed(), Limits(max_batch_rows=2, max_batches=most), out_of_time)


def test_rows_that_no_batch_can_hold_are_rejected_after_too_many_batches() -> None:
    limits = Limits(max_batch_rows=1, max_batches=2, max_batch_bytes=40)
    outcome = run(b"pcId,a\n1,x\n2,y\n1,z\n3," + b"v" * 50 + b"\n", limits=limits)
    assert outcome.split.rejects == {"row_too_large": 1}
    assert outcome.received == [("1", "z"), ("2", "y")]


def test_header_too_large_for_a_batch_is_rejected() -> None:
    with pytest.raises(FileRejectedError, match="leaves no room for a row"):
        run(PLAIN, limits=Limits(max_batch_bytes=20))


def test_batches_of_a_split_without_digests_have_none() -> None:
    outcome = run(PLAIN, digests=False)
    assert [batch.sha256 for batch in outcome.split.batches] == [""]
    assert outcome.split.source_sha256 == ""
