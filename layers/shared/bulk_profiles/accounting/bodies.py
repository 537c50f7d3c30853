"""The ids in a body of a batch."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING
from urllib.parse import unquote

from bulk_profiles.core.names import object_key
from bulk_profiles.ledger.batch_entry import BatchEntry

if TYPE_CHECKING:
    from bulk_profiles.aws.s3 import Storage

_HEADER_ROWS = 1


@contextmanager
def body_ids(batch: BatchEntry, storage: Storage) -> Iterator[Iterator[str]]:
    """Open the body that is on its way, for its ids: decoded, in the order of its rows.

    Nothing is read from S3 before the first id is asked for.
    """
    with ExitStack() as stack:

        def read() -> Iterator[str]:
            body = stack.enter_context(storage.open(object_key(batch.import_id, batch.body_name)))
            yield from body_profile_ids(body)

        yield read()


def body_profile_ids(body: Iterable[bytes]) -> Iterator[str]:
    """Yield the ids in the lines of a body."""
    return map(profile_id, itertools.islice(body, _HEADER_ROWS, None))


def profile_id(row: bytes) -> str:
    """Return the id in a row of a body."""
    return unquote(row.partition(b",")[0].rstrip(b"\n").decode())
