"""The lease of a split: the right of one invocation to split a file, renewed while it works."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import datetime, timedelta

from bulk_profiles.core.errors import ConflictError
from bulk_profiles.core.models import ImportStatus
from bulk_profiles.ledger.import_entry import ImportEntry
from bulk_profiles.ledger.ledger import Ledger

LEASE = timedelta(minutes=2)
_RENEW_AFTER = timedelta(seconds=20)


class Lease:
    """The lease of one split. An invocation that finds it taken over stops with `ConflictError`."""

    def __init__(self, entry: ImportEntry, ledger: Ledger, clock: Callable[[], datetime]) -> None:
        self._entry = entry
        self._ledger = ledger
        self._clock = clock
        self._renewed_at = clock()

    def kept(self) -> bool:
        """Renew the lease if it is time; always true, so that it can be asked for between two blocks."""
        if self._clock() - self._renewed_at >= _RENEW_AFTER:
            self._set(LEASE)
        return True

    def free(self) -> None:
        """End the lease now, so that any invocation may go on."""
        self._set(timedelta(0))

    def _set(self, length: timedelta) -> None:
        now = self._clock()

        def renew(entry: ImportEntry) -> ImportEntry:
            if entry.owner != self._entry.owner or entry.status is not ImportStatus.SPLITTING:
                raise ConflictError(f"Another invocation has taken over the split of {entry.import_id}.")
            return dataclasses.replace(entry, lease_until=now + length)

        self._ledger.change_import(self._entry.import_id, now, renew)
        self._renewed_at = now
