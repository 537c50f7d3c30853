"""One step of upload_batch: when a batch is sent, and when it must not be."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

import simulator
from bulk_profiles.core.models import BatchState, ImportStatus, Why
from bulk_profiles.ledger.batch_entry import BatchEntry
from bulk_profiles.ledger.ledger import Ledger
from bulk_profiles.steps.messages import Outcome, Word
from bulk_profiles.target import calls
from tests.worlds.deployment import START, Deployment

FILE = b"thirdPartyId,name\nu1,Ada\nu2,Grace\n"
TIMEOUT = 120  # seconds that a submission may take
GRACE = timedelta(seconds=15)  # and so much later its function is gone


class Killed(BaseException):
    """The function is killed here."""


@pytest.fixture
def import_id(deployment: Deployment) -> str:
    """An import of one batch."""
    deployment.configure(upload_timeout_seconds=TIMEOUT)
    return deployment.split(deployment.drop(FILE)).import_id


@pytest.fixture
def sending(deployment: Deployment, import_id: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An import whose sender was killed with the batch on its way."""

    def killed(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(calls, "submit", killed)
        with pytest.raises(Killed):
            deployment.submit(import_id, 1)
    return import_id


def slow_ledger(monkeypatch: pytest.MonkeyPatch, deployment: Deployment, seconds: float) -> None:
    """Let the write before the first byte take so long."""
    write = Ledger.save_batch

    def save_batch(ledger: Ledger, entry: BatchEntry, *arguments: Any) -> BatchEntry:
        if entry.state is BatchState.SENDING:
            deployment.clock.advance(seconds=seconds)
        return write(ledger, entry, *arguments)

    monkeypatch.setattr(Ledger, "save_batch", save_batch)


def places(deployment: Deployment) -> list[str]:
    state = deployment.ledger.change_budget("demo", START, lambda state: (state, state))
    return list(state.places)


# --- a batch that another invocation is sending ---


def test_batch_is_sending_in_the_ledger_before_its_first_byte_leaves(
    deployment: Deployment, sending: str
) -> None:
    batch = deployment.ledger.get_batch(sending, 1)
    assert (batch.state, batch.submissions) == (BatchState.SENDING, 1)
    assert batch.sending_until == START + timedelta(seconds=TIMEOUT) + GRACE


@pytest.mark.parametrize("seconds", [0, TIMEOUT, TIMEOUT + 14.999])
def test_batch_whose_sender_may_be_alive_is_not_sent(
    deployment: Deployment, target: simulator.Simulator, sending: str, seconds: float
) -> None:
    deployment.clock.advance(seconds=seconds)
    before = deployment.ledger.get_batch(sending, 1)

    says = "An earlier invocation may still be sending the batch."
    assert deployment.submit(sending, 1) == Outcome(Word.DEFERRED, before.sending_until, Why.ALIVE, says)

    assert target.requests == []
    assert deployment.ledger.get_batch(sending, 1) == before


def test_batch_whose_sender_is_dead_is_sent_again_and_marked(
    deployment: Deployment, target: simulator.Simulator, sending: str
) -> None:
    deployment.clock.advance(seconds=TIMEOUT + 15)

    assert deployment.submit(sending, 1).word is Word.ACCEPTED

    batch = deployment.ledger.get_batch(sending, 1)
    assert (batch.submissions, batch.possibly_duplicate) == (2, True)
    assert len(target.submissions) == 1


# --- a slot that is over ---


@pytest.mark.parametrize("seconds", [3.5, -10])
def test_slot_that_is_over_before_the_first_byte_is_not_used(
    deployment: Deployment,
    target: simulator.Simulator,
    monkeypatch: pytest.MonkeyPatch,
    import_id: str,
    seconds: float,
) -> None:
    """Others have the calls of that time by then. Nothing left, so place and submission go back."""
    slow_ledger(monkeypatch, deployment, seconds)

    says = "Too many batches ask the budget at once."
    assert deployment.submit(import_id, 1) == Outcome(Word.DEFERRED, deployment.clock(), Why.CONTENTION, says)

    assert target.requests == []
    batch = deployment.ledger.get_batch(import_id, 1)
    assert (batch.state, batch.submissions, batch.sending_until) == (BatchState.PLANNED, 0, None)
    assert places(deployment) == []


def test_slot_is_used_within_three_seconds(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, import_id: str
) -> None:
    slow_ledger(monkeypatch, deployment, 3)
    assert deployment.submit(import_id, 1).word is Word.ACCEPTED
    assert places(deployment) == [f"{import_id}#1"]


# --- a batch that is not to be sent now ---


def test_settled_batch_is_settled_without_a_call(
    deployment: Deployment, target: simulator.Simulator, import_id: str
) -> None:
    assert deployment.resume(import_id).status is ImportStatus.SUCCEEDED
    requests = len(target.requests)
    settled = deployment.ledger.get_batch(import_id, 1)
    assert deployment.submit(import_id, 1) == Outcome.settled(settled)
    assert len(target.requests) == requests


def test_accepted_batch_is_not_sent_again(
    deployment: Deployment, target: simulator.Simulator, import_id: str
) -> None:
    first = deployment.submit(import_id, 1)
    deployment.clock.advance(seconds=30)
    assert deployment.submit(import_id, 1) == first == Outcome(Word.ACCEPTED, START + timedelta(seconds=60))
    assert len(target.submissions) == 1


@pytest.mark.parametrize(
    ("began", "wait"),
    [
        (timedelta(0), timedelta(minutes=1)),
        (timedelta(minutes=16), timedelta(minutes=1)),
        (timedelta(minutes=80), timedelta(minutes=5)),
        (timedelta(hours=10), timedelta(minutes=15)),
    ],
)
def test_batch_behind_an_earlier_import_looks_less_often_with_time(
    deployment: Deployment, import_id: str, began: timedelta, wait: timedelta
) -> None:
    """From each minute to each quarter of an hour."""
    later = deployment.split(deployment.drop(FILE, "drop/b/b.csv")).import_id
    deployment.submit(import_id, 1)
    deployment.clock.advance(seconds=began.total_seconds())
    says = f"The earlier import {import_id} has some of the same ids, and goes first."
    again = START + began + wait
    assert deployment.submit(later, 1) == Outcome(Word.DEFERRED, again, Why.EARLIER_IMPORT, says)
    batch = deployment.ledger.get_batch(later, 1)
    assert (batch.why, batch.resumes_at, batch.version) == (Why.EARLIER_IMPORT, again, 0)


# --- why a batch waits ---


@pytest.mark.parametrize(
    ("settings", "why", "says"),
    [
        ({"calls_per_minute": 1}, Why.CALLS, "The 1 calls a minute are used up for the moment."),
        ({"max_in_flight": 1}, Why.PLACES, "As many batches as may be with Target at once, 1, are there."),
        ({"rows_per_day": 3}, Why.ROWS, "The 3 rows of the day are used up."),
        (
            {"upload_window": "03:00-04:00", "time_zone": "Europe/Zurich"},
            Why.WINDOW,
            "The upload window 03:00-04:00 (Europe/Zurich) is closed.",
        ),
    ],
)
def test_batch_that_waits_for_the_budget_says_for_what_and_until_when(
    deployment: Deployment, import_id: str, settings: dict[str, Any], why: Why, says: str
) -> None:
    """In the answer of the step, which the console shows and the log has, and in the ledger."""
    deployment.configure(**settings)
    deployment.submit(import_id, 1)
    file = b"thirdPartyId,name\nu8,Zoe\nu9,Amy\n"
    other = deployment.split(deployment.drop(file, "drop/b/b.csv")).import_id
    outcome = deployment.submit(other, 1)
    assert (outcome.word, outcome.why, outcome.says) == (Word.DEFERRED, why, says)
    batch = deployment.ledger.get_batch(other, 1)
    assert (batch.why, batch.resumes_at, batch.deferrals) == (why, outcome.resume_at, 1)


def test_batch_that_waits_for_the_moment_that_target_asked_for_quotes_it(
    deployment: Deployment, target: simulator.Simulator, import_id: str
) -> None:
    target.script(simulator.fault("unavailable", headers={"Retry-After": "300"}))
    first = deployment.submit(import_id, 1)
    assert (first.why, first.resume_at) == (Why.RETRY_AFTER, START + timedelta(seconds=300))
    assert first.says.startswith("Target answered HTTP 503")
    assert deployment.submit(import_id, 1) == first


def test_batch_that_is_sent_waits_no_more(deployment: Deployment, import_id: str) -> None:
    deployment.ledger.note_deferral(
        deployment.ledger.get_batch(import_id, 1).waiting(Why.CALLS, START), START
    )
    deployment.submit(import_id, 1)
    batch = deployment.ledger.get_batch(import_id, 1)
    assert (batch.why, batch.resumes_at) == ("", None)


# --- the token ---


@pytest.mark.parametrize("renewals", [0, 1])
def test_token_that_cannot_be_read_is_the_reason_of_the_batch(
    deployment: Deployment, target: simulator.Simulator, import_id: str, renewals: int
) -> None:
    batch = deployment.ledger.get_batch(import_id, 1)
    deployment.ledger.save_batch(batch.change(renewals=renewals), START)
    deployment.configure(token_secret_arn="arn:aws:secretsmanager:us-east-1:123456789012:secret:none")
    with pytest.raises(Exception, match="Secrets Manager did not give the token"):
        deployment.submit(import_id, 1)
    assert "Secrets Manager did not give the token" in deployment.ledger.get_batch(import_id, 1).reason
    assert target.requests == []
