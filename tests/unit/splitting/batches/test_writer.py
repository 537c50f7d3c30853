"""What of some encoded rows gets into batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing

import pytest

from bulk_profiles.core.feeds import Feed, Mapping
from bulk_profiles.splitting.batches.cutter import Cutter, Limits
from bulk_profiles.splitting.batches.writer import BatchWriter, LeftOut
from bulk_profiles.splitting.parallel.thread import Background
from bulk_profiles.splitting.rows.columns import resolve
from tests.worlds.splitting import MemoryFolder, run


class _StopError(Exception):
    pass


@pytest.fixture
def background() -> Iterator[Background]:
    with closing(Background()) as calls:
        yield calls


@pytest.fixture
def output() -> MemoryFolder:
    return MemoryFolder()


def _writer(
    output: MemoryFolder,
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


def _bodies(writer: BatchWriter, output: MemoryFolder) -> list[bytes]:
    writer.cutter.finish()
    return [output.objects[name] for name in sorted(output.objects)]


def test_writer_skips_and_counts_rows_without_a_value(output: MemoryFolder, background: Background) -> None:
    writer = _writer(output, background)
    writer.write([b"1,x\n2,\n3,y\n"], _go_on, valueless=True)
    writer.write([b"4,\n"], _go_on, valueless=True)
    assert _bodies(writer, output) == [b"batch=pcId,a\n1,x\n3,y"]
    assert writer.skipped == 2


def test_writer_of_ids_alone_skips_all_rows(output: MemoryFolder, background: Background) -> None:
    writer = _writer(output, background, names=("pcId",))
    writer.write([b"1\n2\n"], _go_on, valueless=True)
    assert _bodies(writer, output) == []
    assert writer.skipped == 2


def test_writer_does_not_search_rows_known_to_have_values(
    output: MemoryFolder, background: Background
) -> None:
    """Unless a column is not sent: then a row may have lost its only value."""
    writer = _writer(output, background)
    writer.write([b"1,\n"], _go_on, valueless=False)
    assert writer.skipped == 0
    writer = _writer(output, background, names=("pcId", "a", "b"), feed=Feed(mapping=Mapping(drop=("b",))))
    writer.write([b"1,\n"], _go_on, valueless=False)
    assert writer.skipped == 1


def test_writer_returns_places_of_rows_too_large_for_a_batch(
    output: MemoryFolder, background: Background
) -> None:
    limits = Limits(max_batch_bytes=len(b"batch=pcId,a\n1,xyz"))
    writer = _writer(output, background, limits=limits)
    rows = b"1,xyz\n2,wxyz\n3,a\n4,wxyz\n"
    assert writer.too_large(rows) == [1, 3]
    assert writer.write([rows], _go_on, valueless=True) == LeftOut([1, 3], [])
    assert _bodies(writer, output) == [b"batch=pcId,a\n1,xyz", b"batch=pcId,a\n3,a"]


def test_writer_returns_places_of_rows_without_a_value(output: MemoryFolder, background: Background) -> None:
    limits = Limits(max_batch_bytes=len(b"batch=pcId,a\n1,xyz"))
    writer = _writer(output, background, limits=limits)
    rows = b"1,wxyz\n2,\n3,x\n4,wxyz\n5,\n"
    assert writer.write([rows], _go_on, valueless=True) == LeftOut([0, 3], [1, 4])


def test_writer_counts_what_the_feed_adds_to_a_row(output: MemoryFolder, background: Background) -> None:
    feed = Feed(mapping=Mapping(constants={"b": "wxyz"}))
    writer = _writer(
        output, background, feed=feed, limits=Limits(max_batch_bytes=len(b"batch=pcId,a,b\n1,x,wxyz"))
    )
    assert writer.write([b"1,x\n2,xy\n"], _go_on, valueless=True).too_large == [1]
    assert _bodies(writer, output) == [b"batch=pcId,a,b\n1,x,wxyz"]


def test_writer_interrupted_after_a_batch_knows_what_is_done(
    output: MemoryFolder, background: Background
) -> None:
    writer = _writer(output, background, limits=Limits(max_batch_rows=2))
    with pytest.raises(_StopError):
        writer.write([b"0,\n1,x\n2,x\n3,x\n"], _stop, valueless=True)
    assert (writer.done, writer.skipped) == (2, 0)
    assert [batch.rows for batch in writer.cutter.batches] == [2]


def test_writer_passes_over_rows_in_batches_across_blocks(
    output: MemoryFolder, background: Background
) -> None:
    writer = _writer(output, background, done=3)
    writer.write([b"0,\n1,x\n2,x\n"], _go_on, valueless=True)
    assert (writer.done, writer.skipped) == (1, 1)
    writer.write([b"3,x\n4,x\n"], _go_on, valueless=True)
    assert writer.done == 0
    assert _bodies(writer, output) == [b"batch=pcId,a\n4,x"]


def test_writer_interrupted_again_counts_from_the_same_row(
    output: MemoryFolder, background: Background
) -> None:
    writer = _writer(output, background, limits=Limits(max_batch_rows=1), done=2)
    with pytest.raises(_StopError):
        writer.write([b"1,x\n2,x\n3,x\n4,x\n"], _stop, valueless=True)
    assert writer.done == 3


def test_rows_in_pieces_are_those_in_one(output: MemoryFolder, background: Background) -> None:
    rows = [b"0,\n1,x\n", b"2,\n3,longer\n4,x\n", b"5,longer\n6,\n7,x\n"]
    writer = _writer(output, background, limits=Limits(max_batch_bytes=len(b"batch=pcId,a\n1,x\n4,x")))
    assert writer.write(rows, _go_on, valueless=True) == LeftOut([3, 5], [0, 2, 6])
    assert writer.skipped == 3
    assert _bodies(writer, output) == [b"batch=pcId,a\n1,x\n4,x", b"batch=pcId,a\n7,x"]


def test_writer_interrupted_in_a_later_piece_counts_from_the_first(
    output: MemoryFolder, background: Background
) -> None:
    writer = _writer(output, background, limits=Limits(max_batch_rows=2), done=1)
    with pytest.raises(_StopError):
        writer.write([b"0,\n1,x\n2,x\n", b"3,x\n4,x\n"], _stop, valueless=True)
    assert (writer.done, writer.skipped) == (3, 0)


def test_writer_restarted_forgets_batches_and_counts(output: MemoryFolder, background: Background) -> None:
    writer = _writer(output, background, limits=Limits(max_batch_rows=1), done=1)
    writer.write([b"1,x\n2,x\n3,\n4,x\n"], _go_on, valueless=True)
    writer.restart()
    assert (writer.done, writer.skipped, writer.cutter.batches) == (0, 0, [])
    assert not writer.cutter.is_open


def test_row_that_no_batch_can_hold_is_rejected() -> None:
    data = b"thirdPartyId,a\n1,x\n2," + b"y" * 50 + b"\n3,z\n"
    outcome = run(data, limits=Limits(max_batch_bytes=40))
    assert outcome.rejects == [["3", "", "row_too_large"]]
    assert [cells[0] for cells in outcome.received] == ["1", "3"]


def test_row_that_fits_without_a_needless_default_is_sent() -> None:
    feed = Feed(mapping=Mapping(defaults={"a": "d" * 16}))
    data = b"pcId,a,b\n1,xxxxxxxxxx,y\n2,,y\n"
    outcome = run(data, feed, Limits(max_batch_bytes=len(b"batch=pcId,a,b\n1,xxxxxxxxxx,y")))
    assert [cells[0] for cells in outcome.received] == ["1"]
    assert outcome.rejects == [["3", "", "row_too_large"]]


def test_value_of_a_dropped_column_is_no_value() -> None:
    """Whatever other rows there are: with a repeated id the file is read another way."""
    for more in (b"", b"2,,y\n"):
        outcome = run(b"pcId,a,b\n1,x,\n2,,y\n" + more, Feed(mapping=Mapping(drop=("a",))))
        assert outcome.received == [("2", "y")]
        assert outcome.split.rows.skipped == 1
