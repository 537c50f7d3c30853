"""The work on the rows of one block that depends on no other block: check and encode them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from bulk_profiles.core.feeds import Feed, SeparatorInValue

from .block_check import BlockCheck, check_block, is_unreserved
from .columns import Columns
from .encoding import Encoder
from .row_check import NO_SURPLUS, Surplus, visible


@dataclass(frozen=True, slots=True)
class PreparedRows:
    """The rows of a block that may be sent, with the result of their check."""

    rows: bytes  # plain; where `encoded`, encoded and arranged as they are sent
    encoded: bool
    check: BlockCheck


class RowPreparer:
    """Check and encode the plain rows of a file, a block at a time."""

    def __init__(
        self,
        columns: Columns,
        feed: Feed,
        *,
        short_rows: bool = False,
        blank_rows: bool = False,
        surplus: Surplus = NO_SURPLUS,
    ) -> None:
        """Prepare rows by the rules of a feed; `short_rows`, `blank_rows` and `surplus` as in `Rules`."""
        in_values = feed.separator_in_value
        self.columns = columns
        self.all_unreserved = True  # no block so far had a byte that needs encoding
        self._rules = dataclasses.replace(
            columns.rules,
            reject_separators=in_values is SeparatorInValue.REJECT,
            plain_ids=in_values is SeparatorInValue.REPLACE,
            nulls=columns.rules.nulls.union(filter(None, map(visible, feed.null_values))),
            short_rows=short_rows,
            blank_rows=blank_rows,
            surplus=surplus,
        )
        self._encoder = Encoder(replace_separators=in_values is SeparatorInValue.REPLACE)

    def prepare(self, rows: bytes, *, warn: bool, encode: bool) -> PreparedRows:
        """Check the plain rows of a block: with `warn` count warnings, with `encode` encode the good rows."""
        # The first block with a byte to encode ends the search for such bytes: more will follow, and the
        # search is not free.
        self.all_unreserved = unreserved = self.all_unreserved and is_unreserved(rows)
        good, check = check_block(rows, self._rules, warn=warn, unreserved=unreserved)
        if encode:
            good = self.columns.arrange(good) if unreserved else self._encode(good)
        return PreparedRows(good, encode, check)

    def encoded(self, prepared: PreparedRows) -> bytes:
        """Return prepared rows, or some of them, as they are sent."""
        return prepared.rows if prepared.encoded else self._encode(prepared.rows)

    def _encode(self, rows: bytes) -> bytes:
        return self._encoder(self.columns.arrange(rows))
