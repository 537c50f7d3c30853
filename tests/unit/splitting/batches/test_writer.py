"""What of some encoded rows gets into batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing

import pytest

from bulk_profiles.core.feeds import Feed, Mapping
from bulk_profiles.splitting.batches.cutter import Cutter, Limits
from bulk_profiles.splitting.batches.writer import BatchWriter
from bulk_profiles.splitting.parallel.thread import Background
from bulk_profiles.splitting.rows.columns import resolve
from tests.worlds.splitting import MemoryOutput


class _StopError(Exception):
    pass


@pytest.fixture
def background() -> Iterator[Background]:
    with closing(Background()) as calls:
        yield calls


@pytest.fixture
def output() -> MemoryOutput:
    return MemoryOutput()


def _writer(
    output: MemoryOutput,
    background: Background,
    *,
    names: Sequence[str] = ("pcId", "a"),
    feed: Feed | None = None,
    limits: Limits | None = None,
    done: int = 0,
) -> BatchWriter:
    columns = resolve(names, feed or Feed())
    return BatchWriter(columns, Cutter(columns.header, limits or Limits(), output, background), done=done)


def _go_on() -> None:
    pass


def _stop() -> None:
    raise _StopError


def _bodies(writer: BatchWriter, output: MemoryOutput) -> list[bytes]:
    writer.cutter.finish()
    return [output.objects[name] for name in sorted(output.objects)]


def test_rows_without_a_value_are_skipped_and_counted(output: MemoryOutput, background: Background) -> None:
    writer = _writer(output, background)
    writer.write(b"1,x\n2,\n3,y\n", _go_on, valueless=True)
    writer.write(b"4,\n", _go_on, valueless=True)
    assert _bodies(writer, output) == [b"batch=pcId,a\n1,x\n3,y"]
    assert writer.skipped == 2


def test_in_a_file_of_ids_alone_all_rows_are_skipped(output: MemoryOutput, background: Background) -> None:
    writer = _writer(output, background, names=("pcId",))
    writer.write(b"1\n2\n", _go_on, valueless=True)
    assert _bodies(writer, output) == []
    assert writer.skipped == 2


def test_rows_known_to_have_values_are_not_searched(output: MemoryOutput, background: Background) -> None:
    """Unless a column is not sent: then a row may have lost its only value."""
    writer = _writer(output, background)
    writer.write(b"1,\n", _go_on, valueless=False)
    assert writer.skipped == 0
    writer = _writer(output, background, names=("pcId", "a", "b"), feed=Feed(mapping=Mapping(drop=("b",))))
    writer.write(b"1,\n", _go_on, valueless=False)
    assert writer.skipped == 1


def test_rows_that_no_batch_can_hold_are_returned(output: MemoryOutput, background: Background) -> None:
    limits = Limits(max_batch_bytes=len(b"batch=pcId,a\n1,xyz"))
    writer = _writer(output, background, limits=limits)
    rows = b"1,xyz\n2,wxyz\n3,a\n4,wxyz\n"
    assert writer.fitting(rows)[1] == writer.write(rows, _go_on, valueless=True) == [1, 3]
    assert [writer.fits(row) for row in (b"1,xyz", b"2,wxyz")] == [True, False]
    assert _bodies(writer, output) == [b"batch=pcId,a\n1,xyz", b"batch=pcId,a\n3,a"]


def test_what_the_feed_adds_to_a_row_counts_in_its_size(output: MemoryOutput, background: Background) -> None:
    feed = Feed(mapping=Mapping(constants={"b": "wxyz"}))
    writer = _writer(
        output, background, feed=feed, limits=Limits(max_batch_bytes=len(b"batch=pcId,a,b\n1,x,wxyz"))
    )
    assert writer.write(b"1,x\n2,xy\n", _go_on, valueless=True) == [1]
    assert _bodies(writer, output) == [b"batch=pcId,a,b\n1,x,wxyz"]


def test_interrupted_after_a_batch_it_says_what_is_done(output: MemoryOutput, background: Background) -> None:
    writer = _writer(output, background, limits=Limits(max_batch_rows=2))
    with pytest.raises(_StopError):
        writer.write(b"0,\n1,x\n2,x\n3,x\n", _stop, valueless=True)
    assert (writer.done, writer.skipped) == (2, 0)
    assert [batch.rows for batch in writer.cutter.batches] == [2]


def test_rows_in_batches_are_passed_over_across_blocks(output: MemoryOutput, background: Background) -> None:
    writer = _writer(output, background, done=3)
    writer.write(b"0,\n1,x\n2,x\n", _go_on, valueless=True)
    assert (writer.done, writer.skipped) == (1, 1)
    writer.write(b"3,x\n4,x\n", _go_on, valueless=True)
    assert writer.done == 0
    assert _bodies(writer, output) == [b"batch=pcId,a\n4,x"]


def test_interrupted_again_it_counts_from_the_same_row(output: MemoryOutput, background: Background) -> None:
    writer = _writer(output, background, limits=Limits(max_batch_rows=1), done=2)
    with pytest.raises(_StopError):
        writer.write(b"1,x\n2,x\n3,x\n4,x\n", _stop, valueless=True)
    assert writer.done == 3


def test_a_restart_forgets_batches_and_counts(output: MemoryOutput, background: Background) -> None:
    writer = _writer(output, background, limits=Limits(max_batch_rows=1), done=1)
    writer.write(b"1,x\n2,x\n3,\n4,x\n", _go_on, valueless=True)
    writer.restart()
    assert (writer.done, writer.skipped, writer.cutter.batches) == (0, 0, [])
    assert not writer.cutter.is_open
