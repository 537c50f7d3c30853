"""Pauses and given-up imports in the ledger: which imports they are about, and until when."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from bulk_profiles.aws.dynamodb import VersionedTable
from bulk_profiles.core.errors import LedgerError, PauseError
from bulk_profiles.core.models import ApiVersion, ImportStatus, Source
from bulk_profiles.ledger.import_entry import GivenUp, ImportEntry
from bulk_profiles.ledger.ledger import Ledger
from bulk_profiles.ledger.pauses import Pause, longest
from tests.worlds.watched_table import WatchedTable

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
ENTRY = ImportEntry(
    "crm-1",
    ImportStatus.UPLOADING,
    Source("drop-bucket", "drop/web/crm.csv", "v1"),
    "web",
    "demo",
    ApiVersion.V2,
    NOW,
)


@pytest.fixture
def ledger(table: WatchedTable) -> Ledger:
    return Ledger(VersionedTable(table, timedelta(days=30)))  # type: ignore[arg-type]  # stands at the boundary


@pytest.mark.parametrize(
    ("scope", "covered"),
    [
        ("all", True),
        ("client:demo", True),
        ("client:web", False),
        ("feed:web", True),
        ("feed:demo", False),
        ("import:crm-1", True),
        ("import:crm", False),
    ],
)
def test_pause_covers_the_imports_of_its_scope(scope: str, *, covered: bool) -> None:
    assert (longest([Pause(scope, NOW)], ENTRY) is not None) is covered


@pytest.mark.parametrize("scope", ["", "every", "client", "client:", "batch:1", "all:demo"])
def test_scope_that_is_none_is_refused_with_those_there_are(scope: str) -> None:
    with pytest.raises(PauseError, match="it must be all, client:CODE, feed:NAME or import:ID"):
        Pause(scope, NOW)


def test_pause_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(PauseError, match="must end after it begins"):
        Pause("all", NOW, NOW)


def test_of_several_pauses_the_one_that_ends_last_counts() -> None:
    short, long, endless = (
        Pause("all", NOW, NOW + HOUR),
        Pause("feed:web", NOW, NOW + 2 * HOUR),
        Pause("all", NOW),
    )
    assert longest([long, short], ENTRY) == long
    assert longest([long, endless, short], ENTRY) == endless


def test_pause_says_what_until_when_by_whom_and_why() -> None:
    pause = Pause("feed:web", NOW, NOW + HOUR, "ana", "Target is being moved.")
    assert pause.says == "Paused (feed:web) by ana until 2026-11-24 10:00 UTC: Target is being moved."
    assert Pause("all", NOW).says == "Paused (all)."


def test_pause_is_read_as_it_was_written(ledger: Ledger) -> None:
    pauses = [Pause("all", NOW, NOW + HOUR, "ana", "why"), Pause("import:crm-1", NOW)]
    for pause in pauses:
        ledger.pause(pause, NOW)
    assert ledger.pauses(NOW) == pauses


def test_pause_that_has_ended_is_none_and_is_forgotten(ledger: Ledger, table: WatchedTable) -> None:
    ledger.pause(Pause("all", NOW, NOW + HOUR), NOW)
    assert ledger.pauses(NOW + HOUR) == []
    ledger.pause(Pause("feed:web", NOW + HOUR), NOW + HOUR)
    assert [pause["scope"] for pause in table.written[-1]["pauses"]] == ["feed:web"]


def test_pause_of_the_same_scope_takes_the_place_of_the_earlier_one(ledger: Ledger) -> None:
    ledger.pause(Pause("all", NOW, NOW + HOUR), NOW)
    ledger.pause(Pause("all", NOW, NOW + 2 * HOUR), NOW)
    assert [pause.until for pause in ledger.pauses(NOW)] == [NOW + 2 * HOUR]


def test_resume_ends_the_pause_of_its_scope_alone(ledger: Ledger) -> None:
    for scope in ("all", "feed:web"):
        ledger.pause(Pause(scope, NOW), NOW)
    assert ledger.resume("all", NOW)
    assert not ledger.resume("all", NOW)
    assert [pause.scope for pause in ledger.pauses(NOW)] == ["feed:web"]


def test_pauses_never_expire(ledger: Ledger, table: WatchedTable) -> None:
    ledger.pause(Pause("all", NOW), NOW)
    assert "expiresAt" not in table.written[-1]


def test_give_up_is_kept_with_who_and_why_and_ends_the_pause_of_the_import(ledger: Ledger) -> None:
    ledger.claim_import(ENTRY, NOW)
    ledger.pause(Pause("import:crm-1", NOW), NOW)
    ledger.pause(Pause("all", NOW), NOW)

    entry = ledger.give_up("crm-1", GivenUp("ana", NOW, "the wrong file"), NOW)

    assert entry == ledger.get_import("crm-1")
    assert entry.sends_nothing == "The import was given up by ana at 2026-11-24 09:00 UTC: the wrong file."
    assert not entry.over, "what Target has is still followed"
    assert [pause.scope for pause in ledger.pauses(NOW)] == ["all"]


def test_import_that_is_given_up_twice_names_the_first(ledger: Ledger) -> None:
    ledger.claim_import(ENTRY, NOW)
    first = ledger.give_up("crm-1", GivenUp("ana", NOW), NOW)
    assert ledger.give_up("crm-1", GivenUp("bob", NOW), NOW).given_up == first.given_up


@pytest.mark.parametrize("status", [ImportStatus.SUCCEEDED, ImportStatus.REJECTED])
def test_import_that_has_ended_cannot_be_given_up(ledger: Ledger, status: ImportStatus) -> None:
    ledger.claim_import(dataclasses.replace(ENTRY, status=status), NOW)
    with pytest.raises(LedgerError, match="Import crm-1 has ended"):
        ledger.give_up("crm-1", GivenUp("ana", NOW), NOW)


def test_import_that_does_not_exist_cannot_be_given_up(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="no import crm-1"):
        ledger.give_up("crm-1", GivenUp("ana", NOW), NOW)
