"""Precedence: imports that share ids do not race, and an older version of a file never follows a newer one.

The imports of one client that are under way stand in a queue. An import waits for the earlier ones that have
an id in common with it until these send nothing any more. Whether two share ids is found from their batches
while both are under way: imports without a common id never wait for each other.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import datetime, timedelta

from bulk_profiles.aws.s3 import Storage
from bulk_profiles.core.errors import MissingObjectError, UnreadableEntryError
from bulk_profiles.core.models import ImportStatus
from bulk_profiles.ledger.import_entry import ImportEntry
from bulk_profiles.ledger.ledger import Ledger
from bulk_profiles.ledger.pauses import longest

_ACTIVE = timedelta(hours=1)  # for which an import's entry is written once; far longer than a function lives
_STARTED = frozenset(
    {ImportStatus.UPLOADING, ImportStatus.SUCCEEDED, ImportStatus.PARTIAL, ImportStatus.FAILED}
)


@dataclass(frozen=True, slots=True)
class QueuePosition:
    """The position of an import among those under way."""

    newer: str = ""  # the import of a newer version that came first: nothing of this one may be sent
    earlier: tuple[str, ...] = ()  # imports before it that may yet send something


def enter_queue(entry: ImportEntry, storage: Storage, ledger: Ledger, now: datetime) -> QueuePosition:
    """Enter an import among those under way, unless a newer version of its file came first."""
    # Decided once: batches of an import that is queued already may be on their way to Target.
    queued = ledger.is_queued(entry.client_code, entry.import_id)
    if not queued and (newer := _newer_version(entry, storage, ledger, now)):
        return QueuePosition(newer)
    earlier = _under_way(entry, ledger, now)
    newer = next((other.import_id for other in earlier if _is_newer(other, entry, storage)), "")
    return QueuePosition(newer, tuple(other.import_id for other in earlier))


def goes_first(entry: ImportEntry, ledger: Ledger, now: datetime, deadline: timedelta) -> str:
    """Return an earlier import with some of the same ids that may still send; empty where there is none.

    An earlier import that nobody has worked on for `deadline` is overtaken. Once overtaken it sends nothing:
    what it sent before, Target has settled or dropped by then.
    """
    return next((name for name in entry.after if _goes_first(name, entry, ledger, now, deadline)), "")


def keep_active(entry: ImportEntry, until: datetime, ledger: Ledger, now: datetime) -> ImportEntry:
    """Return the import's entry, in which it is active until then, or overtaken.

    Nobody overtakes an import that is active, and nobody sends for one that is not: whoever reads that it is
    active has ended long before it may be overtaken.
    """

    def renew(current: ImportEntry) -> ImportEntry:
        if current.overtaken_by or _is_active(current, until):
            return current
        return dataclasses.replace(current, active_until=until + _ACTIVE)

    if _is_active(entry, until):
        return entry
    return ledger.change_import(entry.import_id, now, renew)


def _goes_first(name: str, entry: ImportEntry, ledger: Ledger, now: datetime, deadline: timedelta) -> bool:
    def overtake(earlier: ImportEntry) -> ImportEntry:
        if earlier.over or not earlier.abandoned(now, deadline):
            return earlier
        return dataclasses.replace(earlier, overtaken_by=entry.import_id)

    try:
        earlier = ledger.get_import(name)
    except UnreadableEntryError:  # then nobody can send its batches either
        return False
    if earlier is None or earlier.over:
        return False
    # A pause is on purpose, however long it takes, and also where nobody is left to look at it.
    if not earlier.abandoned(now, deadline) or longest(ledger.pauses(now), earlier):
        return True
    if not ledger.change_import(name, now, overtake).over:
        return True
    ledger.leave_queue(entry.client_code, name, now)
    return False


def _is_active(entry: ImportEntry, until: datetime) -> bool:
    return entry.active_until is not None and until <= entry.active_until


def _under_way(entry: ImportEntry, ledger: Ledger, now: datetime) -> list[ImportEntry]:
    """Enter an import in the queue; return those before it that may yet send something."""
    earlier = []
    for name in ledger.queue_import(entry.client_code, entry.import_id, now):
        try:
            other = ledger.get_import(name)
        except UnreadableEntryError:  # then nobody can send its batches either
            continue
        if other is None or other.over:  # nobody was left to take it out
            ledger.leave_queue(entry.client_code, name, now)
        else:
            earlier.append(other)
    return earlier


def _newer_version(entry: ImportEntry, storage: Storage, ledger: Ledger, now: datetime) -> str:
    """Return the import of a newer version of the object whose batches may have left, or an empty text."""
    name = f"{entry.source.bucket}/{entry.source.key}"
    newest = ledger.first_of("KEY", name, entry.import_id, entry.source.modified_at, now)
    try:
        other = ledger.get_import(newest) if newest != entry.import_id else None
    except UnreadableEntryError:  # then it is not known to be newer, and nobody can send its batches
        return ""
    if other is None or other.status not in _STARTED:
        return ""
    return newest if _is_newer(other, entry, storage) else ""


def _is_newer(other: ImportEntry, entry: ImportEntry, storage: Storage) -> bool:
    """Whether another import is of a newer version of the same object.

    S3 dates versions by the second: within one, only the last of them is known to be newer than the others.
    """
    ours, theirs = entry.source, other.source
    if (theirs.bucket, theirs.key) != (ours.bucket, ours.key):
        return False
    if theirs.modified_at != ours.modified_at:
        return theirs.modified_at > ours.modified_at
    try:
        last = storage.source(ours.bucket, ours.key, "")
    except MissingObjectError:
        return False
    return last.version_id == theirs.version_id != ours.version_id


def later_imports(entry: ImportEntry, ledger: Ledger) -> list[ImportEntry]:
    """Return the imports of the client that send, or have sent, after this one, the newest first.

    One that is being split enters the queue later, and finds this one there.
    """
    queued = set(ledger.queued(entry.client_code))
    later = (
        other
        for other in ledger.imports()
        if other.client_code == entry.client_code and _is_later(other, entry, queued)
    )
    return sorted(later, key=lambda other: other.started_at, reverse=True)


def _is_later(other: ImportEntry, entry: ImportEntry, queued: set[str]) -> bool:
    if other.import_id == entry.import_id or other.status is ImportStatus.REJECTED:
        return False
    if other.status is ImportStatus.SPLITTING and other.import_id not in queued:
        return False
    if other.place and entry.place:
        return other.place > entry.place
    # One of them is of an earlier version, or has entered the queue a moment ago.
    return other.started_at >= entry.started_at or entry.import_id in other.after
