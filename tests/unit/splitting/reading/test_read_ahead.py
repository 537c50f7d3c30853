"""The read-ahead: results in order, as much in the queue as may be, and no more."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from unittest import mock

import pytest

from bulk_profiles.splitting.reading import read_ahead
from bulk_profiles.splitting.reading.blocks import HelperResult, Position, RawBlock
from bulk_profiles.splitting.reading.read_ahead import ReadAhead
from bulk_profiles.splitting.rows.faults import Warn
from bulk_profiles.splitting.rows.warnings import Warnings


class Helpers:
    """Helpers that are sure of all data but an odd one."""

    count = 3

    def __init__(self) -> None:
        self.queue = deque[bytes]()

    def take(self, data: bytes) -> None:
        self.queue.append(data)

    def result(self) -> HelperResult | None:
        data = self.queue.popleft()
        return None if data == b"odd" else HelperResult(mock.sentinel.prepared, warnings(len(data)))


def warnings(count: int) -> Warnings:
    """Return warnings that tell the results apart."""
    return Warnings(Counter({Warn.SWALLOWED_ROWS: count}))


def raw_blocks(*data: bytes) -> Iterator[RawBlock]:
    for number, each in enumerate(data):
        yield RawBlock(Position(number, number), each)


def test_iteration_yields_every_raw_block_in_order_with_its_result() -> None:
    ahead = ReadAhead(raw_blocks(b"a", b"bb", b"odd", b"", b"e" * 9), Helpers())
    results = [(raw.start.line, raw.data, result and result.warnings) for raw, result in ahead]
    assert results == [
        (0, b"a", warnings(1)),
        (1, b"bb", warnings(2)),
        (2, b"odd", None),
        (3, b"", warnings(0)),
        (4, b"e" * 9, warnings(9)),
    ]
    assert ahead.is_empty
    assert not list(ReadAhead(raw_blocks(), Helpers()))


def test_queue_is_full_while_the_caller_works() -> None:
    helpers = Helpers()
    sizes = [len(helpers.queue) for _ in ReadAhead(raw_blocks(*[b"x"] * 6), helpers)]
    assert sizes == [3, 3, 3, 2, 1, 0]


def test_queue_holds_no_more_bytes_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_ahead, "MOST_BYTES", 10)
    helpers = Helpers()
    sizes = [sum(map(len, helpers.queue)) for _ in ReadAhead(raw_blocks(*[b"x" * 9] * 4), helpers)]
    assert sizes == [18, 18, 9, 0]


def test_take_back_returns_the_queue_and_drops_its_results() -> None:
    helpers = Helpers()
    ahead = ReadAhead(raw_blocks(b"odd", b"1", b"2", b"3", b"4"), helpers)
    seen = list[bytes]()
    for raw, _ in ahead:
        seen.append(raw.data)
        if raw.data == b"odd":
            assert ahead.take_back() == [b"1", b"2"]
            assert ahead.is_empty
            assert not helpers.queue
    assert seen == [b"odd", b"3", b"4"]
