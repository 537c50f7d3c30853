"""The lease of a split: one invocation splits a file, and goes on only while it is the one."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest

from bulk_profiles.aws.dynamodb import VersionedTable
from bulk_profiles.core.errors import ConflictError
from bulk_profiles.core.models import ApiVersion, ImportStatus, Source
from bulk_profiles.ledger.import_entry import ImportEntry
from bulk_profiles.ledger.ledger import Ledger
from bulk_profiles.steps.lease import LEASE, Lease
from tests.worlds.deployment import START, Clock
from tests.worlds.watched_table import WatchedTable

ENTRY = ImportEntry(
    "crm-1",
    ImportStatus.SPLITTING,
    Source("drop-bucket", "drop/crm/crm.csv", "v1"),
    "crm",
    "demo",
    ApiVersion.V2,
    START,
    owner="request-1",
    lease_until=START + LEASE,
)


@pytest.fixture
def ledger(table: WatchedTable) -> Ledger:
    ledger = Ledger(VersionedTable(table, timedelta(days=30)))  # type: ignore[arg-type]  # at the boundary
    ledger.claim_import(ENTRY, START)
    return ledger


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lease(ledger: Ledger, clock: Clock) -> Lease:
    return Lease(ENTRY, ledger, clock)


def claimed_by_another(ledger: Ledger, clock: Clock) -> bool:
    rival = dataclasses.replace(ENTRY, owner="request-2", lease_until=clock() + LEASE)
    return ledger.claim_import(rival, clock()) is not None


def test_lease_that_is_kept_shuts_others_out_for_as_long_as_the_split_takes(
    lease: Lease, ledger: Ledger, clock: Clock
) -> None:
    for _ in range(60):
        clock.advance(seconds=15)
        assert lease.kept()
        assert not claimed_by_another(ledger, clock)


def test_lease_is_written_every_20_seconds_and_not_for_each_block(
    lease: Lease, table: WatchedTable, clock: Clock
) -> None:
    table.written.clear()
    for _ in range(41):
        lease.kept()
        clock.advance(seconds=1)
    assert len(table.written) == 2


def test_lease_that_nobody_keeps_ends_after_two_minutes(lease: Lease, ledger: Ledger, clock: Clock) -> None:
    clock.advance(seconds=20)
    lease.kept()
    clock.advance(seconds=119)
    assert not claimed_by_another(ledger, clock)
    clock.advance(seconds=1)
    assert claimed_by_another(ledger, clock)


def test_freed_lease_lets_the_next_invocation_go_on_at_once(
    lease: Lease, ledger: Ledger, clock: Clock
) -> None:
    lease.free()
    assert claimed_by_another(ledger, clock)


@pytest.mark.parametrize("use", ["kept", "free"])
def test_lease_that_was_taken_over_stops_its_first_owner(
    lease: Lease, ledger: Ledger, clock: Clock, use: str
) -> None:
    """It must not end the lease of the new owner, either."""
    clock.advance(minutes=3)
    assert claimed_by_another(ledger, clock)
    before = ledger.get_import("crm-1")
    with pytest.raises(ConflictError, match="Another invocation has taken over the split of crm-1"):
        getattr(lease, use)()
    assert ledger.get_import("crm-1") == before


@pytest.mark.parametrize("status", [ImportStatus.UPLOADING, ImportStatus.REJECTED])
def test_lease_of_a_split_that_is_over_stops_its_owner(
    lease: Lease, ledger: Ledger, clock: Clock, status: ImportStatus
) -> None:
    """The platform may have tried the same invocation a second time, under the same name."""
    ledger.change_import("crm-1", START, lambda entry: dataclasses.replace(entry, status=status))
    clock.advance(minutes=1)
    with pytest.raises(ConflictError):
        lease.kept()
