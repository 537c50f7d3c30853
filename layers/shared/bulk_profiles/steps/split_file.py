"""A dropped file becomes an import: claimed once, split, entered in the ledger, started."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from bulk_profiles.accounting.summary import Summary, reject
from bulk_profiles.aws.s3 import Storage
from bulk_profiles.aws.sns import Notices
from bulk_profiles.aws.step_functions import Executions
from bulk_profiles.core.errors import ExistingObjectError, FeedError, FileRejectedError, MissingObjectError
from bulk_profiles.core.feeds import Feed
from bulk_profiles.core.models import ImportStatus, Json, Manifest, Source
from bulk_profiles.core.names import (
    BATCHES,
    CHECKPOINT,
    MANIFEST,
    batch_name,
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

from .closing import conclude
from .lease import LEASE, Lease
from .messages import DroppedObject
from .precedence import is_newer, newer_version, sharing_ids, under_way
from .settings import SplitFileSettings


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of an event: split, rejected (`summary`), or neither where there was nothing to do.

    `unfinished`: the split stopped in time, and goes on when the same event comes again.
    """

    import_id: str
    manifest: Manifest | None = None
    summary: Summary | None = None
    unfinished: bool = False


def import_file(
    dropped: DroppedObject,
    *,
    settings: SplitFileSettings,
    storage: Storage,
    ledger: Ledger,
    executions: Executions,
    notices: Notices,
    clock: Callable[[], datetime],
    out_of_time: Callable[[], bool] = lambda: False,
) -> Imported:
    """Make an import of one version of a dropped object and start its state machine.

    The same event again, at the same time or later, changes nothing: the import's id is its version's.
    `dropped.event_id` tells who splits: what was killed is done again at once by the platform's next try of
    it, by others after its lease, with the same bytes under the same names. Raises `ConflictError` where
    somebody else has taken the split over.
    """
    now, gone = clock(), ""
    try:
        source = storage.source(dropped.bucket, dropped.key, dropped.version_id)
    except MissingObjectError:
        source = Source(dropped.bucket, dropped.key, dropped.version_id)
        gone = "The file was deleted before it could be read: drop it again."
    entry = ledger.claim_import(_first_entry(source, dropped.event_id, settings, now), now)
    if entry is None:
        return Imported(import_id(source.bucket, source.key, source.version_id))
    lease = Lease(entry, ledger, clock)
    done = storage.read_json(object_key(entry.import_id, MANIFEST))
    manifest: Manifest | str = gone
    if done is not None:  # by a try that died after it: its batches may be on their way, and stay as they are
        manifest = Manifest.from_json(done)
    elif not gone:
        try:
            entry, feed = _with_feed(entry, settings, storage, ledger, now)
            manifest = _split(entry, feed, storage, lambda: lease.kept() and out_of_time())
        except OutOfTimeError as stopped:
            storage.write_json(object_key(entry.import_id, CHECKPOINT), stopped.checkpoint)
            lease.free()
            return Imported(entry.import_id, unfinished=True)
        except (FileRejectedError, FeedError) as error:
            manifest = str(error)
    if isinstance(manifest, str):
        summary = reject(entry, manifest, now)
        conclude(summary, storage=storage, ledger=ledger, notices=notices, now=now)
        return Imported(entry.import_id, summary=summary)
    now = clock()  # what follows may be done twice, even at once: no lease is needed any more
    entry = ledger.change_import(entry.import_id, now, _split_done(manifest, ledger, now))
    # Decided once: what is queued already may be on its way to Target.
    queued = ledger.is_queued(entry.client_code, entry.import_id)
    newer = "" if queued else newer_version(entry, storage, ledger, now)
    earlier: list[ImportEntry] = []
    if not newer:
        earlier = under_way(entry, ledger, now)
        newer = next((other.import_id for other in earlier if is_newer(other, entry, storage)), "")
    if newer:
        summary = _reject_older(entry, manifest, newer, now)
        conclude(summary, storage=storage, ledger=ledger, notices=notices, now=now)
        return Imported(entry.import_id, summary=summary)
    after = tuple(sharing_ids(manifest, [other.import_id for other in earlier], storage))
    ledger.change_import(entry.import_id, now, lambda current: dataclasses.replace(current, after=after))
    ledger.add_batches(entry.import_id, manifest.batches, now)
    executions.start(entry.import_id, [batch.number for batch in manifest.batches])
    ledger.change_import(entry.import_id, now, _started)
    return Imported(entry.import_id, manifest)


def _split_done(manifest: Manifest, ledger: Ledger, now: datetime) -> Callable[[ImportEntry], ImportEntry]:
    content = f"{manifest.client_code}/{manifest.source.sha256}"
    first = ledger.first_of("CONTENT", content, manifest.import_id, "", now)

    def change(entry: ImportEntry) -> ImportEntry:
        return dataclasses.replace(
            entry,
            source=manifest.source,
            key_column=manifest.key_column,
            active_until=now,
            duplicate_of="" if first == entry.import_id else first,
        )

    return change


def _reject_older(entry: ImportEntry, manifest: Manifest, newer: str, now: datetime) -> Summary:
    """Account for a version that a newer one came before: what would have been sent is rejected."""
    rows = manifest.rows
    reason = (
        f"A newer version of this file, import {newer}, came first: of this older one nothing was sent. "
        "Drop it again if it is to go after the newer one."
    )
    return dataclasses.replace(
        reject(entry, reason, now),
        rows=dataclasses.replace(rows, rejected=rows.rejected + rows.sent, sent=0),
        rejects=manifest.rejects | {"older_version": rows.sent},
        warnings=manifest.warnings,
    )


def _started(entry: ImportEntry) -> ImportEntry:
    if entry.status is not ImportStatus.SPLITTING:
        return entry  # the machine is fast: the import may have ended already
    return dataclasses.replace(entry, status=ImportStatus.UPLOADING, lease_until=None)


def _first_entry(source: Source, event_id: str, settings: SplitFileSettings, now: datetime) -> ImportEntry:
    return ImportEntry(
        import_id=import_id(source.bucket, source.key, source.version_id),
        status=ImportStatus.SPLITTING,
        source=source,
        feed=feed_name(source.key),
        client_code=settings.client_code,
        api_version=settings.api_version,
        started_at=now,
        owner=event_id,
        lease_until=now + LEASE,
    )


def _with_feed(
    entry: ImportEntry, settings: SplitFileSettings, storage: Storage, ledger: Ledger, now: datetime
) -> tuple[ImportEntry, Feed]:
    """Pin the feed and the limits as they are now, or as they were when a killed split began."""
    if not entry.settings:
        configured: Json = {
            "clientCode": settings.client_code,
            "apiVersion": settings.api_version.value,
            "separatorInValue": settings.separator_in_value,
        } | (storage.read_json(feed_key(entry.feed)) or {})
        feed = Feed.from_json(configured)
        rows = settings.max_batch_rows
        if settings.rows_per_day:  # a batch must fit in a day
            rows = min(rows, settings.rows_per_day)
        pinned = {
            "feed": configured,
            "maxBatchRows": rows,
            "maxBatchBytes": settings.max_batch_bytes,
        }
        entry = ledger.change_import(
            entry.import_id,
            now,
            lambda current: dataclasses.replace(
                current,
                settings=current.settings or pinned,
                client_code=feed.client_code or settings.client_code,
                api_version=feed.api_version or settings.api_version,
            ),
        )
    return entry, Feed.from_json(entry.settings["feed"])


def _split(entry: ImportEntry, feed: Feed, storage: Storage, out_of_time: Callable[[], bool]) -> Manifest:
    limits = Limits(
        max_batch_rows=int(entry.settings["maxBatchRows"]),
        max_batch_bytes=int(entry.settings["maxBatchBytes"]),
    )
    result = split(
        storage.source_file(entry.source),
        feed,
        limits,
        storage.output(entry.import_id),
        scratch=storage.scratch(entry.import_id),
        checkpoint=storage.read_json(object_key(entry.import_id, CHECKPOINT)),
        out_of_time=out_of_time,
    )
    # A file whose ids repeat is split anew when that is found out, in fewer batches perhaps.
    planned = {batch_name(batch.number) for batch in result.batches}
    for name in storage.names(entry.import_id, BATCHES):
        if name not in planned:
            storage.delete(object_key(entry.import_id, name))
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
        batches=result.batches,
    )
    # An earlier try of this split may have come so far: the split is deterministic, so it says the same.
    with contextlib.suppress(ExistingObjectError):
        storage.write_json(object_key(entry.import_id, MANIFEST), manifest.to_json(), once=True)
    return manifest
