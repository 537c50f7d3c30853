"""Which block of a file is next, and where that is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bulk_profiles.core.feeds import Feed
from bulk_profiles.splitting.pending_blocks import PendingBlocks
from bulk_profiles.splitting.reading import delimited
from bulk_profiles.splitting.reading.blocks import Position
from bulk_profiles.splitting.reading.formats import open_source
from bulk_profiles.splitting.rows.columns import resolve
from bulk_profiles.splitting.rows.prepare import RowPreparer
from tests.worlds.splitting import MemoryFile

HEADER = b"pcId,a\n"
ROWS = [b"1,x\n", b",x\n", b"2,y\n", b"3,z\n"]  # the second one has a fault


class _StopError(Exception):
    pass


@contextmanager
def _pending(start: Position | None = None, ordinal: int = 0) -> Iterator[PendingBlocks]:
    with open_source(MemoryFile(HEADER + b"".join(ROWS)), Feed()) as reader:
        preparer = RowPreparer(resolve(reader.names, Feed()), Feed())
        yield PendingBlocks(reader, preparer, start, ordinal, processes=1)


@pytest.fixture(autouse=True)
def _blocks_of_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "BLOCK_BYTES", len(ROWS[0]))


def _read(pending: PendingBlocks, stop_after: int = len(ROWS)) -> list[tuple[int, int, bytes]]:
    """Return start, ordinal and rows of each block, up to so many."""
    blocks = list[tuple[int, int, bytes]]()

    def pause() -> None:
        if len(blocks) >= stop_after:
            raise _StopError

    for block, prepared in pending.read(lambda: (True, True), pause):
        assert pending.start == block.start
        blocks.append((pending.start.offset - len(HEADER), pending.ordinal, prepared.rows))
    return blocks


def test_pending_blocks_know_start_and_ordinal_of_each_block() -> None:
    with _pending() as pending:
        assert _read(pending) == [(0, 0, b"1,x\n"), (4, 1, b""), (7, 1, b"2,y\n"), (11, 2, b"3,z\n")]


def test_pending_blocks_interrupted_stand_at_the_next_block() -> None:
    with _pending() as pending:
        with pytest.raises(_StopError):
            _read(pending, stop_after=2)
        assert (pending.start, pending.ordinal) == (Position(len(HEADER) + 7, 4), 1)
    with _pending(pending.start, pending.ordinal) as later:
        assert _read(later) == [(7, 1, b"2,y\n"), (11, 2, b"3,z\n")]


def test_pending_blocks_out_of_time_from_the_start_read_one() -> None:
    """So every invocation gets further."""
    with _pending() as pending:
        with pytest.raises(_StopError):
            _read(pending, stop_after=0)
        assert pending.ordinal == 1


def test_pending_blocks_restarted_begin_with_the_first() -> None:
    with _pending() as pending:
        once = _read(pending)
        pending.restart()
        assert _read(pending) == once
