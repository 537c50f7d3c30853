"""A background thread that hashes and writes while the next block is worked on.

Both release the interpreter lock, so they run at the same time as the Python code of the main thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

_MAX_BYTES = 4 * 1024 * 1024  # that may wait: some blocks, whatever rows are in them
type Data = bytes | memoryview


class Background:
    """Calls that one thread makes in their order, each with some data that must not change any more."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._calls = deque[tuple[Future[object], int]]()
        self._waiting = 0

    def call(self, function: Callable[[Data], object], data: Data) -> None:
        """Queue a call. Waits while too much data is queued; raises what one of the awaited calls raised."""
        while self._calls and self._waiting + len(data) > _MAX_BYTES:
            self._await_oldest()
        self._calls.append((self._thread.submit(function, data), len(data)))
        self._waiting += len(data)

    def finish(self) -> None:
        """Wait until all calls have returned; raises what one of them raised."""
        while self._calls:
            self._await_oldest()

    def settle(self) -> None:
        """Wait until all calls have returned or raised."""
        wait([call for call, _ in self._calls])

    def close(self) -> None:
        """End the thread after the present call, without the others in the queue."""
        self._thread.shutdown(cancel_futures=True)

    def _await_oldest(self) -> None:
        call, size = self._calls.popleft()
        self._waiting -= size
        call.result()
