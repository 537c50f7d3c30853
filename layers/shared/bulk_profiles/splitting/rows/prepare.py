"""What is done with the rows of a block, whatever other blocks hold: they are checked and encoded."""

from __future__ import annotations

import dataclasses

from bulk_profiles.core.feeds import SeparatorInValue

from .block_check import Screened, is_unreserved, screen
from .columns import Columns
from .encoding import Encoder


class RowWork:
    """Screen and encode plain rows. `unreserved` says that no byte so far needs encoding."""

    def __init__(self, columns: Columns, in_values: SeparatorInValue) -> None:
        self.unreserved = True
        self._columns = columns
        self._rules = dataclasses.replace(
            columns.rules,
            reject_separators=in_values is SeparatorInValue.REJECT,
            plain_ids=in_values is SeparatorInValue.REPLACE,
        )
        self._encoder = Encoder(replace_separators=in_values is SeparatorInValue.REPLACE)

    def screen(self, rows: bytes, *, warn: bool) -> Screened:
        """Screen the plain rows of a block."""
        # Only as long as all were so: where one value needs encoding, others do, and looking is not free.
        self.unreserved = self.unreserved and is_unreserved(rows)
        return screen(rows, self._rules, warn=warn, unreserved=self.unreserved)

    def encode(self, rows: bytes) -> bytes:
        """Encode plain rows of the block that was screened last, arranged as they are sent."""
        rows = self._columns.arrange(rows)
        return rows if self.unreserved else self._encoder(rows)
