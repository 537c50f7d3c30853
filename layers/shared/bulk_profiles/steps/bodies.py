"""The follow-up of a batch: a body in the Data bucket that sends failed profiles again."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator

from bulk_profiles.accounting.bodies import profile_id
from bulk_profiles.aws.s3 import Storage
from bulk_profiles.core.names import batch_name, body_name, follow_up_name, object_key
from bulk_profiles.ledger.batch_entry import BatchEntry, FollowUp
from bulk_profiles.ledger.isolation import Isolation, select


def write_follow_up(batch: BatchEntry, storage: Storage, failed: Callable[[str], bool]) -> FollowUp:
    """Write the rows whose id `failed` as a body of their own, the next attempt of the batch."""
    with storage.open(object_key(batch.import_id, batch.body_name)) as body:
        header = body.readline()
        return _write_body(batch, storage, header, (row for row in body if failed(profile_id(row))))


def write_resend(batch: BatchEntry, storage: Storage, chosen: Iterable[bool]) -> FollowUp:
    """Write the chosen rows of the batch, of which each has its word, as the next attempt."""
    with storage.open(object_key(batch.import_id, batch_name(batch.number))) as body:
        return _write_body(batch, storage, body.readline(), itertools.compress(body, chosen))


def write_part(batch: BatchEntry, storage: Storage, isolation: Isolation) -> FollowUp:
    """Write the part of a search for failing rows as the next attempt."""
    name = body_name(batch.number, isolation.attempt)
    with storage.open(object_key(batch.import_id, name)) as body:
        return _write_body(batch, storage, body.readline(), select(body, isolation.part))


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
