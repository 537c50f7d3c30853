"""The bodies of a batch in the Data bucket: their ids, and the follow-up that sends failed profiles again."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import unquote

from bulk_profiles.aws.s3 import Storage
from bulk_profiles.core.names import batch_name, follow_up_name, object_key
from bulk_profiles.ledger.batch_entry import BatchEntry, FollowUp

_HEADER_ROWS = 1


@contextmanager
def body_ids(batch: BatchEntry, storage: Storage) -> Iterator[Iterator[str]]:
    """Open the body that is on its way, for its ids: decoded, in the order of its rows.

    Nothing is read from S3 before the first id is asked for.
    """
    with ExitStack() as stack:

        def read() -> Iterator[str]:
            body = stack.enter_context(storage.open(object_key(batch.import_id, batch.body_name)))
            yield from map(_profile_id, itertools.islice(body, _HEADER_ROWS, None))

        yield read()


def write_follow_up(batch: BatchEntry, storage: Storage, failed: Callable[[str], bool]) -> FollowUp:
    """Write the rows whose id `failed` as a body of their own, the next attempt of the batch."""
    with storage.open(object_key(batch.import_id, batch.body_name)) as body:
        header = body.readline()
        return _write_body(batch, storage, header, (row for row in body if failed(_profile_id(row))))


def write_resend(batch: BatchEntry, storage: Storage, chosen: Iterable[bool]) -> FollowUp:
    """Write the chosen rows of the batch, of which each has its word, as the next attempt."""
    with storage.open(object_key(batch.import_id, batch_name(batch.number))) as body:
        return _write_body(batch, storage, body.readline(), itertools.compress(body, chosen))


def batch_rows(batch: BatchEntry, storage: Storage, chosen: Iterable[bool] | None = None) -> Iterator[bytes]:
    """Yield the rows of the batch itself, all of them or the chosen ones."""
    with storage.open(object_key(batch.import_id, batch_name(batch.number))) as body:
        body.readline()
        yield from body if chosen is None else itertools.compress(body, chosen)


def _write_body(batch: BatchEntry, storage: Storage, header: bytes, lines: Iterable[bytes]) -> FollowUp:
    attempt, rows, digest = batch.attempt + 1, 0, hashlib.sha256()
    sink = storage.sink(object_key(batch.import_id, follow_up_name(batch.number, attempt)))
    size = 0
    for piece in itertools.chain([header.rstrip(b"\n")], (b"\n" + line.rstrip(b"\n") for line in lines)):
        # No line feed after the last row: a batch ends with the last byte of its last row.
        rows += size > 0
        size += sink.write(piece)
        digest.update(piece)
    sink.commit()
    return FollowUp(attempt, rows, size, digest.hexdigest())


def _profile_id(row: bytes) -> str:
    return unquote(row.partition(b",")[0].rstrip(b"\n").decode())
