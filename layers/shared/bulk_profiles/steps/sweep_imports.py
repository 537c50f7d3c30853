"""Sweep imports: once an hour, what nobody else would notice.

Events of S3 can be lost, executions can die, notices can be refused, and sums can be wrong. The sweep looks
at every version that was dropped within a week, but not within a quarter of an hour: those may yet be begun
by their own event. It also looks at every import that is under way or whose notice was refused, however old,
and keeps what such an import still needs from S3's lifecycle, which knows nothing of imports.
A version, an import or a list that it cannot work on is counted, and never stops the others.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bulk_profiles.accounting.summary import reconcile
from bulk_profiles.aws.events import Events
from bulk_profiles.aws.functions import Invocations
from bulk_profiles.aws.s3 import Storage
from bulk_profiles.aws.sns import Notices
from bulk_profiles.aws.step_functions import Executions
from bulk_profiles.core.errors import MissingObjectError, NoticeError
from bulk_profiles.core.models import ImportStatus, Manifest, Source
from bulk_profiles.core.names import MANIFEST, import_id, object_key, passed_over
from bulk_profiles.core.timestamps import timestamp
from bulk_profiles.ledger.batch_entry import BatchEntry
from bulk_profiles.ledger.import_entry import ImportEntry
from bulk_profiles.ledger.ledger import Ledger

from .closing import WAITS, event_of, tell
from .messages import DroppedObject
from .settings import SweepImportsSettings

_LOOK_BACK = timedelta(days=7)
_YOUNGEST = timedelta(minutes=15)


@dataclass(slots=True)
class SweepResult:
    """What a sweep did."""

    looked_at: int = 0  # versions of dropped files, and imports under way
    split: int = 0  # of which a split was begun
    restarted: int = 0  # imports whose state machine was started again
    told: int = 0  # notices that were sent at last
    unaccounted: int = 0  # rows: the largest difference that the accounting of any import shows
    failures: dict[str, str] = field(default_factory=dict)  # by import or list: the type of the error

    def metrics(self) -> dict[str, int]:
        """Return the counts as CloudWatch metrics."""
        return {
            "SweptVersions": self.looked_at,
            "SplitBySweep": self.split,
            "RestartedBySweep": self.restarted,
            "ToldBySweep": self.told,
            "UnaccountedRows": self.unaccounted,
            "SweepFailures": len(self.failures),
        }


@dataclass(frozen=True, slots=True)
class SweepImports:
    """The step with one deployment's edges and settings."""

    settings: SweepImportsSettings
    storage: Storage
    ledger: Ledger
    executions: Executions
    invocations: Invocations  # of split_file
    notices: Notices
    events: Events
    clock: Callable[[], datetime]

    def run(self) -> SweepResult:
        """Begin what was never begun, start again what died, tell what was not told, reconcile every import.

        It is safe to do this again.
        """
        now, result = self.clock(), SweepResult()
        seen: set[str] = set()
        untold: list[str] = []
        with _counted(result, "notices"):
            untold = self.ledger.untold()
        with _counted(result, "dropped files"):
            for name, source in self._dropped(now):
                self._visit(name, source, now, result, seen)
        with _counted(result, "queues"):
            for name in self.ledger.under_way():
                self._visit(name, None, now, result, seen)
        for name in untold:
            self._visit(name, None, now, result, seen)
            with _counted(result, name):
                self._forget_notice(name, now)
        return result

    def _visit(
        self, name: str, source: Source | None, now: datetime, result: SweepResult, seen: set[str]
    ) -> None:
        if name in seen:
            return
        seen.add(name)
        result.looked_at += 1
        with _counted(result, name):
            self._look_at(name, source, now, result)

    def _forget_notice(self, name: str, now: datetime) -> None:
        """Take an import out of the list of refused notices, if nothing is left to tell of it."""
        entry = self.ledger.get_import(name)
        if entry is None or not entry.notice:
            self.ledger.note_notice(name, now, told=True)

    def _dropped(self, now: datetime) -> Iterator[tuple[str, Source]]:
        """Yield the names of the imports of dropped versions, with their source."""
        # An import's entry must outlive its version's time in the sweep, or it would be imported again.
        look_back = min(_LOOK_BACK, timedelta(days=self.settings.retention_days - 1))
        for source in self.storage.dropped(self.settings.drop_bucket, now - look_back, now - _YOUNGEST):
            if not passed_over(source.key):
                yield import_id(source.bucket, source.key, source.version_id), source

    def _look_at(self, name: str, source: Source | None, now: datetime, result: SweepResult) -> None:
        entry = self.ledger.get_import(name)
        if entry is None or _split_died(entry, now):
            source = source or (entry.source if entry else None)
            if source is not None:
                dropped = DroppedObject(f"sweep-{name}", source.bucket, source.key, source.version_id)
                self.invocations.invoke(dropped.to_event())
                result.split += 1
        elif not entry.reconciled:
            due = entry.notice and entry.finished_at and entry.finished_at <= now - _YOUNGEST
            if due and tell(entry, self.ledger, self.notices, now):
                result.told += 1
            self._follow(entry, now, result)

    def _follow(self, entry: ImportEntry, now: datetime, result: SweepResult) -> None:
        """Reconcile an import that was split, and start its state machine again where that has died."""
        name = entry.import_id
        if entry.status in {ImportStatus.SPLITTING, ImportStatus.REJECTED}:
            return
        self.storage.renew(name, now - timedelta(days=self.settings.retention_days) / 2)
        manifest = self.storage.read_json(object_key(name, MANIFEST))
        if manifest is None:
            if entry.over:
                return
            raise MissingObjectError(f"Import {name} is under way and has no manifest any more.")
        batches = list(self.ledger.batches(name))
        summary = reconcile(entry, Manifest.from_json(manifest), batches, now)
        result.unaccounted = max(result.unaccounted, summary.unaccounted)
        stopped = entry.given_up is not None  # who gave it up stopped it, and was to start it again
        died = _is_unfinished(entry, batches) and self.executions.died(
            name, also=entry.resend, stopped=stopped
        )
        self._tell_of_wait(entry, batches, now, result)
        if died:
            numbers = [batch.number for batch in batches]
            self.executions.start(name, numbers, f"{name}-{now:%Y%m%d%H}", verify=entry.verify_sample)
            result.restarted += 1
        elif entry.ended and not entry.notice and not summary.unaccounted:
            self.ledger.change_import(name, now, _reconciled)

    def _tell_of_wait(
        self, entry: ImportEntry, batches: list[BatchEntry], now: datetime, result: SweepResult
    ) -> None:
        """Put an event for an import that has been under way for long, if all that is left of it waits."""
        hours = timedelta(hours=self.settings.waits_told_after_hours)
        left = [batch for batch in batches if not batch.settled]
        waits = left and all(batch.why for batch in left)
        if entry.over or not hours or not waits or now - (entry.wait_told_at or entry.started_at) < hours:
            return
        resumes = [batch.resumes_at for batch in left if batch.resumes_at]
        detail = {
            "startedAt": timestamp(entry.started_at),
            "batches": len(batches),
            "waiting": dict(Counter(batch.why for batch in left)),
            "resumesAt": timestamp(min(resumes)) if resumes else "",
        }
        try:
            self.events.put(WAITS, event_of(entry) | detail)
        except NoticeError as error:  # the next hour tries again
            result.failures[entry.import_id] = str(error)
            return
        self.ledger.change_import(
            entry.import_id, now, lambda current: dataclasses.replace(current, wait_told_at=now)
        )


@contextlib.contextmanager
def _counted(result: SweepResult, name: str) -> Iterator[None]:
    """Count what the `with` block fails with: whatever is wrong with one must not stop the others."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 whatever it is
        result.failures[name] = type(error).__name__


def _reconciled(entry: ImportEntry) -> ImportEntry:
    return dataclasses.replace(entry, reconciled=True)


def _split_died(entry: ImportEntry, now: datetime) -> bool:
    free = entry.lease_until is None or entry.lease_until <= now
    return entry.status is ImportStatus.SPLITTING and free


def _is_unfinished(entry: ImportEntry, batches: list[BatchEntry]) -> bool:
    """Whether an import has not ended, or has batches that gave up, which their deadline settles."""
    if entry.status is ImportStatus.UPLOADING:
        return True
    reported = entry.status in {ImportStatus.PARTIAL, ImportStatus.FAILED}
    return reported and not all(batch.settled for batch in batches)
