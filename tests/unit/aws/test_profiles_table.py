"""The Profiles table: which items are written, and how they are written in parts."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from unittest.mock import Mock

import pytest
from botocore.exceptions import ClientError

from bulk_profiles.aws import profiles_table
from bulk_profiles.aws.profiles_table import ProfilesTable, profile_puts
from bulk_profiles.aws.signed_puts import UnavailableError
from bulk_profiles.core.errors import LedgerError
from bulk_profiles.core.json_object import Json
from bulk_profiles.core.models import (
    Basis,
    KeyColumn,
    ProfileResult,
    ProfileResultsPolicy,
    ProfileStatus,
)
from tests.worlds.aws.dynamodb import DynamoDB

RESULTS = [
    ProfileResult("u1", ProfileStatus.SUCCESS, Basis.IMPLIED),
    ProfileResult("u2", ProfileStatus.ERROR, Basis.REPORTED, "Not found.", 2),
]


def puts(policy: ProfileResultsPolicy, results: list[ProfileResult] = RESULTS) -> Iterator[str]:
    return profile_puts(
        results,
        policy,
        client_code="demo",
        key_column=KeyColumn.PC_ID,
        import_id="crm-1",
        number=3,
        now=datetime(2026, 11, 24, 9, tzinfo=UTC),
        expires_at=1_800_000_000,
    )


def items(policy: ProfileResultsPolicy) -> list[Json]:
    return [json.loads(put)["PutRequest"]["Item"] for put in puts(policy) if put]


def client(*unprocessed: int) -> DynamoDB:
    """Return DynamoDB, of which the first requests leave so many items unprocessed."""
    return DynamoDB({"profiles": ("profile", "batch")}, unprocessed=list(unprocessed))


def fill(
    dynamodb: DynamoDB, items: list[Json], written: int = 0, out_of_time: Callable[[], bool] = lambda: False
) -> tuple[int, bool]:
    table = ProfilesTable(dynamodb, "profiles")  # type: ignore[arg-type]  # stands at the boundary
    puts = (json.dumps({"PutRequest": {"Item": item}}) for item in items)
    return table.fill(puts, written, out_of_time)


def refusing(code: str, calls: range) -> DynamoDB:
    """Return DynamoDB, which refuses these requests."""
    dynamodb, count, write = client(), itertools.count(), DynamoDB.batch_write_item

    def batch_write_item(**parameters: Any) -> Any:
        if next(count) in calls:
            raise ClientError({"Error": {"Code": code, "Message": "m"}}, "BatchWriteItem")
        return write(dynamodb, **parameters)

    dynamodb.batch_write_item = batch_write_item  # type: ignore[method-assign]
    return dynamodb


def numbered(count: int) -> list[Json]:
    return [{"profile": {"S": str(number)}, "batch": {"S": "crm-1#00001"}} for number in range(count)]


def test_profile_puts_have_every_result() -> None:
    assert items(ProfileResultsPolicy.ALL)[1] == {
        "profile": {"S": "demo#pcId#u2"},
        "batch": {"S": "crm-1#00003"},
        "status": {"S": "error"},
        "basis": {"S": "reported"},
        "reason": {"S": "Not found."},
        "attempt": {"N": "2"},
        "checkedAt": {"S": "2026-11-24T09:00:00.000Z"},
        "expiresAt": {"N": "1800000000"},
    }


@pytest.mark.parametrize(
    ("policy", "ids"),
    [
        (ProfileResultsPolicy.ALL, ["u1", "u2"]),
        (ProfileResultsPolicy.FAILURES, ["u2"]),
        (ProfileResultsPolicy.NONE, []),
    ],
)
def test_profile_puts_are_those_of_the_policy(policy: ProfileResultsPolicy, ids: list[str]) -> None:
    assert [item["profile"]["S"].rpartition("#")[2] for item in items(policy)] == ids


@pytest.mark.parametrize(("failed", "written"), [(50, 40), (59, 0), (0, 0), (None, 0)])
def test_fill_goes_on_with_the_same_results_under_another_policy(failed: int | None, written: int) -> None:
    """A deployment may change it while a table is filled: no failure is passed over for that."""
    dynamodb = client()
    table = ProfilesTable(dynamodb, "profiles")  # type: ignore[arg-type]  # stands at the boundary
    results = [ProfileResult(f"u{number}", ProfileStatus.SUCCESS, Basis.IMPLIED) for number in range(60)]
    if failed is not None:
        results[failed] = ProfileResult(f"u{failed}", ProfileStatus.ERROR, Basis.REPORTED)
    assert table.fill(puts(ProfileResultsPolicy.FAILURES, results), written, lambda: False) == (60, True)
    found = [item["profile"]["S"] for item in dynamodb.items("profiles")]
    assert found == ([] if failed is None else [f"demo#pcId#u{failed}"])


def test_fill_sends_no_request_without_items(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = Mock()
    monkeypatch.setattr(profiles_table, "SignedPuts", lambda *_: connection)
    table = ProfilesTable(client(), "profiles")  # type: ignore[arg-type]  # stands at the boundary
    assert table.fill(iter(["", ""]), 0, lambda: False) == (2, True)
    connection.send.assert_not_called()


@pytest.mark.parametrize("written", [0, 1, 59, 60])
def test_fill_goes_on_after_the_written_items(written: int) -> None:
    dynamodb = client()
    assert fill(dynamodb, numbered(60), written) == (60, True)
    numbers = sorted(int(item["profile"]["S"]) for item in dynamodb.items("profiles"))
    assert numbers == list(range(written, 60))


def test_fill_out_of_time_returns_how_many_are_written() -> None:
    dynamodb, looks = client(), itertools.count()
    assert fill(dynamodb, numbered(60), 0, lambda: next(looks) > 1) == (50, False)
    assert len(dynamodb.items("profiles")) == 50


def test_fill_that_fails_is_a_ledger_error() -> None:
    with pytest.raises(LedgerError, match=r"^DynamoDB did not write to the Profiles table: AccessDenied\.$"):
        fill(refusing("AccessDenied", range(1)), numbered(1))


def test_fill_writes_unprocessed_items_again(pauses: list[float]) -> None:
    dynamodb = client(1, 1, 1)
    assert fill(dynamodb, numbered(1)) == (1, True)
    assert dynamodb.items("profiles") == numbered(1)
    assert pauses == pytest.approx([0.05, 0.1, 0.2])


def test_fill_waits_for_unprocessed_items_until_the_time_is_up(pauses: list[float]) -> None:
    """Waits grow to five seconds."""
    dynamodb = client(*[1] * 9999)
    assert fill(dynamodb, numbered(1), 0, lambda: len(pauses) > 1999) == (0, False)
    assert pauses[:10] == pytest.approx([0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5, 5, 5])
    assert len(pauses) == 2000


def test_fill_in_which_some_are_written_each_time_waits_no_longer(pauses: list[float]) -> None:
    dynamodb = client(20, 15, 10)
    assert fill(dynamodb, numbered(25)) == (25, True)
    assert pauses == pytest.approx([0.05, 0.05, 0.05])


def test_fill_sends_what_is_left_and_counts_failures_anew_where_some_are_written(
    monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    sizes, answers = list[int](), iter([*[None] * 9, 20, *[None] * 9, 0])

    class Connection:
        def __init__(self, *_: object) -> None:
            self.sent: Sequence[str] = ()

        def send(self, puts: Sequence[str]) -> None:
            sizes.append(len(puts))
            self.sent = puts

        def receive(self) -> list[str]:
            left = next(answers)
            if left is None:
                raise UnavailableError
            return [*self.sent[:left]]

        def close(self) -> None: ...

    monkeypatch.setattr(profiles_table, "SignedPuts", Connection)
    assert fill(client(), numbered(25)) == (25, True)
    assert sizes == [*[25] * 10, *[20] * 10]
    assert len(pauses) == 19


@pytest.mark.parametrize(
    "code", ["ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded"]
)
def test_fill_waits_where_a_request_is_throttled(code: str, pauses: list[float]) -> None:
    dynamodb = refusing(code, range(3))
    assert fill(dynamodb, numbered(1)) == (1, True)
    assert dynamodb.items("profiles") == numbered(1)
    assert pauses == pytest.approx([0.05, 0.1, 0.2])


def test_fill_that_fails_in_the_middle_keeps_what_is_written() -> None:
    """The next invocation goes on after the requests that are whole."""
    dynamodb = refusing("InternalServerError", range(165, 10_000))
    assert fill(dynamodb, numbered(6000)) == (165 * 25, False)
    with pytest.raises(LedgerError, match="InternalServerError"):
        fill(dynamodb, numbered(6000), 165 * 25)


def test_results_of_a_profile_are_read_from_all_pages() -> None:
    class Client:
        def query(self, *, ExclusiveStartKey: int = 0, **given: Any) -> Any:  # noqa: N803  # the API's own name
            assert given == {
                "TableName": "profiles",
                "KeyConditionExpression": "profile = :profile",
                "ExpressionAttributeValues": {":profile": {"S": "demo#pcId#1"}},
            }
            page: Any = {"Items": [{"batch": {"S": f"crm-1#{ExclusiveStartKey}"}}]}
            return page if ExclusiveStartKey == 2 else page | {"LastEvaluatedKey": ExclusiveStartKey + 1}

    profiles = ProfilesTable(Client(), "profiles")  # type: ignore[arg-type]  # stands at the boundary
    found = [item["batch"] for item in profiles.results_of("demo", KeyColumn.PC_ID, "1")]
    assert found == ["crm-1#0", "crm-1#1", "crm-1#2"]
