"""Split file: a dropped file becomes an import: claimed once, split, entered in the ledger, started."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Any

from bulk_profiles.accounting.split_verdict import too_long_to_send
from bulk_profiles.accounting.summary import Summary, import_verdict, reconcile, reject, rejected_file
from bulk_profiles.aws.events import Events
from bulk_profiles.aws.s3 import Storage
from bulk_profiles.aws.sns import Notices
from bulk_profiles.aws.step_functions import Executions
from bulk_profiles.core.errors import (
    DamagedScratchError,
    DeniedObjectError,
    ExecutionError,
    ExistingObjectError,
    FeedError,
    FileRejectedError,
    InvalidJsonError,
    SettingsError,
)
from bulk_profiles.core.feeds import Feed
from bulk_profiles.core.json_object import Json
from bulk_profiles.core.models import ImportStatus, Manifest, Source
from bulk_profiles.core.names import (
    BATCHES,
    CHECKPOINT,
    DEFAULT_FEED,
    MANIFEST,
    batch_name,
    client_key,
    feed_key,
    feed_name,
    import_id,
    object_key,
)
from bulk_profiles.ledger.import_entry import ImportEntry
from bulk_profiles.ledger.ledger import Ledger
from bulk_profiles.splitting.batches.cutter import Limits
from bulk_profiles.splitting.checkpoint import OutOfTimeError
from bulk_profiles.splitting.split import split

from .arrival import check_age, check_arrival, denial, find_source
from .closing import Closing
from .lease import LEASE, Lease
from .limits import limits_of
from .messages import DroppedObject
from .precedence import enter_queue
from .settings import SplitFileSettings, UnknownFeeds
from .shared_ids import sharing_ids

_OLDER_VERSION = (
    "A newer version of this file, import {newer}, came first: of this older one nothing was sent. "
    "Drop it again if it is to go after the newer one."
)
_SHOWN_FEEDS = 20
_LARGEST_FEED = 100_000  # bytes as JSON: an import's entry, an item of at most 400 KB, keeps it
_MOST_TRIES = 24  # of a split without progress: those of eight hours, three an hour


@dataclass(frozen=True, slots=True)
class SplitResult:
    """What became of a dropped file. Without manifest and summary there was nothing to do."""

    import_id: str
    manifest: Manifest | None = None  # of an import that was started
    summary: Summary | None = None  # of a file that was rejected
    unfinished: bool = False  # the split ran out of time, and goes on when the same event comes again


@dataclass(frozen=True, slots=True)
class SplitFile:
    """The step with one deployment's edges and settings."""

    settings: SplitFileSettings
    storage: Storage
    ledger: Ledger
    executions: Executions
    notices: Notices
    events: Events
    clock: Callable[[], datetime]

    def run(self, dropped: DroppedObject, out_of_time: Callable[[], bool] = lambda: False) -> SplitResult:
        """Make an import of one version of a dropped object and start its state machine.

        The same event again, at the same time or later, changes nothing: the import's id is its version's.
        `dropped.event_id` says who splits: a split that was killed is done again at once by the platform's
        next try of the same invocation, and by others after its lease, with the same bytes and names.
        Raises `ConflictError` where somebody else has taken the split over, and `DamagedScratchError` where
        what an earlier invocation has kept is damaged: the next one splits the file from its start.
        """
        source, unreadable = find_source(dropped, self.storage)
        entry = self._claim(source, dropped.event_id)
        if entry is None:
            return SplitResult(import_id(source.bucket, source.key, source.version_id))
        lease = Lease(entry, self.ledger, self.clock)
        try:
            check_age(entry, timedelta(days=self.settings.retention_days))
            # A manifest is there if an earlier try died after it: its batches may be on their way.
            manifest = self._manifest(entry)
            if manifest is None:
                check_arrival(entry, self.storage, unreadable)
                self._check_tries(entry)
                entry, feed = self._pin_feed(entry)
                manifest = self._split(entry, feed, lambda: lease.kept() and out_of_time())
        except OutOfTimeError as stop:
            self.storage.write_json(object_key(entry.import_id, CHECKPOINT), stop.checkpoint)
            lease.free()
            return SplitResult(entry.import_id, unfinished=True)
        except (FileRejectedError, FeedError) as error:
            return self._reject(reject(entry, str(error), self.clock()))
        except DamagedScratchError as error:
            self.storage.delete(object_key(entry.import_id, CHECKPOINT))  # the next try begins anew
            lease.note_failure(error)
            raise
        except DeniedObjectError as error:
            return self._reject(reject(entry, denial(error), self.clock()))
        except Exception as error:
            lease.note_failure(error)
            raise
        return self._start(entry, manifest)

    def _check_tries(self, entry: ImportEntry) -> None:
        """Raise `FileRejectedError` for a file with which the split has failed too often to try again."""
        if entry.tries > _MOST_TRIES:
            last = entry.last_error or "ended without an error, as for want of memory or time"
            raise FileRejectedError(
                f"The split has failed {_MOST_TRIES} times with this file, and is not tried again. The last "
                f"one: {last}. If the reason is mended, drop the file again."
            )

    def _claim(self, source: Source, event_id: str) -> ImportEntry | None:
        now = self.clock()
        entry = ImportEntry(
            import_id=import_id(source.bucket, source.key, source.version_id),
            status=ImportStatus.SPLITTING,
            source=source,
            feed=feed_name(source.key),
            client_code=self.settings.client_code,
            api_version=self.settings.api_version,
            started_at=now,
            owner=event_id,
            lease_until=now + LEASE,
            tries=1,
            stack=self.settings.stack_name,
        )
        return self.ledger.claim_import(entry, now)

    def _manifest(self, entry: ImportEntry) -> Manifest | None:
        data = self.storage.read_json(object_key(entry.import_id, MANIFEST))
        return None if data is None else Manifest.from_json(data)

    def _checkpoint(self, entry: ImportEntry) -> Json | None:
        try:
            return self.storage.read_json(object_key(entry.import_id, CHECKPOINT))
        except InvalidJsonError as error:
            raise DamagedScratchError(CHECKPOINT) from error

    def _pin_feed(self, entry: ImportEntry) -> tuple[ImportEntry, Feed]:
        """Keep the feed and the limits as they are now, or as they were when a killed split began."""
        if not entry.settings:
            configured = self._configured(entry.feed)
            feed = Feed.from_json(configured)
            rows = self.settings.max_batch_rows
            own = self._own_rows_per_day(feed.client_code or self.settings.client_code)
            if rows_per_day := self.settings.rows_per_day if own is None else own:
                rows = min(rows, rows_per_day)  # a batch must fit in a day
            pinned = {
                "feed": configured,
                "maxBatchRows": rows,
                "maxBatchBytes": self.settings.max_batch_bytes,
            } | ({} if own is None else {"rowsPerDay": own})
            entry = self.ledger.change_import(
                entry.import_id,
                self.clock(),
                lambda current: dataclasses.replace(
                    current,
                    settings=current.settings or pinned,
                    client_code=feed.client_code or self.settings.client_code,
                    api_version=feed.api_version or self.settings.api_version,
                ),
            )
        return entry, Feed.from_json(entry.settings["feed"])

    def _configured(self, feed: str) -> Any:
        """Return a feed's configuration as JSON, and what the deployment sets where the feed says nothing."""
        try:
            configured: Any = self.storage.read_json(feed_key(feed))
        except InvalidJsonError as error:
            raise FeedError(f"{error} Mend it, and drop the file again.") from error
        if configured is None:
            self._check_unknown(feed)
            configured = {}
        if not isinstance(configured, dict):
            return configured  # which is no feed, as it will be told
        if len(json.dumps(configured)) > _LARGEST_FEED:
            raise FeedError(
                f"The configuration of feed {feed} is larger than {_LARGEST_FEED:,} bytes: is it another "
                "file? Mend it, and drop the file again."
            )
        return {
            "clientCode": self.settings.client_code,
            "apiVersion": self.settings.api_version.value,
            "separatorInValue": self.settings.separator_in_value,
            "countsOnly": self.settings.counts_only,
            "verifySample": self.settings.verify_sample,
            "maxRejectedPercent": self.settings.max_rejected_percent,
        } | {name: value for name, value in configured.items() if value is not None}

    def _own_rows_per_day(self, client_code: str) -> int | None:
        """Return the rows of a day that the client code's own limits set; None where they set none."""
        try:
            return limits_of(client_code, self.storage).rows_per_day
        except SettingsError as error:
            raise FeedError(f"{error} Then drop the file again.") from error

    def _check_unknown(self, feed: str) -> None:
        """Raise `FeedError` for a feed without a configuration, where every feed must have one."""
        if feed == DEFAULT_FEED or self.settings.unknown_feeds is UnknownFeeds.ACCEPT:
            return
        known = sorted({DEFAULT_FEED, *self.storage.feeds()})
        shown = ", ".join(known[:_SHOWN_FEEDS]) + (", ..." if len(known) > _SHOWN_FEEDS else "")
        close = "".join(f" Did you mean {name}?" for name in get_close_matches(feed, known, 1))
        raise FeedError(
            f"There is no feed {feed}: drop the file into the folder of one of {shown}, or write "
            f"{feed_key(feed)} into the Data bucket.{close}"
        )

    def _split(self, entry: ImportEntry, feed: Feed, out_of_time: Callable[[], bool]) -> Manifest:
        """Split the file, or go on with it, and write the manifest last."""
        result = split(
            self.storage.source_file(entry.source),
            feed,
            Limits(
                max_batch_rows=int(entry.settings["maxBatchRows"]),
                max_batch_bytes=int(entry.settings["maxBatchBytes"]),
            ),
            self.storage.output(entry.import_id),
            scratch=self.storage.scratch(entry.import_id),
            checkpoint=self._checkpoint(entry),
            out_of_time=out_of_time,
        )
        # A file whose ids repeat is split anew once that is found out, perhaps in fewer batches.
        planned = {batch_name(batch.number) for batch in result.batches}
        for name in self.storage.names(entry.import_id, BATCHES):
            if name not in planned:
                self.storage.delete(object_key(entry.import_id, name))
        manifest = Manifest(
            import_id=entry.import_id,
            feed=entry.feed,
            client_code=entry.client_code,
            api_version=entry.api_version,
            key_column=result.key_column,
            source=dataclasses.replace(entry.source, sha256=result.source_sha256),
            rows=result.rows,
            rejects=result.rejects,
            warnings=result.warnings,
            examples=result.examples,
            advice=result.advice,
            rejected_rows=result.rejected_rows,
            batches=result.batches,
        )
        # An earlier try of this split may have come so far: the split is deterministic, so it says the same.
        with contextlib.suppress(ExistingObjectError):
            self.storage.write_json(object_key(entry.import_id, MANIFEST), manifest.to_json(), once=True)
        return manifest

    def _start(self, entry: ImportEntry, manifest: Manifest) -> SplitResult:
        """Enter a split import in the ledger and start its state machine, if there is something to send.

        This may be done twice, even at once: no lease is needed any more.
        """
        now = self.clock()
        if import_verdict(entry, manifest).status is ImportStatus.REJECTED:
            split_entry = dataclasses.replace(entry, source=manifest.source, key_column=manifest.key_column)
            return self._reject(reconcile(split_entry, manifest, (), now))
        entry = self._enter_source(entry, manifest, now)
        too_long = self._too_long(entry, manifest)
        if too_long and not self.ledger.is_queued(entry.client_code, entry.import_id):
            return self._reject(_unsent(entry, manifest, "too_long_to_send", too_long, now))
        position = enter_queue(entry, self.storage, self.ledger, now)
        if position.newer:
            reason = _OLDER_VERSION.format(newer=position.newer)
            return self._reject(_unsent(entry, manifest, "older_version", reason, now))
        place = self.ledger.place_in_queue(entry.client_code, entry.import_id)
        after = tuple(sharing_ids(manifest, list(position.earlier), self.storage))
        self.ledger.change_import(
            entry.import_id,
            now,
            lambda current: dataclasses.replace(current, after=after, place=current.place or place),
        )
        self.ledger.add_batches(entry.import_id, manifest.batches, now)
        numbers = [batch.number for batch in manifest.batches]
        self.executions.start(entry.import_id, numbers, verify=entry.verify_sample)
        self.ledger.change_import(entry.import_id, now, _started)
        return SplitResult(entry.import_id, manifest)

    def _too_long(self, entry: ImportEntry, manifest: Manifest) -> str:
        settings, own = self.settings, entry.settings.get("rowsPerDay")
        return too_long_to_send(
            manifest.rows.sent,
            settings.rows_per_day if own is None else int(own),
            settings.deadline_hours,
            settings.retention_days,
            "RowsPerDay" if own is None else f"rowsPerDay in {client_key(entry.client_code)}",
        )

    def _enter_source(self, entry: ImportEntry, manifest: Manifest, now: datetime) -> ImportEntry:
        """Enter what the split found out about the source file."""
        content = f"{manifest.client_code}/{manifest.source.sha256}"
        first = self.ledger.first_of("CONTENT", content, entry.import_id, "", now)
        return self.ledger.change_import(
            entry.import_id,
            now,
            lambda current: dataclasses.replace(
                current,
                source=manifest.source,
                key_column=manifest.key_column,
                active_until=now,
                duplicate_of="" if first == current.import_id else first,
            ),
        )

    def _reject(self, summary: Summary) -> SplitResult:
        closing = Closing(self.storage, self.ledger, self.notices, self.events, self.settings.console_url)
        concluded = closing.conclude(summary, self.clock())
        with contextlib.suppress(ExecutionError):  # to be seen among the executions decides nothing
            self.executions.show_rejected(summary.entry.import_id, summary.reason)
        return SplitResult(summary.entry.import_id, summary=concluded)


def _unsent(entry: ImportEntry, manifest: Manifest, code: str, reason: str, now: datetime) -> Summary:
    """Account for a file that was split and is not sent: what would have been sent is rejected."""
    rows = manifest.rows
    return dataclasses.replace(
        reject(entry, reason, now),
        rows=dataclasses.replace(rows, rejected=rows.rejected + rows.sent, sent=0),
        rejects=manifest.rejects | {code: rows.sent},
        warnings=manifest.warnings,
        examples=manifest.examples,
        rejected_file=rejected_file(manifest),
    )


def _started(entry: ImportEntry) -> ImportEntry:
    if entry.status is not ImportStatus.SPLITTING:
        return entry  # the machine is fast: the import may have ended already
    return dataclasses.replace(entry, status=ImportStatus.UPLOADING, lease_until=None)
