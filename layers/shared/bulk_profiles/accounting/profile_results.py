"""The results file of a batch: what became of each profile, as gzipped CSV in S3."""

from __future__ import annotations

import csv
import gzip
import io
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import IO, TYPE_CHECKING

from bulk_profiles.core.models import Bases, Basis, ProfileResult, ProfileStatus
from bulk_profiles.core.timestamps import timestamp

if TYPE_CHECKING:
    from bulk_profiles.aws.s3 import Storage

COLUMNS = ("profile_id", "status", "basis", "reason", "batch", "attempt", "checked_at")
FORGOTTEN = "(forgotten)"  # in place of an id
_SPOOL = 8 * 1024 * 1024


def write_results(
    storage: Storage,
    key: str,
    number: int,
    results: Iterable[ProfileResult],
    *,
    now: datetime,
) -> Bases:
    """Write the results file of a batch and return its counts. The same results give the same bytes."""
    bases: Bases = defaultdict(Counter)
    checked_at = timestamp(now)
    with tempfile.SpooledTemporaryFile(max_size=_SPOOL) as spool:
        with (
            gzip.GzipFile(fileobj=spool, mode="wb", compresslevel=5, mtime=0, filename="") as packed,
            io.TextIOWrapper(packed, encoding="utf-8", newline="") as text,
        ):
            writer = csv.writer(text, lineterminator="\n")
            writer.writerow(COLUMNS)
            for result in results:
                bases[result.status][result.basis] += 1
                status = (result.status, result.basis, result.reason)
                writer.writerow((result.profile_id, *status, number, result.attempt, checked_at))
        _store(spool, storage, key)
    return dict(bases)


def read_results(storage: Storage, key: str) -> Iterator[ProfileResult]:
    """Yield the results in a batch's results file, in the order of the batch's rows."""
    with (
        storage.open(key) as stream,
        gzip.GzipFile(fileobj=stream) as packed,
        io.TextIOWrapper(packed, encoding="utf-8", newline="") as text,
    ):
        lines = csv.reader(text)
        next(lines)
        for profile_id, status, basis, reason, _, attempt, _ in lines:
            yield ProfileResult(profile_id, ProfileStatus(status), Basis(basis), reason, int(attempt))


def without_profile(storage: Storage, key: str, profile_id: str) -> None:
    """Write a results file again without the id of one profile: its line stays, with `(forgotten)`."""
    with tempfile.SpooledTemporaryFile(max_size=_SPOOL) as spool:
        with (
            storage.open(key) as stream,
            gzip.GzipFile(fileobj=stream) as packed,
            io.TextIOWrapper(packed, encoding="utf-8", newline="") as old,
            gzip.GzipFile(fileobj=spool, mode="wb", compresslevel=5, mtime=0, filename="") as repacked,
            io.TextIOWrapper(repacked, encoding="utf-8", newline="") as new,
        ):
            writer = csv.writer(new, lineterminator="\n")
            for first, *others in csv.reader(old):
                writer.writerow((FORGOTTEN if first == profile_id else first, *others))
        _store(spool, storage, key)


def _store(spool: IO[bytes], storage: Storage, key: str) -> None:
    spool.seek(0)
    sink = storage.sink(key)
    while piece := spool.read(_SPOOL):
        sink.write(piece)
    sink.commit()
