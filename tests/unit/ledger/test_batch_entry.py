"""What the ledger remembers of an import and of a batch: as written, as read, and as it may change."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from bulk_profiles.core.json_object import Json
from bulk_profiles.core.models import (
    ApiVersion,
    BatchState,
    ImportStatus,
    KeyColumn,
    PlannedBatch,
    ProfileCounts,
    Source,
)
from bulk_profiles.ledger.batch_entry import BatchEntry, FollowUp
from bulk_profiles.ledger.import_entry import ImportEntry

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
MS = timedelta(milliseconds=1)
SOURCE = Source("drop-bucket", "drop/crm/crm.csv", "v1", 1234, "ab", "2026-11-24T08:59:00.000Z")

NEW_IMPORT = ImportEntry("crm-1", ImportStatus.SPLITTING, SOURCE, "crm", "demo", ApiVersion.V2, NOW)
NEW_IMPORT_ITEM: Json = {
    "importId": "crm-1",
    "status": "splitting",
    "source": {
        "bucket": "drop-bucket",
        "key": "drop/crm/crm.csv",
        "versionId": "v1",
        "bytes": 1234,
        "sha256": "ab",
        "modifiedAt": "2026-11-24T08:59:00.000Z",
    },
    "feed": "crm",
    "clientCode": "demo",
    "apiVersion": "v2",
    "startedAt": "2026-11-24T09:00:00.000Z",
    "settings": "{}",
    "keyColumn": "",
    "owner": "",
    "leaseUntil": "",
    "finishedAt": "",
    "reason": "",
    "after": [],
    "duplicateOf": "",
    "unsettled": 0,
    "activeUntil": "",
    "overtakenBy": "",
}
ENDED_IMPORT = ImportEntry(
    "crm-1",
    ImportStatus.PARTIAL,
    SOURCE,
    "crm",
    "demo",
    ApiVersion.V1,
    NOW,
    settings={"maxBatchRows": 2, "share": 0.5},
    key_column=KeyColumn.PC_ID,
    owner="request-1",
    lease_until=NOW + 1 * HOUR,
    finished_at=NOW + 2 * HOUR,
    reason="2 profiles failed.",
    after=("crm-0", "web-1"),
    duplicate_of="web-2",
    unsettled=7,
    active_until=NOW + 3 * HOUR,
    overtaken_by="crm-2",
)
ENDED_IMPORT_ITEM = NEW_IMPORT_ITEM | {
    "status": "partial",
    "apiVersion": "v1",
    "settings": '{"maxBatchRows": 2, "share": 0.5}',
    "keyColumn": "pcId",
    "owner": "request-1",
    "leaseUntil": "2026-11-24T10:00:00.000Z",
    "finishedAt": "2026-11-24T11:00:00.000Z",
    "reason": "2 profiles failed.",
    "after": ["crm-0", "web-1"],
    "duplicateOf": "web-2",
    "unsettled": 7,
    "activeUntil": "2026-11-24T12:00:00.000Z",
    "overtakenBy": "crm-2",
}

NEW_BATCH = BatchEntry("crm-1", 3, 100, 2000, "aa")
NEW_BATCH_ITEM: Json = {
    "importId": "crm-1",
    "number": 3,
    "rows": 100,
    "bytes": 2000,
    "sha256": "aa",
    "state": "planned",
    "submissions": 0,
    "possiblyDuplicate": False,
    "held": False,
    "deferrals": 0,
    "turnedAway": 0,
    "putOff": 0,
    "renewals": 0,
    "checks": 0,
    "polls": 0,
    "detailChecks": 0,
    "sendingUntil": "",
    "acceptedAt": "",
    "nextCheckAt": "",
    "settledAt": "",
    "statusUrl": "",
    "batchId": "",
    "reason": "",
    "terminal": "null",
    "profilesWritten": None,
    "profiles": {"success": 0, "error": 0, "pending": 0, "unknown": 0},
    "verdict": "",
    "followUps": "[]",
    "version": 0,
}
SETTLED_BATCH = BatchEntry(
    "crm-1",
    3,
    100,
    2000,
    "aa",
    BatchState.COMPLETE,
    submissions=1,
    possibly_duplicate=True,
    held=True,
    deferrals=2,
    turned_away=3,
    put_off=timedelta(seconds=90),
    renewals=4,
    checks=5,
    polls=6,
    detail_checks=7,
    sending_until=NOW + 1 * HOUR,
    accepted_at=NOW + 2 * HOUR,
    next_check_at=NOW + 3 * HOUR,
    settled_at=NOW + 4 * HOUR,
    status_url="http://127.0.0.1/status",
    batch_id="demo-1",
    reason="Target was busy.",
    terminal={"state": "complete", "batchSize": 100},
    profiles_written=0,
    profiles=ProfileCounts(90, 7, 2, 1),
    verdict="complete",
    follow_ups=(FollowUp(2, 9, 180, "bb"), FollowUp(3, 7, 140, "cc")),
    version=11,
)
SETTLED_BATCH_ITEM = NEW_BATCH_ITEM | {
    "state": "complete",
    "submissions": 1,
    "possiblyDuplicate": True,
    "held": True,
    "deferrals": 2,
    "turnedAway": 3,
    "putOff": 90,
    "renewals": 4,
    "checks": 5,
    "polls": 6,
    "detailChecks": 7,
    "sendingUntil": "2026-11-24T10:00:00.000Z",
    "acceptedAt": "2026-11-24T11:00:00.000Z",
    "nextCheckAt": "2026-11-24T12:00:00.000Z",
    "settledAt": "2026-11-24T13:00:00.000Z",
    "statusUrl": "http://127.0.0.1/status",
    "batchId": "demo-1",
    "reason": "Target was busy.",
    "terminal": '{"state": "complete", "batchSize": 100}',
    "profilesWritten": 0,
    "profiles": {"success": 90, "error": 7, "pending": 2, "unknown": 1},
    "verdict": "complete",
    "followUps": (
        '[{"attempt": 2, "rows": 9, "bytes": 180, "sha256": "bb"},'
        ' {"attempt": 3, "rows": 7, "bytes": 140, "sha256": "cc"}]'
    ),
    "version": 11,
}


def from_dynamodb(item: Json) -> Any:
    """Give an item as DynamoDB gives it back: every number is a Decimal."""
    return json.loads(json.dumps(item), parse_int=Decimal)


IMPORTS = [(NEW_IMPORT, NEW_IMPORT_ITEM), (ENDED_IMPORT, ENDED_IMPORT_ITEM)]
BATCHES = [(NEW_BATCH, NEW_BATCH_ITEM), (SETTLED_BATCH, SETTLED_BATCH_ITEM)]


@pytest.mark.parametrize(("entry", "item"), [*IMPORTS, *BATCHES])
def test_an_entry_is_written_with_all_that_it_knows(entry: ImportEntry | BatchEntry, item: Json) -> None:
    assert entry.to_json() == item


@pytest.mark.parametrize(("entry", "item"), [*IMPORTS, *BATCHES])
def test_what_is_written_is_read_back(entry: ImportEntry | BatchEntry, item: Json) -> None:
    read = type(entry).from_json(from_dynamodb(item))
    assert read == entry
    assert json.dumps(read.to_json()) == json.dumps(item)  # and no number is still a Decimal


def test_an_import_that_began_before_the_ledger_knew_of_overtaking_goes_on() -> None:
    newer = {"unsettled", "activeUntil", "overtakenBy"}
    item = {name: value for name, value in NEW_IMPORT_ITEM.items() if name not in newer}
    assert ImportEntry.from_json(from_dynamodb(item)) == NEW_IMPORT


def test_a_batch_that_began_before_the_ledger_knew_of_being_put_off_goes_on() -> None:
    item = {name: value for name, value in NEW_BATCH_ITEM.items() if name != "putOff"}
    assert BatchEntry.from_json(from_dynamodb(item)) == NEW_BATCH


def test_how_long_a_batch_was_put_off_is_kept_in_whole_seconds() -> None:
    assert NEW_BATCH.change(put_off=timedelta(seconds=2.6)).to_json()["putOff"] == 3


def test_a_batch_begins_as_it_was_planned() -> None:
    assert BatchEntry.planned("crm-1", PlannedBatch(3, 100, 2000, "aa")) == NEW_BATCH


class TestImports:
    @pytest.mark.parametrize(
        ("status", "unsettled", "overtaken_by", "over"),
        [
            (ImportStatus.SPLITTING, 0, "", False),
            (ImportStatus.UPLOADING, 0, "", False),
            (ImportStatus.UPLOADING, 0, "crm-2", True),
            (ImportStatus.PARTIAL, 0, "", True),
            (ImportStatus.PARTIAL, 1, "", False),
            (ImportStatus.PARTIAL, 1, "crm-2", True),
        ],
    )
    def test_an_import_is_over_once_it_is_settled_or_overtaken(
        self, status: ImportStatus, unsettled: int, overtaken_by: str, *, over: bool
    ) -> None:
        entry = ImportEntry(
            "crm-1",
            status,
            SOURCE,
            "crm",
            "demo",
            ApiVersion.V2,
            NOW,
            unsettled=unsettled,
            overtaken_by=overtaken_by,
        )
        assert entry.over is over

    def test_an_import_is_abandoned_when_nothing_was_sent_of_it_for_so_long(self) -> None:
        assert not NEW_IMPORT.abandoned(NOW + HOUR - MS, HOUR)
        assert NEW_IMPORT.abandoned(NOW + HOUR, HOUR)

    def test_an_import_is_not_abandoned_while_it_meant_to_send(self) -> None:
        assert not ENDED_IMPORT.abandoned(NOW + 4 * HOUR - MS, HOUR)
        assert ENDED_IMPORT.abandoned(NOW + 4 * HOUR, HOUR)


class TestChanges:
    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ("planned", {"sending", "refused", "unknown"}),
            ("sending", {"planned", "accepted", "refused", "unknown"}),
            ("unknown", {"planned"}),
            ("accepted", {"planned", "complete", "stuck", "expired"}),
            ("refused", set()),
            ("complete", set()),
            ("stuck", set()),
            ("expired", set()),
        ],
    )
    def test_a_batch_changes_its_state_only_as_the_ledger_knows(self, before: str, after: set[str]) -> None:
        batch = NEW_BATCH.change(state=BatchState(before))
        for state in BatchState:
            if state in after:
                assert batch.move(state, checks=1) == batch.change(state=state, checks=1)
            else:
                with pytest.raises(ValueError, match=f"^a {before} batch cannot become {state}$"):
                    batch.move(state)

    def test_a_batch_is_overdue_when_so_much_time_has_passed_since_target_took_it(self) -> None:
        accepted = NEW_BATCH.change(accepted_at=NOW)
        assert not accepted.overdue(NOW + HOUR - MS, HOUR)
        assert accepted.overdue(NOW + HOUR, HOUR)
        assert not NEW_BATCH.overdue(NOW + 1000 * HOUR, HOUR)

    def test_a_batch_is_settled_once_its_end_is_written(self) -> None:
        assert SETTLED_BATCH.settled
        assert not SETTLED_BATCH.change(settled_at=None).settled


class TestBodies:
    def test_the_first_body_is_the_batch_itself(self) -> None:
        batch = NEW_BATCH
        assert (batch.attempt, batch.body_name) == (1, "batches/00003.batch")
        assert (batch.body_rows, batch.body_size) == (100, 2000)

    def test_the_last_follow_up_is_the_body_that_is_on_its_way(self) -> None:
        batch = SETTLED_BATCH
        assert (batch.attempt, batch.body_name) == (3, "follow-ups/00003-3.batch")
        assert (batch.body_rows, batch.body_size) == (7, 140)

    def test_a_follow_up_begins_as_the_batch_did_and_knows_what_is_known(self) -> None:
        accepted = SETTLED_BATCH.change(
            state=BatchState.ACCEPTED, settled_at=None, follow_ups=(FollowUp(2, 9, 180, "bb"),)
        )
        third, known = FollowUp(3, 7, 140, "cc"), ProfileCounts(91, 7, 1, 1)

        assert accepted.follow_up(third, known) == accepted.change(
            state=BatchState.PLANNED,
            profiles=known,
            follow_ups=(FollowUp(2, 9, 180, "bb"), third),
            polls=0,
            detail_checks=0,
            terminal=None,
            accepted_at=None,
            put_off=timedelta(0),
            next_check_at=None,
        )

    @pytest.mark.parametrize(
        ("sha256", "marked", "duplicate"),
        [("aa", False, True), ("bb", False, True), ("cc", False, False), ("cc", True, True)],
    )
    def test_a_follow_up_of_bytes_that_were_sent_before_is_marked(
        self, sha256: str, *, marked: bool, duplicate: bool
    ) -> None:
        accepted = NEW_BATCH.change(
            state=BatchState.ACCEPTED, possibly_duplicate=marked, follow_ups=(FollowUp(2, 9, 180, "bb"),)
        )
        again = accepted.follow_up(FollowUp(3, 9, 180, sha256), ProfileCounts(error=9))
        assert again.possibly_duplicate is duplicate

    def test_only_a_batch_that_target_took_has_follow_ups(self) -> None:
        with pytest.raises(ValueError, match="a complete batch cannot become planned"):
            SETTLED_BATCH.follow_up(FollowUp(4, 1, 20, "dd"), ProfileCounts())
