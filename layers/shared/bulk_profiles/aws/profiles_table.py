"""DynamoDB: the Profiles table, which has an item for each profile result."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING, Any

from bulk_profiles.core.errors import BulkProfilesError, LedgerError
from bulk_profiles.core.json_object import Json
from bulk_profiles.core.models import KeyColumn, ProfileResult, ProfileResultsPolicy, ProfileStatus
from bulk_profiles.core.timestamps import timestamp

from .errors import translated

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_ITEMS_PER_REQUEST = 25  # BatchWriteItem's limit
_WRITERS = 8
_ROUND = _ITEMS_PER_REQUEST * _WRITERS * 5  # items between two looks at the clock
_MAX_TRIES = 10
_THROTTLED = ("ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded")


class _ThrottledError(LedgerError):
    """DynamoDB has refused a whole request for now."""


class ProfilesTable:
    """The Profiles table of one deployment."""

    def __init__(self, client: DynamoDBClient, name: str) -> None:
        self._client = client
        self._name = name

    def fill(self, items: Iterable[Json], written: int, out_of_time: Callable[[], bool]) -> tuple[int, bool]:
        """Write the items after the first `written`; return how many are written, and whether all are.

        Raises `LedgerError` where DynamoDB refuses items before any was written: what was written is worth
        keeping. Writing an item twice changes nothing.
        """
        before, remaining = written, itertools.islice(items, written, None)
        with ThreadPoolExecutor(_WRITERS) as pool:
            for part in itertools.batched(remaining, _ROUND, strict=False):
                if out_of_time():
                    return written, False
                requests = itertools.batched(part, _ITEMS_PER_REQUEST, strict=False)
                try:
                    for _ in pool.map(self._write, requests):
                        pass
                except LedgerError:
                    if written == before:
                        raise
                    return written, False
                written += len(part)
        return written, True

    def results_of(self, client_code: str, key_column: KeyColumn, profile_id: str) -> Iterator[Json]:
        """Yield the items of one profile, over all imports, with their values as texts."""
        start: Any = {}
        while True:
            with translated("DynamoDB did not read the Profiles table", LedgerError):
                page = self._client.query(
                    TableName=self._name,
                    KeyConditionExpression="profile = :profile",
                    ExpressionAttributeValues={":profile": {"S": f"{client_code}#{key_column}#{profile_id}"}},
                    **start,
                )
            for item in page["Items"]:
                yield {name: next(iter(value.values())) for name, value in item.items()}
            if "LastEvaluatedKey" not in page:
                return
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def _write(self, items: tuple[Json, ...]) -> None:
        requests: Any = {self._name: [{"PutRequest": {"Item": item}} for item in items]}
        throttled: dict[str, BulkProfilesError] = {code: _ThrottledError(code) for code in _THROTTLED}
        for attempt in range(_MAX_TRIES):
            try:
                with translated("DynamoDB did not write to the Profiles table", LedgerError, throttled):
                    response = self._client.batch_write_item(RequestItems=requests)
                requests = response.get("UnprocessedItems")
            except _ThrottledError:  # none of them is written
                pass
            if not requests:
                return
            time.sleep(random.uniform(0, 0.05 * 2**attempt))  # noqa: S311  # spreads rivals, not a secret
        raise LedgerError(f"DynamoDB left items of the Profiles table unwritten {_MAX_TRIES} times.")


# Eight parameters: the results, the policy, and six facts that every item of a batch has.
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
    """Yield an item of the Profiles table for each result of a batch that the policy asks for."""
    if policy is ProfileResultsPolicy.NONE:
        return
    checked_at, expires, batch = timestamp(now), str(expires_at), f"{import_id}#{number:05d}"
    prefix = f"{client_code}#{key_column}#"
    for result in results:
        if policy is ProfileResultsPolicy.FAILURES and result.status is ProfileStatus.SUCCESS:
            continue
        yield {
            "profile": {"S": prefix + result.profile_id},
            "batch": {"S": batch},
            "status": {"S": result.status.value},
            "basis": {"S": result.basis.value},
            "reason": {"S": result.reason},
            "attempt": {"N": str(result.attempt)},
            "checkedAt": {"S": checked_at},
            "expiresAt": {"N": expires},
        }
