"""What the ledger keeps of one client code's budget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Self, override

from bulk_profiles.core.errors import LedgerError
from bulk_profiles.core.json_object import JsonObject, as_json

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_UNREADABLE = (
    "The client's budget in the ledger cannot be read. When no import of the client is running, "
    "delete its item (CLIENT#<client code> / BUDGET): the budget starts afresh."
)


@dataclass(frozen=True, slots=True)
class BudgetState(JsonObject):
    """One client code's budget; a new one has every call and every place free."""

    asked_at: datetime = LONG_AGO  # the budget's clock: the latest time of all clocks that asked
    full_at: datetime = LONG_AGO  # when the token bucket of calls is full again
    call_turn_at: datetime = LONG_AGO  # the first turn for a call that nobody waits for
    place_turn_at: datetime = LONG_AGO  # the first turn for a place that nobody waits for
    # Holder to the end of its lease.
    places: Mapping[str, datetime] = field(default_factory=dict, metadata=as_json(sort_keys=True))
    # Day to the rows that count for it; a few days.
    rows: Mapping[date, int] = field(default_factory=dict, metadata=as_json(sort_keys=True))

    @classmethod
    @override
    def from_json(cls, data: Any) -> Self:
        """Read what `to_json` wrote. Raises `LedgerError` for anything else."""
        try:
            state = super(BudgetState, cls).from_json(data)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise LedgerError(_UNREADABLE) from error
        if any(count < 0 for count in state.rows.values()):
            raise LedgerError(_UNREADABLE)
        return state
