"""The Imports table: who may write, what is written, and what happens when two do at once."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from moto import mock_aws

from bulk_profiles.aws.dynamodb import VersionedTable
from bulk_profiles.budget.state import BudgetState
from bulk_profiles.core.errors import ConflictError, LedgerError
from bulk_profiles.core.json_object import Json
from bulk_profiles.core.models import ApiVersion, ImportStatus, PlannedBatch, Source
from bulk_profiles.ledger.batch_entry import BatchEntry
from bulk_profiles.ledger.import_entry import ImportEntry
from bulk_profiles.ledger.ledger import Ledger

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
LEASE = timedelta(minutes=2)
MS = timedelta(milliseconds=1)
RETENTION = timedelta(days=30)
TRIES = 12
BATCHES = tuple(PlannedBatch(number, 10 * number, 100 * number, f"{number:02x}") for number in range(1, 6))


@pytest.fixture(scope="module")
def _table() -> Iterator[Table]:
    with mock_aws():
        yield boto3.resource("dynamodb").create_table(
            TableName="imports",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("pk", "sk")],
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
        )


@dataclass
class Watched:
    """A table that remembers how it was asked. `before_put` happens right before something is written."""

    table: Table
    reads: list[Json] = field(default_factory=list)
    written: list[Json] = field(default_factory=list)
    before_put: Callable[[], object] = lambda: None
    page: int = 100

    def get_item(self, **parameters: Any) -> Any:
        self.reads.append(parameters)
        return self.table.get_item(**parameters)

    def query(self, **parameters: Any) -> Any:
        self.reads.append(parameters)
        return self.table.query(**parameters, Limit=self.page)

    def put_item(self, **parameters: Any) -> None:
        self.before_put()
        self.table.put_item(**parameters)
        self.written.append(parameters["Item"])


@pytest.fixture
def table(_table: Table) -> Watched:
    with _table.batch_writer() as batch:
        for item in _table.scan()["Items"]:
            batch.delete_item(Key={"pk": item["pk"], "sk": item["sk"]})
    return Watched(_table)


@pytest.fixture
def ledger(table: Watched) -> Ledger:
    return Ledger(VersionedTable(table, RETENTION))  # type: ignore[arg-type]  # stands at the boundary


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The longest that each pause might have been; nobody waits."""
    found: list[float] = []
    monkeypatch.setattr(random, "uniform", lambda least, most: most - least)
    monkeypatch.setattr(time, "sleep", found.append)
    return found


def entry(import_id: str = "crm-1", owner: str = "request-1", **changes: Any) -> ImportEntry:
    new = ImportEntry(
        import_id,
        ImportStatus.SPLITTING,
        Source("drop-bucket", "drop/crm/crm.csv", "v1"),
        "crm",
        "demo",
        ApiVersion.V2,
        NOW,
        owner=owner,
        lease_until=NOW + LEASE,
    )
    return dataclasses.replace(new, **changes)


def enter(table: Watched, *imports: str, version: int) -> None:
    """Write the queue as a rival would."""
    table.table.put_item(
        Item={"pk": "CLIENT#demo", "sk": "QUEUE", "imports": list(imports), "version": version}
    )


class TestItems:
    def test_each_entry_has_an_item_that_expires_after_its_last_change(
        self, ledger: Ledger, table: Watched
    ) -> None:
        ledger.claim_import(entry(), NOW)
        ledger.add_batches("crm-1", BATCHES[:1], NOW)
        ledger.queue_import("demo", "crm-1", NOW)
        ledger.change_budget("demo", NOW, lambda state: (state, None))
        ledger.first_of("NEWEST", "drop/crm/crm.csv", "crm-1", "2026", NOW + timedelta(seconds=5))

        expires = int((NOW + RETENTION).timestamp())
        name = hashlib.sha256(b"drop/crm/crm.csv").hexdigest()
        assert [len(item.pop("writer", "")) for item in table.written] == [0, 0, 32, 32, 32]
        assert table.written == [
            {"pk": "IMPORT#crm-1", "sk": "IMPORT", **entry().to_json(), "version": 1, "expiresAt": expires},
            {
                "pk": "IMPORT#crm-1",
                "sk": "BATCH#00001",
                **BatchEntry.planned("crm-1", BATCHES[0]).to_json(),
                "expiresAt": expires,
            },
            {
                "pk": "CLIENT#demo",
                "sk": "QUEUE",
                "imports": ["crm-1"],
                "version": 1,
                "expiresAt": expires,
            },
            {
                "pk": "CLIENT#demo",
                "sk": "BUDGET",
                "state": json.dumps(BudgetState().to_json()),
                "version": 1,
                "expiresAt": expires,
            },
            {
                "pk": f"NEWEST#{name}",
                "sk": "NEWEST",
                "importId": "crm-1",
                "rank": "2026",
                "version": 1,
                "expiresAt": expires + 5,
            },
        ]

    def test_every_read_sees_what_was_written_last(self, ledger: Ledger, table: Watched) -> None:
        ledger.claim_import(entry(), NOW)
        ledger.add_batches("crm-1", BATCHES, NOW)
        ledger.get_import("crm-1")
        ledger.get_batch("crm-1", 1)
        ledger.is_queued("demo", "crm-1")
        list(ledger.batches("crm-1"))
        assert [parameters["ConsistentRead"] for parameters in table.reads] == [True] * 4


class TestLostAnswers:
    def test_a_write_whose_answer_got_lost_is_not_done_twice(
        self, ledger: Ledger, table: Watched, pauses: list[float]
    ) -> None:
        ledger.queue_import("demo", "crm-1", NOW)
        put = table.put_item

        def put_and_lose_the_answer(**parameters: Any) -> None:
            put(**parameters)
            put(**parameters)  # what the SDK tries again, and DynamoDB refuses

        with patch.object(table, "put_item", put_and_lose_the_answer):
            answer = ledger.change_queue("demo", NOW, lambda queue: ([*queue, "again"], ["done"]))

        assert answer == ["done"]
        assert ledger.change_queue("demo", NOW, lambda queue: (queue, queue)) == ["crm-1", "again"]
        assert len(pauses) == 1


class TestDeferrals:
    def test_a_deferral_is_written_and_in_nobodys_way(self, ledger: Ledger) -> None:
        ledger.add_batches("crm-1", BATCHES[:1], NOW)
        batch = ledger.get_batch("crm-1", 1)
        ledger.note_deferral(batch.change(deferrals=1), NOW)
        assert ledger.get_batch("crm-1", 1) == batch.change(deferrals=1)
        saved = ledger.save_batch(batch.change(checks=1), NOW)
        assert ledger.get_batch("crm-1", 1) == saved

    def test_a_deferral_that_comes_late_changes_nothing(self, ledger: Ledger) -> None:
        ledger.add_batches("crm-1", BATCHES[:1], NOW)
        batch = ledger.get_batch("crm-1", 1)
        saved = ledger.save_batch(batch.change(checks=1), NOW)
        ledger.note_deferral(batch.change(deferrals=1), NOW)
        assert ledger.get_batch("crm-1", 1) == saved


class TestClaiming:
    def test_whoever_comes_first_has_the_split(self, ledger: Ledger) -> None:
        assert ledger.claim_import(entry(), NOW) == entry()
        assert ledger.get_import("crm-1") == entry()
        assert ledger.get_import("crm-2") is None

    def test_another_one_gets_nothing_before_the_lease_has_ended(self, ledger: Ledger) -> None:
        ledger.claim_import(entry(), NOW)
        assert ledger.claim_import(entry(owner="request-2"), NOW + LEASE - MS) is None
        assert ledger.get_import("crm-1") == entry()

    def test_another_one_takes_over_what_nobody_holds_and_changes_nothing_else(self, ledger: Ledger) -> None:
        ledger.claim_import(entry(settings={"maxBatchRows": 2}), NOW)
        later = entry(owner="request-2", started_at=NOW + LEASE, lease_until=NOW + 2 * LEASE)
        taken = entry(owner="request-2", settings={"maxBatchRows": 2}, lease_until=NOW + 2 * LEASE)
        assert ledger.claim_import(later, NOW + LEASE) == taken
        assert ledger.get_import("crm-1") == taken

    def test_a_split_without_a_lease_is_anybodys(self, ledger: Ledger) -> None:
        ledger.claim_import(entry(lease_until=None), NOW)
        assert ledger.claim_import(entry(owner="request-2"), NOW) == entry(owner="request-2")

    def test_a_dead_invocation_that_is_tried_again_goes_on_at_once(self, ledger: Ledger) -> None:
        ledger.claim_import(entry(), NOW)
        again = entry(lease_until=NOW + 2 * LEASE)
        assert ledger.claim_import(again, NOW + MS) == again
        assert ledger.get_import("crm-1") == again

    @pytest.mark.parametrize("owner", ["request-1", "request-2"])
    def test_nobody_has_a_split_that_is_done(self, ledger: Ledger, owner: str) -> None:
        done = entry(status=ImportStatus.UPLOADING, lease_until=None)
        ledger.claim_import(done, NOW)
        assert ledger.claim_import(entry(owner=owner), NOW) is None
        assert ledger.get_import("crm-1") == done


class TestChanging:
    def test_a_change_is_given_and_written(self, ledger: Ledger, table: Watched) -> None:
        ledger.claim_import(entry(), NOW)
        for version in (2, 3):
            changed = ledger.change_import(
                "crm-1", NOW + MS, lambda before: dataclasses.replace(before, reason=f"{before.reason}!")
            )
            assert changed == entry(reason="!" * (version - 1)) == ledger.get_import("crm-1")
            assert table.written[-1]["version"] == version

    def test_what_changes_nothing_writes_nothing(self, ledger: Ledger, table: Watched) -> None:
        ledger.claim_import(entry(), NOW)
        ledger.queue_import("demo", "crm-1", NOW)
        ledger.first_of("NEWEST", "a.csv", "crm-1", "2026", NOW)
        ledger.change_budget("demo", NOW, lambda state: (state, None))
        written = list(table.written)

        assert ledger.change_import("crm-1", NOW, lambda before: before) == entry()
        assert ledger.queue_import("demo", "crm-1", NOW) == []
        ledger.leave_queue("demo", "crm-9", NOW)
        ledger.leave_queue("other", "crm-9", NOW)
        assert ledger.first_of("NEWEST", "a.csv", "crm-2", "2026", NOW) == "crm-1"
        assert ledger.change_budget("demo", NOW, lambda state: (state, "same")) == "same"
        assert table.written == written

    def test_an_import_that_is_not_there_is_named(self, ledger: Ledger) -> None:
        with pytest.raises(LedgerError) as refused:
            ledger.change_import("crm-1", NOW, lambda before: before)
        assert str(refused.value) == "The ledger has no import crm-1: is the name right?"

    def test_a_rival_that_was_faster_is_seen_and_not_overwritten(
        self, ledger: Ledger, table: Watched, pauses: list[float]
    ) -> None:
        rivals = iter(["crm-1", "crm-2"])

        def rival() -> None:
            if name := next(rivals, None):
                ledger.queue_import("demo", name, NOW)

        table.before_put = rival
        assert ledger.queue_import("demo", "crm-3", NOW) == ["crm-2", "crm-1"]
        assert table.written[-1]["version"] == 3
        assert pauses

    def test_rivals_part_for_longer_each_time_and_give_up_in_the_end(
        self, ledger: Ledger, table: Watched, pauses: list[float]
    ) -> None:
        seen: list[list[str]] = []

        def change(queue: list[str]) -> tuple[list[str], list[str]]:
            seen.append(queue)
            return [*queue, "ours"], []

        def always_faster() -> None:
            enter(table, version=5 + len(seen))

        table.before_put = always_faster
        with pytest.raises(ConflictError) as refused:
            ledger.change_queue("demo", NOW, change)
        assert str(refused.value) == "CLIENT#demo / QUEUE changed 12 times while it was read."
        assert seen == [[]] * TRIES
        assert pauses == pytest.approx([0.01, 0.02, 0.04, 0.08, 0.16, *[0.32] * 7])
        assert table.written == []

    def test_the_last_try_may_succeed(self, ledger: Ledger, table: Watched, pauses: list[float]) -> None:
        tries = itertools.count(1)

        def nearly_always_faster() -> None:
            if (number := next(tries)) < TRIES:
                enter(table, "crm-1", version=number)

        table.before_put = nearly_always_faster
        assert ledger.queue_import("demo", "crm-2", NOW) == ["crm-1"]
        assert len(pauses) == TRIES - 1


class TestQueue:
    def test_imports_stand_in_the_order_in_which_they_came(self, ledger: Ledger) -> None:
        assert ledger.queue_import("demo", "crm-1", NOW) == []
        assert ledger.queue_import("demo", "crm-2", NOW) == ["crm-1"]
        assert ledger.queue_import("demo", "crm-3", NOW) == ["crm-1", "crm-2"]
        assert ledger.queue_import("demo", "crm-2", NOW) == ["crm-1"]
        assert ledger.queue_import("other", "crm-9", NOW) == []

    def test_who_has_left_is_not_there_any_more(self, ledger: Ledger) -> None:
        for name in ("crm-1", "crm-2", "crm-3"):
            ledger.queue_import("demo", name, NOW)
        ledger.leave_queue("demo", "crm-2", NOW)
        assert [ledger.is_queued("demo", f"crm-{number}") for number in (1, 2, 3)] == [True, False, True]
        assert not ledger.is_queued("other", "crm-1")
        assert ledger.change_queue("demo", NOW, lambda queue: (queue, queue)) == ["crm-1", "crm-3"]


class TestFirstOf:
    def test_the_highest_rank_is_remembered_and_the_first_among_equals(self, ledger: Ledger) -> None:
        def first(import_id: str, rank: str, kind: str = "NEWEST", name: str = "a.csv") -> str:
            return ledger.first_of(kind, name, import_id, rank, NOW)

        assert first("crm-1", "2026-11-24") == "crm-1"
        assert first("crm-2", "2026-11-24") == "crm-1"
        assert first("crm-3", "2026-11-25") == "crm-3"
        assert first("crm-1", "2026-11-24") == "crm-3"
        assert first("crm-4", "2026-11-24", name="b.csv") == "crm-4"
        assert first("crm-5", "2026-11-24", kind="CONTENT") == "crm-5"


class TestBatches:
    def test_they_are_entered_once_and_come_back_in_order(self, ledger: Ledger, table: Watched) -> None:
        ledger.claim_import(entry(), NOW)
        ledger.add_batches("crm-2", BATCHES[:1], NOW)
        ledger.add_batches("crm-1", BATCHES, NOW)
        sent = ledger.save_batch(ledger.get_batch("crm-1", 2).change(submissions=1), NOW)
        ledger.add_batches("crm-1", BATCHES, NOW)  # a split that is tried again

        planned = [BatchEntry.planned("crm-1", batch) for batch in BATCHES]
        for table.page in (1, 2, 100):
            assert list(ledger.batches("crm-1")) == [planned[0], sent, *planned[2:]]
        assert list(ledger.batches("crm-3")) == []

    def test_a_batch_that_cannot_be_entered_is_an_error(self, ledger: Ledger, table: Watched) -> None:
        table.before_put = lambda: fail(EndpointConnectionError(endpoint_url="there"))
        with pytest.raises(LedgerError):
            ledger.add_batches("crm-1", BATCHES, NOW)

    def test_a_batch_that_is_not_there_is_named(self, ledger: Ledger) -> None:
        with pytest.raises(LedgerError) as refused:
            ledger.get_batch("crm-1", 7)
        assert str(refused.value) == "The ledger has no batch 7 of import crm-1: was it started by hand?"

    def test_of_two_that_change_a_batch_the_second_is_refused(self, ledger: Ledger) -> None:
        ledger.add_batches("crm-1", BATCHES, NOW)
        read = ledger.get_batch("crm-1", 1)
        first = ledger.save_batch(read.change(checks=1), NOW)
        assert (first.version, first) == (1, ledger.get_batch("crm-1", 1))
        with pytest.raises(ConflictError) as refused:
            ledger.save_batch(read.change(checks=2), NOW)
        assert str(refused.value) == "The ledger's entry changed while it was being worked on."
        assert ledger.save_batch(first.change(checks=3), NOW) == ledger.get_batch("crm-1", 1)

    def test_a_saved_batch_expires_after_its_last_change(self, ledger: Ledger, table: Watched) -> None:
        ledger.add_batches("crm-1", BATCHES, NOW)
        ledger.save_batch(ledger.get_batch("crm-1", 1), NOW + timedelta(days=1))
        assert table.written[-1]["expiresAt"] == int((NOW + RETENTION + timedelta(days=1)).timestamp())


class TestBudget:
    def test_a_client_has_a_budget_of_its_own_from_the_first_question_on(self, ledger: Ledger) -> None:
        def ask(state: BudgetState) -> tuple[BudgetState, str]:
            after = dataclasses.replace(state, places={**state.places, f"b{len(state.places)}": NOW})
            return after, " ".join(after.places)

        assert ledger.change_budget("demo", NOW, ask) == "b0"
        assert ledger.change_budget("demo", NOW, ask) == "b0 b1"
        assert ledger.change_budget("other", NOW, ask) == "b0"


def fail(error: Exception) -> None:
    raise error


UNREACHABLE = EndpointConnectionError(endpoint_url="there")
THROTTLED = ClientError({"Error": {"Code": "ThrottlingException", "Message": "m"}}, "PutItem")


@pytest.mark.parametrize(
    ("error", "said"), [(UNREACHABLE, "EndpointConnectionError"), (THROTTLED, "ThrottlingException")]
)
@pytest.mark.parametrize(
    ("operation", "use", "doing"),
    [
        ("get_item", lambda ledger: ledger.get_import("crm-1"), "read an entry"),
        ("query", lambda ledger: list(ledger.batches("crm-1")), "read the batches"),
        ("put_item", lambda ledger: ledger.claim_import(entry(), NOW), "write an entry"),
    ],
)
def test_what_dynamodb_did_not_do_is_said_without_its_words(
    ledger: Ledger,
    table: Watched,
    monkeypatch: pytest.MonkeyPatch,
    operation: str,
    use: Callable[[Ledger], object],
    doing: str,
    error: Exception,
    said: str,
) -> None:
    monkeypatch.setattr(table, operation, lambda **_: fail(error))
    with pytest.raises(LedgerError) as refused:
        use(ledger)
    assert type(refused.value) is LedgerError
    assert str(refused.value) == f"DynamoDB did not {doing} of the Imports table: {said}."
