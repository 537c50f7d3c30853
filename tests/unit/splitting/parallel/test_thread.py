"""Calls in the background: their order, what they raise, and how much data may wait."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from bulk_profiles.splitting.parallel import thread
from bulk_profiles.splitting.parallel.thread import Background, Data


@pytest.fixture
def background() -> Iterator[Background]:
    found = Background()
    yield found
    found.close()


def fail(_data: Data) -> None:
    raise OSError("disk full")


def test_calls_are_made_in_order_by_one_other_thread(background: Background) -> None:
    made, threads = list[bytes](), set[int]()

    def take(data: Data) -> None:
        threads.add(threading.get_ident())
        made.append(bytes(data))

    for number in range(100):
        background.call(take, b"%d" % number)
    background.finish()
    assert made == [b"%d" % number for number in range(100)]
    assert len(threads - {threading.get_ident()}) == len(threads) == 1


def test_what_a_call_raises_is_raised_when_all_are_awaited(background: Background) -> None:
    background.call(fail, b"")
    background.call(len, b"later")
    background.settle()
    with pytest.raises(OSError, match="disk full"):
        background.finish()


def test_no_more_data_waits_than_may(background: Background, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thread, "_MAX_BYTES", 10)
    go_on, made = threading.Event(), list[int]()

    def take(data: Data) -> None:
        go_on.wait(60)
        made.append(len(data))

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
    assert made == [11, *[1] * 11]


def test_a_call_raises_what_an_earlier_one_raised_that_it_waited_for(
    background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thread, "_MAX_BYTES", 1)
    background.call(fail, b"12")
    with pytest.raises(OSError, match="disk full"):
        background.call(len, b"3")


def test_once_closed_it_begins_no_more_calls_and_has_no_thread() -> None:
    background, began, go_on, made = Background(), threading.Event(), threading.Event(), list[bytes]()
    threads = list[threading.Thread]()

    def take(data: Data) -> None:
        threads.append(threading.current_thread())
        began.set()
        go_on.wait(60)
        made.append(bytes(data))

    background.call(take, b"first")
    background.call(take, b"second")
    began.wait(60)
    threading.Timer(0.05, go_on.set).start()
    background.close()
    assert made == [b"first"]
    assert not threads[0].is_alive()
