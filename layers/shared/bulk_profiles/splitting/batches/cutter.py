"""Cutting encoded rows into batches within Target's limits.

A body is `batch=`, the header, and the rows, with a line feed between them and none at the end. A background
thread writes it and computes its digest, while the next block is read and encoded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bulk_profiles.core.errors import FileRejectedError
from bulk_profiles.core.models import PlannedBatch
from bulk_profiles.core.names import batch_name
from bulk_profiles.splitting.files import Output, Sink
from bulk_profiles.splitting.parallel.thread import Background, Data

_BODY_PREFIX = b"batch="
_LINE_FEED = 10


@dataclass(frozen=True, slots=True)
class Limits:
    """What a batch and an import may hold."""

    max_batch_rows: int = 500_000
    max_batch_bytes: int = 49_999_999  # of the encoded body, all included
    max_batches: int = 10_000  # of an import


class TooManyBatchesError(FileRejectedError):
    """The rows fill more batches than an import may have."""

    def __init__(self, most: int) -> None:
        super().__init__(f"The file makes more than {most:,} batches: drop it in parts.")


class Cutter:
    """Write rows into batches, one after the other. Without `digests`, their `sha256` are empty."""

    def __init__(
        self,
        header: bytes,
        limits: Limits,
        output: Output,
        background: Background,
        batches: tuple[PlannedBatch, ...] = (),
        *,
        digests: bool = True,
    ) -> None:
        self.batches = list(batches)  # those that are finished
        self._head = _BODY_PREFIX + header
        self.limits = limits
        self._output = output
        self._background = background
        self._digests = digests
        self._sink: Sink | None = None
        self._close()
        if self.room <= 0:
            raise FileRejectedError(
                f"The header alone needs {len(self._head)} bytes, which leaves no room for a row in a batch "
                f'of {limits.max_batch_bytes}: add columns to "drop" in the feed\'s mapping.'
            )

    @property
    def room(self) -> int:
        """The most bytes that one row can have, its line feed included."""
        return self.limits.max_batch_bytes - len(self._head)

    @property
    def is_open(self) -> bool:
        """Whether a batch has been started and not finished."""
        return self._sink is not None

    def add(self, block: bytes) -> Iterator[int]:
        """Write rows, each ended by a line feed and none longer than `room`.

        Yields, after every batch that these rows fill, how many of them are in finished batches.
        """
        if not block:
            return
        max_rows, max_bytes = self.limits.max_batch_rows, self.limits.max_batch_bytes
        line_feeds = np.frombuffer(block, np.uint8) == _LINE_FEED
        count = int(np.count_nonzero(line_feeds))
        if self._rows + count <= max_rows and self._size + len(block) <= max_bytes:
            self._write(memoryview(block), count)
            return
        ends = np.flatnonzero(line_feeds) + 1
        done = start = 0
        while done < count:
            by_size = int(np.searchsorted(ends, start + max_bytes - self._size, "right"))
            until = min(by_size, done + max_rows - self._rows, count)
            if until > done:
                end = int(ends[until - 1])
                self._write(memoryview(block)[start:end], until - done)
                done, start = until, end
            if done < count:
                self.finish()
                yield done

    def finish(self) -> None:
        """Finish the batch that is open, if any."""
        if self._sink is None:
            return
        self._background.finish()
        self._sink.commit()
        sha256 = self._digest.hexdigest() if self._digest else ""
        self.batches.append(PlannedBatch(self._number, self._rows, self._size, sha256))
        self._close()

    def abort(self) -> None:
        """Drop the batch that is open, if any."""
        if self._sink is not None:
            self._background.settle()  # no call writes to the sink any more
            self._sink.abort()
            self._close()

    def restart(self) -> None:
        """Drop the batch that is open, and begin with the first batch again."""
        self.abort()
        self.batches.clear()

    def _open(self) -> None:
        self._number = len(self.batches) + 1
        if self._number > self.limits.max_batches:
            raise TooManyBatchesError(self.limits.max_batches)
        self._sink = self._output.create(batch_name(self._number))
        self._digest = hashlib.sha256() if self._digests else None
        self._put(self._head)

    def _close(self) -> None:
        self._sink = None
        self._rows, self._size = 0, len(self._head)  # of the batch that is open, or else of the next one

    def _write(self, rows: memoryview, count: int) -> None:
        if self._sink is None:
            self._open()
        self._background.call(self._put_rows, rows)
        self._rows += count
        self._size += len(rows)

    def _put_rows(self, rows: Data) -> None:
        self._put(b"\n")
        self._put(rows[:-1])

    def _put(self, data: Data) -> None:
        if self._sink is not None:
            self._sink.write(data)
        if self._digest:
            self._digest.update(data)
