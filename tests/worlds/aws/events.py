"""EventBridge, as far as the code calls it: one bus that keeps what was put on it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from .service import KIB, Service, error

MOST_ENTRY_BYTES = 256 * KIB


@dataclass
class Bus(Service):
    """The default bus. No rule listens."""

    entries: list[dict[str, Any]] = field(default_factory=list)  # with their details as JSON
    refused: bool = False  # the bus takes the call, and not the entry

    def put_events(self, *, Entries: list[dict[str, Any]]) -> Any:
        """Put an event on the bus."""

        def put() -> Any:
            [entry] = Entries
            if len(entry["Detail"].encode()) > MOST_ENTRY_BYTES:
                raise error("PutEvents", "ValidationException")
            if self.refused:
                return {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalFailure"}]}
            self.entries.append(entry | {"Detail": json.loads(entry["Detail"])})
            return {"FailedEntryCount": 0, "Entries": [{"EventId": str(len(self.entries))}]}

        return self.call("PutEvents", put)
