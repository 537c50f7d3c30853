"""The base of raw streams: every way to read gives the same bytes, and what it holds is closed once."""

from __future__ import annotations

import io
from unittest import mock

import pytest

from bulk_profiles.core.streams import PieceReader

DATA = bytes(range(256)) * 40


class Pieces(PieceReader):
    def __init__(self, *resources: mock.Mock) -> None:
        super().__init__(*resources)
        self._stream = io.BytesIO(DATA)

    def read_piece(self, size: int) -> bytes:
        return self._stream.read(min(size, 7))


def test_read_returns_one_piece_or_everything() -> None:
    assert Pieces().read(3) == DATA[:3]
    assert Pieces().read(9) == DATA[:7]
    assert Pieces().read(0) == b""
    assert Pieces().read() == DATA


@pytest.mark.parametrize("size", [1, 5, 64, 20_000])
def test_readinto_fills_a_buffered_reader(size: int) -> None:
    with io.BufferedReader(Pieces(), size) as stream:
        assert stream.read(9) == DATA[:9]
        assert stream.read() == DATA[9:]


def test_close_closes_every_resource_once_in_order() -> None:
    order = mock.Mock()
    stream = Pieces(order.first, order.second)
    closed = [mock.call.first.close(), mock.call.second.close()]
    stream.close()
    assert (stream.closed, order.mock_calls) == (True, closed)
    stream.close()
    assert (stream.closed, order.mock_calls) == (True, closed)
