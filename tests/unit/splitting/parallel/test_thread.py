"""Calls in the background: their order, what they raise, and how much data may wait."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from bulk_profiles.splitting.parallel import thread
from bulk_profiles.splitting.parallel.thread import Background, Data


@pytest.fixture
def background() -> Iterator[Background]:
    with closing(Background()) as calls:
        yield calls


def fail(_data: Data) -> None:
    raise OSError("disk full")


def test_background_makes_calls_in_order_in_one_thread(background: Background) -> None:
    taken, threads = list[bytes](), set[int]()

    def take(data: Data) -> None:
        threads.add(threading.get_ident())
        taken.append(bytes(data))

    for number in range(100):
        background.call(take, b"%d" % number)
    background.finish()
    assert taken == [b"%d" % number for number in range(100)]
    assert len(threads - {threading.get_ident()}) == len(threads) == 1


def test_finish_raises_what_a_call_raised(background: Background) -> None:
    background.call(fail, b"")
    background.call(len, b"later")
    background.settle()
    with pytest.raises(OSError, match="disk full"):
        background.finish()


def test_call_waits_while_too_much_data_is_queued(
    background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thread, "_MAX_BYTES", 10)
    go_on, taken = threading.Event(), list[int]()

    def take(data: Data) -> None:
        go_on.wait(60)
        taken.append(len(data))

    background.call(take, bytes(11))  # alone, however large it is
    caller = threading.Thread(target=background.call, args=(take, bytes(1)))
    caller.start()
    caller.join(0.05)
    assert caller.is_alive()
    go_on.set()
    caller.join(60)
    for _ in range(10):
        background.call(take, bytes(1))
    background.finish()
    assert taken == [11, *[1] * 11]


def test_call_raises_what_an_awaited_call_raised(
    background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thread, "_MAX_BYTES", 1)
    background.call(fail, b"12")
    with pytest.raises(OSError, match="disk full"):
        background.call(len, b"3")


def test_background_once_closed_begins_no_more_calls() -> None:
    background, began, go_on, taken = Background(), threading.Event(), threading.Event(), list[bytes]()
    threads = list[threading.Thread]()

    def take(data: Data) -> None:
        threads.append(threading.current_thread())
        began.set()
        go_on.wait(60)
        taken.append(bytes(data))

    background.call(take, b"first")
    background.call(take, b"second")
    began.wait(60)
    threading.Timer(0.05, go_on.set).start()
    background.close()
    assert taken == [b"first"]
    assert not threads[0].is_alive()
