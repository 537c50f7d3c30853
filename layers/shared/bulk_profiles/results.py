"""What became of each profile: a gzipped CSV per batch in S3, an item each in the Profiles table.

The file is the record: it is written first and whole; the table is filled from it and may be resumed.
"""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import random
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import BotoCoreError, ClientError

from .errors import LedgerError
from .models import Basis, Json, KeyColumn, ProfileCounts, ProfileResult, ProfileStatus, timestamp
from .settings import ProfileResultsPolicy

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from .storage import Storage

COLUMNS = ("profile_id", "status", "basis", "reason", "batch", "attempt", "checked_at")
_ITEMS_PER_REQUEST = 25  # BatchWriteItem's limit
_WRITERS = 8
_ROUND = _ITEMS_PER_REQUEST * _WRITERS * 5
_MAX_TRIES = 10
_SPOOL = 8 * 1024 * 1024


def write_results(
    storage: Storage,
    key: str,
    number: int,
    results: Iterable[ProfileResult],
    *,
    now: datetime,
) -> ProfileCounts:
    """Write a file of a batch's results and count what is in it. The same results give the same bytes."""
    counts = dict.fromkeys(ProfileStatus, 0)
    checked_at = timestamp(now)
    with tempfile.SpooledTemporaryFile(max_size=_SPOOL) as spool:
        with (
            gzip.GzipFile(fileobj=spool, mode="wb", compresslevel=5, mtime=0, filename="") as packed,
            io.TextIOWrapper(packed, encoding="utf-8", newline="") as text,
        ):
            writer = csv.writer(text, lineterminator="\n")
            writer.writerow(COLUMNS)
            for result in results:
                counts[result.status] += 1
                said = (result.status, result.basis, result.reason)
                writer.writerow((result.profile_id, *said, number, result.attempt, checked_at))
        spool.seek(0)
        sink = storage.sink(key)
        while piece := spool.read(_SPOOL):
            sink.write(piece)
        sink.commit()
    return ProfileCounts(**{status.value: count for status, count in counts.items()})


def read_results(storage: Storage, key: str) -> Iterator[ProfileResult]:
    """Read a file of a batch's results, in the order of the batch's rows."""
    with (
        storage.open(key) as stream,
        gzip.GzipFile(fileobj=stream) as packed,
        io.TextIOWrapper(packed, encoding="utf-8", newline="") as text,
    ):
        lines = csv.reader(text)
        next(lines)
        for profile_id, status, basis, reason, _, attempt, _ in lines:
            yield ProfileResult(profile_id, ProfileStatus(status), Basis(basis), reason, int(attempt))


class ProfilesTable:
    """The Profiles table of one deployment."""

    def __init__(self, client: DynamoDBClient, name: str) -> None:
        self._client = client
        self._name = name

    def fill(
        self,
        items: Iterable[Json],
        written: int,
        out_of_time: Callable[[], bool],
    ) -> tuple[int, bool]:
        """Write the items after the first `written`; give how many are in, and whether all are.

        Raises `LedgerError` where DynamoDB goes on refusing. Writing an item twice changes nothing.
        """
        rest = itertools.islice(items, written, None)
        with ThreadPoolExecutor(_WRITERS) as pool:
            for round_ in itertools.batched(rest, _ROUND, strict=False):
                if out_of_time():
                    return written, False
                for _ in pool.map(self._write, itertools.batched(round_, _ITEMS_PER_REQUEST, strict=False)):
                    pass
                written += len(round_)
        return written, True

    def _write(self, items: tuple[Json, ...]) -> None:
        requests: Any = {self._name: [{"PutRequest": {"Item": item}} for item in items]}
        for attempt in range(_MAX_TRIES):
            try:
                answer = self._client.batch_write_item(RequestItems=requests)
            except ClientError as error:
                code = error.response.get("Error", {}).get("Code", "")
                raise LedgerError(f"DynamoDB did not write to the Profiles table: {code}.") from error
            except BotoCoreError as error:
                kind = type(error).__name__
                raise LedgerError(f"DynamoDB did not write to the Profiles table: {kind}.") from error
            requests = answer.get("UnprocessedItems")
            if not requests:
                return
            time.sleep(random.uniform(0, 0.05 * 2**attempt))  # noqa: S311  # spreads rivals, not a secret
        raise LedgerError(f"DynamoDB left items of the Profiles table unwritten {_MAX_TRIES} times.")


def profile_items(
    results: Iterable[ProfileResult],
    policy: ProfileResultsPolicy,
    *,
    client_code: str,
    key_column: KeyColumn,
    import_id: str,
    number: int,
    now: datetime,
    expires_at: int,
) -> Iterator[Json]:
    """Give the Profiles table's items for a batch, as the policy wants them, one for each result."""
    if policy is ProfileResultsPolicy.NONE:
        return
    checked_at, expires, batch = timestamp(now), str(expires_at), f"{import_id}#{number:05d}"
    prefix = f"{client_code}#{key_column}#"
    for result in results:
        if policy is ProfileResultsPolicy.FAILURES and result.status is ProfileStatus.SUCCESS:
            continue
        yield cast(
            "Json",
            {
                "profile": {"S": prefix + result.profile_id},
                "batch": {"S": batch},
                "status": {"S": result.status.value},
                "basis": {"S": result.basis.value},
                "reason": {"S": result.reason},
                "attempt": {"N": str(result.attempt)},
                "checkedAt": {"S": checked_at},
                "expiresAt": {"N": expires},
            },
        )
