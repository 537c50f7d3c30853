"""Read-ahead: helpers work on the raw blocks that come next while the caller works on one."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from .blocks import HelperResult, Helpers, RawBlock

MOST_BYTES = 6 * 1024 * 1024  # in the queue: enough for some blocks, and for two of the longest records


class ReadAhead:
    """An ordered parallel map over raw blocks, with a queue of bounded length and size.

    Iterate over it for each raw block with its result: None where the reader has to take it apart itself.
    """

    def __init__(self, raw_blocks: Iterator[RawBlock], helpers: Helpers) -> None:
        self._raw_blocks = raw_blocks
        self._helpers = helpers
        self._queue = deque[RawBlock]()

    def __iter__(self) -> Iterator[tuple[RawBlock, HelperResult | None]]:
        self._fill()
        while self._queue:
            raw, result = self._queue.popleft(), self._helpers.result()
            if result:  # without one, the reader may take back what follows
                self._fill()
            yield raw, result
            self._fill()

    @property
    def is_empty(self) -> bool:
        """Whether no raw block is in the queue."""
        return not self._queue

    def take_back(self) -> list[bytes]:
        """Empty the queue: return the data of its raw blocks and drop their results."""
        data = [raw.data for raw in self._queue]
        self._queue.clear()
        for _ in data:
            self._helpers.result()
        return data

    def _fill(self) -> None:
        while (
            len(self._queue) < self._helpers.count and sum(len(raw.data) for raw in self._queue) < MOST_BYTES
        ):
            raw = next(self._raw_blocks, None)
            if raw is None:
                return
            self._helpers.take(raw.data)
            self._queue.append(raw)
