"""What the ledger remembers of an import: as written, as read, and when it is over or abandoned."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from bulk_profiles.core.json_object import Json
from bulk_profiles.core.models import ApiVersion, ImportStatus, KeyColumn, Source
from bulk_profiles.ledger.import_entry import ImportEntry
from tests.worlds.watched_table import from_dynamodb

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
    "tries": 0,
    "lastError": "",
    "finishedAt": "",
    "reason": "",
    "rejected": 0,
    "after": [],
    "place": 0,
    "duplicateOf": "",
    "unsettled": 0,
    "notice": "",
    "reconciled": False,
    "activeUntil": "",
    "waitToldAt": "",
    "overtakenBy": "",
    "givenUp": None,
    "resend": "",
    "stack": "",
    "forgottenAt": "",
    "verified": "",
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
    rejected=3,
    after=("crm-0", "web-1"),
    duplicate_of="web-2",
    unsettled=7,
    tries=3,
    last_error="S3 did not read 'a.csv': SlowDown.",
    notice="Import crm-1: partial\nRows: 3",
    reconciled=True,
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
    "rejected": 3,
    "after": ["crm-0", "web-1"],
    "duplicateOf": "web-2",
    "unsettled": 7,
    "tries": 3,
    "lastError": "S3 did not read 'a.csv': SlowDown.",
    "notice": "Import crm-1: partial\nRows: 3",
    "reconciled": True,
    "activeUntil": "2026-11-24T12:00:00.000Z",
    "waitToldAt": "",
    "overtakenBy": "crm-2",
}


ITEMS = [(NEW_IMPORT, NEW_IMPORT_ITEM), (ENDED_IMPORT, ENDED_IMPORT_ITEM)]


@pytest.mark.parametrize(("entry", "item"), ITEMS)
def test_import_entry_to_json_has_every_field(entry: ImportEntry, item: Json) -> None:
    assert json.dumps(entry.to_json()) == json.dumps(item)


@pytest.mark.parametrize(("entry", "item"), ITEMS)
def test_import_entry_is_read_back_from_dynamodb(entry: ImportEntry, item: Json) -> None:
    read = ImportEntry.from_json(from_dynamodb(item))
    assert read == entry
    assert json.dumps(read.to_json()) == json.dumps(item)  # and no number is still a Decimal


def test_import_entry_without_the_later_fields_is_read() -> None:
    newer = {
        "unsettled",
        "activeUntil",
        "overtakenBy",
        "rejected",
        "tries",
        "lastError",
        "notice",
        "reconciled",
    }
    item = {name: value for name, value in NEW_IMPORT_ITEM.items() if name not in newer}
    assert ImportEntry.from_json(from_dynamodb(item)) == NEW_IMPORT


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
def test_over_is_true_once_settled_or_overtaken(
    status: ImportStatus, unsettled: int, overtaken_by: str, *, over: bool
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


def test_abandoned_is_true_after_the_deadline_from_the_start() -> None:
    assert not NEW_IMPORT.abandoned(NOW + HOUR - MS, HOUR)
    assert NEW_IMPORT.abandoned(NOW + HOUR, HOUR)


def test_abandoned_counts_from_the_end_of_activity() -> None:
    assert not ENDED_IMPORT.abandoned(NOW + 4 * HOUR - MS, HOUR)
    assert ENDED_IMPORT.abandoned(NOW + 4 * HOUR, HOUR)
