"""Hashing and writing while the next block is worked on: neither needs the interpreter for itself."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

_MOST_BYTES = 4 * 1024 * 1024  # that may wait: some blocks, whatever rows are in them
type Data = bytes | memoryview


class Background:
    """Calls that one thread makes, one after the other, each with some data that nobody changes."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._calls = deque[tuple[Future[object], int]]()
        self._waiting = 0

    def call(self, function: Callable[[Data], object], data: Data) -> None:
        """Have a call made. Waits while too much data waits; raises what a call raised that it awaited."""
        while self._calls and self._waiting + len(data) > _MOST_BYTES:
            self._await_oldest()
        self._calls.append((self._thread.submit(function, data), len(data)))
        self._waiting += len(data)

    def finish(self) -> None:
        """Wait until all calls are made; raises what one of them raised."""
        while self._calls:
            self._await_oldest()

    def settle(self) -> None:
        """Wait until all calls are made, however they end."""
        wait([call for call, _ in self._calls])

    def close(self) -> None:
        """End the thread, without the calls that it has not begun."""
        self._thread.shutdown(cancel_futures=True)

    def _await_oldest(self) -> None:
        call, size = self._calls.popleft()
        self._waiting -= size
        call.result()
