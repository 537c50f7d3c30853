"""What the ledger remembers of a token: whom it parks, for how long, and what ends that."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bulk_profiles.ledger.token_entry import TokenEntry, token_digest

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
NEW = TokenEntry()
GOOD = NEW.authorized("good")


def refused(entry: TokenEntry, *bodies: str, digest: str = "good", at: datetime = NOW) -> TokenEntry:
    for body in bodies:
        entry = entry.refused_to(body, digest, "Renew it.", at)
    return entry


def test_token_that_nobody_refused_parks_nobody() -> None:
    for entry in (NEW, GOOD):
        for digest in ("", "good", "other"):
            assert entry.parked_until("1", digest, NOW) is None
            assert entry.tried(digest, NOW) == entry


def test_first_refusal_of_a_token_that_was_never_good_parks_all() -> None:
    entry = refused(NEW, "1")
    assert entry.parked_until("2", "good", NOW) == NOW + MINUTE
    assert entry.parked_until("1", "good", NOW) == NOW + MINUTE + 30 * SECOND  # others try first
    assert entry.reason == "Renew it."


def test_refusals_in_a_row_of_a_token_that_was_good_park_all() -> None:
    assert refused(GOOD, "1", "2").parked_until("4", "good", NOW) is None
    assert refused(GOOD, "1", "2", "1", "2").parked_until("4", "good", NOW) is None
    assert refused(GOOD, "1", "2", "3").parked_until("4", "good", NOW) == NOW + MINUTE


def test_refusal_of_a_token_that_was_good_parks_who_got_it() -> None:
    assert refused(GOOD, "1").parked_until("1", "good", NOW) == NOW + MINUTE + 30 * SECOND


def test_bodies_that_are_kept_are_few() -> None:
    assert refused(GOOD, *map(str, range(99))).refused == ("0", "1", "2")


def test_another_token_parks_nobody() -> None:
    entry = refused(NEW, "1")
    assert entry.parked_until("1", "other", NOW) is None
    assert refused(entry, "2", digest="other").refused == ("2",)


def test_authorized_call_ends_the_parking() -> None:
    assert refused(GOOD, "1", "2", "3").authorized("good") == GOOD
    assert TokenEntry("good", accepted=True) == GOOD


def test_one_call_at_a_time_tries_the_token_again() -> None:
    entry = refused(NEW, "1")
    assert entry.tried("good", NOW + MINUTE - SECOND) == entry
    assert entry.tried("other", NOW + MINUTE) == entry
    assert entry.parked_until("2", "good", NOW + MINUTE) is None
    tried = entry.tried("good", NOW + MINUTE)
    assert tried.parked_until("2", "good", NOW + MINUTE) == NOW + 2 * MINUTE


@pytest.mark.parametrize(("minutes", "wait"), [(1, 1), (2, 2), (30, 30), (60, 60), (600, 60)])
def test_time_between_trials_doubles_up_to_an_hour(minutes: int, wait: int) -> None:
    at = NOW + minutes * MINUTE
    tried = refused(NEW, "1").tried("good", at)
    assert tried.trial_at == at + wait * MINUTE
    again = refused(tried, "2", at=at)  # the refusal of the trial changes nothing
    assert (again.since, again.trial_at) == (NOW, tried.trial_at)


def test_entry_is_read_back() -> None:
    entry = refused(GOOD, "1").tried("good", NOW + MINUTE)
    assert TokenEntry.from_json(entry.to_json()) == entry


def test_digest_is_of_client_and_token_and_shows_neither() -> None:
    assert token_digest("demo", None) == ""
    digest = token_digest("demo", "secret-token")
    assert digest == token_digest("demo", "secret-token")
    assert len({digest, token_digest("demo", "other"), token_digest("other", "secret-token"), ""}) == 4
    assert "secret" not in digest
    assert len(digest) == 64
