"""Imports that share ids do not race: the later one waits until the earlier one sends nothing any more.

Whether two imports share ids is found out only while both are under way, from their batches: nothing is
stored for it, and imports without a common id never wait for each other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from bulk_profiles.aws.s3 import Storage
from bulk_profiles.core.errors import MissingObjectError
from bulk_profiles.core.models import ImportStatus, Manifest
from bulk_profiles.core.names import MANIFEST, batch_name, object_key
from bulk_profiles.ledger.import_entry import ImportEntry
from bulk_profiles.ledger.ledger import Ledger

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BLOCK = 4 * 1024 * 1024
_ID = re.compile(rb"^[^,\n]+", re.MULTILINE)


def sharing_ids(manifest: Manifest, others: list[str], storage: Storage) -> list[str]:
    """Give those of the other imports, under way, that have a profile in common with this one."""
    if not others:
        return []
    import numpy as np  # noqa: PLC0415  # only where two imports meet

    ours = np.sort(np.concatenate([np.empty(0, np.int64), *_hashes(manifest, storage)]))
    return [other for other in others if _shares(ours, manifest, other, storage)]


def _shares(ours: NDArray[np.int64], manifest: Manifest, other: str, storage: Storage) -> bool:
    data = storage.read_json(object_key(other, MANIFEST))
    if data is None:
        return True  # nobody can say: waiting is safe
    theirs = Manifest.from_json(data)
    if theirs.client_code != manifest.client_code or theirs.key_column is not manifest.key_column:
        return False
    try:
        return any(_any_in(ours, hashes) for hashes in _hashes(theirs, storage))
    except MissingObjectError:  # so old that its batches have been deleted
        return True


def _any_in(ordered: NDArray[np.int64], hashes: NDArray[np.int64]) -> bool:
    places = ordered.searchsorted(hashes)
    places[places == len(ordered)] = 0
    return bool(len(ordered)) and bool((ordered[places] == hashes).any())


def _hashes(manifest: Manifest, storage: Storage) -> Iterator[NDArray[np.int64]]:
    """Hash the ids of all batches; equal only within this process, which is all that is needed."""
    import numpy as np  # noqa: PLC0415  # only where two imports meet

    for batch in manifest.batches:
        with storage.open(object_key(manifest.import_id, batch_name(batch.number))) as body:
            body.readline()  # the header
            while block := body.read(_BLOCK):
                rows = block + body.readline()
                yield np.fromiter(map(hash, _ID.findall(rows)), np.int64)


def under_way(entry: ImportEntry, ledger: Ledger, now: datetime) -> list[ImportEntry]:
    """Enter an import among those under way; give those before it that may yet send something."""
    earlier = []
    for name in ledger.queue_import(entry.client_code, entry.import_id, now):
        other = ledger.get_import(name)
        if other is None or other.over:  # nobody was left to take it out
            ledger.leave_queue(entry.client_code, name, now)
        else:
            earlier.append(other)
    return earlier


def newer_version(entry: ImportEntry, storage: Storage, ledger: Ledger, now: datetime) -> str:
    """Give the import of a newer version of the same object whose batches may have left already, if any."""
    name = f"{entry.source.bucket}/{entry.source.key}"
    newest = ledger.first_of("KEY", name, entry.import_id, entry.source.modified_at, now)
    other = ledger.get_import(newest) if newest != entry.import_id else None
    started = {ImportStatus.UPLOADING, ImportStatus.SUCCEEDED, ImportStatus.PARTIAL, ImportStatus.FAILED}
    if other is None or other.status not in started:
        return ""
    return newest if is_newer(other, entry, storage) else ""


def is_newer(other: ImportEntry, entry: ImportEntry, storage: Storage) -> bool:
    """Tell whether another import is of a newer version of the same object.

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
