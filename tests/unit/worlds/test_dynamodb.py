"""The fake of DynamoDB: what it refuses, and where it agrees with moto."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import boto3
import pytest
from boto3.dynamodb.conditions import Attr, Key
from moto import mock_aws

from tests.worlds.aws.dynamodb import MOST_ITEM_BYTES, DynamoDB
from tests.worlds.watched_table import create_table

type Refused = Callable[[Callable[[], object]], str]


@dataclass
class Both:
    """A table, and the low-level client that has it too."""

    table: Any
    client: Any


@pytest.fixture(params=["fake", "moto"])
def both(request: pytest.FixtureRequest) -> Iterator[Both]:
    if request.param == "fake":
        client = DynamoDB({"imports": ("pk", "sk")})
        yield Both(client.table("imports"), client)
        return
    with mock_aws():
        yield Both(create_table(), boto3.client("dynamodb"))


def item(sk: str = "s", **attributes: Any) -> Any:
    return {"pk": "p", "sk": sk, **attributes}


def test_number_comes_back_as_decimal(both: Both) -> None:
    both.table.put_item(Item=item(count=3, name="a", maybe=None, items=["x"]))
    read = both.table.get_item(Key=item(), ConsistentRead=True)["Item"]
    assert read == item(count=Decimal(3), name="a", maybe=None, items=["x"])
    assert "Item" not in both.table.get_item(Key=item("t"), ConsistentRead=True)


def test_float_is_refused(both: Both) -> None:
    with pytest.raises(TypeError, match="Float types are not supported"):
        both.table.put_item(Item=item(rate=0.5))


def test_write_whose_condition_fails_changes_nothing(both: Both, refused: Refused) -> None:
    def write(version: int, condition: Any) -> None:
        both.table.put_item(Item=item(version=version), ConditionExpression=condition)

    write(1, Attr("pk").not_exists())
    code = "ConditionalCheckFailedException"
    assert refused(lambda: write(2, Attr("pk").not_exists())) == code
    assert refused(lambda: write(2, Attr("version").eq(7))) == code
    assert (
        refused(lambda: both.table.put_item(Item=item("t"), ConditionExpression=Attr("version").eq(1)))
        == code
    )
    write(2, Attr("version").eq(1))
    assert both.table.get_item(Key=item(), ConsistentRead=True)["Item"] == item(version=2)


@pytest.mark.parametrize(
    "key", [{"pk": "", "sk": "s"}, {"pk": "p" * 2049, "sk": "s"}, {"pk": "p", "sk": "s" * 1025}]
)
def test_key_that_is_empty_or_too_long_is_refused(both: Both, refused: Refused, key: dict[str, str]) -> None:
    assert refused(lambda: both.table.put_item(Item=key)) == "ValidationException"


def test_item_of_more_than_400_kib_is_refused(both: Both, refused: Refused) -> None:
    both.table.put_item(Item=item(text="é" * 200_000))
    assert refused(lambda: both.table.put_item(Item=item(text="é" * 205_000))) == "ValidationException"


def test_item_of_400_kib_is_the_largest(refused: Refused) -> None:
    table = DynamoDB({"imports": ("pk", "sk")}).table("imports")
    rest = MOST_ITEM_BYTES - len("pkpskstext")
    table.put_item(Item=item(text="x" * rest))
    assert refused(lambda: table.put_item(Item=item(text="x" * (rest + 1)))) == "ValidationException"


def test_query_gives_a_megabyte_a_page_in_order(both: Both) -> None:
    for number in (3, 1, 2):
        both.table.put_item(Item=item(f"BATCH#{number}", text="x" * 390_000))
    both.table.put_item(Item=item("IMPORT"))
    condition = Key("pk").eq("p") & Key("sk").begins_with("BATCH#")

    first = both.table.query(KeyConditionExpression=condition, ConsistentRead=True)
    second = both.table.query(
        KeyConditionExpression=condition, ConsistentRead=True, ExclusiveStartKey=first["LastEvaluatedKey"]
    )

    assert [read["sk"] for read in first["Items"]] == ["BATCH#1", "BATCH#2"]
    assert [read["sk"] for read in second["Items"]] == ["BATCH#3"]
    assert "LastEvaluatedKey" not in second


def batch(*numbers: int) -> Any:
    puts = [{"PutRequest": {"Item": {"pk": {"S": "p"}, "sk": {"S": str(number)}}}} for number in numbers]
    return {"imports": puts}


@pytest.mark.parametrize("numbers", [range(26), [1, 1], []])
def test_batch_of_other_than_1_to_25_different_items_is_refused(
    both: Both, refused: Refused, numbers: list[int]
) -> None:
    # An empty request is refused by boto3 itself where it checks parameters.
    if not numbers and not isinstance(both.client, DynamoDB):
        pytest.skip("boto3 refuses it before moto does")
    write = both.client.batch_write_item
    assert refused(lambda: write(RequestItems=batch(*numbers))) == "ValidationException"
    assert not write(RequestItems=batch(*range(25)))["UnprocessedItems"]


def test_batch_leaves_items_unwritten_where_that_is_planned() -> None:
    client = DynamoDB({"imports": ("pk", "sk")}, unprocessed=[2])
    answer = client.batch_write_item(RequestItems=batch(1, 2, 3))
    assert answer["UnprocessedItems"] == {"imports": batch(2, 3)["imports"]}
    assert len(client.items("imports")) == 1


def test_read_that_is_not_consistent_is_stale() -> None:
    table = DynamoDB({"imports": ("pk", "sk")}).table("imports")
    table.put_item(Item=item(version=1))
    assert "Item" not in table.get_item(Key=item())
    table.put_item(Item=item(version=2))
    assert table.get_item(Key=item())["Item"] == item(version=1)


def test_client_reads_a_partition_and_deletes_items(both: Both) -> None:
    both.table.put_item(Item=item("a", name="x"))
    both.table.put_item(Item=item("b"))
    both.table.put_item(Item={"pk": "other", "sk": "a"})
    key = {"pk": {"S": "p"}, "sk": {"S": "a"}}

    def read() -> list[Any]:
        found: list[Any] = both.client.query(
            TableName="imports",
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": "p"}},
        )["Items"]
        return found

    assert read() == [key | {"name": {"S": "x"}}, {"pk": {"S": "p"}, "sk": {"S": "b"}}]
    for _ in range(2):
        both.client.delete_item(TableName="imports", Key=key)
        assert [each["sk"] for each in read()] == [{"S": "b"}]
