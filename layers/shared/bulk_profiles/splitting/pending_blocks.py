"""The blocks of a file that a phase of the split has not worked on yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from bulk_profiles.splitting.reading.blocks import Block, Helpers, Position, Reader, TakeApart
from bulk_profiles.splitting.reading.record_parser import other_header
from bulk_profiles.splitting.rows.prepare import PreparedRows, RowPreparer

from .helpers import Processes, ReaderHelpers, Task, help_with


class PendingBlocks:
    """Read blocks from a position on and prepare their rows, with helpers if there are several processes."""

    def __init__(
        self, reader: Reader, preparer: RowPreparer, start: Position | None, ordinal: int, *, processes: int
    ) -> None:
        self.start = start or reader.first  # of the block that is worked on
        self.ordinal = ordinal  # number of the good rows before that block
        self._reader = reader
        self._preparer = preparer
        self._processes = processes
        self._helpers: Processes | None = None

    def read(
        self, task: Callable[[], Task], pause: Callable[[], None]
    ) -> Iterator[tuple[Block, PreparedRows]]:
        """Yield each block with its prepared rows. `pause` is called before all but the first; it may raise.

        So every invocation gets through one block at least, however little time it has. Raises
        `FileRejectedError` at a header after which the rows have other columns.
        """
        blocks = self._reader.blocks(self.start, partial(self._find_helpers, task))
        for number, block in enumerate(blocks):
            self.start = block.start
            if number:
                pause()
            warn, encode = task()
            prepared = block.prepared or self._preparer.prepare(block.rows, warn=warn, encode=encode)
            if prepared.check.other_header is not None:
                record, likeness = prepared.check.other_header
                raise other_header(block.find([record])[0].line, likeness)
            yield block, prepared
            self.ordinal += len(prepared.check.hashes)

    def restart(self) -> None:
        """Begin with the first block again."""
        self.start, self.ordinal = self._reader.first, 0

    def close(self) -> None:
        """Stop the helper processes, if any."""
        if self._helpers:
            self._helpers.close()

    def _find_helpers(self, task: Callable[[], Task], take_apart: TakeApart) -> Helpers | None:
        """Start helpers once there is something to encode: before, they would cost more than they save."""
        if self._processes > 1 and not self._preparer.all_unreserved and not self._helpers:
            from bulk_profiles.splitting.parallel.processes import HelperProcesses  # noqa: PLC0415 most splits need none

            self._helpers = HelperProcesses(
                self._processes - 1, partial(help_with, take_apart, self._preparer)
            )
        return ReaderHelpers(self._helpers, task) if self._helpers else None
