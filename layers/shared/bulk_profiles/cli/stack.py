"""A deployed stack, to look at and to use: its ledger, its tables and its buckets, by its outputs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from bulk_profiles.aws.clients import client, table
from bulk_profiles.aws.dynamodb import VersionedTable
from bulk_profiles.aws.profiles_table import ProfilesTable
from bulk_profiles.aws.s3 import Storage
from bulk_profiles.aws.stack import describe_stack
from bulk_profiles.aws.step_functions import Executions
from bulk_profiles.budget.forecast import last_submission
from bulk_profiles.budget.policy import Policy
from bulk_profiles.core.command_line import command
from bulk_profiles.core.errors import SettingsError, StorageError
from bulk_profiles.core.json_object import Json
from bulk_profiles.core.models import BatchState, KeyColumn, Why
from bulk_profiles.ledger.batch_entry import BatchEntry
from bulk_profiles.ledger.import_entry import ImportEntry
from bulk_profiles.ledger.ledger import Ledger
from bulk_profiles.steps.limits import limits_of

from .local_files import UsageError
from .overview import Overview

_NOTHING_EXPIRES = timedelta(days=36_500)  # what is written here is not over
_FORESEEN = frozenset({Why.ROWS.value, Why.WINDOW.value})  # limits whose end is known


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack's name, outputs and parameters, its ledger, its Data bucket and its Profiles table."""

    name: str
    outputs: dict[str, str]
    parameters: dict[str, str]
    ledger: Ledger
    storage: Storage
    profiles: ProfilesTable

    @classmethod
    def of(cls, name: str) -> Self:
        """Find a stack by its name. Raises `StackError`."""
        described = describe_stack(name)
        outputs = described.outputs
        return cls(
            name,
            outputs,
            described.parameters,
            Ledger(VersionedTable(table(outputs["ImportsTableName"]), _NOTHING_EXPIRES)),
            Storage(client("s3"), outputs["DataBucketName"]),
            ProfilesTable(client("dynamodb"), outputs["ProfilesTableName"]),
        )

    def command(self, *words: str) -> str:
        """Return a command about this stack as it can be copied."""
        return command(self.name, *words)

    @property
    def executions(self) -> Executions:
        """The executions of the state machine."""
        return Executions(client("stepfunctions"), self.outputs["StateMachineArn"])

    @property
    def retention(self) -> timedelta:
        """How long batches and results are kept."""
        return timedelta(days=int(self.parameters["RetentionDays"]))

    def newest(self, limit: int, feed: str | None = None) -> list[Overview]:
        """Return the imports that began last, of one feed or of all."""
        entries = [entry for entry in self.ledger.imports() if feed in {None, entry.feed}]
        entries.sort(key=lambda entry: entry.started_at, reverse=True)
        return [self._overview(entry) for entry in entries[:limit]]

    def overview(self, import_id: str) -> Overview:
        """Return one import. Raises `UsageError` where there is none of this name."""
        return self._overview(self.entry(import_id))

    def entry(self, import_id: str) -> ImportEntry:
        """Return the ledger's entry of an import. Raises `UsageError` where there is none of this name."""
        entry = self.ledger.get_import(import_id)
        if entry is None:
            listed = self.command("list")
            raise UsageError(f"The stack has no import {import_id} (any more). Those it has: {listed}")
        return entry

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
        batches = tuple(self.ledger.batches(entry.import_id))
        return Overview(entry, batches, self._submitted_at(entry, batches))

    def _submitted_at(self, entry: ImportEntry, batches: tuple[BatchEntry, ...]) -> datetime | None:
        """Return when all batches can have been submitted, where the rows of the day or the window say."""
        planned = [batch for batch in batches if batch.state is BatchState.PLANNED and not batch.settled]
        policy = self._policy(entry.client_code)
        if policy is None or not any(batch.why in _FORESEEN for batch in planned):
            return None
        budget = self.ledger.budget(entry.client_code)
        return last_submission(budget, [batch.body_rows for batch in planned], datetime.now(UTC), policy)

    def _policy(self, client_code: str) -> Policy | None:
        """Return the limits of a client code; None where they, or the stack's parameters, are not known."""
        parameters = self.parameters
        if "RowsPerDay" not in parameters:
            return None
        deployed = Policy(
            calls_per_minute=int(parameters["CallsPerMinute"]),
            max_in_flight=int(parameters["MaxInFlight"]),
            rows_per_day=int(parameters["RowsPerDay"]),
            reset_hour=int(parameters["ResetHour"]),
            time_zone=parameters["TimeZone"],
            upload_window=parameters["UploadWindow"],
        )
        try:
            return limits_of(client_code, self.storage).over(deployed)
        except (SettingsError, StorageError):  # the steps fail with it, and say why
            return None


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
