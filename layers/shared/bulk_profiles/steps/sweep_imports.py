"""What nobody else would notice: dropped objects without an import, imports that stopped, sums that are off.

S3's events can be lost and executions can die. The sweep looks at every version that was dropped within a
week, but not within a quarter of an hour: those may yet be begun by their own event.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from bulk_profiles.accounting.summary import reconcile
from bulk_profiles.aws.functions import Invocations
from bulk_profiles.aws.s3 import Storage
from bulk_profiles.aws.step_functions import Executions
from bulk_profiles.core.models import ImportStatus, Manifest, Source
from bulk_profiles.core.names import MANIFEST, import_id, is_dropped_file, object_key
from bulk_profiles.ledger.batch_entry import BatchEntry
from bulk_profiles.ledger.import_entry import ImportEntry
from bulk_profiles.ledger.ledger import Ledger

from .messages import DroppedObject

_LOOK_BACK = timedelta(days=7)
_YOUNGEST = timedelta(minutes=15)


@dataclass(slots=True)
class Swept:
    """What a sweep did. `unaccounted` is the largest difference that any import's accounting shows."""

    looked_at: int = 0
    split: int = 0
    restarted: int = 0
    unaccounted: int = 0

    def metrics(self) -> dict[str, int]:
        """Give the sweep's counts as CloudWatch metrics."""
        return {
            "SweptVersions": self.looked_at,
            "SplitBySweep": self.split,
            "RestartedBySweep": self.restarted,
            "UnaccountedRows": self.unaccounted,
        }


def sweep(
    drop_bucket: str,
    *,
    storage: Storage,
    ledger: Ledger,
    executions: Executions,
    splits: Invocations,
    now: datetime,
) -> Swept:
    """Begin what was never begun, start again what died, and hold every sum. Doing it again is safe."""
    swept = Swept()
    for source in storage.dropped(drop_bucket, now - _LOOK_BACK, now - _YOUNGEST):
        if not is_dropped_file(source.key):
            continue
        swept.looked_at += 1
        name = import_id(source.bucket, source.key, source.version_id)
        entry = ledger.get_import(name)
        if entry is None or _split_died(entry, now):
            splits.invoke(_event(source, name).to_event())
            swept.split += 1
            continue
        manifest = storage.read_json(object_key(name, MANIFEST))
        if manifest is None:
            continue
        batches = list(ledger.batches(name))
        if entry.status is not ImportStatus.SPLITTING and entry.status is not ImportStatus.REJECTED:
            summary = reconcile(entry, Manifest.from_json(manifest), batches, now)
            swept.unaccounted = max(swept.unaccounted, summary.unaccounted)
        if _has_open_ends(entry, batches) and executions.died(name):
            executions.start(name, [batch.number for batch in batches], f"{name}-{now:%Y%m%d%H}")
            swept.restarted += 1
    return swept


def _split_died(entry: ImportEntry, now: datetime) -> bool:
    over = entry.lease_until is None or entry.lease_until <= now
    return entry.status is ImportStatus.SPLITTING and over


def _has_open_ends(entry: ImportEntry, batches: list[BatchEntry]) -> bool:
    """Tell whether an import has no end yet, or batches that gave up: their deadline settles them."""
    if entry.status is ImportStatus.UPLOADING:
        return True
    reported = entry.status in {ImportStatus.PARTIAL, ImportStatus.FAILED}
    return reported and not all(batch.settled for batch in batches)


def _event(source: Source, name: str) -> DroppedObject:
    return DroppedObject(f"sweep-{name}", source.bucket, source.key, source.version_id)
