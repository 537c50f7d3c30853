"""DynamoDB: the Profiles table, which has an item for each profile result."""

from __future__ import annotations

import functools
import itertools
import json
import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from datetime import datetime
from typing import TYPE_CHECKING, Any

from bulk_profiles.core.errors import LedgerError
from bulk_profiles.core.json_object import Json
from bulk_profiles.core.models import Basis, KeyColumn, ProfileResult, ProfileResultsPolicy, ProfileStatus
from bulk_profiles.core.timestamps import timestamp

from .errors import translated
from .signed_puts import MOST_PUTS, SignedPuts, ThrottledError, UnavailableError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CONNECTIONS = 8
_MOST_KEPT = 1024  # serialized ends of items: a batch has few, unless Target gives each profile a reason
_MAX_FAILURES = 10  # of one request in a row
_FIRST_WAIT, _LONGEST_WAIT, _MOST_DOUBLINGS = 0.05, 5.0, 7  # seconds


class _OutOfTimeError(LedgerError):
    """The time of the function is up."""


class ProfilesTable:
    """The Profiles table of one deployment."""

    def __init__(self, client: DynamoDBClient, name: str) -> None:
        self._client = client
        self._name = name

    def fill(self, puts: Iterable[str], written: int, out_of_time: Callable[[], bool]) -> tuple[int, bool]:
        """Write the items after the first `written`; return how many are written, and whether all are.

        An empty put counts, and is not sent. What DynamoDB throttles is waited for until the time is up: a
        new table takes 4,000 items a second. Raises `LedgerError` where DynamoDB refuses items before any was
        written: what was written is worth keeping. Writing an item twice changes nothing.
        """
        before = written
        try:
            for count in self._write(itertools.islice(puts, written, None), out_of_time):
                written += count
        except LedgerError as error:
            if written == before and not isinstance(error, _OutOfTimeError):
                raise
            return written, False
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

    def delete(self, client_code: str, key_column: KeyColumn, profile_id: str) -> int:
        """Delete the items of one profile; return how many there were."""
        keys = [
            {"profile": {"S": item["profile"]}, "batch": {"S": item["batch"]}}
            for item in self.results_of(client_code, key_column, profile_id)
        ]
        with translated("DynamoDB did not delete from the Profiles table", LedgerError):
            for key in keys:
                self._client.delete_item(TableName=self._name, Key=key)
        return len(keys)

    def _write(self, puts: Iterator[str], out_of_time: Callable[[], bool]) -> Iterator[int]:
        """Write items on all connections in turn; yield how many puts are done with each request."""
        with ExitStack() as stack:
            connections = itertools.cycle(
                stack.enter_context(closing(SignedPuts(self._client, self._name))) for _ in range(CONNECTIONS)
            )
            sent = deque[tuple[SignedPuts, Sequence[str], int]]()
            stopped = False
            for request, count in _requests(puts):
                if stopped := out_of_time():
                    break
                if len(sent) == CONNECTIONS:  # the next connection is that of the oldest request
                    yield _finish(*sent.popleft(), out_of_time)
                connection = next(connections)
                if request:
                    connection.send(request)
                sent.append((connection, request, count))
            while sent:
                yield _finish(*sent.popleft(), out_of_time)
            if stopped:
                raise _OutOfTimeError


def _requests(puts: Iterable[str]) -> Iterator[tuple[list[str], int]]:
    """Yield what is sent in each request, and how many puts that is with the empty ones."""
    request, count = list[str](), 0
    for put in puts:
        count += 1
        if put:
            request.append(put)
            if len(request) == MOST_PUTS:
                yield request, count
                request, count = [], 0
    if count:
        yield request, count


def _finish(connection: SignedPuts, puts: Sequence[str], count: int, out_of_time: Callable[[], bool]) -> int:
    """Wait until nothing of a request is left unprocessed, sending what is; return `count`.

    Between two tries are waits, with exponential backoff and full jitter.
    """
    tries = failures = 0
    while puts:
        left = puts
        try:
            left = connection.receive()
        except ThrottledError:
            pass
        except UnavailableError:
            failures += 1
            if failures == _MAX_FAILURES:
                raise
        if len(left) < len(puts):
            tries = failures = 0
        puts = left
        if puts:
            if out_of_time():
                raise _OutOfTimeError
            longest = min(_FIRST_WAIT * 2 ** min(tries, _MOST_DOUBLINGS), _LONGEST_WAIT)
            time.sleep(random.uniform(0, longest))  # noqa: S311  # spreads rivals, not a secret
            tries += 1
            connection.send(puts)
    return count


# Nine parameters: the results, the policy, and seven facts that every item of a batch has.
def profile_puts(
    results: Iterable[ProfileResult],
    policy: ProfileResultsPolicy,
    *,
    told_before: int | None = None,
    client_code: str,
    key_column: KeyColumn,
    import_id: str,
    number: int,
    now: datetime,
    expires_at: int,
) -> Iterator[str]:
    """Yield for each result the put of an item of the Profiles table, as JSON: empty if none is asked for.

    So puts are counted as results are, and a fill may go on under another policy than it began with.
    `told_before`: the first attempt whose profiles have items already, as failures. They are always replaced.
    All that the items of a batch have in common is serialized once: with it, an item costs one string.
    """
    if policy is ProfileResultsPolicy.NONE:
        return
    checked_at, batch = timestamp(now), f"{import_id}#{number:05d}"
    prefix = f"{client_code}#{key_column}#"

    @functools.lru_cache(maxsize=_MOST_KEPT)
    def rest(status: ProfileStatus, basis: Basis, reason: str, attempt: int) -> str:
        item = {
            "batch": {"S": batch},
            "status": {"S": status.value},
            "basis": {"S": basis.value},
            "reason": {"S": reason},
            "attempt": {"N": str(attempt)},
            "checkedAt": {"S": checked_at},
            "expiresAt": {"N": str(expires_at)},
        }
        return json.dumps(item)[1:]

    for result in results:
        replaces = told_before is not None and result.attempt >= told_before
        success = result.status is ProfileStatus.SUCCESS and not replaces
        if policy is ProfileResultsPolicy.FAILURES and success:
            yield ""
            continue
        key = json.dumps(prefix + result.profile_id)
        following = rest(result.status, result.basis, result.reason, result.attempt)
        yield f'{{"PutRequest":{{"Item":{{"profile":{{"S":{key}}},{following}}}}}'
