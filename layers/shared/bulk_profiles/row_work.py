"""What is done with the rows of a block, whatever other blocks hold: they are screened and encoded."""

from __future__ import annotations

import dataclasses

from .columns import Columns
from .encoding import Encoder
from .feeds import SeparatorInValue
from .reading import TakeApart
from .screening import Screened, is_unreserved, screen


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
