"""Items that carry a version: what is written, and what happens when several writers meet."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from boto3.dynamodb.conditions import Attr
from botocore.exceptions import ClientError, EndpointConnectionError

from bulk_profiles.aws.dynamodb import VersionedTable
from bulk_profiles.core.errors import ConflictError, LedgerError
from bulk_profiles.core.json_object import Json
from tests.worlds.watched_table import WatchedTable

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)
RETENTION = timedelta(days=30)
EXPIRES = int((NOW + RETENTION).timestamp())
TRIES = 12
KEY = {"pk": "CLIENT#demo", "sk": "QUEUE"}


@pytest.fixture
def versioned(table: WatchedTable) -> VersionedTable:
    return VersionedTable(table, RETENTION)  # type: ignore[arg-type]  # stands at the boundary


def is_over(_item: Json) -> bool:
    return True


def append(name: str) -> Callable[[Json | None], tuple[Json, list[str]]]:
    """Return a change that appends a name to an item, and answers with the names before."""

    def change(item: Json | None) -> tuple[Json, list[str]]:
        names = item["names"] if item else []
        return {"names": [*names, name]}, names

    return change


def write(table: WatchedTable, *names: str, version: int) -> None:
    """Write the item as a rival would."""
    table.table.put_item(Item={**KEY, "names": list(names), "version": version})


def test_create_writes_key_item_and_expiry(versioned: VersionedTable, table: WatchedTable) -> None:
    versioned.create(KEY, {"names": [], "version": 1}, NOW, over=True)
    assert table.written == [{**KEY, "names": [], "version": 1, "expiresAt": EXPIRES}]
    assert versioned.get(KEY) == table.written[0]


def test_what_is_not_over_never_expires(versioned: VersionedTable) -> None:
    versioned.create(KEY, {"names": [], "version": 1}, NOW, over=True)
    versioned.replace(KEY, {"names": [], "version": 2}, NOW, 1, over=False)
    assert versioned.get(KEY) == {**KEY, "names": [], "version": 2}
    versioned.change(KEY, NOW, append("a"), lambda item: item["names"] == ["a", "b"])
    assert "expiresAt" not in (versioned.get(KEY) or {})
    versioned.change(KEY, NOW, append("b"), lambda item: item["names"] == ["a", "b"])
    assert (versioned.get(KEY) or {})["expiresAt"] == EXPIRES


def test_get_without_an_item_is_none(versioned: VersionedTable) -> None:
    assert versioned.get(KEY) is None


def test_create_of_an_existing_item_is_a_conflict(versioned: VersionedTable, table: WatchedTable) -> None:
    versioned.create(KEY, {"version": 1}, NOW, over=True)
    with pytest.raises(ConflictError) as refused:
        versioned.create(KEY, {"version": 2}, NOW, over=True)
    assert str(refused.value) == "The ledger's entry changed while it was being worked on."
    assert len(table.written) == 1


def test_replace_writes_over_its_version(versioned: VersionedTable) -> None:
    versioned.create(KEY, {"version": 1}, NOW, over=True)
    versioned.replace(KEY, {"version": 2}, NOW + DAY, 1, over=True)
    assert versioned.get(KEY) == {**KEY, "version": 2, "expiresAt": EXPIRES + 86_400}


def test_replace_of_another_version_is_a_conflict(versioned: VersionedTable) -> None:
    versioned.create(KEY, {"version": 2}, NOW, over=True)
    with pytest.raises(ConflictError):
        versioned.replace(KEY, {"version": 2}, NOW, 1, over=True)
    with pytest.raises(ConflictError):
        versioned.replace(KEY | {"sk": "OTHER"}, {"version": 2}, NOW, 1, over=True)


@pytest.mark.parametrize("page", [1, 2, 100])
def test_query_returns_all_pages_in_order(versioned: VersionedTable, table: WatchedTable, page: int) -> None:
    table.page = page
    for sk in ("BATCH#00002", "BATCH#00010", "BATCH#00001", "IMPORT"):
        versioned.create({"pk": "IMPORT#crm-1", "sk": sk}, {}, NOW, over=True)
    versioned.create({"pk": "IMPORT#crm-2", "sk": "BATCH#00003"}, {}, NOW, over=True)

    found = [item["sk"] for item in versioned.query("IMPORT#crm-1", "BATCH#")]

    assert found == ["BATCH#00001", "BATCH#00002", "BATCH#00010"]
    assert list(versioned.query("IMPORT#crm-3", "BATCH#")) == []


def test_reads_are_consistent(versioned: VersionedTable, table: WatchedTable) -> None:
    versioned.get(KEY)
    list(versioned.query("CLIENT#demo", "QUEUE"))
    versioned.change(KEY, NOW, lambda _: (None, None), is_over)
    assert [parameters["ConsistentRead"] for parameters in table.reads] == [True] * 3


def test_change_counts_versions_and_renews_the_expiry(versioned: VersionedTable, table: WatchedTable) -> None:
    assert versioned.change(KEY, NOW, append("a"), is_over) == []
    assert versioned.change(KEY, NOW + DAY, append("b"), is_over) == ["a"]
    assert [len(item.pop("writer")) for item in table.written] == [32, 32]
    assert table.written == [
        {**KEY, "names": ["a"], "version": 1, "expiresAt": EXPIRES},
        {**KEY, "names": ["a", "b"], "version": 2, "expiresAt": EXPIRES + 86_400},
    ]


def test_change_without_a_new_item_writes_nothing(versioned: VersionedTable, table: WatchedTable) -> None:
    assert versioned.change(KEY, NOW, lambda _: (None, "same"), is_over) == "same"
    assert table.written == []


def test_change_after_a_faster_rival_starts_again(
    versioned: VersionedTable, table: WatchedTable, pauses: list[float]
) -> None:
    rivals = iter(["a", "b"])

    def rival() -> None:
        if name := next(rivals, None):
            versioned.change(KEY, NOW, append(name), is_over)

    table.before_put = rival
    assert versioned.change(KEY, NOW, append("c"), is_over) == ["b", "a"]
    assert table.written[-1]["version"] == 3
    assert pauses


def test_change_whose_response_is_lost_is_not_repeated(
    versioned: VersionedTable, table: WatchedTable, pauses: list[float]
) -> None:
    versioned.change(KEY, NOW, append("a"), is_over)
    put = table.put_item

    def put_and_lose_the_response(**parameters: Any) -> None:
        put(**parameters)
        put(**parameters)  # the SDK repeats it, and DynamoDB refuses

    with patch.object(table, "put_item", put_and_lose_the_response):
        assert versioned.change(KEY, NOW, append("b"), is_over) == ["a"]

    item = versioned.get(KEY)
    assert item is not None
    assert item["names"] == ["a", "b"]
    assert len(pauses) == 1


def test_change_against_faster_rivals_backs_off_and_gives_up(
    versioned: VersionedTable, table: WatchedTable, pauses: list[float]
) -> None:
    seen: list[list[str]] = []

    def change(item: Json | None) -> tuple[Json, None]:
        seen.append(item["names"] if item else [])
        return {"names": ["ours"]}, None

    table.before_put = lambda: write(table, version=5 + len(seen))
    with pytest.raises(ConflictError) as refused:
        versioned.change(KEY, NOW, change, is_over)
    assert str(refused.value) == "CLIENT#demo / QUEUE changed 12 times while it was read."
    assert seen == [[]] * TRIES
    assert pauses == pytest.approx([0.01, 0.02, 0.04, 0.08, 0.16, *[0.32] * 7])
    assert table.written == []


def test_change_may_succeed_at_the_last_try(
    versioned: VersionedTable, table: WatchedTable, pauses: list[float]
) -> None:
    tries = itertools.count(1)

    def nearly_always_faster() -> None:
        if (number := next(tries)) < TRIES:
            write(table, "a", version=number)

    table.before_put = nearly_always_faster
    assert versioned.change(KEY, NOW, append("b"), is_over) == ["a"]
    assert len(pauses) == TRIES - 1


UNREACHABLE = EndpointConnectionError(endpoint_url="there")
THROTTLED = ClientError({"Error": {"Code": "ThrottlingException", "Message": "m"}}, "PutItem")


@pytest.mark.parametrize(
    ("error", "code"), [(UNREACHABLE, "EndpointConnectionError"), (THROTTLED, "ThrottlingException")]
)
@pytest.mark.parametrize(
    ("operation", "use", "action"),
    [
        ("get_item", lambda versioned: versioned.get(KEY), "read an entry"),
        ("query", lambda versioned: list(versioned.query("P", "S")), "read the batches"),
        ("put_item", lambda versioned: versioned.create(KEY, {}, NOW, over=True), "write an entry"),
    ],
)
def test_failed_call_is_a_ledger_error_with_action_and_code(
    versioned: VersionedTable,
    table: WatchedTable,
    monkeypatch: pytest.MonkeyPatch,
    operation: str,
    use: Callable[[VersionedTable], object],
    action: str,
    error: Exception,
    code: str,
) -> None:
    def fail(**_: Any) -> None:
        raise error

    monkeypatch.setattr(table, operation, fail)
    with pytest.raises(LedgerError) as refused:
        use(versioned)
    assert type(refused.value) is LedgerError
    assert str(refused.value) == f"DynamoDB did not {action} of the Imports table: {code}."


def test_scan_reads_all_pages() -> None:
    class Table:
        def scan(self, *, ExclusiveStartKey: int = 0, **given: Any) -> Json:  # noqa: N803  # the API's own name
            assert given == {"FilterExpression": Attr("sk").eq("IMPORT"), "ConsistentRead": True}
            page: Json = {"Items": [{"number": ExclusiveStartKey}]}
            return page if ExclusiveStartKey == 2 else page | {"LastEvaluatedKey": ExclusiveStartKey + 1}

    table = VersionedTable(Table(), RETENTION)  # type: ignore[arg-type]  # stands at the boundary
    assert [item["number"] for item in table.scan("IMPORT")] == [0, 1, 2]
