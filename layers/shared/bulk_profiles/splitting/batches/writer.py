"""Writing encoded rows into batches, but for those that no batch can hold and those that Target ignores."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from bulk_profiles.splitting.rows.columns import Columns

from .cutter import Cutter


class LeftOut(NamedTuple):
    """The places of the rows that were not written, among those to write."""

    too_large: list[int]  # no batch can hold them
    valueless: list[int]  # Target ignores them


class BatchWriter:
    """Complete encoded rows by the feed's mapping and write them into batches."""

    def __init__(self, columns: Columns, cutter: Cutter, *, done: int = 0, skipped: int = 0) -> None:
        self.cutter = cutter
        self.done = done  # rows that come next and are in finished batches already
        self.skipped = skipped  # rows without a value so far
        self._columns = columns

    def write(self, rows: bytes, pause: Callable[[], None], *, valueless: bool) -> LeftOut:
        """Write encoded rows, but for those that no batch can hold and those without any value.

        None is without a value if not `valueless`, unless there are columns that are not sent.
        `pause` is called after every finished batch, and may raise: `done` and `skipped` are then those to go
        on with from the first of these rows.
        """
        rows, too_large = self.fitting(rows)
        skipped = list[int]()
        if valueless or not self._columns.all_sent:
            rows, skipped = _with_values(rows, self._columns.width)
        if too_large and skipped:
            places = np.delete(np.arange(rows.count(b"\n") + len(skipped) + len(too_large)), too_large)
            skipped = places[skipped].tolist()
        # A split that goes on reads blocks that end in other places: what is done may span several of them.
        done = min(self.done, rows.count(b"\n")) if self.done else 0
        if done:
            rows = rows.split(b"\n", done)[-1]
        remaining = self.done - done
        for count in self.cutter.add(rows):
            self.done = done + count
            pause()
        self.done = remaining
        self.skipped += len(skipped)
        return LeftOut(too_large, skipped)

    def too_large(self, rows: bytes) -> list[int]:
        """Return the places of those encoded rows that no batch can hold."""
        return self.fitting(rows)[1]

    def fitting(self, rows: bytes) -> tuple[bytes, list[int]]:
        """Complete encoded rows; return those that a batch can hold, and the places of the others."""
        rows, room = self._columns.complete(rows), self.cutter.room
        if len(rows) <= room:
            return rows, []
        lines = rows.splitlines(keepends=True)
        too_large = [place for place, line in enumerate(lines) if len(line) > room]
        return b"".join([line for line in lines if len(line) <= room]), too_large

    def restart(self) -> None:
        """Begin with the first row and the first batch again."""
        self.cutter.restart()
        self.done = self.skipped = 0


def _with_values(rows: bytes, width: int) -> tuple[bytes, list[int]]:
    """Return the rows that have more than an id, and the places of the others."""
    empty = b"," * (width - 1) + b"\n"
    if empty not in rows:
        return rows, []
    lines = rows.splitlines(keepends=True)
    valueless = [place for place, line in enumerate(lines) if line.endswith(empty)]
    return b"".join([line for line in lines if not line.endswith(empty)]), valueless
