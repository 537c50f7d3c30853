"""Precedence: which import goes first, and which one is rejected, of two that meet."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from bulk_profiles.aws.s3 import Storage
from bulk_profiles.core.errors import UnreadableEntryError
from bulk_profiles.core.models import ApiVersion, ImportStatus, Source
from bulk_profiles.ledger.import_entry import ImportEntry
from bulk_profiles.ledger.ledger import Ledger
from bulk_profiles.steps.precedence import QueuePosition, enter_queue, goes_first, keep_active
from tests.worlds.deployment import DROP_BUCKET

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
KEY = "drop/crm/crm.csv"
DEADLINE = timedelta(hours=24)
OLDER, NEWER = "2026-11-24T08:00:00.000Z", "2026-11-24T08:00:01.000Z"


def enter(ledger: Ledger, import_id: str, modified_at: str = OLDER, **changes: Any) -> ImportEntry:
    """Enter an import in the ledger that is under way."""
    entry = ImportEntry(
        import_id,
        ImportStatus.UPLOADING,
        Source(DROP_BUCKET, KEY, import_id, modified_at=modified_at),
        "crm",
        "demo",
        ApiVersion.V2,
        NOW,
    )
    entry = dataclasses.replace(entry, **changes)
    ledger.claim_import(entry, NOW)
    return entry


def of(key: str) -> Source:
    return Source(DROP_BUCKET, key, "v1", modified_at=NEWER)


# --- the queue ---


def test_import_stands_behind_those_under_way(ledger: Ledger, storage: Storage) -> None:
    for name in ("a-1", "b-1", "c-1"):
        entry = enter(ledger, name, source=of(f"drop/crm/{name}.csv"))
        position = enter_queue(entry, storage, ledger, NOW)
    assert position == QueuePosition(earlier=("a-1", "b-1"))


def test_import_that_enters_twice_keeps_its_position(ledger: Ledger, storage: Storage) -> None:
    entries = [enter(ledger, name, source=of(f"drop/crm/{name}.csv")) for name in ("a-1", "b-1", "c-1")]
    for entry in entries:
        enter_queue(entry, storage, ledger, NOW)
    assert enter_queue(entries[1], storage, ledger, NOW) == QueuePosition(earlier=("a-1",))


@pytest.mark.parametrize(
    "end",
    [
        {"status": ImportStatus.SUCCEEDED},
        {"status": ImportStatus.REJECTED},
        {"overtaken_by": "z-1"},
        None,  # its entry has expired
    ],
)
def test_import_that_is_over_is_taken_out_of_the_queue(
    ledger: Ledger, storage: Storage, end: dict[str, Any] | None
) -> None:
    """Whoever should have done that has died."""
    ledger.queue_import("demo", "a-1", NOW)
    if end is not None:
        enter(ledger, "a-1", source=of("drop/crm/a.csv"), **end)
    assert enter_queue(enter(ledger, "b-1"), storage, ledger, NOW) == QueuePosition()
    assert not ledger.is_queued("demo", "a-1")


# --- versions of one file ---


@pytest.mark.parametrize(
    ("status", "rejected"),
    [
        (ImportStatus.UPLOADING, True),
        (ImportStatus.SUCCEEDED, True),
        (ImportStatus.PARTIAL, True),
        (ImportStatus.FAILED, True),
        (ImportStatus.REJECTED, False),
        (ImportStatus.SPLITTING, False),
    ],
)
def test_older_version_is_rejected_once_a_newer_one_may_have_been_sent(
    ledger: Ledger, storage: Storage, status: ImportStatus, *, rejected: bool
) -> None:
    """Of a newer version that was rejected nothing was sent: the older one is the best there is."""
    newer = enter(ledger, "newer-1", NEWER)
    enter_queue(newer, storage, ledger, NOW)
    ledger.leave_queue("demo", "newer-1", NOW)
    ledger.change_import("newer-1", NOW, lambda entry: dataclasses.replace(entry, status=status))
    older = enter(ledger, "older-1")
    assert enter_queue(older, storage, ledger, NOW) == QueuePosition("newer-1" if rejected else "")
    # By this name, which an import of an earlier release may have been entered by.
    name = f"{older.source.bucket}/{older.source.key}"
    assert ledger.first_of("KEY", name, "another", "", NOW) == "newer-1"


def test_newer_version_whose_entry_cannot_be_read_stops_no_older_one(
    ledger: Ledger, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter_queue(enter(ledger, "newer-1", NEWER), storage, ledger, NOW)
    older, read = enter(ledger, "older-1"), Ledger.get_import

    def unreadable(self: Ledger, name: str) -> ImportEntry | None:
        if name == "newer-1":
            raise UnreadableEntryError(f"The ledger's entry of import {name} cannot be read.")
        return read(self, name)

    monkeypatch.setattr(Ledger, "get_import", unreadable)
    assert enter_queue(older, storage, ledger, NOW) == QueuePosition()


def test_older_version_is_rejected_behind_a_newer_one_in_the_queue(ledger: Ledger, storage: Storage) -> None:
    """That one is about to start."""
    enter_queue(enter(ledger, "newer-1", NEWER, status=ImportStatus.SPLITTING), storage, ledger, NOW)
    position = enter_queue(enter(ledger, "older-1"), storage, ledger, NOW)
    assert position == QueuePosition("newer-1", ("newer-1",))


def test_newer_version_waits_for_the_older_one(ledger: Ledger, storage: Storage) -> None:
    enter_queue(enter(ledger, "older-1"), storage, ledger, NOW)
    position = enter_queue(enter(ledger, "newer-1", NEWER), storage, ledger, NOW)
    assert position == QueuePosition(earlier=("older-1",))


@pytest.mark.parametrize("place", [{"key": "drop/crm/other.csv"}, {"bucket": "other-bucket"}])
def test_file_of_another_name_is_no_newer_version(
    ledger: Ledger, storage: Storage, place: dict[str, str]
) -> None:
    source = dataclasses.replace(Source(DROP_BUCKET, KEY, "v2", modified_at=NEWER), **place)  # type: ignore[arg-type]
    enter_queue(enter(ledger, "other-1", source=source), storage, ledger, NOW)
    position = enter_queue(enter(ledger, "older-1"), storage, ledger, NOW)
    assert position == QueuePosition(earlier=("other-1",))


def test_version_that_is_queued_is_never_rejected(ledger: Ledger, storage: Storage) -> None:
    """A split that is done again: its batches may be on their way already."""
    older = enter(ledger, "older-1")
    enter_queue(older, storage, ledger, NOW)
    enter_queue(enter(ledger, "newer-1", NEWER), storage, ledger, NOW)
    assert enter_queue(older, storage, ledger, NOW) == QueuePosition()


@pytest.mark.parametrize(("first", "newer"), [(0, ""), (1, "second-1")])
def test_of_two_versions_in_one_second_the_last_is_newer(
    ledger: Ledger, storage: Storage, s3: S3Client, first: int, newer: str
) -> None:
    """S3 dates versions by the second, and knows which one it shows without a version id."""
    versions = [s3.put_object(Bucket=DROP_BUCKET, Key=KEY, Body=b"x")["VersionId"] for _ in range(2)]
    entries = [
        enter(ledger, name, source=Source(DROP_BUCKET, KEY, version, modified_at=OLDER))
        for name, version in zip(("first-1", "second-1"), versions, strict=True)
    ]
    enter_queue(entries[first], storage, ledger, NOW)
    assert enter_queue(entries[1 - first], storage, ledger, NOW).newer == newer


def test_of_two_versions_in_one_second_that_are_deleted_neither_is_newer(
    ledger: Ledger, storage: Storage
) -> None:
    enter_queue(enter(ledger, "first-1"), storage, ledger, NOW)
    assert enter_queue(enter(ledger, "second-1"), storage, ledger, NOW).newer == ""


# --- waiting ---


@pytest.mark.parametrize(
    ("earlier", "first"),
    [
        ({}, True),
        ({"status": ImportStatus.FAILED, "unsettled": 5}, True),
        ({"status": ImportStatus.FAILED, "unsettled": 0}, False),
        ({"status": ImportStatus.SUCCEEDED}, False),
        ({"overtaken_by": "other-1"}, False),
    ],
)
def test_earlier_import_goes_first_as_long_as_it_may_send(
    ledger: Ledger, earlier: dict[str, Any], *, first: bool
) -> None:
    enter(ledger, "earlier-1", **earlier)
    later = enter(ledger, "later-1", after=("earlier-1",))
    assert goes_first(later, ledger, NOW, DEADLINE) == ("earlier-1" if first else "")


@pytest.mark.parametrize("active_until", [None, NOW + timedelta(hours=1)])
def test_earlier_import_is_overtaken_a_deadline_after_it_was_active(
    ledger: Ledger, active_until: datetime | None
) -> None:
    enter(ledger, "earlier-1", active_until=active_until)
    ledger.queue_import("demo", "earlier-1", NOW)
    later = enter(ledger, "later-1", after=("earlier-1",))
    end = (active_until or NOW) + DEADLINE
    assert goes_first(later, ledger, end - timedelta(seconds=1), DEADLINE)
    assert ledger.is_queued("demo", "earlier-1")

    assert not goes_first(later, ledger, end, DEADLINE)

    overtaken = ledger.get_import("earlier-1")
    assert overtaken is not None
    assert overtaken.overtaken_by == "later-1"
    assert not ledger.is_queued("demo", "earlier-1")


def test_earlier_import_that_became_active_meanwhile_is_not_overtaken(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the read that finds it abandoned and the write that overtakes it."""
    earlier = enter(ledger, "earlier-1")
    later = enter(ledger, "later-1", after=("earlier-1",))
    read, now = Ledger.get_import, NOW + DEADLINE

    def read_before_it_is_active(ledger: Ledger, name: str) -> ImportEntry | None:
        entry = read(ledger, name)
        keep_active(earlier, now, ledger, now)
        return entry

    monkeypatch.setattr(Ledger, "get_import", read_before_it_is_active)
    assert goes_first(later, ledger, now, DEADLINE)
    assert (entry := read(ledger, "earlier-1"))
    assert entry.overtaken_by == ""


# --- activity ---


def test_import_stays_active_for_an_hour_longer_than_asked(ledger: Ledger) -> None:
    """So that its entry is written once an hour, and not at every step of every batch."""
    entry = keep_active(enter(ledger, "crm-1"), NOW, ledger, NOW)
    assert entry.active_until == NOW + timedelta(hours=1)
    assert keep_active(entry, NOW + timedelta(minutes=59), ledger, NOW) is entry
    later = NOW + timedelta(minutes=61)
    assert keep_active(entry, later, ledger, NOW).active_until == later + timedelta(hours=1)


def test_import_that_another_step_kept_active_is_not_written_again(ledger: Ledger) -> None:
    """Batches run side by side, each with the entry that it read at its start."""
    stale = enter(ledger, "crm-1")
    kept = keep_active(stale, NOW + timedelta(hours=3), ledger, NOW)
    assert keep_active(stale, NOW, ledger, NOW) == kept


def test_import_that_was_overtaken_stays_so(ledger: Ledger) -> None:
    overtaken = enter(ledger, "crm-1", overtaken_by="later-1")
    assert keep_active(overtaken, NOW, ledger, NOW) == overtaken


def test_earlier_import_that_cannot_be_read_does_not_go_first(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can send its batches either."""
    later = enter(ledger, "later-1", after=("earlier-1",))

    def unreadable(_: Ledger, name: str) -> None:
        raise UnreadableEntryError(f"The ledger's entry of import {name} cannot be read.")

    monkeypatch.setattr(Ledger, "get_import", unreadable)
    assert not goes_first(later, ledger, NOW, DEADLINE)
