"""A table of DynamoDB in this process that records how it is used, and lets rivals write in between."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import boto3

from bulk_profiles.core.json_object import Json

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table


@dataclass
class WatchedTable:
    """The methods of a table that `VersionedTable` calls."""

    table: Table
    reads: list[Json] = field(default_factory=list)  # parameters
    written: list[Json] = field(default_factory=list)  # items
    before_put: Callable[[], object] = lambda: None  # called right before an item is written
    page: int = 100  # items in a page of a query

    def get_item(self, **parameters: Any) -> Any:
        """Record and pass on a read."""
        self.reads.append(parameters)
        return self.table.get_item(**parameters)

    def query(self, **parameters: Any) -> Any:
        """Record and pass on a query, in small pages."""
        self.reads.append(parameters)
        return self.table.query(**parameters, Limit=self.page)

    def put_item(self, **parameters: Any) -> None:
        """Let a rival go first, then pass on and record a write."""
        self.before_put()
        self.table.put_item(**parameters)
        self.written.append(parameters["Item"])


def create_table() -> Table:
    """Return a new table with the keys of the Imports table."""
    return boto3.resource("dynamodb").create_table(
        TableName="imports",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("pk", "sk")],
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
    )


def empty_table(table: Table) -> None:
    """Delete all items."""
    with table.batch_writer() as batch:
        for item in table.scan()["Items"]:
            batch.delete_item(Key={"pk": item["pk"], "sk": item["sk"]})


def from_dynamodb(item: Json) -> Json:
    """Return an item as DynamoDB returns it: every number is a Decimal."""
    data: Json = json.loads(json.dumps(item), parse_int=Decimal)
    return data
