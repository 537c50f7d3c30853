"""The lease of a split: the right of one invocation to split a file, renewed while it works."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from bulk_profiles.core.errors import BulkProfilesError, ConflictError
from bulk_profiles.core.models import ImportStatus
from bulk_profiles.ledger.import_entry import ImportEntry
from bulk_profiles.ledger.ledger import Ledger

from .failures import words_of

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
        now = self._clock()
        if now - self._renewed_at >= _RENEW_AFTER:
            self._change(now, lease_until=now + LEASE)
            self._renewed_at = now
        return True

    def free(self) -> None:
        """End the lease now, so that any invocation may go on, and count the tries anew."""
        now = self._clock()
        self._change(now, lease_until=now, tries=0, last_error="")

    def note_failure(self, error: Exception) -> None:
        """Keep what the split failed with, if the ledger takes it: what is raised is the failure itself."""
        with contextlib.suppress(BulkProfilesError):
            self._change(self._clock(), last_error=words_of(error))

    def _change(self, now: datetime, **changes: Any) -> None:
        def change(entry: ImportEntry) -> ImportEntry:
            if entry.owner != self._entry.owner or entry.status is not ImportStatus.SPLITTING:
                raise ConflictError(f"Another invocation has taken over the split of {entry.import_id}.")
            return dataclasses.replace(entry, **changes)

        self._ledger.change_import(self._entry.import_id, now, change)
