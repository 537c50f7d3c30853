"""A deployed stack, to look at: its ledger, by its outputs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from bulk_profiles.aws.clients import client, table
from bulk_profiles.aws.dynamodb import VersionedTable
from bulk_profiles.aws.profiles_table import ProfilesTable
from bulk_profiles.aws.stack import stack_outputs
from bulk_profiles.core.json_object import Json
from bulk_profiles.core.models import KeyColumn
from bulk_profiles.ledger.import_entry import ImportEntry
from bulk_profiles.ledger.ledger import Ledger

from .local_files import UsageError
from .overview import Overview

_NOTHING_EXPIRES = timedelta(days=36_500)  # nothing is written here


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack's outputs, its ledger, and its Profiles table."""

    outputs: dict[str, str]
    ledger: Ledger
    profiles: ProfilesTable

    @classmethod
    def of(cls, name: str) -> Self:
        """Find a stack by its name. Raises `StackError`."""
        outputs = stack_outputs(name)
        ledger = Ledger(VersionedTable(table(outputs["ImportsTableName"]), _NOTHING_EXPIRES))
        return cls(outputs, ledger, ProfilesTable(client("dynamodb"), outputs["ProfilesTableName"]))

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

    def results_of(self, profile_id: str) -> list[Json]:
        """Return what became of one profile in each batch that had it, the newest result first."""
        results = [
            {"clientCode": client_code, "keyColumn": key_column.value} | _result(item)
            for client_code in self.ledger.clients()
            for key_column in KeyColumn
            for item in self.profiles.results_of(client_code, key_column, profile_id)
        ]
        return sorted(results, key=lambda result: result["checkedAt"], reverse=True)

    def _overview(self, entry: ImportEntry) -> Overview:
        return Overview(entry, tuple(self.ledger.batches(entry.import_id)))


def _result(item: Json) -> Json:
    import_id, _, number = item["batch"].partition("#")
    return {
        "importId": import_id,
        "batch": int(number),
        "status": item["status"],
        "basis": item["basis"],
        "reason": item["reason"],
        "attempt": int(item["attempt"]),
        "checkedAt": item["checkedAt"],
    }
