"""Writing encoded rows into batches, but for those that no batch can hold and those that Target ignores."""

from __future__ import annotations

from collections.abc import Callable

from bulk_profiles.splitting.rows.columns import Columns

from .cutter import Cutter


class BatchWriter:
    """Complete encoded rows by the feed's mapping and write them into batches."""

    def __init__(self, columns: Columns, cutter: Cutter, *, done: int = 0, skipped: int = 0) -> None:
        self.cutter = cutter
        self.done = done  # rows that come next and are in finished batches already
        self.skipped = skipped  # rows without a value so far
        self._columns = columns

    def write(self, rows: bytes, pause: Callable[[], None], *, valueless: bool) -> list[int]:
        """Write encoded rows; return the places of those that no batch can hold, which are left out.

        Rows without any value are skipped, as Target ignores them; none is among the rows if not `valueless`.
        `pause` is called after every finished batch, and may raise: `done` and `skipped` are then those to go
        on with from the first of these rows.
        """
        rows, too_large = self.fitting(rows)
        skipped = 0
        if valueless or not self._columns.all_sent:
            rows, skipped = _with_values(rows, self._columns.width)
        # A split that goes on reads blocks that end in other places: what is done may span several of them.
        done = min(self.done, rows.count(b"\n")) if self.done else 0
        if done:
            rows = rows.split(b"\n", done)[-1]
        remaining = self.done - done
        for count in self.cutter.add(rows):
            self.done = done + count
            pause()
        self.done = remaining
        self.skipped += skipped
        return too_large

    def fits(self, row: bytes) -> bool:
        """Whether a batch can hold an encoded row."""
        return len(self._columns.complete(row + b"\n")) <= self.cutter.room

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


def _with_values(rows: bytes, width: int) -> tuple[bytes, int]:
    """Return the rows that have more than an id, and the number of the others."""
    empty = b"," * (width - 1) + b"\n"
    if empty not in rows:
        return rows, 0
    lines = rows.splitlines(keepends=True)
    with_values = [line for line in lines if not line.endswith(empty)]
    return b"".join(with_values), len(lines) - len(with_values)
