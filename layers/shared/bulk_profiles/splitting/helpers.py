"""What a helper process does with the text of a block, and helpers as a reader sees them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bulk_profiles.splitting.reading.blocks import TakeApart
from bulk_profiles.splitting.rows.block_check import BlockCheck
from bulk_profiles.splitting.rows.prepare import PreparedRows, RowPreparer

if TYPE_CHECKING:
    from bulk_profiles.splitting.parallel.processes import HelperProcesses


def help_with(
    take_apart: TakeApart, preparer: RowPreparer, text: bytes, wanted: tuple[bool, bool]
) -> tuple[bytes, tuple[bool, BlockCheck, int] | None]:
    """Take a text apart and prepare its rows: what a helper does. `wanted`: to warn, to encode.

    Returns the rows, and apart from them whether they are encoded, their check, and the number of spaces that
    were taken as part of delimiters; None where the text cannot be taken apart.
    """
    warn, encode = wanted
    taken_apart = take_apart(text)
    if taken_apart is None:
        return b"", None
    rows, spaces = taken_apart
    prepared = preparer.prepare(rows, warn=warn, encode=encode)
    return prepared.rows, (prepared.encoded, prepared.check, spaces)


@dataclass(frozen=True, slots=True)
class ReaderHelpers:
    """Helpers as a reader sees them; `what_to_do` says whether they are to warn, and to encode."""

    processes: HelperProcesses
    what_to_do: Callable[[], tuple[bool, bool]]

    @property
    def count(self) -> int:
        """The number of texts that may be out at a time."""
        return self.processes.count

    def take(self, text: bytes) -> None:
        """Hand out a text of whole records."""
        self.processes.take(text, self.what_to_do())

    def result(self) -> tuple[PreparedRows, int] | None:
        """Return what the oldest text became, and its spaces; None where it is not sure to be right."""
        rows, found = self.processes.result()
        if found is None:
            return None
        encoded, check, spaces = found
        return PreparedRows(rows, encoded, check), spaces
