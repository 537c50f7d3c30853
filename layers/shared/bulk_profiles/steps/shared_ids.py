"""Whether imports have ids in common, found from their batches by a hash join.

The ids of one import are hashed and sorted in memory, 8 bytes an id; the batches of the other are read as a
stream. Two ids with one hash only make one import wait for another, which is harmless.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from bulk_profiles.aws.s3 import Storage
from bulk_profiles.core.errors import InvalidJsonError, MissingObjectError
from bulk_profiles.core.models import Manifest
from bulk_profiles.core.names import MANIFEST, batch_name, object_key

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BLOCK_BYTES = 4 * 1024 * 1024
MAX_ROWS = 20_000_000  # to look at, for all imports together: about 2 GB to read, and 160 MB of hashes
# What a manifest of another form raises.
_UNREADABLE = (InvalidJsonError, KeyError, TypeError, ValueError, AttributeError)
_ID = re.compile(rb"^[^,\n]+", re.MULTILINE)


def sharing_ids(manifest: Manifest, others: list[str], storage: Storage) -> list[str]:
    """Return those of the other imports that have, or may have, a profile in common with this one.

    An import whose ids cannot be looked at may have: to wait for it is safe. It is not split yet, its
    manifest is damaged, its batches have been deleted, or together with those before it, it has more rows
    than there is time for.
    """
    own = _Own(manifest, storage)
    search = _Search(manifest, manifest.rows.sent, storage)
    return [other for other in others if search.may_share(other, lambda ids: _any_in(own.ordered, ids))]


class RowsToResend:
    """Rows of an import, batch by batch, whose ids are looked for in other imports."""

    def __init__(self, manifest: Manifest, storage: Storage) -> None:
        self._manifest = manifest
        self._storage = storage
        self._parts: dict[int, NDArray[np.int64]] = {}

    def add(self, number: int, lines: Iterable[bytes]) -> None:
        """Add rows of a batch, as they stand in its body: there, one id has one spelling."""
        import numpy as np  # noqa: PLC0415  # only where ids are compared

        ids = (hash(line.partition(b",")[0].rstrip(b"\n")) for line in lines)
        self._parts[number] = np.fromiter(ids, np.int64)

    def found_in(self, others: list[str]) -> dict[int, str]:
        """Return the batches of which an id is, or may be, in another import, with the first such import."""
        import numpy as np  # noqa: PLC0415  # only where ids are compared

        hashes = np.concatenate([np.empty(0, np.int64), *self._parts.values()])
        batches = np.repeat(np.array([*self._parts], np.int64), [len(part) for part in self._parts.values()])
        order = hashes.argsort()
        ordered, batches = hashes[order], batches[order]
        search = _Search(self._manifest, len(ordered), self._storage)
        found: dict[int, str] = {}
        for other in others:

            def note(ids: NDArray[np.int64], other: str = other) -> bool:
                for number in np.unique(batches[np.isin(ordered, ids)]):
                    found.setdefault(int(number), other)
                return len(found) == len(self._parts)

            if search.may_share(other, note):
                for number in self._parts:
                    found.setdefault(number, other)
        return found


class _Own:
    """The ids of an import, which are read where there is another one to look at."""

    def __init__(self, manifest: Manifest, storage: Storage) -> None:
        self._manifest = manifest
        self._storage = storage

    @cached_property
    def ordered(self) -> NDArray[np.int64]:
        import numpy as np  # noqa: PLC0415  # only where two imports meet

        return np.sort(np.concatenate([np.empty(0, np.int64), *_hashes(self._manifest, self._storage)]))


class _Search:
    """The search for ids of one import in others, within a number of rows."""

    def __init__(self, manifest: Manifest, rows: int, storage: Storage) -> None:
        self._manifest = manifest
        self._storage = storage
        self._rows_left = MAX_ROWS - rows

    def may_share(self, other: str, visit: Callable[[NDArray[np.int64]], bool]) -> bool:
        """Visit the hashes of another import's ids until that returns true, or they cannot be looked at."""
        try:
            data = self._storage.read_json(object_key(other, MANIFEST))
            theirs = None if data is None else Manifest.from_json(data)
        except _UNREADABLE:
            theirs = None
        if theirs is None:
            return True
        ours = self._manifest
        if theirs.client_code != ours.client_code or theirs.key_column is not ours.key_column:
            return False
        self._rows_left -= theirs.rows.sent
        if self._rows_left < 0:
            return True
        try:
            return any(visit(hashes) for hashes in _hashes(theirs, self._storage))
        except MissingObjectError:
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
