"""Sweep imports: once an hour, what nobody else would notice.

Events of S3 can be lost, executions can die, and sums can be wrong. The sweep looks at every version that was
dropped within a week, but not within a quarter of an hour: those may yet be begun by their own event.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from bulk_profiles.accounting.summary import reconcile
from bulk_profiles.aws.functions import Invocations
from bulk_profiles.aws.s3 import Storage
from bulk_profiles.aws.step_functions import Executions
from bulk_profiles.core.models import ImportStatus, Manifest, Source
from bulk_profiles.core.names import MANIFEST, import_id, object_key, passed_over
from bulk_profiles.ledger.batch_entry import BatchEntry
from bulk_profiles.ledger.import_entry import ImportEntry
from bulk_profiles.ledger.ledger import Ledger

from .messages import DroppedObject
from .settings import SweepImportsSettings

_LOOK_BACK = timedelta(days=7)
_YOUNGEST = timedelta(minutes=15)


@dataclass(slots=True)
class SweepResult:
    """What a sweep did."""

    looked_at: int = 0  # versions of dropped files
    split: int = 0  # of which a split was begun
    restarted: int = 0  # imports whose state machine was started again
    unaccounted: int = 0  # rows: the largest difference that the accounting of any import shows

    def metrics(self) -> dict[str, int]:
        """Return the counts as CloudWatch metrics."""
        return {
            "SweptVersions": self.looked_at,
            "SplitBySweep": self.split,
            "RestartedBySweep": self.restarted,
            "UnaccountedRows": self.unaccounted,
        }


@dataclass(frozen=True, slots=True)
class SweepImports:
    """The step with one deployment's edges and settings."""

    settings: SweepImportsSettings
    storage: Storage
    ledger: Ledger
    executions: Executions
    invocations: Invocations  # of split_file
    clock: Callable[[], datetime]

    def run(self) -> SweepResult:
        """Begin what was never begun, start again what died, and reconcile every import.

        It is safe to do this again.
        """
        now, result = self.clock(), SweepResult()
        for source in self.storage.dropped(self.settings.drop_bucket, now - _LOOK_BACK, now - _YOUNGEST):
            if not passed_over(source.key):
                result.looked_at += 1
                self._look_at(source, now, result)
        return result

    def _look_at(self, source: Source, now: datetime, result: SweepResult) -> None:
        name = import_id(source.bucket, source.key, source.version_id)
        entry = self.ledger.get_import(name)
        if entry is None or _split_died(entry, now):
            dropped = DroppedObject(f"sweep-{name}", source.bucket, source.key, source.version_id)
            self.invocations.invoke(dropped.to_event())
            result.split += 1
            return
        manifest = self.storage.read_json(object_key(name, MANIFEST))
        if manifest is None:
            return
        batches = list(self.ledger.batches(name))
        if entry.status is not ImportStatus.SPLITTING and entry.status is not ImportStatus.REJECTED:
            summary = reconcile(entry, Manifest.from_json(manifest), batches, now)
            result.unaccounted = max(result.unaccounted, summary.unaccounted)
        if _is_unfinished(entry, batches) and self.executions.died(name):
            self.executions.start(name, [batch.number for batch in batches], f"{name}-{now:%Y%m%d%H}")
            result.restarted += 1


def _split_died(entry: ImportEntry, now: datetime) -> bool:
    free = entry.lease_until is None or entry.lease_until <= now
    return entry.status is ImportStatus.SPLITTING and free


def _is_unfinished(entry: ImportEntry, batches: list[BatchEntry]) -> bool:
    """Whether an import has not ended, or has batches that gave up, which their deadline settles."""
    if entry.status is ImportStatus.UPLOADING:
        return True
    reported = entry.status in {ImportStatus.PARTIAL, ImportStatus.FAILED}
    return reported and not all(batch.settled for batch in batches)
