"""What the ledger keeps of one client code's budget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Self

from bulk_profiles.core.errors import LedgerError
from bulk_profiles.core.models import Json
from bulk_profiles.core.timestamps import moment, timestamp

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class BudgetState:
    """What the ledger keeps of one client code's budget.

    `asked_at`: the budget's clock, the latest of all askers' clocks. `full_at`: when the bucket of calls is
    full again. `call_turn_at`, `place_turn_at`: the first turn that nobody waits for. `places`: holder to end
    of lease. `rows`: day to rows counted for it, a few days.
    """

    asked_at: datetime = LONG_AGO
    full_at: datetime = LONG_AGO
    call_turn_at: datetime = LONG_AGO
    place_turn_at: datetime = LONG_AGO
    places: Mapping[str, datetime] = field(default_factory=dict)
    rows: Mapping[date, int] = field(default_factory=dict)

    def to_json(self) -> Json:
        """Give the budget's item in the ledger."""
        return {
            "askedAt": timestamp(self.asked_at),
            "fullAt": timestamp(self.full_at),
            "callTurnAt": timestamp(self.call_turn_at),
            "placeTurnAt": timestamp(self.place_turn_at),
            "places": {holder: timestamp(end) for holder, end in sorted(self.places.items())},
            "rows": {day.isoformat(): count for day, count in sorted(self.rows.items())},
        }

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """Read what `to_json` wrote. Raises `LedgerError` for anything else."""
        try:
            return cls(
                asked_at=moment(data["askedAt"]),
                full_at=moment(data["fullAt"]),
                call_turn_at=moment(data["callTurnAt"]),
                place_turn_at=moment(data["placeTurnAt"]),
                places={str(holder): moment(end) for holder, end in data["places"].items()},
                rows={date.fromisoformat(day): _count(rows) for day, rows in data["rows"].items()},
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise LedgerError(
                "The client's budget in the ledger cannot be read. When no import of the client is running, "
                "delete its item (CLIENT#<client code> / BUDGET): the budget starts afresh."
            ) from error


def _count(value: object) -> int:
    if not isinstance(value, int) or value < 0:
        raise ValueError("rows must be a whole number")
    return value
