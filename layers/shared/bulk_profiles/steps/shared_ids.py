"""Whether two imports have an id in common, found from their batches by a hash join.

The ids of one import are hashed and sorted in memory, 8 bytes an id; the batches of the other are read as a
stream. Two ids with one hash only make one import wait for another, which is harmless.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bulk_profiles.aws.s3 import Storage
from bulk_profiles.core.errors import MissingObjectError
from bulk_profiles.core.models import Manifest
from bulk_profiles.core.names import MANIFEST, batch_name, object_key

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BLOCK_BYTES = 4 * 1024 * 1024
_ID = re.compile(rb"^[^,\n]+", re.MULTILINE)


def sharing_ids(manifest: Manifest, others: list[str], storage: Storage) -> list[str]:
    """Return those of the other imports that have a profile in common with this one."""
    if not others:
        return []
    import numpy as np  # noqa: PLC0415  # only where two imports meet

    ours = np.sort(np.concatenate([np.empty(0, np.int64), *_hashes(manifest, storage)]))
    return [other for other in others if _shares(ours, manifest, other, storage)]


def _shares(ours: NDArray[np.int64], manifest: Manifest, other: str, storage: Storage) -> bool:
    data = storage.read_json(object_key(other, MANIFEST))
    if data is None:
        return True  # it is not split yet, so nobody can say: to wait is safe
    theirs = Manifest.from_json(data)
    if theirs.client_code != manifest.client_code or theirs.key_column is not manifest.key_column:
        return False
    try:
        return any(_any_in(ours, hashes) for hashes in _hashes(theirs, storage))
    except MissingObjectError:  # its batches have been deleted, so nobody can say
        return True


def _any_in(ordered: NDArray[np.int64], hashes: NDArray[np.int64]) -> bool:
    """Whether any of the hashes is among the ordered ones, by binary search."""
    places = ordered.searchsorted(hashes)
    places[places == len(ordered)] = 0
    return bool(len(ordered)) and bool((ordered[places] == hashes).any())


def _hashes(manifest: Manifest, storage: Storage) -> Iterator[NDArray[np.int64]]:
    """Yield the hashes of the ids of all batches; `hash` is the same only within this process."""
    import numpy as np  # noqa: PLC0415  # only where two imports meet

    for batch in manifest.batches:
        with storage.open(object_key(manifest.import_id, batch_name(batch.number))) as body:
            body.readline()  # the header
            while block := body.read(_BLOCK_BYTES):
                rows = block + body.readline()
                yield np.fromiter(map(hash, _ID.findall(rows)), np.int64)
