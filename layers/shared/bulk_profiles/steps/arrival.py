"""Arrival: the version that an event names, and whether it may be imported at all.

A file that is deleted, or is in the wrong place, is not imported: whoever dropped it is told.
"""

from __future__ import annotations

from bulk_profiles.aws.s3 import Storage
from bulk_profiles.core.errors import FileRejectedError, MissingObjectError
from bulk_profiles.core.models import Source
from bulk_profiles.core.names import misplaced
from bulk_profiles.ledger.import_entry import ImportEntry

from .messages import DroppedObject

_DELETED = "The file was deleted before it could be read: drop it again if it is to be imported."


def find_source(dropped: DroppedObject, storage: Storage) -> tuple[Source, bool]:
    """Return the version that was dropped, and whether it is missing."""
    named = Source(dropped.bucket, dropped.key, dropped.version_id)
    if misplaced(dropped.key):  # it is not read, and beside drop/ it must not be
        return named, False
    try:
        return storage.source(dropped.bucket, dropped.key, dropped.version_id), False
    except MissingObjectError:
        return named, True


def check_arrival(entry: ImportEntry, storage: Storage, *, missing: bool) -> None:
    """Raise `FileRejectedError` for a file in the wrong place, and for one that was deleted.

    A version below a delete marker can still be read, but whoever deleted the file does not want it imported.
    Once its split has begun, it is imported all the same.
    """
    if reason := misplaced(entry.source.key):
        raise FileRejectedError(reason)
    if missing or (not entry.settings and _is_deleted(entry.source, storage)):
        raise FileRejectedError(_DELETED)


def _is_deleted(source: Source, storage: Storage) -> bool:
    """Whether the object's newest version is a delete marker."""
    try:
        storage.source(source.bucket, source.key, "")
    except MissingObjectError:
        return True
    return False
