"""What a helper process does with a raw block, and helpers as a reader sees them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bulk_profiles.splitting.reading.blocks import HelperResult, TakeApart
from bulk_profiles.splitting.rows.block_check import BlockCheck
from bulk_profiles.splitting.rows.prepare import PreparedRows, RowPreparer
from bulk_profiles.splitting.rows.warnings import Warnings

if TYPE_CHECKING:
    from bulk_profiles.splitting.parallel.processes import HelperProcesses

type Task = tuple[bool, bool]  # whether to count warnings, and whether to encode
type Answer = tuple[bool, BlockCheck, Warnings] | None  # `encoded` and `check` of the rows; the reader's
type Processes = HelperProcesses[Task, Answer]


def help_with(take_apart: TakeApart, preparer: RowPreparer, data: bytes, task: Task) -> tuple[bytes, Answer]:
    """Take a raw block apart and prepare its rows: what a helper does.

    Returns the rows, and apart from them what else is known of them; no answer where the block cannot be
    taken apart.
    """
    warn, encode = task
    taken_apart = take_apart(data)
    if taken_apart is None:
        return b"", None
    prepared = preparer.prepare(taken_apart.rows, warn=warn, encode=encode)
    return prepared.rows, (prepared.encoded, prepared.check, taken_apart.warnings)


@dataclass(frozen=True, slots=True)
class ReaderHelpers:
    """Helpers as a reader sees them."""

    processes: Processes
    present_task: Callable[[], Task]

    @property
    def count(self) -> int:
        """The number of raw blocks that may be with them at a time."""
        return self.processes.count

    def take(self, data: bytes) -> None:
        """Begin to work on the data of a raw block."""
        self.processes.take(data, self.present_task())

    def result(self) -> HelperResult | None:
        """Wait for the result of the oldest raw block; None where its rows are not sure to be right."""
        rows, answer = self.processes.result()
        if answer is None:
            return None
        encoded, check, warnings = answer
        return HelperResult(PreparedRows(rows, encoded, check), warnings)
