"""The Imports table: the items of imports, batches, queues and budgets, and who may change them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from bulk_profiles.aws.dynamodb import VersionedTable
from bulk_profiles.budget.state import BudgetState
from bulk_profiles.core.errors import ConflictError, LedgerError, UnreadableEntryError
from bulk_profiles.core.models import ApiVersion, ImportStatus, PlannedBatch, Source
from bulk_profiles.ledger.batch_entry import BatchEntry, FollowUp
from bulk_profiles.ledger.import_entry import ImportEntry
from bulk_profiles.ledger.ledger import Ledger
from tests.worlds.watched_table import WatchedTable

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
LEASE = timedelta(minutes=2)
MS = timedelta(milliseconds=1)
RETENTION = timedelta(days=30)
BATCHES = tuple(PlannedBatch(number, 10 * number, 100 * number, f"{number:02x}") for number in range(1, 6))


@pytest.fixture
def ledger(table: WatchedTable) -> Ledger:
    return Ledger(VersionedTable(table, RETENTION))  # type: ignore[arg-type]  # stands at the boundary


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


class TestItems:
    def test_each_entry_is_an_item(self, ledger: Ledger, table: WatchedTable) -> None:
        ledger.claim_import(entry(), NOW)
        ledger.add_batches("crm-1", BATCHES[:1], NOW)
        ledger.queue_import("demo", "crm-1", NOW)
        ledger.change_budget("demo", NOW, lambda state: (state, None))
        ledger.first_of("NEWEST", "drop/crm/crm.csv", "crm-1", "2026", NOW + timedelta(seconds=5))

        expires = int((NOW + RETENTION).timestamp())
        name = hashlib.sha256(b"drop/crm/crm.csv").hexdigest()
        assert [len(item.pop("writer", "")) for item in table.written] == [0, 0, 32, 32, 32, 32]
        assert table.written == [
            {"pk": "IMPORT#crm-1", "sk": "IMPORT", **entry().to_json(), "version": 1},
            {
                "pk": "IMPORT#crm-1",
                "sk": "BATCH#00001",
                **BatchEntry.planned("crm-1", BATCHES[0]).to_json(),
            },
            {"pk": "CLIENTS", "sk": "CLIENTS", "clients": ["demo"], "version": 1},
            {
                "pk": "CLIENT#demo",
                "sk": "QUEUE",
                "imports": ["crm-1"],
                "places": {"crm-1": 1},
                "entered": 1,
                "version": 1,
            },
            {
                "pk": "CLIENT#demo",
                "sk": "BUDGET",
                "state": json.dumps(BudgetState().to_json()),
                "version": 1,
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


class TestDeferrals:
    def test_note_deferral_keeps_the_version(self, ledger: Ledger) -> None:
        ledger.add_batches("crm-1", BATCHES[:1], NOW)
        batch = ledger.get_batch("crm-1", 1)
        ledger.note_deferral(batch.change(deferrals=1), NOW)
        assert ledger.get_batch("crm-1", 1) == batch.change(deferrals=1)
        saved = ledger.save_batch(batch.change(checks=1), NOW)
        assert ledger.get_batch("crm-1", 1) == saved

    def test_note_deferral_of_a_changed_batch_changes_nothing(self, ledger: Ledger) -> None:
        ledger.add_batches("crm-1", BATCHES[:1], NOW)
        batch = ledger.get_batch("crm-1", 1)
        saved = ledger.save_batch(batch.change(checks=1), NOW)
        ledger.note_deferral(batch.change(deferrals=1), NOW)
        assert ledger.get_batch("crm-1", 1) == saved


class TestClaiming:
    def test_claim_import_of_a_new_import_returns_the_entry(self, ledger: Ledger) -> None:
        assert ledger.claim_import(entry(), NOW) == entry()
        assert ledger.get_import("crm-1") == entry()
        assert ledger.get_import("crm-2") is None

    def test_claim_import_during_the_lease_of_another_is_none(self, ledger: Ledger) -> None:
        ledger.claim_import(entry(), NOW)
        assert ledger.claim_import(entry(owner="request-2"), NOW + LEASE - MS) is None
        assert ledger.get_import("crm-1") == entry()

    def test_claim_import_after_the_lease_changes_owner_and_lease(self, ledger: Ledger) -> None:
        ledger.claim_import(entry(settings={"maxBatchRows": 2}), NOW)
        later = entry(owner="request-2", started_at=NOW + LEASE, lease_until=NOW + 2 * LEASE)
        claimed = entry(owner="request-2", tries=1, settings={"maxBatchRows": 2}, lease_until=NOW + 2 * LEASE)
        assert ledger.claim_import(later, NOW + LEASE) == claimed
        assert ledger.get_import("crm-1") == claimed

    def test_claim_import_without_a_lease_takes_over(self, ledger: Ledger) -> None:
        ledger.claim_import(entry(lease_until=None), NOW)
        assert ledger.claim_import(entry(owner="request-2"), NOW) == entry(owner="request-2", tries=1)

    def test_claim_import_by_its_owner_takes_over_at_once(self, ledger: Ledger) -> None:
        ledger.claim_import(entry(), NOW)
        again = entry(lease_until=NOW + 2 * LEASE)
        claimed = dataclasses.replace(again, tries=1)
        assert ledger.claim_import(again, NOW + MS) == claimed
        assert ledger.get_import("crm-1") == claimed

    @pytest.mark.parametrize("owner", ["request-1", "request-2"])
    def test_claim_import_after_the_split_is_none(self, ledger: Ledger, owner: str) -> None:
        done = entry(status=ImportStatus.UPLOADING, lease_until=None)
        ledger.claim_import(done, NOW)
        assert ledger.claim_import(entry(owner=owner), NOW) is None
        assert ledger.get_import("crm-1") == done


class TestChanging:
    def test_change_import_returns_and_writes_the_change(self, ledger: Ledger, table: WatchedTable) -> None:
        ledger.claim_import(entry(), NOW)
        for version in (2, 3):
            changed = ledger.change_import(
                "crm-1", NOW + MS, lambda before: dataclasses.replace(before, reason=f"{before.reason}!")
            )
            assert changed == entry(reason="!" * (version - 1)) == ledger.get_import("crm-1")
            assert table.written[-1]["version"] == version

    def test_change_of_nothing_writes_nothing(self, ledger: Ledger, table: WatchedTable) -> None:
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

    def test_change_import_without_an_entry_names_the_import(self, ledger: Ledger) -> None:
        with pytest.raises(LedgerError) as refused:
            ledger.change_import("crm-1", NOW, lambda before: before)
        assert str(refused.value) == "The ledger has no import crm-1: is the name right?"

    def test_import_of_a_batch_is_its_import(self, ledger: Ledger) -> None:
        ledger.claim_import(entry(), NOW)
        assert ledger.import_of(BatchEntry.planned("crm-1", BATCHES[0])) == entry()

    def test_import_of_a_batch_without_an_import_names_it(self, ledger: Ledger) -> None:
        with pytest.raises(LedgerError, match="has batches of import crm-2, but not the import"):
            ledger.import_of(BatchEntry.planned("crm-2", BATCHES[0]))

    def test_queue_import_after_faster_rivals_stands_behind_them(
        self, ledger: Ledger, table: WatchedTable, pauses: list[float]
    ) -> None:
        rivals = iter(["crm-1", "crm-2"])

        def rival() -> None:
            if name := next(rivals, None):
                ledger.queue_import("demo", name, NOW)

        table.before_put = rival
        assert ledger.queue_import("demo", "crm-3", NOW) == ["crm-2", "crm-1"]
        assert table.written[-1]["version"] == 3
        assert pauses


class TestQueue:
    def test_queue_import_returns_the_imports_before_it(self, ledger: Ledger) -> None:
        assert ledger.queue_import("demo", "crm-1", NOW) == []
        assert ledger.queue_import("demo", "crm-2", NOW) == ["crm-1"]
        assert ledger.queue_import("demo", "crm-3", NOW) == ["crm-1", "crm-2"]
        assert ledger.queue_import("demo", "crm-2", NOW) == ["crm-1"]
        assert ledger.queue_import("other", "crm-9", NOW) == []

    def test_leave_queue_removes_one_import(self, ledger: Ledger) -> None:
        for name in ("crm-1", "crm-2", "crm-3"):
            ledger.queue_import("demo", name, NOW)
        ledger.leave_queue("demo", "crm-2", NOW)
        assert [ledger.is_queued("demo", f"crm-{number}") for number in (1, 2, 3)] == [True, False, True]
        assert not ledger.is_queued("other", "crm-1")
        assert ledger.change_queue("demo", NOW, lambda queue: (queue, queue)) == ["crm-1", "crm-3"]

    def test_queue_is_changed_though_hundreds_change_it_at_once(
        self, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A split cannot come back later, as a batch can that asks the budget."""
        ledger.queue_import("demo", "crm-1", NOW)
        replace, conflicts = VersionedTable.replace, iter(range(50))

        def lose(*arguments: Any, **options: Any) -> None:
            if next(conflicts, None) is not None:
                raise ConflictError("another was faster")
            replace(*arguments, **options)

        monkeypatch.setattr(VersionedTable, "replace", lose)
        monkeypatch.setattr("time.sleep", lambda _: None)
        assert ledger.queue_import("demo", "crm-2", NOW) == ["crm-1"]


class TestFirstOf:
    def test_first_of_is_the_first_of_the_highest_rank(self, ledger: Ledger) -> None:
        def first(import_id: str, rank: str, kind: str = "NEWEST", name: str = "a.csv") -> str:
            return ledger.first_of(kind, name, import_id, rank, NOW)

        assert first("crm-1", "2026-11-24") == "crm-1"
        assert first("crm-2", "2026-11-24") == "crm-1"
        assert first("crm-3", "2026-11-25") == "crm-3"
        assert first("crm-1", "2026-11-24") == "crm-3"
        assert first("crm-4", "2026-11-24", name="b.csv") == "crm-4"
        assert first("crm-5", "2026-11-24", kind="CONTENT") == "crm-5"


class TestBatches:
    def test_add_batches_enters_each_once_in_order(self, ledger: Ledger, table: WatchedTable) -> None:
        ledger.claim_import(entry(), NOW)
        ledger.add_batches("crm-2", BATCHES[:1], NOW)
        ledger.add_batches("crm-1", BATCHES, NOW)
        sent = ledger.save_batch(ledger.get_batch("crm-1", 2).change(submissions=1), NOW)
        ledger.add_batches("crm-1", BATCHES, NOW)  # a split that is tried again

        planned = [BatchEntry.planned("crm-1", batch) for batch in BATCHES]
        for table.page in (1, 2, 100):
            assert list(ledger.batches("crm-1")) == [planned[0], sent, *planned[2:]]
        assert list(ledger.batches("crm-3")) == []

    def test_add_batches_that_fails_is_a_ledger_error(self, ledger: Ledger, table: WatchedTable) -> None:
        def fail() -> None:
            raise EndpointConnectionError(endpoint_url="there")

        table.before_put = fail
        with pytest.raises(LedgerError):
            ledger.add_batches("crm-1", BATCHES, NOW)

    def test_get_batch_without_an_entry_names_the_batch(self, ledger: Ledger) -> None:
        with pytest.raises(LedgerError) as refused:
            ledger.get_batch("crm-1", 7)
        assert str(refused.value) == "The ledger has no batch 7 of import crm-1: was it started by hand?"

    def test_save_batch_of_an_older_version_is_a_conflict(self, ledger: Ledger) -> None:
        ledger.add_batches("crm-1", BATCHES, NOW)
        read = ledger.get_batch("crm-1", 1)
        first = ledger.save_batch(read.change(checks=1), NOW)
        assert (first.version, first) == (1, ledger.get_batch("crm-1", 1))
        with pytest.raises(ConflictError) as refused:
            ledger.save_batch(read.change(checks=2), NOW)
        assert str(refused.value) == "The ledger's entry changed while it was being worked on."
        assert ledger.save_batch(first.change(checks=3), NOW) == ledger.get_batch("crm-1", 1)

    def test_batch_expires_with_its_import_and_not_once_it_is_settled(
        self, ledger: Ledger, table: WatchedTable
    ) -> None:
        ledger.add_batches("crm-1", BATCHES, NOW)
        later = NOW + timedelta(days=40)
        batch = ledger.save_batch(ledger.get_batch("crm-1", 1), later)
        ledger.note_deferral(batch.change(deferrals=1), later)
        settled = ledger.save_batch(batch.change(settled_at=later), later)
        assert all("expiresAt" not in item for item in table.written)
        ledger.expire_batches([settled, ledger.get_batch("crm-1", 2)], later)
        assert ledger.get_batch("crm-1", 1) == settled
        assert [item["sk"] for item in table.written if "expiresAt" in item] == ["BATCH#00001"]
        assert table.written[-1]["expiresAt"] == int((later + RETENTION).timestamp())

    @pytest.mark.parametrize(
        ("changes", "expires"),
        [
            ({"status": ImportStatus.UPLOADING}, False),
            ({"status": ImportStatus.PARTIAL, "unsettled": 3}, False),
            ({"status": ImportStatus.PARTIAL}, True),
            ({"status": ImportStatus.REJECTED}, True),
            ({"overtaken_by": "crm-2"}, True),
        ],
    )
    def test_import_expires_once_it_is_over(
        self, ledger: Ledger, table: WatchedTable, changes: Any, expires: bool
    ) -> None:
        ledger.claim_import(entry(), NOW)
        ledger.change_import("crm-1", NOW, lambda current: dataclasses.replace(current, **changes))
        assert "expiresAt" not in table.written[0]
        assert ("expiresAt" in table.written[-1]) is expires

    def test_imports_under_way_are_those_of_every_client(self, ledger: Ledger) -> None:
        assert list(ledger.under_way()) == []
        for client, name in (("demo", "crm-1"), ("other", "web-1"), ("demo", "crm-2"), ("demo", "crm-1")):
            ledger.queue_import(client, name, NOW)
        assert list(ledger.under_way()) == ["crm-1", "crm-2", "web-1"]
        ledger.leave_queue("demo", "crm-1", NOW)
        ledger.leave_queue("other", "web-1", NOW)
        assert list(ledger.under_way()) == ["crm-2"]

    def test_queue_that_cannot_be_read_does_not_hide_the_others(
        self, ledger: Ledger, table: WatchedTable
    ) -> None:
        for client in ("a", "demo", "z"):
            ledger.queue_import(client, f"{client}-1", NOW)
        table.put_item(Item={"pk": "CLIENT#demo", "sk": "QUEUE"})
        names = ledger.under_way()
        assert [next(names), next(names)] == ["a-1", "z-1"]
        with pytest.raises(UnreadableEntryError, match=r"^The queue of client demo cannot be read\.$"):
            next(names)

    def test_queue_that_is_refused_does_not_hide_the_others(
        self, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for client in ("a", "demo", "z"):
            ledger.queue_import(client, f"{client}-1", NOW)
        read = Ledger.queued

        def refused(self: Ledger, client_code: str) -> list[str]:
            if client_code == "demo":
                raise LedgerError("DynamoDB did not answer.")
            return read(self, client_code)

        monkeypatch.setattr(Ledger, "queued", refused)
        names = ledger.under_way()
        assert [next(names), next(names)] == ["a-1", "z-1"]
        with pytest.raises(LedgerError, match=r"^DynamoDB did not answer\.$"):
            next(names)


class TestBudget:
    def test_change_budget_keeps_one_for_each_client(self, ledger: Ledger) -> None:
        def ask(state: BudgetState) -> tuple[BudgetState, str]:
            after = dataclasses.replace(state, places={**state.places, f"b{len(state.places)}": NOW})
            return after, " ".join(after.places)

        assert ledger.change_budget("demo", NOW, ask) == "b0"
        assert ledger.change_budget("demo", NOW, ask) == "b0 b1"
        assert ledger.change_budget("other", NOW, ask) == "b0"


class TestReceipts:
    """The ids under which Target took bodies."""

    BATCH = BatchEntry.planned("crm-1", BATCHES[0]).change(batch_id="demo-1", accepted_at=NOW)
    DAY = timedelta(days=1)

    def shared(self, ledger: Ledger, batch: BatchEntry, client: str = "demo") -> bool:
        return ledger.shares_id(client, batch, NOW, self.DAY)

    def test_id_of_one_body_is_its_own(self, ledger: Ledger, table: WatchedTable) -> None:
        for _ in range(2):
            assert not self.shared(ledger, self.BATCH)
        assert len(table.written) == 1

    def test_id_of_a_body_that_was_sent_again_is_its_own(self, ledger: Ledger) -> None:
        assert not self.shared(ledger, self.BATCH)
        assert not self.shared(ledger, self.BATCH.change(accepted_at=NOW + MS))

    @pytest.mark.parametrize(
        "other",
        [
            BATCH.change(import_id="crm-2"),
            BATCH.change(number=2),
            BATCH.change(follow_ups=(FollowUp(2, 1, 10, "bb"),)),
        ],
    )
    def test_id_of_two_bodies_is_of_neither(self, ledger: Ledger, other: BatchEntry) -> None:
        assert not self.shared(ledger, self.BATCH)
        assert self.shared(ledger, other)
        assert self.shared(ledger, self.BATCH)

    @pytest.mark.parametrize(("client", "batch_id"), [("other", "demo-1"), ("demo", "demo-2")])
    def test_id_of_another_client_or_batch_is_another(
        self, ledger: Ledger, client: str, batch_id: str
    ) -> None:
        assert not self.shared(ledger, self.BATCH)
        assert not self.shared(ledger, self.BATCH.change(number=2, batch_id=batch_id), client)

    def test_id_that_target_has_forgotten_may_be_given_again(self, ledger: Ledger) -> None:
        assert not self.shared(ledger, self.BATCH)
        later = self.BATCH.change(number=2, accepted_at=NOW + self.DAY)
        assert self.shared(ledger, later.change(accepted_at=NOW + self.DAY - MS))
        assert not self.shared(ledger, later)


def test_imports_whose_notice_was_refused_are_entered_once_until_it_is_told(
    ledger: Ledger, table: WatchedTable
) -> None:
    assert ledger.untold() == []
    for name in ("crm-1", "crm-2", "crm-1"):
        ledger.note_notice(name, NOW, told=False)
    assert ledger.untold() == ["crm-2", "crm-1"]
    ledger.note_notice("crm-2", NOW, told=True)
    assert ledger.untold() == ["crm-1"]
    writes = len(table.written)
    ledger.note_notice("crm-2", NOW, told=True)
    assert len(table.written) == writes


def test_what_is_known_of_a_token_is_kept_for_each_client(ledger: Ledger) -> None:
    ledger.change_token("demo", NOW, lambda known: (known.authorized("digest"), None))
    for client, accepted in (("demo", True), ("other", False)):
        assert ledger.change_token(client, NOW, lambda known: (known, known.accepted)) is accepted


def test_entry_that_cannot_be_read_is_named(ledger: Ledger, table: WatchedTable) -> None:
    table.put_item(Item={"pk": "IMPORT#crm-1", "sk": "IMPORT", "status": "nonsense"})
    with pytest.raises(UnreadableEntryError, match=r"^The ledger's entry of import crm-1 cannot be read\.$"):
        ledger.get_import("crm-1")


def test_batch_that_is_saved_is_one_that_has_not_failed(ledger: Ledger) -> None:
    ledger.claim_import(entry(), NOW)
    ledger.add_batches("crm-1", BATCHES[:1], NOW)
    batch = ledger.get_batch("crm-1", 1).change(failure="S3 did not answer.")
    assert ledger.save_batch(batch, NOW).failure == ledger.get_batch("crm-1", 1).failure == ""


def test_place_in_a_queue_is_kept_and_never_given_again(ledger: Ledger) -> None:
    assert ledger.place_in_queue("demo", "crm-1") == 0
    for name in ("crm-1", "crm-2"):
        ledger.queue_import("demo", name, NOW)
    ledger.leave_queue("demo", "crm-1", NOW)
    ledger.queue_import("demo", "crm-3", NOW)
    ledger.queue_import("demo", "crm-2", NOW)
    places = [ledger.place_in_queue("demo", name) for name in ("crm-1", "crm-2", "crm-3", "crm-4")]
    assert places == [0, 2, 3, 0]
