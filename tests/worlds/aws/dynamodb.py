"""DynamoDB, as far as the code calls it: conditional writes, consistent reads, pages, sizes.

An item is kept in DynamoDB's own types, by boto3's serializer: a number comes back as `Decimal`, and a float
is refused. A read that is not consistent returns an item as it was before its last write.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from .service import KIB, Service, error

type Item = dict[str, Any]

MOST_ITEM_BYTES = 400 * KIB
MOST_PAGE_BYTES = 1024 * KIB
MOST_BATCH_ITEMS = 25
MOST_PARTITION_KEY_BYTES = 2048
MOST_SORT_KEY_BYTES = 1024
_CONTAINER_BYTES = 3


@dataclass
class _Stored:
    """One item with what it replaced."""

    item: Item
    before: Item | None = None


@dataclass
class DynamoDB(Service):
    """The low-level client, with tables by name: their two keys."""

    keys: dict[str, tuple[str, str]]
    unprocessed: list[int] = field(default_factory=list)  # items that the next batches leave unwritten
    _tables: dict[str, dict[tuple[str, str], _Stored]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._tables = {name: {} for name in self.keys}

    def table(self, name: str) -> Table:
        """Return a table as boto3's resource shows it: items are plain Python values."""
        return Table(self, name)

    def batch_write_item(self, *, RequestItems: dict[str, list[Any]]) -> Any:
        """Write up to 25 items without a condition; return those that were left unwritten."""

        def write() -> Any:
            [(name, requests)] = RequestItems.items()
            items = [request["PutRequest"]["Item"] for request in requests]
            places = [self._place(name, item) for item in items]
            if not 0 < len(items) <= MOST_BATCH_ITEMS or len(set(places)) < len(places):
                raise error("BatchWriteItem", "ValidationException", "too many items, or one twice")
            _check_sizes("BatchWriteItem", items)
            unwritten = self.unprocessed.pop(0) if self.unprocessed else 0
            written = max(0, len(items) - unwritten)
            for place, item in zip(places[:written], items, strict=False):
                self._put(name, place, item)
            return {"UnprocessedItems": {name: requests[written:]} if requests[written:] else {}}

        return self.call("BatchWriteItem", write)

    def query(
        self, *, TableName: str, KeyConditionExpression: str, ExpressionAttributeValues: dict[str, Any]
    ) -> Any:
        """Return all items of one partition."""
        partition_key, _ = self.keys[TableName]
        [(placeholder, value)] = ExpressionAttributeValues.items()
        assert KeyConditionExpression == f"{partition_key} = {placeholder}", "no other condition is known"
        items = (item for _, item in self.partition(TableName, value["S"]))
        return self.call("Query", lambda: {"Items": list(items)})

    def delete_item(self, *, TableName: str, Key: Item) -> Any:
        """Delete an item, whether there is one or not."""

        def delete() -> Any:
            self._tables[TableName].pop(self._place(TableName, Key), None)
            return {}

        return self.call("DeleteItem", delete)

    def items(self, name: str) -> list[Item]:
        """Return all items of a table in the types of DynamoDB, ordered by their keys."""
        return [stored.item for _, stored in sorted(self._tables[name].items(), key=lambda pair: pair[0])]

    def expire(self, name: str, attribute: str, now: float) -> None:
        """Delete the items whose time to live has passed, as DynamoDB does within some days."""
        table = self._tables[name]
        for place, stored in list(table.items()):
            if attribute in stored.item and float(stored.item[attribute]["N"]) < now:
                del table[place]

    def get(self, name: str, key: Item, *, consistent: bool) -> Item | None:
        """Return one item."""
        stored = self._tables[name].get(self._place(name, key))
        if stored is None:
            return None
        return stored.item if consistent else stored.before

    def put(self, name: str, item: Item, condition: Any) -> None:
        """Write one item, if its condition holds for the item that is there."""
        _check_sizes("PutItem", [item])
        place = self._place(name, item)
        stored = self._tables[name].get(place)
        if condition is not None and not _holds(condition, _plain(stored.item) if stored else {}):
            raise error("PutItem", "ConditionalCheckFailedException")
        self._put(name, place, item)

    def partition(self, name: str, pk: str) -> Iterator[tuple[str, Item]]:
        """Yield the sort keys and items of one partition in their order."""
        for place, stored in sorted(self._tables[name].items(), key=lambda pair: pair[0]):
            if place[0] == pk:
                yield place[1], stored.item

    def _put(self, name: str, place: tuple[str, str], item: Item) -> None:
        stored = self._tables[name].get(place)
        self._tables[name][place] = _Stored(item, stored.item if stored else None)

    def _place(self, name: str, item: Item) -> tuple[str, str]:
        places = []
        for key, most in zip(self.keys[name], (MOST_PARTITION_KEY_BYTES, MOST_SORT_KEY_BYTES), strict=True):
            value = item.get(key, {}).get("S", "")
            if not 0 < len(value.encode()) <= most:
                raise error("PutItem", "ValidationException", f"the key {key}")
            places.append(value)
        return places[0], places[1]


@dataclass
class Table:
    """The methods of a table that the code calls."""

    client: DynamoDB
    name: str
    page_bytes: int = MOST_PAGE_BYTES

    def get_item(self, *, Key: Item, ConsistentRead: bool = False) -> Any:
        """Return `{"Item": ...}`, or `{}` where there is none."""

        def get() -> Any:
            item = self.client.get(self.name, _typed(Key), consistent=ConsistentRead)
            return {} if item is None else {"Item": _plain(item)}

        return self.client.call("GetItem", get)

    def put_item(self, *, Item: Item, ConditionExpression: Any = None) -> Any:
        """Write an item if the condition holds."""
        item = _typed(Item)
        return self.client.call("PutItem", lambda: self.client.put(self.name, item, ConditionExpression))

    def query(
        self,
        *,
        KeyConditionExpression: Any,
        ConsistentRead: bool = False,
        ExclusiveStartKey: Item | None = None,
    ) -> Any:
        """Return one page: at most a megabyte of one partition's items, in the order of their sort keys."""

        def query() -> Any:
            assert ConsistentRead, "no test reads what may be stale"
            pk, prefix = _partition_and_prefix(KeyConditionExpression)
            _, sort_key = self.client.keys[self.name]
            start = ExclusiveStartKey[sort_key] if ExclusiveStartKey else ""
            size, items, last = 0, list[Item](), ""
            for sk, item in self.client.partition(self.name, pk):
                if not sk.startswith(prefix) or sk <= start:
                    continue
                size += _size(item)
                if items and size > self.page_bytes:
                    key = dict(zip(self.client.keys[self.name], (pk, last), strict=True))
                    return {"Items": items, "LastEvaluatedKey": key}
                items.append(_plain(item))
                last = sk
            return {"Items": items}

        return self.client.call("Query", query)

    def scan(
        self,
        *,
        FilterExpression: Any,
        ConsistentRead: bool = False,
        ExclusiveStartKey: Item | None = None,
    ) -> Any:
        """Return one page: those of at most a megabyte of items that the filter lets through."""

        def scan() -> Any:
            assert ConsistentRead, "no test reads what may be stale"
            names = self.client.keys[self.name]
            start = tuple(ExclusiveStartKey[name] for name in names) if ExclusiveStartKey else ("", "")
            size, items, last = 0, list[Item](), start
            for item in self.client.items(self.name):
                place = tuple(_plain(item)[name] for name in names)
                if place <= start:
                    continue
                size += _size(item)
                if last != start and size > self.page_bytes:
                    return {"Items": items, "LastEvaluatedKey": dict(zip(names, last, strict=True))}
                last = place
                if _holds(FilterExpression, _plain(item)):
                    items.append(_plain(item))
            return {"Items": items}

        return self.client.call("Scan", scan)


def _typed(item: Item) -> Item:
    serialize = TypeSerializer().serialize
    return {name: serialize(value) for name, value in item.items()}


def _plain(item: Item) -> Item:
    deserialize = TypeDeserializer().deserialize
    return {name: deserialize(value) for name, value in item.items()}


def _holds(condition: Any, item: Item) -> bool:
    """Whether one of boto3's conditions holds for an item."""
    expression = condition.get_expression()
    attribute, *values = expression["values"]
    match expression["operator"]:
        case "attribute_not_exists":
            return attribute.name not in item
        case "=":
            return bool(item.get(attribute.name) == values[0])
    raise AssertionError(f"no test evaluates {expression['operator']}")


def _partition_and_prefix(condition: Any) -> tuple[str, str]:
    """Return the values of `Key(pk).eq(...) & Key(sk).begins_with(...)`."""
    both = condition.get_expression()
    partition, prefix = (part.get_expression() for part in both["values"])
    assert [both["operator"], partition["operator"], prefix["operator"]] == ["AND", "=", "begins_with"]
    return partition["values"][1], prefix["values"][1]


def _check_sizes(operation: str, items: list[Item]) -> None:
    if any(_size(item) > MOST_ITEM_BYTES for item in items):
        raise error(operation, "ValidationException", "Item size has exceeded the maximum allowed size")


def _size(item: Item) -> int:
    """Return the size of an item as DynamoDB counts it: names and values in UTF-8."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: Item) -> int:
    [(kind, content)] = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            return len(content.strip("-0.")) // 2 + 2
        case "L":
            return _CONTAINER_BYTES + sum(1 + _value_size(each) for each in content)
        case "M":
            return _CONTAINER_BYTES + sum(
                len(name.encode()) + 1 + _value_size(each) for name, each in content.items()
            )
    return 1  # a boolean or null
