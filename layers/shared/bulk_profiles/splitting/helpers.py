"""What a helper process does with the text of a block, and helpers as a reader sees them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bulk_profiles.splitting.reading.blocks import TakeApart
from bulk_profiles.splitting.rows.block_check import Screened
from bulk_profiles.splitting.rows.prepare import RowWork

if TYPE_CHECKING:
    from bulk_profiles.splitting.parallel.processes import HelperProcesses


def help_with(
    take_apart: TakeApart, work: RowWork, text: bytes, wanted: tuple[bool, bool]
) -> tuple[bytes, tuple[Screened, int] | None]:
    """Do all that is done with the rows of a text: what a helper does. `wanted`: to warn, to encode.

    Gives the rows, and apart from them what else is known of them, with the spaces that were taken as part of
    delimiters; None where the text cannot be taken apart.
    """
    warn, encode = wanted
    taken_apart = take_apart(text)
    if taken_apart is None:
        return b"", None
    rows, spaces = taken_apart
    screened = work.screen(rows, warn=warn)
    rows = work.encode(screened.rows) if encode else screened.rows
    return rows, (dataclasses.replace(screened, rows=b"", encoded=encode), spaces)


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

    def result(self) -> tuple[Screened, int] | None:
        """Return what the oldest text became, and its spaces; None where it is not sure to be right."""
        rows, found = self.processes.result()
        if found is None:
            return None
        screened, spaces = found
        return dataclasses.replace(screened, rows=rows), spaces
