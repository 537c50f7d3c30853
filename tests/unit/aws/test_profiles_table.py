"""The Profiles table: which items are written, and how they are written in parts."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from bulk_profiles.aws.profiles_table import ProfilesTable, profile_items
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


def items(policy: ProfileResultsPolicy) -> list[Json]:
    return list(
        profile_items(
            RESULTS,
            policy,
            client_code="demo",
            key_column=KeyColumn.PC_ID,
            import_id="crm-1",
            number=3,
            now=datetime(2026, 11, 24, 9, tzinfo=UTC),
            expires_at=1_800_000_000,
        )
    )


def client(*unprocessed: int) -> DynamoDB:
    """Return DynamoDB, of which the first requests leave so many items unprocessed."""
    return DynamoDB({"profiles": ("profile", "batch")}, unprocessed=list(unprocessed))


def fill(
    dynamodb: DynamoDB, items: list[Json], written: int = 0, out_of_time: Callable[[], bool] = lambda: False
) -> tuple[int, bool]:
    table = ProfilesTable(dynamodb, "profiles")  # type: ignore[arg-type]  # stands at the boundary
    return table.fill(items, written, out_of_time)


class Throttled(Client):
    """A client of which some calls are refused, as when a table has too much to do."""

    def __init__(self, code: str, calls: range) -> None:
        super().__init__()
        self.code, self.calls, self.count = code, calls, itertools.count()

    def batch_write_item(self, **parameters: Any) -> Any:
        if next(self.count) in self.calls:
            raise ClientError({"Error": {"Code": self.code, "Message": "no"}}, "BatchWriteItem")
        return super().batch_write_item(**parameters)


def numbered(count: int) -> list[Json]:
    return [{"profile": {"S": str(number)}, "batch": {"S": "crm-1#00001"}} for number in range(count)]


def test_profile_items_have_every_result() -> None:
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
def test_profile_items_are_those_of_the_policy(policy: ProfileResultsPolicy, ids: list[str]) -> None:
    assert [item["profile"]["S"].rpartition("#")[2] for item in items(policy)] == ids


@pytest.mark.parametrize("written", [0, 1, 59, 60])
def test_fill_goes_on_after_the_written_items(written: int) -> None:
    dynamodb = client()
    assert fill(dynamodb, numbered(60), written) == (60, True)
    numbers = sorted(int(item["profile"]["S"]) for item in dynamodb.items("profiles"))
    assert numbers == list(range(written, 60))


def test_fill_out_of_time_returns_how_many_are_written() -> None:
    dynamodb, looks = client(), itertools.count()
    assert fill(dynamodb, numbered(1500), 0, lambda: next(looks) > 0) == (1000, False)
    assert len(dynamodb.items("profiles")) == 1000


def test_fill_that_fails_is_a_ledger_error() -> None:
    class Refusing(Client):
        def batch_write_item(self, **_: Any) -> Any:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "m"}}, "BatchWriteItem")

    table = ProfilesTable(Refusing(), "profiles")  # type: ignore[arg-type]  # stands at the boundary
    with pytest.raises(LedgerError, match=r"^DynamoDB did not write to the Profiles table: AccessDenied\.$"):
        table.fill(numbered(1), 0, lambda: False)


def test_fill_writes_unprocessed_items_again(pauses: list[float]) -> None:
    dynamodb = client(1, 1, 1)
    assert fill(dynamodb, numbered(1)) == (1, True)
    assert dynamodb.items("profiles") == numbered(1)
    assert pauses == pytest.approx([0.05, 0.1, 0.2])


def test_fill_whose_items_stay_unprocessed_is_an_error(pauses: list[float]) -> None:
    with pytest.raises(LedgerError, match="unwritten 10 times"):
        fill(client(*[1] * 10), numbered(1))
    assert len(pauses) == 10


@pytest.mark.parametrize(
    "code", ["ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded"]
)
def test_fill_waits_where_a_request_is_throttled(code: str, pauses: list[float]) -> None:
    client = Throttled(code, range(3))
    table = ProfilesTable(client, "profiles")  # type: ignore[arg-type]  # stands at the boundary
    assert table.fill(numbered(1), 0, lambda: False) == (1, True)
    assert client.written == numbered(1)
    assert pauses == pytest.approx([0.05, 0.1, 0.2])


def test_fill_that_fails_in_the_middle_keeps_what_is_written() -> None:
    """A round is 1,000 items: the next invocation goes on after those that are whole."""
    client = Throttled("InternalServerError", range(45, 10_000))
    table = ProfilesTable(client, "profiles")  # type: ignore[arg-type]  # stands at the boundary
    assert table.fill(numbered(2500), 0, lambda: False) == (1000, False)
    with pytest.raises(LedgerError, match="InternalServerError"):
        table.fill(numbered(2500), 1000, lambda: False)
