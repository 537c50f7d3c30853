"""Faults 28 to 41: what Target may do with a submission, from its answer to the ledger and to the summary."""

from __future__ import annotations

import html
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import boto3
import pytest

import simulator
from bulk_profiles.aws.secrets import Tokens
from bulk_profiles.core.errors import TokenError
from bulk_profiles.core.models import BatchState, ImportStatus, ProfileCounts, Why
from bulk_profiles.steps.messages import Outcome, Word
from bulk_profiles.steps.settings import UnknownPolicy
from bulk_profiles.steps.slots import Slots
from tests.worlds.deployment import IMPORTS_TABLE, START, Deployment
from tests.worlds.in_memory import InMemoryDeployment

FILE = b"thirdPartyId,name\nu1,Ada\nu2,Grace\n"


def _arrivals(target: simulator.Simulator) -> int:
    return len(target.submissions)


@pytest.mark.fault(28, "503 and 429 with any Retry-After: deferred, and not counted as a submission")
@pytest.mark.parametrize("name", ["unavailable", "too_many_requests"])
@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        ("120", 120, 120),
        ("3000", 3000, 3000),
        ("7200", 3600, 3600),
        ("999999999", 1, 60),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 1, 60),
        ("-5", 1, 60),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 1, 60),
        ("soon", 1, 60),
    ],
)
def test_upload_to_a_busy_target_is_deferred(
    deployment: Deployment, target: simulator.Simulator, name: str, header: str, least: int, most: int
) -> None:
    target.script(simulator.fault(name, headers={"Retry-After": header}))
    import_id = deployment.split(deployment.drop(FILE)).import_id

    outcome = deployment.submit(import_id, 1)

    assert outcome.word is Word.DEFERRED
    assert outcome.resume_at is not None
    assert timedelta(seconds=least) <= outcome.resume_at - START <= timedelta(seconds=most)
    [batch] = deployment.resume(import_id).batches
    assert (batch.state, batch.submissions, batch.possibly_duplicate) == (BatchState.COMPLETE, 1, False)


@pytest.mark.fault(28, "503 with Retry-After, then the import is started again: Retry-After still holds")
def test_upload_started_again_honours_retry_after(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    target.script(simulator.fault("unavailable", headers={"Retry-After": "3000"}))
    import_id = deployment.split(deployment.drop(FILE)).import_id

    asked = [deployment.submit(import_id, 1).resume_at for _ in range(3)]

    assert asked == [START + timedelta(seconds=3000)] * 3
    assert _arrivals(target) == 1
    assert deployment.resume(import_id).status is ImportStatus.SUCCEEDED


@pytest.mark.fault(28, "503 with a receipt that says yes: unknown, sent again and marked")
def test_upload_answered_503_with_a_yes_is_unknown(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    body = "<response><success>true</success><batchStatus>http://a/b?batchId=c</batchStatus></response>"
    target.script(simulator.fault(code=503, body=body))

    [batch] = deployment.run(FILE).batches

    assert (batch.state, batch.submissions, batch.possibly_duplicate) == (BatchState.COMPLETE, 2, True)


@pytest.mark.fault(39, "rows that Target refused do not count as rows of the day")
def test_upload_refused_rows_return_to_the_budget(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    deployment.configure(rows_per_day=2)
    target.script(simulator.fault("bad_request"))

    summary = deployment.run(FILE + b"u3,Edsger\nu4,Barbara\n")

    assert summary.profiles == ProfileCounts(success=2, error=2)
    assert deployment.clock() - START < timedelta(hours=1)


@pytest.mark.fault(40, "a batch that Target may still process keeps its place in flight")
def test_upload_of_unknown_outcome_stays_in_flight_for_a_while(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    deployment.configure(max_in_flight=1)
    body = (
        "<response><success>true</success>"
        "<batchStatus>http://example.com/m2/demo/v2/profile/batchStatus?batchId=b</batchStatus></response>"
    )
    target.script(simulator.fault(code=200, body=body))
    import_id = deployment.split(deployment.drop(FILE + b"u3,Edsger\n")).import_id
    for _ in deployment.walk(import_id, 1):
        pass
    settled_at = deployment.clock()

    assert deployment.submit(import_id, 2).word is Word.DEFERRED
    assert deployment.resume(import_id).profiles == ProfileCounts(success=1, unknown=2)
    assert timedelta(minutes=15) < deployment.clock() - settled_at < timedelta(hours=2)


@pytest.mark.fault(28, "503 until the deadline")
def test_upload_to_an_always_busy_target_ends_at_the_deadline(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    target.script(simulator.fault("unavailable", times=0))

    summary = deployment.run(FILE)

    assert summary.profiles == ProfileCounts(not_sent=2)
    assert "24 hours" in summary.reason
    assert timedelta(hours=24) <= deployment.clock() - START <= timedelta(hours=25)


@pytest.mark.fault(28, "503 at the end of an upload window: tried again in the next one, days later")
def test_upload_deferred_past_its_window_goes_in_the_next(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    deployment.configure(upload_window="Mon-Tue 08:00-09:00")
    deployment.clock.now = START - timedelta(seconds=5)  # a Tuesday
    target.script(simulator.fault("unavailable", times=2))

    summary = deployment.run(FILE)

    assert summary.status is ImportStatus.SUCCEEDED
    assert deployment.clock() - START > timedelta(days=5)


@pytest.mark.fault(28, "503, then no step for days: tried again")
def test_upload_deferred_and_left_for_days_is_tried_again(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    target.script(simulator.fault("unavailable", times=2))
    import_id = deployment.split(deployment.drop(FILE)).import_id
    deployment.submit(import_id, 1)
    deployment.clock.advance(days=3)

    assert deployment.resume(import_id).status is ImportStatus.SUCCEEDED


@pytest.mark.fault(28, "503 until the deadline after the batch may have arrived: unknown")
def test_upload_that_may_have_arrived_ends_as_unknown(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    target.script(simulator.fault("server_error"), simulator.fault("unavailable", times=0))

    summary = deployment.run(FILE)

    assert summary.profiles == ProfileCounts(unknown=2)
    assert "24 hours" in summary.reason


@pytest.mark.fault(29, "a burst of 500, 502 or 504")
@pytest.mark.parametrize("code", [500, 502, 504])
def test_upload_after_a_burst_of_5xx_is_sent_again_and_marked(
    deployment: Deployment, target: simulator.Simulator, code: int
) -> None:
    target.script(simulator.fault(code=code, times=2))

    [batch] = deployment.run(FILE).batches

    assert (batch.state, batch.submissions, batch.possibly_duplicate) == (BatchState.COMPLETE, 3, True)
    assert _arrivals(target) == 3


@pytest.mark.fault(29, "500 to every submission")
def test_upload_with_endless_5xx_is_unknown_after_three_tries(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    target.script(simulator.fault("server_error", times=0))

    summary = deployment.run(FILE)

    assert summary.profiles == ProfileCounts(unknown=2)
    assert _arrivals(target) == 3


@pytest.mark.fault(30, "400, 413: not sent again")
@pytest.mark.parametrize("name", ["bad_request", "too_large"])
def test_upload_answered_400_or_413_is_not_sent_again(
    deployment: Deployment, target: simulator.Simulator, name: str
) -> None:
    target.script(simulator.fault(name))

    summary = deployment.run(FILE)

    assert summary.profiles == ProfileCounts(error=2)
    assert summary.status is ImportStatus.FAILED
    assert _arrivals(target) == 1


@pytest.mark.fault(30, "a refusal: Target's words are quoted with batches and rows, in summary and notice")
def test_upload_refused_is_told_in_the_words_of_target(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    target.script(simulator.fault("refused", times=2))

    summary = deployment.run(FILE + b"u3,Zoe\nu4,Alan\nu5,Mary\n")

    words = 'Batches 1 and 2 (4 rows): Target refused the batch: "Unexpected error".'
    assert words in summary.reason
    assert words in deployment.topic.messages[-1]
    page = html.unescape(deployment.objects(summary.entry.import_id)["report.html"].decode())
    assert words in page
    assert page.count('<summary>2 refused, 4 rows: Target refused the batch: "Unexpected error".') == 1
    assert page.count('<li>2 batches, 1 the first of them, 4 profiles: Target refused the batch: "Un') == 1


@pytest.mark.fault(30, "400 to a batch that may have arrived before: unknown")
def test_upload_refused_after_it_may_have_arrived_is_unknown(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    target.script(simulator.fault("server_error"), simulator.fault("bad_request"))

    summary = deployment.run(FILE)

    assert summary.profiles == ProfileCounts(unknown=2)
    assert _arrivals(target) == 2


@pytest.fixture
def secret(deployment: Deployment) -> str:
    """A secret with a token that Target no longer accepts."""
    arn = boto3.client("secretsmanager").create_secret(Name="target-token", SecretString="old-token")["ARN"]
    deployment.configure(token_secret_arn=arn)
    return arn


THREE_BATCHES = FILE + b"u3,Zoe\nu4,Alan\nu5,Mary\n"
REFUSALS = pytest.mark.parametrize("name", ["unauthorized", "forbidden"])


def _renew(secret: str) -> None:
    boto3.client("secretsmanager").put_secret_value(SecretId=secret, SecretString="new-token")


@pytest.mark.fault(
    30, "401, 403: all batches of the client wait, and go on once the secret has another token"
)
@REFUSALS
def test_upload_with_a_rejected_token_parks_all_batches(
    deployment: Deployment, target: simulator.Simulator, secret: str, name: str
) -> None:
    target.script(simulator.fault(name, times=0))
    import_id = deployment.split(deployment.drop(THREE_BATCHES)).import_id

    outcomes = [deployment.submit(import_id, number).to_json() for number in (1, 2, 3)]

    remedy = {"unauthorized": "renew the secret", "forbidden": "check its rights"}[name]
    assert [(outcome["outcome"], outcome["why"]) for outcome in outcomes] == [("deferred", "token")] * 3
    assert all(remedy in outcome["says"] and "HTTP 40" in outcome["says"] for outcome in outcomes)
    assert _arrivals(target) == 1
    entries = [deployment.ledger.get_batch(import_id, number) for number in (1, 2, 3)]
    assert [(entry.why, entry.reason, entry.submissions) for entry in entries] == [
        ("token", outcome["says"], 0) for outcome in outcomes
    ]
    assert remedy in deployment.finish(import_id).reason

    target.clear_script()
    target.configure(token="new-token")
    _renew(secret)
    summary = deployment.resume(import_id)

    assert summary.status is ImportStatus.SUCCEEDED
    assert [batch.submissions for batch in summary.batches] == [1, 1, 1]
    assert [batch.why for batch in summary.batches] == [""] * 3
    assert not any(batch.possibly_duplicate for batch in summary.batches)
    assert _arrivals(target) == 4
    assert deployment.clock() - START < timedelta(minutes=30)


@pytest.mark.fault(30, "401, 403 until the deadline: few calls, nothing sent, and the remedy in the summary")
@REFUSALS
@pytest.mark.parametrize("configured", [True, False])
def test_upload_with_a_token_never_renewed_ends_at_the_deadline(
    deployment: Deployment, target: simulator.Simulator, secret: str, name: str, *, configured: bool
) -> None:
    deployment.configure(token_secret_arn=secret if configured else "")
    target.script(simulator.fault(name, times=0))

    summary = deployment.run(THREE_BATCHES)

    assert summary.profiles == ProfileCounts(not_sent=5)
    assert timedelta(hours=24) <= deployment.clock() - START <= timedelta(hours=26)
    assert _arrivals(target) < 40
    assert [batch.submissions for batch in summary.batches] == [0, 0, 0]
    remedy = {"unauthorized": "renew the secret", "forbidden": "check its rights"}[name]
    assert (remedy if configured else "set TokenSecretArn") in summary.reason
    assert "old-token" not in summary.reason


@pytest.mark.fault(30, "403, and Target gives the token its rights: goes on with the same token")
def test_upload_with_a_token_that_gets_its_rights_goes_on(
    deployment: Deployment, target: simulator.Simulator, secret: str
) -> None:
    target.script(simulator.fault("forbidden", times=3))

    summary = deployment.run(THREE_BATCHES)

    assert secret
    assert summary.status is ImportStatus.SUCCEEDED
    assert _arrivals(target) == 3 + 3
    assert deployment.clock() - START < timedelta(hours=1)


@pytest.mark.fault(30, "401 for one batch alone: that one is refused, and stops no other")
@REFUSALS
def test_upload_of_a_batch_unauthorized_alone_is_refused(
    deployment: Deployment, target: simulator.Simulator, name: str
) -> None:
    target.script(simulator.fault(name), simulator.fault(name, skip=1))
    import_id = deployment.split(deployment.drop(THREE_BATCHES)).import_id
    deployment.submit(import_id, 1)
    deployment.clock.advance(minutes=1)
    for _ in deployment.walk(import_id, 2):
        pass

    summary = deployment.resume(import_id)

    assert summary.profiles == ProfileCounts(success=3, error=2)
    assert "It accepts the token for other batches." in summary.reason
    assert _arrivals(target) == 4


@pytest.mark.fault(30, "401, and the secret holds another token: sent again at once")
def test_upload_with_a_renewed_token_is_sent_again_at_once(
    deployment: Deployment, target: simulator.Simulator, secret: str
) -> None:
    Tokens(secret).get("demo")  # so that the old one is kept
    target.configure(token="new-token")
    _renew(secret)
    import_id = deployment.split(deployment.drop(FILE)).import_id

    outcome = deployment.submit(import_id, 1)
    assert (outcome.word, outcome.resume_at, outcome.why) == (Word.DEFERRED, START, Why.TURNED_AWAY)
    summary = deployment.resume(import_id)

    assert summary.status is ImportStatus.SUCCEEDED
    assert (_arrivals(target), summary.batches[0].submissions) == (2, 1)
    assert not summary.batches[0].possibly_duplicate


@pytest.mark.fault(30, "401: neither ledger nor results hold the token")
def test_upload_keeps_no_token_that_was_refused(
    deployment: InMemoryDeployment, target: simulator.Simulator, secret: str
) -> None:
    target.script(simulator.fault("unauthorized"))

    summary = deployment.run(FILE)

    assert secret
    items = deployment.tables.items(IMPORTS_TABLE)
    assert any(item["sk"]["S"] == "TOKEN" for item in items)
    assert "old-token" not in str(items)
    assert "old-token" not in str(deployment.objects(summary.entry.import_id))


@pytest.mark.fault(30, "401, and the secret can no longer be read: not sent again")
def test_upload_with_an_unreadable_secret_has_that_reason(
    deployment: Deployment, target: simulator.Simulator, secret: str
) -> None:
    Tokens(secret).get("demo")
    boto3.client("secretsmanager").delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)
    target.script(simulator.fault("unauthorized"))
    import_id = deployment.split(deployment.drop(FILE)).import_id
    deployment.submit(import_id, 1)
    with pytest.raises(TokenError):
        deployment.submit(import_id, 1)

    summary = deployment.finish(import_id)

    assert _arrivals(target) == 1
    assert "Secrets Manager did not give the token" in summary.reason
    assert summary.unaccounted == 0


@pytest.mark.fault(41, "the token is renewed between two batches")
def test_upload_uses_a_token_renewed_between_two_batches(
    deployment: Deployment, target: simulator.Simulator, secret: str
) -> None:
    target.configure(token="old-token")
    import_id = deployment.split(deployment.drop(FILE + b"u3,Zoe\n")).import_id
    for _ in deployment.walk(import_id, 1):
        pass
    target.configure(token="new-token")
    boto3.client("secretsmanager").put_secret_value(SecretId=secret, SecretString="new-token")

    summary = deployment.resume(import_id)

    assert summary.status is ImportStatus.SUCCEEDED
    assert [request.authorized for request in target.submissions] == [True, False, True]
    assert [batch.submissions for batch in summary.batches] == [1, 1]


@pytest.mark.fault(31, "no connection for a while: not sent, and not counted as a submission")
def test_upload_without_connection_is_no_submission(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    import_id = deployment.split(deployment.drop(FILE)).import_id
    deployment.configure(target_endpoint="http://127.0.0.1:1")
    for _ in range(5):
        outcome = deployment.submit(import_id, 1)
        assert outcome.word is Word.DEFERRED
        assert outcome.resume_at is not None
        deployment.clock.reach(outcome.resume_at)
    deployment.configure(target_endpoint=target.url)

    [batch] = deployment.resume(import_id).batches

    assert (batch.submissions, batch.possibly_duplicate, _arrivals(target)) == (1, False, 1)


@pytest.mark.fault(32, "a connection reset before, during and after the body")
@pytest.mark.parametrize("name", ["reset_before_body", "reset_during_body", "reset_after_body"])
def test_upload_on_a_reset_connection_is_sent_again(
    deployment: Deployment, target: simulator.Simulator, name: str
) -> None:
    target.script(simulator.fault(name))

    summary = deployment.run(FILE)

    assert summary.status is ImportStatus.SUCCEEDED
    [batch] = summary.batches
    assert _arrivals(target) == 2
    assert batch.possibly_duplicate == (batch.submissions == 2)
    if name == "reset_after_body":
        assert batch.possibly_duplicate


UNUSABLE = ["no_answer", "html", "empty", "json", "cut_xml", "reset_after_body", "redirect"]


@pytest.mark.fault(35, "a yes without a status URL: held, not sent again")
def test_upload_yes_without_status_url_is_not_sent_again(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    body = "<response><success>true</success><message>Batch submitted</message></response>"
    target.script(simulator.fault(code=200, body=body, accepted=True))

    summary = deployment.run(FILE)

    assert _arrivals(target) == 1
    assert summary.profiles == ProfileCounts(unknown=2)
    assert "Target took the batch and named no status URL." in summary.reason


@pytest.mark.fault(30, "403 with a body that says yes: unknown, sent again and marked")
def test_upload_yes_under_403_is_sent_again_and_marked(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    body = "<response><success>true</success><batchStatus>{statusUrl}</batchStatus></response>"
    target.script(simulator.fault(code=403, body=body, accepted=True))

    [batch] = deployment.run(FILE).batches

    assert (batch.state, batch.submissions, batch.possibly_duplicate) == (BatchState.COMPLETE, 2, True)


@pytest.mark.fault(34, "no answer before the deadline of the call: unknown, sent again and marked")
@pytest.mark.fault(35, "answers that say neither yes nor no: unknown, sent again and marked")
@pytest.mark.fault(36, "a redirect as the answer: not followed, unknown")
@pytest.mark.parametrize("name", UNUSABLE)
def test_upload_with_unusable_answer_is_sent_again_and_marked(
    deployment: Deployment, target: simulator.Simulator, name: str
) -> None:
    target.script(simulator.fault(name))

    [batch] = deployment.run(FILE).batches

    assert (batch.state, batch.submissions, batch.possibly_duplicate) == (BatchState.COMPLETE, 2, True)


@pytest.mark.fault(35, "answers that say neither yes nor no: held if the policy is hold")
@pytest.mark.parametrize("name", UNUSABLE)
def test_upload_with_unusable_answer_is_held_under_policy_hold(
    deployment: Deployment, target: simulator.Simulator, name: str
) -> None:
    deployment.configure(unknown_policy=UnknownPolicy.HOLD)
    target.script(simulator.fault(name))

    summary = deployment.run(FILE)

    assert summary.profiles == ProfileCounts(unknown=2)
    assert _arrivals(target) == 1


@pytest.mark.fault(37, "an enormous receipt: bounded, unknown")
def test_upload_with_an_enormous_receipt_is_unknown(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    target.script(simulator.fault(filler=20_000_000))

    [batch] = deployment.run(FILE).batches

    assert (batch.state, batch.submissions, batch.possibly_duplicate) == (BatchState.COMPLETE, 2, True)


@pytest.mark.fault(39, "the rows of the day are used up: the rest waits for the reset, nothing is sent twice")
def test_upload_beyond_the_rows_a_day_waits_for_the_reset(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    settings: dict[str, Any] = {"rows_per_day": 4, "reset_hour": 6, "time_zone": "Europe/Berlin"}
    deployment.configure(**settings)
    rows = b"".join(b"u%d,name\n" % number for number in range(10))
    import_id = deployment.split(deployment.drop(b"thirdPartyId,name\n" + rows)).import_id

    summary = deployment.resume(import_id)

    assert summary.status is ImportStatus.SUCCEEDED
    assert _arrivals(target) == len(summary.batches) == 5
    days = {batch.accepted_at.date() for batch in summary.batches if batch.accepted_at}
    assert len(days) == 3
    assert deployment.clock() - START < timedelta(days=3)


@pytest.mark.fault(40, "two executions of one import: one does not give back the place of the other")
def test_upload_keeps_the_place_of_another_execution(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    deployment.configure(max_in_flight=1)
    target.script(simulator.fault("unavailable"))
    import_id = deployment.split(deployment.drop(FILE + b"u3,Edsger\n")).import_id
    give_back, others = Slots.withdraw, list[Outcome]()

    def give_back_after_the_other_one_has_sent(*arguments: Any) -> None:
        if not others:
            deployment.clock.advance(minutes=1)
            others.append(deployment.submit(import_id, 1))
        give_back(*arguments)

    with patch.object(Slots, "withdraw", give_back_after_the_other_one_has_sent):
        deployment.submit(import_id, 1)

    assert others[0].word is Word.ACCEPTED
    assert deployment.submit(import_id, 2).word is Word.DEFERRED
    assert deployment.resume(import_id).status is ImportStatus.SUCCEEDED
