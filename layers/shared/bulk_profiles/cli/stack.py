"""A deployed stack, to look at: its ledger, by its outputs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from bulk_profiles.aws.clients import table
from bulk_profiles.aws.dynamodb import VersionedTable
from bulk_profiles.aws.stack import stack_outputs
from bulk_profiles.ledger.import_entry import ImportEntry
from bulk_profiles.ledger.ledger import Ledger

from .local_files import UsageError
from .overview import Overview

_NOTHING_EXPIRES = timedelta(days=36_500)  # nothing is written here


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack's outputs, and its ledger."""

    outputs: dict[str, str]
    ledger: Ledger

    @classmethod
    def of(cls, name: str) -> Self:
        """Find a stack by its name. Raises `StackError`."""
        outputs = stack_outputs(name)
        return cls(outputs, Ledger(VersionedTable(table(outputs["ImportsTableName"]), _NOTHING_EXPIRES)))

    def newest(self, limit: int, feed: str | None = None) -> list[Overview]:
        """Return the imports that began last, of one feed or of all."""
        entries = [entry for entry in self.ledger.imports() if feed in {None, entry.feed}]
        entries.sort(key=lambda entry: entry.started_at, reverse=True)
        return [self._overview(entry) for entry in entries[:limit]]

    def overview(self, import_id: str) -> Overview:
        """Return one import. Raises `UsageError` where there is none of this name."""
        entry = self.ledger.get_import(import_id)
        if entry is None:
            raise UsageError(f"The stack has no import {import_id} (any more): `list` shows those it has.")
        return self._overview(entry)

    def _overview(self, entry: ImportEntry) -> Overview:
        return Overview(entry, tuple(self.ledger.batches(entry.import_id)))
