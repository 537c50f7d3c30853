"""The accounting: what became of every row, as one pure function of the manifest and the ledger.

    rows.read = rejected + merged + skipped + sent
    rows.sent = rows over all batches = success + error + pending + unknown
    batches of the manifest = batches of the ledger

Whatever does not add up is `unaccounted`. It is zero.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from bulk_profiles.core.json_object import Json
from bulk_profiles.core.models import BatchState, ImportStatus, Manifest, ProfileCounts, RowCounts
from bulk_profiles.core.timestamps import timestamp
from bulk_profiles.ledger.batch_entry import BatchEntry
from bulk_profiles.ledger.import_entry import ImportEntry


@dataclass(frozen=True, slots=True)
class Summary:
    """The end of an import: summary.json, and all that the report says."""

    entry: ImportEntry
    status: ImportStatus
    reason: str
    finished_at: datetime
    rows: RowCounts = field(default_factory=RowCounts)
    rejects: dict[str, int] = field(default_factory=dict)
    warnings: dict[str, int] = field(default_factory=dict)
    profiles: ProfileCounts = field(default_factory=ProfileCounts)
    batches: tuple[BatchEntry, ...] = ()
    unaccounted: int = 0

    def to_json(self) -> Json:
        """Give summary.json."""
        entry = self.entry
        return {
            "importId": entry.import_id,
            "status": self.status.value,
            "reason": self.reason,
            "feed": entry.feed,
            "clientCode": entry.client_code,
            "apiVersion": entry.api_version.value,
            "keyColumn": entry.key_column.value if entry.key_column else "",
            "source": entry.source.to_json(),
            "startedAt": timestamp(entry.started_at),
            "finishedAt": timestamp(self.finished_at),
            "rows": self.rows.to_json(),
            "rejects": dict(sorted(self.rejects.items())),
            "warnings": dict(sorted(self.warnings.items())),
            "profiles": self.profiles.to_json(),
            "batches": [_batch_json(batch) for batch in self.batches],
            "duplicateOf": entry.duplicate_of,
            "unaccounted": self.unaccounted,
        }

    def metrics(self) -> dict[str, int]:
        """Give every count of the import as a CloudWatch metric, all of them every time."""
        counts = {f"Rows{name.title()}": count for name, count in self.rows.to_json().items()}
        counts |= {f"Profiles{name.title()}": count for name, count in self.profiles.to_json().items()}
        ended = {ImportStatus.SUCCEEDED, ImportStatus.PARTIAL, ImportStatus.FAILED, ImportStatus.REJECTED}
        counts |= {f"Imports{status.value.title()}": int(status is self.status) for status in ended}
        submissions = sum(batch.submissions for batch in self.batches)
        return counts | {
            "Batches": len(self.batches),
            "Submissions": submissions,
            "UnaccountedRows": self.unaccounted,
        }


def reject(entry: ImportEntry, reason: str, now: datetime) -> Summary:
    """Account for a source file that could not be read at all: nothing of it was sent."""
    return Summary(entry, ImportStatus.REJECTED, reason, now)


def reconcile(entry: ImportEntry, manifest: Manifest, ledger: Iterable[BatchEntry], now: datetime) -> Summary:
    """Hold the ledger against the manifest and say what became of every row."""
    batches = tuple(ledger)
    rows, planned = manifest.rows, {batch.number: batch for batch in manifest.batches}
    profiles = sum((batch_profiles(batch) for batch in batches), ProfileCounts())
    entered = {batch.number for batch in batches}
    differences = (
        rows.unaccounted,
        rows.sent - sum(batch.rows for batch in manifest.batches),
        rows.sent - profiles.total,
        sum(batch.rows for number, batch in planned.items() if number not in entered),
        sum(batch.rows for batch in batches if not _as_planned(batch, manifest)),
    )
    # Several of them can be traces of the same row: the largest is the honest number.
    unaccounted = max(abs(difference) for difference in differences)
    status = _status(rows, profiles, unaccounted)
    return Summary(
        entry=entry,
        status=status,
        reason=_reason(rows, profiles, batches, unaccounted),
        finished_at=now,
        rows=rows,
        rejects=manifest.rejects,
        warnings=manifest.warnings,
        profiles=profiles,
        batches=batches,
        unaccounted=unaccounted,
    )


def batch_profiles(batch: BatchEntry) -> ProfileCounts:
    """Count a batch's profiles: as settled, or as far as an unsettled batch can honestly be counted."""
    if batch.settled:
        return batch.profiles
    # With a follow-up on its way, only the profiles in it are open: those that failed before.
    known = batch.profiles if batch.follow_ups else ProfileCounts(error=batch.rows)
    match batch.state:
        # Target has nothing of it, for certain.
        case BatchState.PLANNED | BatchState.REFUSED if not batch.possibly_duplicate:
            return known
        case BatchState.PLANNED | BatchState.REFUSED | BatchState.SENDING | BatchState.UNKNOWN:
            return dataclasses.replace(known, error=0, unknown=known.unknown + known.error)
        case _:
            return dataclasses.replace(known, error=0, pending=known.pending + known.error)


def _as_planned(batch: BatchEntry, manifest: Manifest) -> bool:
    return any(
        (planned.number, planned.rows, planned.sha256) == (batch.number, batch.rows, batch.sha256)
        for planned in manifest.batches[batch.number - 1 : batch.number]
    ) and (not batch.settled or batch.profiles.total == batch.rows)


def _status(rows: RowCounts, profiles: ProfileCounts, unaccounted: int) -> ImportStatus:
    if rows.sent == 0 and rows.rejected:
        return ImportStatus.FAILED
    if profiles.success == rows.sent and not unaccounted:
        return ImportStatus.SUCCEEDED
    return ImportStatus.PARTIAL if profiles.success else ImportStatus.FAILED


def _reason(
    rows: RowCounts, profiles: ProfileCounts, batches: tuple[BatchEntry, ...], unaccounted: int
) -> str:
    """Say in sentences what a person must know; empty where every row reached Target."""
    parts = []
    if rows.read == 0:
        parts.append("The file has a header and no rows: nothing was sent.")
    elif rows.sent == 0:
        parts.append("No row of the file could be sent.")
    if rows.rejected:
        parts.append(
            f"{rows.rejected} of {rows.read} rows were rejected: rejects.csv names line and reason, "
            "rejected-rows.csv can be mended and dropped again."
        )
    named = ((profiles.error, "failed"), (profiles.pending, "are pending"), (profiles.unknown, "are unknown"))
    not_updated = ", ".join(f"{count} {what}" for count, what in named if count)
    if not_updated:
        parts.append(f"Of {rows.sent} profiles sent, {not_updated}.")
    reasons = sorted({batch.reason for batch in batches if batch.reason})
    parts.extend(reasons[:3])
    if unsettled := sum(not batch.settled for batch in batches):
        parts.append(
            f"{unsettled} of {len(batches)} batches are not settled: "
            "start the state machine again with the same input to finish them."
        )
    if unaccounted:
        parts.append(f"{unaccounted} rows are unaccounted for: this is a fault of the software, report it.")
    return " ".join(parts)


def _batch_json(batch: BatchEntry) -> Json:
    return {
        "number": batch.number,
        "rows": batch.rows,
        "bytes": batch.size,
        "sha256": batch.sha256,
        "state": batch.state.value,
        "batchId": batch.batch_id,
        "submissions": batch.submissions,
        "possiblyDuplicate": batch.possibly_duplicate,
        "checks": batch.checks,
        "reason": batch.reason,
        "followUps": [follow_up.to_json() for follow_up in batch.follow_ups],
        "profiles": batch_profiles(batch).to_json(),
    }
