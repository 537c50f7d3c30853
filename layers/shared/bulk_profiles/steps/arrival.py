"""Arrival: the version that an event names, and whether it may be imported at all.

A file that is deleted, in the wrong place, or refused by S3 is not imported: whoever dropped it is told.
"""

from __future__ import annotations

from datetime import timedelta

from bulk_profiles.aws.s3 import Storage
from bulk_profiles.core.errors import DeniedObjectError, FileRejectedError, MissingObjectError
from bulk_profiles.core.models import Source
from bulk_profiles.core.names import misplaced
from bulk_profiles.core.timestamps import moment
from bulk_profiles.ledger.import_entry import ImportEntry

from .messages import DroppedObject

_DELETED = "The file was deleted before it could be read: drop it again if it is to be imported."
_FORGOTTEN = (
    "The file was dropped more than {days} days ago (RetentionDays): whether it was imported then is "
    "forgotten. Drop it again if it is to be imported."
)
_DENIED = (
    "The function that splits files needs s3:GetObjectVersion on the file, kms:Decrypt on a key of your own, "
    "and an object that is not archived. Mend that, and drop the file again."
)


def find_source(dropped: DroppedObject, storage: Storage) -> tuple[Source, str]:
    """Return the version that was dropped, and a sentence that says why it cannot be read.

    The sentence is empty where it can be read.
    """
    named = Source(dropped.bucket, dropped.key, dropped.version_id)
    if misplaced(dropped.key):  # it is not read, and beside drop/ it must not be
        return named, ""
    try:
        return storage.source(dropped.bucket, dropped.key, dropped.version_id), ""
    except MissingObjectError:
        return named, _DELETED
    except DeniedObjectError as error:
        return named, denial(error)


def denial(error: DeniedObjectError) -> str:
    """Return the sentence for a file that S3 refuses, with S3's own code."""
    return f"{error} {_DENIED}"


def check_arrival(entry: ImportEntry, storage: Storage, unreadable: str) -> None:
    """Raise `FileRejectedError` for a file in the wrong place, and for one that cannot be read.

    A version below a delete marker can still be read, but whoever deleted the file does not want it imported.
    Once its split has begun, it is imported all the same.
    """
    if reason := misplaced(entry.source.key):
        raise FileRejectedError(reason)
    if unreadable:
        raise FileRejectedError(unreadable)
    if not entry.settings and _is_deleted(entry.source, storage):
        raise FileRejectedError(_DELETED)


def check_age(entry: ImportEntry, retention: timedelta) -> None:
    """Raise `FileRejectedError` for a version that is older than what the ledger remembers.

    Only an event that is replayed comes so late. The version may have been imported before, and the execution
    of that import has the name that this one would need.
    """
    dropped_at = entry.source.modified_at
    if dropped_at and entry.started_at - moment(dropped_at) > retention:
        raise FileRejectedError(_FORGOTTEN.format(days=retention.days))


def _is_deleted(source: Source, storage: Storage) -> bool:
    """Whether the object's newest version is a delete marker."""
    try:
        storage.source(source.bucket, source.key, "")
    except MissingObjectError:
        return True
    return False
