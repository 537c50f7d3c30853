"""The decision on a submission: what each reply of Target means for the batch, and for its reservation."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bulk_profiles.core.models import BatchState, Why
from bulk_profiles.ledger.batch_entry import BatchEntry
from bulk_profiles.steps.messages import Outcome, Word
from bulk_profiles.steps.settings import UnknownPolicy, UploadBatchSettings
from bulk_profiles.steps.upload_batch import Decision, TokenState, decide, may_resend
from bulk_profiles.target.outcomes import (
    Accepted,
    Deferred,
    NotSent,
    Refused,
    SubmissionOutcome,
    Unauthorized,
    Unknown,
)

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
STATUS_URL = "https://demo.tt.omtrdc.net/m2/demo/v2/profile/batchStatus?batchId=demo-1"
SETTINGS = UploadBatchSettings(
    data_bucket="data",
    imports_table="imports",
    target_endpoint="https://{client}.tt.omtrdc.net",
    client_code="demo",
    calls_per_minute=50,
    max_in_flight=10,
    rows_per_day=0,
    reset_hour=0,
    time_zone="UTC",
    max_submissions=3,
    first_check_seconds=60,
    max_check_seconds=900,
    deadline_hours=24,
    retention_days=30,
    unknown_policy=UnknownPolicy.RESEND,
    upload_timeout_seconds=120,
)
SENDING = BatchEntry("crm-1", 1, 100, 2000, "aa").sending(NOW + timedelta(minutes=2))


def decision(
    reply: SubmissionOutcome,
    batch: BatchEntry = SENDING,
    token_state: TokenState = TokenState.REFUSED,
    token: str | None = "token",
    **settings: Any,
) -> Decision:
    changed = UploadBatchSettings(**{name: getattr(SETTINGS, name) for name in FIELDS} | settings)
    return decide(batch, reply, changed, client_code="demo", token=token, token_state=token_state, now=NOW)


FIELDS = tuple(UploadBatchSettings.__dataclass_fields__)


def test_accepted_batch_is_checked_after_first_check_seconds() -> None:
    found = decision(Accepted(STATUS_URL, ""), SENDING.change(turned_away=2, renewals=1, reason="busy"))
    check_at = NOW + timedelta(seconds=60)
    assert found.outcome == Outcome(Word.ACCEPTED, check_at)
    assert (found.batch.state, found.batch.next_check_at) == (BatchState.ACCEPTED, check_at)
    assert (found.batch.status_url, found.batch.batch_id) == (STATUS_URL, "demo-1")
    assert (found.batch.turned_away, found.batch.renewals, found.batch.reason) == (0, 0, "")
    assert not found.gives_back


def test_accepted_batch_keeps_the_doubt_of_its_own_receipt() -> None:
    doubt = "Target's answer to the submission has a comment."
    assert decision(Accepted(STATUS_URL, "", doubt)).batch.doubt == doubt
    assert decision(Accepted(STATUS_URL, ""), SENDING.change(doubt=doubt)).batch.doubt == ""


def test_unsafe_status_url_holds_the_batch_as_unknown() -> None:
    """Target has the batch: it keeps its rows of the day, and is never sent again."""
    found = decision(Accepted("https://example.com/status", ""))
    assert found.outcome == Outcome(Word.UNKNOWN, state=found.batch.state, reason=found.batch.reason)
    assert (found.batch.state, found.batch.held) == (BatchState.UNKNOWN, True)
    assert found.batch.reason.startswith("unsafe_status_url: ")
    assert not found.gives_back


def test_refused_batch_gives_its_reservation_back() -> None:
    found = decision(Refused("Unexpected error", 200))
    assert found.outcome == Outcome(Word.REFUSED, state=found.batch.state, reason=found.batch.reason)
    assert (found.batch.state, found.batch.reason) == (BatchState.REFUSED, "Unexpected error")
    assert found.gives_back


def test_refused_batch_that_may_have_arrived_before_is_unknown() -> None:
    found = decision(Refused("no", 200), SENDING.change(possibly_duplicate=True))
    assert found.outcome == Outcome(Word.UNKNOWN, state=found.batch.state, reason=found.batch.reason)
    assert (found.batch.state, found.batch.held) == (BatchState.UNKNOWN, True)
    assert found.gives_back


@pytest.mark.fault(37, "a 503 or 401 whose body breaks off may have been a yes: the next copy is marked")
@pytest.mark.parametrize(
    "reply", [Deferred("Busy.", None, unread=True), Unauthorized("No.", 401, unread=True)]
)
def test_batch_whose_answer_could_not_be_read_is_sent_again_as_a_duplicate(
    reply: Deferred | Unauthorized,
) -> None:
    found = decision(reply)
    assert (found.batch.state, found.batch.possibly_duplicate) == (BatchState.PLANNED, True)
    assert not decision(dataclasses.replace(reply, unread=False)).batch.possibly_duplicate
    held = decision(reply, unknown_policy=UnknownPolicy.HOLD)
    assert (held.batch.state, held.batch.reason) == (BatchState.UNKNOWN, reply.reason)
    put_off = SENDING.change(put_off=timedelta(days=2))
    assert decision(Deferred("Busy.", None, unread=True), put_off).batch.state is BatchState.UNKNOWN


def test_replaced_token_sends_the_batch_again_at_once() -> None:
    found = decision(Unauthorized("No.", 401), token_state=TokenState.REPLACED)
    assert (found.outcome.word, found.outcome.resume_at) == (Word.DEFERRED, NOW)
    assert found.outcome.why is Why.TURNED_AWAY  # nobody need do anything about the token
    assert (found.batch.state, found.batch.renewals) == (BatchState.PLANNED, 1)
    assert found.batch.submissions == SENDING.submissions - 1
    assert found.batch.sending_until is None
    assert found.gives_back


@pytest.mark.parametrize(
    ("token", "status", "advice"),
    [
        (None, 401, "It wants a token: set TokenSecretArn."),
        (None, 403, "It wants a token: set TokenSecretArn."),
        ("token", 401, "It did not accept the token: renew the secret."),
        ("token", 403, "It does not allow what the token asks for: check its rights."),
    ],
)
def test_unauthorized_batch_is_parked_with_the_remedy(token: str | None, status: int, advice: str) -> None:
    """Target's own words come first. It was no submission."""
    words = f'Target answered HTTP {status}: "No.".'
    found = decision(Unauthorized(words, status), token=token)
    says = f"{words} {advice}"
    assert found.outcome == Outcome(Word.DEFERRED, NOW + timedelta(minutes=1), Why.TOKEN, says)
    assert (found.batch.state, found.batch.submissions) == (BatchState.PLANNED, 0)
    assert (found.batch.why, found.batch.reason) == ("token", says)
    assert found.gives_back


def test_batch_unauthorized_alone_is_refused() -> None:
    found = decision(Unauthorized("Target answered HTTP 403.", 403), token_state=TokenState.ACCEPTED)
    assert found.outcome == Outcome(Word.REFUSED, state=found.batch.state, reason=found.batch.reason)
    assert (found.batch.state, found.batch.submissions) == (BatchState.REFUSED, 1)
    assert found.batch.reason == "Target answered HTTP 403. It accepts the token for other batches."


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (400, ""),
        (404, " Look whether the client code and TargetEndpoint are right."),
        (413, " Lower MaxBatchBytes, and drop the file again: a batch that is sent again keeps its size."),
    ],
)
def test_batch_is_refused_with_the_remedy_where_the_status_shows_it(status: int, advice: str) -> None:
    found = decision(Refused("Target says no.", status))
    assert found.batch.state is BatchState.REFUSED
    assert found.batch.reason == f"Target says no.{advice}"


@pytest.mark.parametrize(
    ("reply", "wait"),
    [
        (NotSent("no route"), timedelta(seconds=10)),
        (Deferred("HTTP 503", None), timedelta(seconds=10)),
        (Deferred("HTTP 503", timedelta(seconds=3)), timedelta(seconds=10)),
        (Deferred("HTTP 503", timedelta(minutes=5)), timedelta(minutes=5)),
    ],
)
def test_postponed_batch_waits_for_the_longer_of_both(reply: Deferred | NotSent, wait: timedelta) -> None:
    """The backoff of the step, and what Target asked for. It was no submission."""
    found = decision(reply)
    requested = reply.retry_after if isinstance(reply, Deferred) else None
    why = Why.RETRY_AFTER if requested else Why.TURNED_AWAY
    assert found.outcome == Outcome(Word.DEFERRED, NOW + wait, why, reply.reason)
    assert (found.batch.why, found.batch.resumes_at) == (why, NOW + wait)
    assert (found.batch.state, found.batch.submissions) == (BatchState.PLANNED, 0)
    assert (found.batch.turned_away, found.batch.put_off) == (1, wait)
    assert found.batch.next_check_at == (NOW + requested if requested else None)
    assert found.gives_back


@pytest.mark.parametrize(("before", "seconds"), [(0, 10), (1, 20), (5, 320), (7, 900), (99, 900)])
def test_backoff_doubles_up_to_a_quarter_of_an_hour(before: int, seconds: int) -> None:
    found = decision(NotSent("no route"), SENDING.change(turned_away=before))
    assert found.outcome.resume_at == NOW + timedelta(seconds=seconds)


def test_batch_postponed_for_deadline_hours_is_refused() -> None:
    found = decision(Deferred("HTTP 503.", None), SENDING.change(put_off=timedelta(hours=24)))
    assert (found.outcome.word, found.batch.submissions) == (Word.REFUSED, 0)
    assert found.batch.reason == "Target did not take the batch for 24 hours: HTTP 503."
    almost = SENDING.change(put_off=timedelta(hours=24) - timedelta(seconds=1))
    assert decision(Deferred("HTTP 503.", None), almost).outcome.word is Word.DEFERRED


def test_unanswered_batch_is_resent_after_the_backoff() -> None:
    found = decision(Unknown("reset"), SENDING.change(submissions=2))
    assert found.outcome == Outcome(Word.DEFERRED, NOW + timedelta(seconds=20), Why.UNANSWERED, "reset")
    assert (found.batch.state, found.batch.reason) == (BatchState.UNKNOWN, "reset")
    assert not found.gives_back


@pytest.mark.parametrize(
    ("policy", "held", "submissions", "expected"),
    [
        (UnknownPolicy.RESEND, False, 2, True),
        (UnknownPolicy.RESEND, False, 3, False),
        (UnknownPolicy.RESEND, True, 1, False),
        (UnknownPolicy.HOLD, False, 1, False),
    ],
)
def test_lost_batch_is_resent_only_as_policy_and_limit_allow(
    policy: UnknownPolicy, submissions: int, *, held: bool, expected: bool
) -> None:
    lost = SENDING.change(submissions=submissions).lost("reset", held=held)
    settings = UploadBatchSettings(
        **{name: getattr(SETTINGS, name) for name in FIELDS} | {"unknown_policy": policy}
    )
    assert may_resend(lost, settings) is expected
    found = decision(
        Unknown("reset"), SENDING.change(submissions=submissions, held=held), unknown_policy=policy
    )
    assert (found.outcome.word is Word.DEFERRED) is expected
