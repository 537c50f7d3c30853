"""Summaries of invented imports, as small and as large as there are."""

from __future__ import annotations

import dataclasses
from collections import Counter
from datetime import UTC, datetime, timedelta

from bulk_profiles.accounting.summary import FailedRows, Summary, reconcile
from bulk_profiles.core.models import (
    ApiVersion,
    Basis,
    BatchState,
    Examples,
    ImportStatus,
    KeyColumn,
    Manifest,
    PlannedBatch,
    ProfileCounts,
    ProfileStatus,
    RowCounts,
    Source,
)
from bulk_profiles.ledger.batch_entry import BatchEntry
from bulk_profiles.ledger.import_entry import ImportEntry
from bulk_profiles.splitting.rows.faults import Reject, Warn

START = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
END = START + timedelta(minutes=23, seconds=5)


def summary(name: str = "customers.csv", batches: int = 5, *, rows: int = 1000, every: int = 5) -> Summary:
    """Return an import of which one batch of `every` is not complete, each time for another reason.

    Texts from outside hold the `name`.
    """
    source = Source(
        "drop-bucket", f"drop/crm/{name}", "3sL4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY", 100_000, "ab" * 32
    )
    entry = ImportEntry(
        "customers-csv-0a1b2c3d4e5f",
        ImportStatus.UPLOADING,
        source,
        "crm",
        "demo",
        ApiVersion.V2,
        START,
        key_column=KeyColumn.THIRD_PARTY_ID,
    )
    planned = tuple(PlannedBatch(n, rows, 60 * rows, f"{n:064x}") for n in range(1, batches + 1))
    rejects = {code.value: 10 ** (number % 5) for number, code in enumerate(Reject)}
    warnings = {code.value: 3 * number + 1 for number, code in enumerate(Warn)}
    rejected = sum(rejects.values())
    sent = batches * rows
    manifest = Manifest(
        entry.import_id,
        "crm",
        "demo",
        ApiVersion.V2,
        KeyColumn.THIRD_PARTY_ID,
        source,
        RowCounts(rejected + 7 + 2 + sent, rejected, 7, 2, sent),
        rejects,
        warnings,
        Examples(
            {code: [3, 44, 555, 6666, 77777][: rejects[code]] for code in rejects},
            {code: [8, 9, 10, 11, 14][: warnings[code]] for code in warnings},
            {Warn.LOOK_ALIKE.value: ["PC_ID", name]},
        ),
        planned,
        rejected_rows="rejected-rows.csv",
    )
    ledger = [_batch(entry.import_id, one, name, every) for one in planned]
    result = reconcile(entry, manifest, ledger, END)
    failed = result.profiles.total - result.profiles.success
    return dataclasses.replace(result, failed_rows=FailedRows("failed-rows.csv", failed, failed + 3))


def _batch(import_id: str, planned: PlannedBatch, name: str, every: int) -> BatchEntry:
    entry = BatchEntry.planned(import_id, planned)
    rows = planned.rows
    if planned.number % every:
        return entry.change(
            state=BatchState.COMPLETE,
            profiles=ProfileCounts(success=rows),
            bases={
                ProfileStatus.SUCCESS: Counter({Basis.REPORTED: rows // 5, Basis.IMPLIED: rows - rows // 5})
            },
            settled_at=END,
            submissions=1,
            checks=3,
        )
    if planned.number // every % 2:
        return entry.change(
            state=BatchState.REFUSED,
            profiles=ProfileCounts(error=rows),
            bases={ProfileStatus.ERROR: Counter({Basis.BATCH: rows})},
            settled_at=END,
            submissions=3,
            possibly_duplicate=True,
            reason=f'Target refused the batch: "Unexpected error {planned.number // every // 20} {name}".',
        )
    return entry.change(state=BatchState.ACCEPTED, submissions=1, checks=40)
