"""DynamoDB: items that carry a version, changed under optimistic locking."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.conditions import Attr, Key

from bulk_profiles.core.errors import ConflictError, LedgerError
from bulk_profiles.core.json_object import Json

from .errors import translated

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

type ItemKey = dict[str, str]

_TRIES = 12


class VersionedTable:
    """A table with the keys `pk` and `sk`. An item that is over expires `retention` after its last write.

    Every write is conditional: on the item's absence, or on the version that was read.
    """

    def __init__(self, table: Table, retention: timedelta) -> None:
        self._table = table
        self._retention = retention

    def get(self, key: ItemKey) -> Json | None:
        """Return an item, read consistently; None where there is none."""
        with _errors("read an entry"):
            response = self._table.get_item(Key=key, ConsistentRead=True)
        return response.get("Item")

    def query(self, pk: str, prefix: str) -> Iterator[Json]:
        """Yield the items of one `pk` whose `sk` begins with `prefix`, read consistently, in their order."""
        condition = Key("pk").eq(pk) & Key("sk").begins_with(prefix)
        start: dict[str, Any] = {}
        while True:
            with _errors("read the batches"):
                page = self._table.query(KeyConditionExpression=condition, ConsistentRead=True, **start)
            yield from page["Items"]
            if "LastEvaluatedKey" not in page:
                return
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def scan(self, sk: str) -> Iterator[Json]:
        """Yield all items with this `sk`, read consistently, in no order. It reads the whole table."""
        start: dict[str, Any] = {}
        while True:
            with _errors("read all entries"):
                page = self._table.scan(FilterExpression=Attr("sk").eq(sk), ConsistentRead=True, **start)
            yield from page["Items"]
            if "LastEvaluatedKey" not in page:
                return
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def create(self, key: ItemKey, item: Json, now: datetime, *, over: bool) -> None:
        """Write a new item. Raises `ConflictError` where there is one already."""
        self._put(key, item, now, Attr("pk").not_exists(), over=over)

    def replace(self, key: ItemKey, item: Json, now: datetime, version: int, *, over: bool) -> None:
        """Replace an item. Raises `ConflictError` where its version is not `version`."""
        self._put(key, item, now, Attr("version").eq(version), over=over)

    def change[T](
        self,
        key: ItemKey,
        now: datetime,
        change: Callable[[Json | None], tuple[Json | None, T]],
        over: Callable[[Json], bool],
        tries: int = _TRIES,
    ) -> T:
        """Read an item, change it, and write it if no other writer was faster; otherwise start again.

        `change` takes the item, or None where there is none, and returns the new item, or None to write
        nothing, and the answer that is returned here. It may be called several times. `over` says of the new
        item whether it may expire.
        If the response to a write is lost, botocore repeats the write, which then conflicts with itself: by
        its `writer` the item shows that the change is in it already.
        Raises `ConflictError` where other writers were faster each of `tries` times.
        """
        writer, answers = uuid.uuid4().hex, list[T]()
        for attempt in range(tries):
            item = self.get(key)
            if answers and item and item.get("writer") == writer:
                return answers[-1]
            after, answer = change(item)
            answers.append(answer)
            if after is None:
                return answer
            version = int(item["version"]) if item else 0
            after = after | {"version": version + 1, "writer": writer}
            try:
                if item:
                    self.replace(key, after, now, version, over=over(after))
                else:
                    self.create(key, after, now, over=over(after))
            except ConflictError:
                # Exponential backoff with full jitter, at most 10 to 320 ms: rivals do not meet again.
                time.sleep(random.uniform(0, 0.01 * 2 ** min(attempt, 5)))  # noqa: S311 not a secret
            else:
                return answer
        raise ConflictError(f"{key['pk']} / {key['sk']} changed {tries} times while it was read.")

    def _put(self, key: ItemKey, item: Json, now: datetime, condition: Any, *, over: bool) -> None:
        expiry = {"expiresAt": int((now + self._retention).timestamp())} if over else {}
        with _errors("write an entry"):
            self._table.put_item(Item={**key, **item, **expiry}, ConditionExpression=condition)


def _errors(action: str) -> AbstractContextManager[None]:
    changed = ConflictError("The ledger's entry changed while it was being worked on.")
    return translated(
        f"DynamoDB did not {action} of the Imports table",
        LedgerError,
        {"ConditionalCheckFailedException": changed},
    )
