"""Writing encoded rows into batches, but for those that no batch can hold and those that Target ignores."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from bulk_profiles.splitting.reading.scans import count
from bulk_profiles.splitting.rows.columns import Columns

from .cutter import Cutter

_LINE_FEED = ord("\n")


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

    def write(self, pieces: Iterable[bytes], pause: Callable[[], None], *, valueless: bool) -> LeftOut:
        """Write encoded rows, but for those that no batch can hold and those without any value.

        The rows of a block come in one piece or several. None is without a value if not `valueless`, unless
        there are columns that are not sent.
        `pause` is called after every finished batch, and may raise: `done` and `skipped` are then those to go
        on with from the first of these rows.
        """
        left_out, given, written = LeftOut([], []), 0, 0
        # A split that goes on reads blocks that end in other places: what is done may span several of them.
        remaining = self.done
        for piece in pieces:
            rows, too_large = self.fitting(piece)
            skipped = list[int]()
            if valueless or not self._columns.all_sent:
                rows, skipped = _with_values(rows, self._columns.width)
            to_write = count(rows, _LINE_FEED)
            places = range(given, given + to_write + len(skipped) + len(too_large))
            given = places.stop
            left_out.too_large.extend(places[place] for place in too_large)
            if skipped:
                fitting = np.delete(places, too_large) if too_large else places
                left_out.valueless.extend(int(fitting[place]) for place in skipped)
            done = min(remaining, to_write)
            if done:
                rows = rows.split(b"\n", done)[-1]
                remaining -= done
            for finished in self.cutter.add(rows):
                self.done = written + done + finished
                pause()
            written += to_write
        self.done = remaining
        self.skipped += len(left_out.valueless)
        return left_out

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
