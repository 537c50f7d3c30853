"""Faults 42 to 50: what Target may say of a batch, from its answer to the summary."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from unittest.mock import patch

import boto3
import pytest

import simulator
from bulk_profiles.core.models import ApiVersion, Basis, BatchState, ImportStatus, ProfileCounts
from bulk_profiles.core.timestamps import moment
from bulk_profiles.steps.messages import Outcome, Word
from bulk_profiles.target import calls
from bulk_profiles.target.outcomes import CheckOutcome
from tests.worlds.deployment import START, Deployment

FILE = b"thirdPartyId,name\nu1,Ada\nu2,Grace\n"
OF_TARGET = "/m2/demo/v2/profile/batchStatus?batchId={batchId}"


@pytest.mark.fault(42, "an unsafe status URL: reported, never called, the batch not sent again")
@pytest.mark.parametrize(
    "url",
    [
        "http://example.com" + OF_TARGET,
        "http://169.254.169.254" + OF_TARGET,
        "file:///etc/passwd?batchId={batchId}",
        "http://demo.tt.omtrdc.net@example.com" + OF_TARGET,
        "http://mboxedge45.tt.omtrdc.net:8080" + OF_TARGET,
        "http://mboxedge45.tt.omtrdc.net/m2/other/v2/profile/batchStatus?batchId={batchId}",
    ],
)
def test_check_unsafe_status_url_is_never_called(
    deployment: Deployment, target: simulator.Simulator, url: str
) -> None:
    target.script(simulator.fault(status_url=url))

    summary = deployment.run(FILE)

    assert summary.profiles == ProfileCounts(unknown=2)
    assert "unsafe_status_url" in summary.reason
    assert [request.method for request in target.requests] == ["POST"]


@pytest.mark.fault(42, "a redirect as the status: not followed")
@pytest.mark.fault(43, "DOCTYPE, entities, a broken status: asked again, no result claimed")
@pytest.mark.parametrize("name", ["redirect", "doctype", "entities", "cut_status", "html", "json"])
def test_check_unusable_answer_is_asked_again(
    deployment: Deployment, target: simulator.Simulator, name: str
) -> None:
    target.script(simulator.fault(name, on="status"))

    summary = deployment.run(FILE)

    assert summary.status is ImportStatus.SUCCEEDED
    assert [batch.checks for batch in summary.batches] == [3]  # the spoiled one, the next, the details
    assert len(target.submissions) == 1


@pytest.mark.fault(46, "an unknown word for the batch: asked again, no success implied")
def test_check_unknown_word_for_the_batch_is_asked_again(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    target.script(simulator.fault("unknown_word", on="status"))

    summary = deployment.run(FILE)

    assert summary.profiles == ProfileCounts(unknown=2)
    assert [batch.checks for batch in summary.batches] == [3]
    assert "in an earlier answer, a word that is not known." in summary.reason


@pytest.mark.fault(44, "incomplete for 24 hours: then pending, in a bounded number of steps")
@pytest.mark.fault(46, "an unknown word for the batch until the deadline: then pending")
@pytest.mark.parametrize("name", ["incomplete_forever", "unknown_word"])
def test_check_unfinished_batch_is_pending_at_the_deadline(
    deployment: Deployment, target: simulator.Simulator, name: str
) -> None:
    target.script(simulator.fault(name, times=0))
    import_id = deployment.split(deployment.drop(FILE)).import_id

    steps = list(deployment.walk(import_id, 1))
    summary = deployment.finish(import_id)

    assert len(steps) < 120
    assert timedelta(hours=24) <= deployment.clock() - START <= timedelta(hours=25)
    assert summary.profiles == ProfileCounts(pending=2)
    assert summary.unaccounted == 0
    assert summary.batches[0].state is BatchState.EXPIRED
    assert {result.basis for result in deployment.profiles(import_id, 1)} == {Basis.DEADLINE}


@pytest.mark.fault(45, "stuck: an error for every profile of the batch")
def test_check_stuck_batch_is_an_error(deployment: Deployment, target: simulator.Simulator) -> None:
    target.script(simulator.fault("stuck", times=0))

    summary = deployment.run(FILE)

    assert summary.batches[0].state is BatchState.STUCK
    assert summary.profiles == ProfileCounts(error=2)
    assert len(target.submissions) == 1


@pytest.mark.fault(46, "a missing element, another case")
@pytest.mark.parametrize(
    "body",
    [
        "<response><batchId>{batchId}</batchId><status> COMPLETE </status></response>",
        "<response><status>complete</status><batchSize>2</batchSize></response>",
        "<response><batchId> {batchId} </batchId><status>Complete</status></response>",
    ],
)
def test_check_complete_in_an_odd_form_is_complete(
    deployment: Deployment, target: simulator.Simulator, body: str
) -> None:
    target.script(simulator.fault(on="status", code=200, body=body, times=0))

    summary = deployment.run(FILE)

    assert summary.batches[0].state is BatchState.COMPLETE
    assert summary.profiles == ProfileCounts(success=2)


@pytest.mark.fault(46, "an answer that names another batch: no success is implied, or believed by name")
@pytest.mark.parametrize(
    "said",
    [
        "<status>complete</status><batchSize>7</batchSize>",
        "<profile><id>u1</id><status>success</status></profile>"
        "<profile><id>u2</id><status>success</status></profile>",
    ],
)
def test_check_answer_about_another_batch_is_no_success(
    deployment: Deployment, target: simulator.Simulator, said: str
) -> None:
    body = f"<response><batchId>another</batchId>{said}</response>"
    target.script(simulator.fault(on="status", code=200, body=body, times=0))

    summary = deployment.run(FILE)

    assert summary.profiles == ProfileCounts(unknown=2)
    assert "Target's answer names another batch." in summary.reason


@pytest.mark.fault(46, "a look that is about another batch: what it reports does not last")
def test_check_success_of_another_batch_does_not_last(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    one = "<profile><id>{}</id><status>success</status></profile>"
    for batch_id, name in (("another", "u1"), ("{batchId}", "u2")):
        body = f"<response><batchId>{batch_id}</batchId>{one.format(name)}</response>"
        target.script(simulator.fault(on="status", code=200, body=body, times=1 if name == "u1" else 0))

    summary = deployment.run(FILE)

    assert summary.profiles == ProfileCounts(success=1, unknown=1)


@pytest.mark.fault(46, "a batch size above the rows sent: no success is implied, and the summary says why")
def test_check_larger_batch_size_is_no_success(deployment: Deployment, target: simulator.Simulator) -> None:
    body = "<response><status>complete</status><batchSize>7</batchSize></response>"
    target.script(simulator.fault(on="status", code=200, body=body, times=0))

    summary = deployment.run(FILE)

    assert summary.profiles == ProfileCounts(unknown=2)
    assert "Target counted 7 rows in the batch, and 2 were sent." in summary.reason


@pytest.mark.fault(47, "a terminal answer, then incomplete or 404: the first one stands")
@pytest.mark.fault(47, "a terminal answer, then stuck: no success is implied")
@pytest.mark.parametrize(
    ("later", "expected"),
    [
        (simulator.fault("incomplete_forever"), ProfileCounts(success=2)),
        (simulator.fault("not_found", times=0), ProfileCounts(success=2)),
        (simulator.fault("stuck", times=0), ProfileCounts(unknown=2)),
    ],
)
def test_check_first_terminal_answer_stands(
    deployment: Deployment, target: simulator.Simulator, later: simulator.Fault, expected: ProfileCounts
) -> None:
    target.configure(generation=3)
    import_id = deployment.split(deployment.drop(FILE)).import_id
    outcome = deployment.submit(import_id, 1)
    assert outcome.resume_at is not None
    deployment.clock.reach(outcome.resume_at)
    assert deployment.check(import_id, 1).word is Word.PROCESSING  # complete, now its details are asked for
    target.script(later)

    summary = deployment.resume(import_id)

    assert summary.batches[0].state is BatchState.COMPLETE
    assert summary.profiles == expected


@pytest.mark.fault(46, "an answer with a part that is not understood: no success implied, the part reported")
@pytest.mark.parametrize(
    ("part", "named"),
    [
        ("<profile><id>U1</id><status>rejected</status></profile>", "1 id that is not in the batch"),
        ("<failedProfiles><id>u1</id></failedProfiles>", "failedProfiles"),
        ("<message>1 profile failed</message>", '"1 profile failed"'),
        ("<failedUpdates>one</failedUpdates>", "failedUpdates"),
        ("<profile><id>u1</id><id>u2</id><status>success</status></profile>", "1 profile"),
    ],
)
def test_check_unknown_part_of_an_answer_is_no_success(
    deployment: Deployment, target: simulator.Simulator, part: str, named: str
) -> None:
    body = f"<response><batchId>{{batchId}}</batchId><status>complete</status>{part}</response>"
    target.script(simulator.fault(on="status", code=200, body=body, times=0))

    summary = deployment.run(FILE)

    assert summary.profiles == ProfileCounts(unknown=2)
    assert named in summary.reason


@pytest.mark.fault(
    46, "a yes to the submission with a part that is not understood: followed, no success implied"
)
@pytest.mark.parametrize(
    ("part", "named"),
    [
        ("<rejected>2</rejected>", "rejected"),
        ("<message>2 rows rejected</message>", '"2 rows rejected"'),
        ("<profile><id>u1</id><status>success</status></profile>", "names 1 profile"),
    ],
)
@pytest.mark.parametrize("generation", [1, 3, 4])
def test_check_unknown_part_of_the_receipt_is_no_implied_success(
    deployment: Deployment, target: simulator.Simulator, part: str, named: str, generation: int
) -> None:
    target.configure(generation=generation)
    body = f"<response><success>true</success><batchStatus>{{statusUrl}}</batchStatus>{part}</response>"
    target.script(simulator.fault(code=200, body=body, accepted=True))

    summary = deployment.run(FILE)

    assert summary.batches[0].state is BatchState.COMPLETE
    if generation == 1:  # Target names each profile
        assert summary.profiles == ProfileCounts(success=2)
    else:
        assert summary.profiles == ProfileCounts(unknown=2)
        assert named in summary.reason


@pytest.mark.fault(46, "a failure named in the yes to the submission is never a success")
@pytest.mark.parametrize(
    ("word", "generation", "expected"),
    [
        ("failed", 1, ProfileCounts(error=1, success=1)),
        ("failed", 3, ProfileCounts(error=1, unknown=1)),
        ("failed", 4, ProfileCounts(error=1, unknown=1)),
        ("odd", 1, ProfileCounts(success=2)),
        ("odd", 3, ProfileCounts(unknown=2)),
    ],
)
def test_check_failure_named_in_the_receipt_counts(
    deployment: Deployment,
    target: simulator.Simulator,
    word: str,
    generation: int,
    expected: ProfileCounts,
) -> None:
    target.configure(generation=generation)
    named = f"<profile><id>u1</id><status>{word}</status></profile>"
    body = f"<response><success>true</success><batchStatus>{{statusUrl}}</batchStatus>{named}</response>"
    target.script(simulator.fault(code=200, body=body, accepted=True))
    deployment.configure(max_submissions=1)

    summary = deployment.run(FILE)

    assert summary.profiles == expected
    [first, _] = deployment.profiles(summary.entry.import_id, 1)
    if word == "failed":
        assert (first.status, first.basis) == ("error", Basis.REPORTED)
    elif generation == 3:
        assert first.reason == 'Target used a word for this profile that is not known: "odd".'


@pytest.mark.fault(46, "a failure named in the yes to the submission, and no usable answer after it")
def test_check_failure_named_in_the_receipt_stays(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    named = "<profile><id>u1</id><status>failed</status></profile>"
    body = f"<response><success>true</success><batchStatus>{{statusUrl}}</batchStatus>{named}</response>"
    target.script(simulator.fault(code=200, body=body, accepted=True))
    target.script(simulator.fault("not_found", times=0))
    deployment.configure(max_submissions=1)

    summary = deployment.run(FILE)

    assert summary.profiles == ProfileCounts(error=1, unknown=1)
    assert "Target's answer to the submission names 1 profile." in summary.reason


@pytest.mark.fault(47, "complete taken back by an answer that names a failure: the failure counts")
@pytest.mark.parametrize("word", ["stuck", "incomplete", "completed"])
def test_check_failure_named_by_a_later_answer_counts(
    deployment: Deployment, target: simulator.Simulator, word: str
) -> None:
    import_id = _complete_but_for_details(deployment, target)
    failed = "<profile><id>u2</id><status>failed</status></profile>"
    body = f"<response><batchId>{{batchId}}</batchId><status>{word}</status>{failed}</response>"
    target.script(simulator.fault(on="status", code=200, body=body))
    deployment.configure(max_submissions=1)

    summary = deployment.resume(import_id)

    assert summary.profiles == ProfileCounts(error=1, unknown=1)
    assert f'Target called the batch complete first, and "{word}" later.' in summary.reason


@pytest.mark.fault(49, "the status endpoint is down at the call for details: asked again, no success implied")
@pytest.mark.parametrize("name", ["unavailable", "server_error", "reset_before_body", "too_many_requests"])
def test_check_unreachable_details_are_asked_for_again(
    deployment: Deployment, target: simulator.Simulator, name: str
) -> None:
    import_id = _complete_but_for_details(deployment, target)
    target.script(simulator.fault(name, on="status", times=10))
    deployment.configure(isolate_submissions=0)

    summary = deployment.resume(import_id)

    assert summary.profiles == ProfileCounts(unknown=2)
    assert "Target counted 1 failed" in summary.reason
    assert timedelta(hours=1) < deployment.clock() - START < timedelta(hours=24)


@pytest.mark.fault(49, "no details until the deadline: the first answer stands")
def test_check_without_details_keeps_the_first_answer(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    import_id = _complete_but_for_details(deployment, target)
    target.script(simulator.fault("unavailable", on="status", times=0))

    summary = deployment.resume(import_id)

    assert deployment.clock() - START >= timedelta(hours=24)
    assert summary.profiles == ProfileCounts(success=2)
    assert {result.basis for result in deployment.profiles(import_id, 1)} == {Basis.IMPLIED}
    assert summary.batches[0].state is BatchState.COMPLETE
    assert "status calls had no usable answer, the last one: Target answered HTTP 503" in summary.reason


@pytest.mark.fault(47, "404 for the details of a complete batch: asked for three times, not all day")
def test_check_forgotten_batch_is_asked_for_details_thrice(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    import_id = _complete_but_for_details(deployment, target)
    target.script(simulator.fault("not_found", times=0))

    summary = deployment.resume(import_id)

    assert summary.batches[0].checks == 1 + 3
    assert summary.profiles == ProfileCounts(success=2)


def _complete_but_for_details(deployment: Deployment, target: simulator.Simulator) -> str:
    """Run an import with one failed profile up to the call for details."""
    target.configure(generation=4, failed_ids=frozenset({"u2"}))
    import_id = deployment.split(deployment.drop(FILE)).import_id
    outcome = deployment.submit(import_id, 1)
    assert outcome.resume_at is not None
    deployment.clock.reach(outcome.resume_at)
    assert deployment.check(import_id, 1).word is Word.PROCESSING
    return import_id


@pytest.mark.fault(47, "404 instead of any answer: no success is claimed")
def test_check_forgotten_batch_is_no_success(deployment: Deployment, target: simulator.Simulator) -> None:
    target.script(simulator.fault("not_found", times=0))

    summary = deployment.run(FILE)

    assert summary.profiles.success == 0
    assert summary.profiles.total == 2
    assert len(target.submissions) == 1


@pytest.mark.fault(42, "one batch id for two batches, or two bodies of one: its answers settle neither")
@pytest.mark.parametrize("generation", [1, 2, 3, 4])
def test_check_batch_id_of_two_batches_is_believed_for_neither(
    deployment: Deployment, target: simulator.Simulator, generation: int
) -> None:
    target.configure(generation=generation)
    same = f"{target.url}/m2/demo/v2/profile/batchStatus?batchId=demo-1845664501"
    target.script(simulator.fault(status_url=same, times=2))
    import_id = deployment.split(deployment.drop(FILE + b"u3,Zoe\nu4,Alan\nu5,Mary\n")).import_id
    for number in (1, 2, 3):  # all are on their way before the first is asked about
        deployment.submit(import_id, number)

    summary = deployment.resume(import_id)

    assert summary.profiles == ProfileCounts(success=1, unknown=4)
    assert [batch.state for batch in summary.batches] == ["unknown", "unknown", "complete"]
    assert "under the same id, demo-1845664501" in summary.reason
    assert len(target.submissions) == 3
    bases = {result.basis for number in (1, 2) for result in deployment.profiles(import_id, number)}
    assert bases == {Basis.BATCH}


@pytest.mark.fault(42, "one batch id for a batch and its follow-up: no result for what was sent again")
def test_check_batch_id_of_a_follow_up_is_not_that_of_its_batch(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    target.configure(failed_ids=frozenset({"u2"}))
    same = f"{target.url}/m2/demo/v2/profile/batchStatus?batchId=demo-1845664501"
    target.script(simulator.fault(status_url=same, times=2))

    summary = deployment.run(FILE)

    assert summary.profiles == ProfileCounts(success=1, unknown=1)
    assert [request.rows for request in target.submissions] == [2, 1]


@pytest.mark.fault(
    48, "an answer about a follow-up names a profile that is not in it: no success of it is believed"
)
@pytest.mark.parametrize(
    ("first", "later", "expected"),
    [
        ("odd", "a&b success", "unknown reported"),
        ("odd", "a&b failed", "unknown reported"),
        ("success", "a&b success", "success reported"),
        ("success", "a&b failed", "unknown reported"),
        ("success", "a%26b failed", "unknown reported"),
        ("success", "a&b odd", "unknown reported"),
        (None, "a&b failed", "unknown reported"),
        (None, "a&b success", "success implied"),
        (None, "zz failed", "success implied"),
    ],
)
def test_check_profile_that_is_not_in_the_follow_up(
    deployment: Deployment, target: simulator.Simulator, first: str | None, later: str, expected: str
) -> None:
    file = b"thirdPartyId,name\na&b,Ada\nu2,Grace\n"
    profile = "<profile><id>{}</id><status>{}</status></profile>"
    one = profile.format("a&b", first) if first else ""
    for other, word, times in ((one, "failed", 1), (profile.format(*later.split()), "success", 0)):
        profiles = other.replace("&", "&amp;") + profile.format("u2", word)
        body = f"<response><batchId>{{batchId}}</batchId><status>complete</status>{profiles}</response>"
        target.script(simulator.fault(on="status", code=200, body=body, times=times))

    summary = deployment.run(file)

    results = deployment.profiles(summary.entry.import_id, 1)
    assert [f"{result.status} {result.basis}" for result in results] == [expected, "success reported"]
    assert [(result.attempt, result.profile_id) for result in results] == [(1, "a&b"), (2, "u2")]
    assert "Target named 1 id that is not in the follow-up." in summary.reason


@pytest.mark.fault(
    49, "why a status cannot be read, and how often: told while it happens, and in the results"
)
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (simulator.fault("not_found", times=0), "Target answered HTTP 404."),
        (simulator.fault("unavailable", on="status", times=0), "Target answered HTTP 503."),
        (simulator.fault("server_error", on="status", times=0), "Target answered HTTP 500 with HTML"),
        (simulator.fault("reset_before_body", on="status", times=0), "The connection to Target failed"),
        (simulator.fault("cut_status", times=0), "The answer is not whole, well-formed XML."),
    ],
)
def test_check_tells_why_a_status_cannot_be_read(
    deployment: Deployment, target: simulator.Simulator, fault: simulator.Fault, reason: str
) -> None:
    target.script(fault)
    deployment.configure(deadline_hours=1)
    import_id = deployment.split(deployment.drop(FILE)).import_id
    deployment.clock.reach(moment(deployment.submit(import_id, 1).to_json()["resumeAt"]))
    for _ in range(2):
        outcome = deployment.check(import_id, 1).to_json()
        deployment.clock.reach(moment(outcome["resumeAt"]))

    said = "2 of 2 status calls had no usable answer, the last one: "
    assert (outcome["outcome"], outcome["why"]) == ("processing", "status")
    assert outcome["says"].startswith(said + reason)
    assert deployment.ledger.get_batch(import_id, 1).reason == outcome["says"]
    interim = deployment.finish(import_id)  # of an import whose execution was stopped
    assert outcome["says"] in interim.reason
    assert interim.to_json()["batches"][0]["unread"] == 2

    summary = deployment.resume(import_id)

    [batch] = summary.batches
    assert f"{batch.checks} of {batch.checks} status calls had no usable answer" in summary.reason
    assert reason in summary.reason
    assert {result.reason for result in deployment.profiles(import_id, 1)} == {batch.reason}
    assert reason in deployment.objects(import_id)["report.html"].decode().replace("&quot;", '"')


@pytest.mark.fault(
    30, "401, 403 at status calls: the checks of the client wait, few calls until the deadline"
)
@pytest.mark.parametrize(("code", "remedy"), [(401, "renew the secret"), (403, "check its rights")])
def test_check_with_a_rejected_token_waits(
    deployment: Deployment, target: simulator.Simulator, code: int, remedy: str
) -> None:
    secret = boto3.client("secretsmanager").create_secret(Name=f"token-{code}", SecretString="old-token")
    deployment.configure(token_secret_arn=secret["ARN"], calls_per_minute=1000)
    refusal = simulator.fault(on="status", code=code, body='{"message": "No access"}', times=0)
    target.script(refusal)
    rows = b"".join(b"u%d,Ada\n" % number for number in range(10))
    import_id = deployment.split(deployment.drop(b"thirdPartyId,name\n" + rows)).import_id
    for number in range(1, 6):
        deployment.submit(import_id, number)
    deployment.clock.advance(minutes=2)

    outcomes = [deployment.check(import_id, number).to_json() for number in range(1, 6)]

    asked = [request for request in target.requests if request.method == "GET"]
    assert len(asked) == 3  # the token was good before: three refusals in a row are the proof
    assert [(outcome["outcome"], outcome["why"]) for outcome in outcomes] == [("processing", "token")] * 5
    assert all(remedy in outcome["says"] and '"No access"' in outcome["says"] for outcome in outcomes)
    assert [deployment.ledger.get_batch(import_id, number).why for number in (1, 5)] == ["token"] * 2
    assert remedy in deployment.finish(import_id).reason

    target.clear_script()
    target.configure(token="new-token")
    boto3.client("secretsmanager").put_secret_value(SecretId=secret["ARN"], SecretString="new-token")

    assert deployment.resume(import_id).status is ImportStatus.SUCCEEDED
    assert deployment.clock() - START < timedelta(hours=1)


@pytest.mark.fault(30, "401 at a status call, and the secret holds another token: asked again at once")
def test_check_with_a_renewed_token_asks_again_at_once(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    secret = boto3.client("secretsmanager").create_secret(Name="token-renewed", SecretString="old-token")
    deployment.configure(token_secret_arn=secret["ARN"])
    import_id = deployment.split(deployment.drop(FILE)).import_id
    deployment.clock.reach(moment(deployment.submit(import_id, 1).to_json()["resumeAt"]))
    target.configure(token="new-token")
    boto3.client("secretsmanager").put_secret_value(SecretId=secret["ARN"], SecretString="new-token")

    outcome = deployment.check(import_id, 1)

    assert (outcome.word, outcome.resume_at, outcome.why) == (Word.PROCESSING, deployment.clock(), "token")
    assert deployment.resume(import_id).status is ImportStatus.SUCCEEDED


@pytest.mark.fault(30, "401 at status calls until the deadline: pending, with the remedy")
def test_check_with_a_token_never_renewed_ends_at_the_deadline(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    target.script(simulator.fault("unauthorized", on="status", times=0))

    summary = deployment.run(FILE)

    assert summary.profiles == ProfileCounts(pending=2)
    assert "set TokenSecretArn" in summary.reason
    assert timedelta(hours=24) <= deployment.clock() - START <= timedelta(hours=25)
    assert len(target.requests) < 60


@pytest.mark.fault(49, "a status that could be read at last: how often it was not, and why, is told")
@pytest.mark.parametrize(("times", "told"), [(1, False), (2, False), (3, True)])
def test_check_tells_that_most_looks_had_no_usable_answer(
    deployment: Deployment, target: simulator.Simulator, times: int, *, told: bool
) -> None:
    """Two more looks are made: at the batch and at its details."""
    target.script(simulator.fault("server_error", on="status", times=times))

    summary = deployment.run(FILE)

    assert (summary.status, summary.batches[0].unread) == (ImportStatus.SUCCEEDED, times)
    says = f"{times} of {times + 2} status calls had no usable answer, the last one: Target answered HTTP 500"
    assert (says in summary.reason) is told


@pytest.mark.fault(49, "a failure that can be read in an answer with HTTP 500: no success is implied")
@pytest.mark.parametrize("code", [404, 400, 401, 500, 503])
@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("<profile><id>u1</id><status>failed</status></profile>", True),
        ("<profile><id>u1</id><status>odd</status></profile>", True),
        ("<failedUpdates>1</failedUpdates>", True),
        ("<profilesNotFound>1</profilesNotFound>", True),
        ("<status>stuck</status>", True),
        ("<success>false</success><message>Wait</message>", False),
        ("<profile><id>u1</id><status>success</status></profile>", False),
    ],
)
def test_check_failure_beside_an_http_status_that_is_none(
    deployment: Deployment, target: simulator.Simulator, code: int, said: str, heard: bool
) -> None:
    body = f"<response><batchId>{{batchId}}</batchId>{said}</response>"
    target.script(simulator.fault(on="status", code=code, body=body, times=2))

    summary = deployment.run(FILE)

    assert summary.profiles == (ProfileCounts(unknown=2) if heard else ProfileCounts(success=2))
    assert summary.reason.count(f"Target answered HTTP {code} with failures.") == heard


SIX = b"thirdPartyId,name\n" + b"".join(b"u%d,Ada\n" % number for number in range(1, 7))


def _says(word: str = "", **words: str) -> str:
    """Return an answer with a word for the batch and words for profiles."""
    batch = f"<status>{word}</status>" if word else ""
    profile = "<profile><id>{}</id><status>{}</status></profile>"
    profiles = "".join(profile.format(*pair) for pair in words.items())
    return f"<response><batchId>{{batchId}}</batchId>{batch}{profiles}</response>"


def _look(body: str, times: int = 1) -> simulator.Fault:
    return simulator.fault(on="status", code=200, body=body, times=times)


@pytest.mark.fault(
    47, "404 or no answer at the deadline: what earlier looks reported stays, failures go again"
)
@pytest.mark.parametrize("name", ["not_found", "server_error", "reset_before_body", "html"])
def test_check_keeps_the_last_usable_answer(
    deployment: Deployment, target: simulator.Simulator, name: str
) -> None:
    said = {"u1": "success", "u2": "success", "u3": "success", "u4": "failed", "u5": "pending"}
    target.script(_look(_says(**said), times=8), simulator.fault(name, on="status", times=0))
    deployment.configure(max_batch_rows=6, max_submissions=2)
    import_id = deployment.split(deployment.drop(SIX)).import_id
    for step in deployment.walk(import_id, 1):
        if step == "Check status: resubmit":  # the failed profile goes again, and is a success
            target.clear_script()

    summary = deployment.finish(import_id)

    assert summary.profiles == ProfileCounts(success=4, pending=2)
    assert [request.rows for request in target.submissions] == [6, 1]
    assert summary.batches[0].state is BatchState.EXPIRED
    bases = {result.profile_id: result.basis for result in deployment.profiles(import_id, 1)}
    assert bases == dict.fromkeys(("u1", "u2", "u3", "u5"), Basis.REPORTED) | {
        "u4": Basis.IMPLIED,
        "u6": Basis.DEADLINE,
    }


@pytest.mark.fault(47, "a failure named while the batch was incomplete counts after a bare complete")
@pytest.mark.parametrize("generation", [2, 3, 4])
def test_check_failure_named_by_an_earlier_answer_counts(
    deployment: Deployment, target: simulator.Simulator, generation: int
) -> None:
    target.configure(generation=generation)
    target.script(_look(_says("incomplete", u1="pending", u2="failed")))
    deployment.configure(max_submissions=1)

    summary = deployment.run(FILE)

    # Counts of two successes contradict the failure, so nothing is implied.
    other = ProfileCounts(success=1, error=1) if generation < 4 else ProfileCounts(unknown=1, error=1)
    assert summary.profiles == other
    assert summary.batches[0].state is BatchState.COMPLETE


@pytest.mark.fault(47, "Target forgets a batch at the deadline: asked a last time before it")
def test_check_asks_a_last_time_before_the_deadline(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    deployment.configure(max_check_seconds=40_000, check_backoff=10.0)
    target.script(simulator.fault("incomplete_forever"))
    asked, ask = list[timedelta](), calls.check

    def note_the_time(*arguments: Any, **names: Any) -> CheckOutcome:
        asked.append(deployment.clock() - START)
        return ask(*arguments, **names)

    with patch.object(calls, "check", note_the_time):
        deployment.run(FILE)

    day, second = timedelta(hours=24), timedelta(seconds=1)
    assert [round(time / second) for time in asked[-2:]] == [
        (day - timedelta(minutes=10)) / second,
        day / second,
    ]


@pytest.mark.fault(48, "ids that are not in the batch, an id named twice, encoded ids, over HTTP")
def test_check_encoded_foreign_and_repeated_ids_are_matched(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    profile = "<profile><id>{}</id><status>{}</status></profile>"
    words = [("u%201", "success"), ("stranger", "failed"), ("u2", "success"), ("u2", "failed")]
    body = "".join(profile.format(*pair) for pair in words)
    target.script(
        simulator.fault(
            on="status", code=200, times=0, body=f"<response><batchId>{{batchId}}</batchId>{body}</response>"
        )
    )
    deployment.configure(max_submissions=1)

    summary = deployment.run(b"thirdPartyId,name\nu 1,Ada\nu2,Grace\n")

    assert summary.profiles == ProfileCounts(success=1, error=1)
    statuses = {
        result.profile_id: result.status for result in deployment.profiles(summary.entry.import_id, 1)
    }
    assert statuses == {"u 1": "success", "u2": "error"}


@pytest.mark.fault(
    48,
    "a spelling that is an id of the batch, and reads like another: both are unknown, and neither goes again",
)
@pytest.mark.parametrize(
    ("bad", "innocent", "spelling"),
    [("x%20y", "x y", "x%20y"), ("p+q", "p q", "p+q"), ("a&amp;b", "a&b", "a&amp;amp;b")],
)
def test_check_sends_no_profile_again_that_reads_like_another(
    deployment: Deployment, target: simulator.Simulator, bad: str, innocent: str, spelling: str
) -> None:
    profile = f"<profile><id>{spelling}</id><status>failed</status></profile>"
    body = (
        "<response><batchId>{batchId}</batchId><status>complete</status><batchSize>2</batchSize>"
        f"{profile}</response>"
    )
    target.script(simulator.fault(on="status", code=200, times=0, body=body))
    deployment.configure(max_submissions=2, api_version=ApiVersion.V1)

    summary = deployment.run(f"pcId,name\n{bad},Ada\n{innocent},Grace\n".encode())

    said = {r.profile_id: (r.status, r.basis) for r in deployment.profiles(summary.entry.import_id, 1)}
    assert said == {bad: ("unknown", "batch"), innocent: ("unknown", "batch")}
    assert [request.rows for request in target.submissions] == [2]


@pytest.mark.fault(49, "the status endpoint is down for hours")
@pytest.mark.parametrize("name", ["unavailable", "server_error", "reset_before_body", "too_many_requests"])
def test_check_unreachable_status_is_asked_again_for_hours(
    deployment: Deployment, target: simulator.Simulator, name: str
) -> None:
    target.script(simulator.fault(name, on="status", times=20))

    summary = deployment.run(FILE)

    assert summary.status is ImportStatus.SUCCEEDED
    assert timedelta(hours=2) < deployment.clock() - START < timedelta(hours=24)
    assert len(target.submissions) == 1


@pytest.mark.fault(57, "two executions of one import: one that waits does not undo a check of the other")
@pytest.mark.usefixtures("target")
def test_check_two_executions_do_not_delay_each_other(deployment: Deployment) -> None:
    deployment.configure(calls_per_minute=10)
    import_id = deployment.split(deployment.drop(FILE)).import_id
    deployment.clock.reach(moment(deployment.submit(import_id, 1).to_json()["resumeAt"]))
    ask, others = calls.check, list[Outcome]()

    def ask_while_the_other_one_comes(*arguments: Any, **names: Any) -> CheckOutcome:
        if not others:  # it comes while Target answers, and the budget has no call for it
            for _ in range(3):
                others.append(deployment.check(import_id, 1))
        return ask(*arguments, **names)

    with patch.object(calls, "check", ask_while_the_other_one_comes):
        outcomes = [deployment.check(import_id, 1)]
        while outcomes[-1].word is not Word.SETTLED:
            deployment.clock.reach(moment(outcomes[-1].to_json()["resumeAt"]))
            outcomes.append(deployment.check(import_id, 1))

    assert others[-1].word is Word.PROCESSING
    assert len(outcomes) == 3  # the status, a wait for the next call, and the details
    assert deployment.ledger.get_batch(import_id, 1).state is BatchState.COMPLETE


@pytest.mark.fault(
    46, "a count that contradicts the batch, in an answer before the last: no success is implied"
)
@pytest.mark.parametrize(
    ("early", "sentence"),
    [
        ("<batchSize>3</batchSize>", "Target counted 3 rows in the batch, and 2 were sent."),
        ("<batchSize>1</batchSize>", "Target counted 1 row in the batch, and 2 were sent."),
        ("<successfulUpdates>3</successfulUpdates>", "Target counted 3 results, and 2 rows were sent."),
        ("<batchSize>2</batchSize><successfulUpdates>1</successfulUpdates>", ""),
    ],
)
def test_check_count_that_contradicts_the_batch_lasts(
    deployment: Deployment, target: simulator.Simulator, early: str, sentence: str
) -> None:
    start = "<response><batchId>{batchId}</batchId>"
    body = f"{start}<status>incomplete</status>{early}</response>"
    target.script(simulator.fault(on="status", code=200, body=body, times=1))

    summary = deployment.run(FILE)

    assert summary.profiles == (ProfileCounts(unknown=2) if sentence else ProfileCounts(success=2))
    assert sentence in summary.reason


@pytest.mark.fault(
    50, "a flattened list that may be misread, in an answer before the last: no success is implied"
)
@pytest.mark.parametrize("misleading", [True, False])
def test_check_flattened_list_that_may_be_misread_lasts(
    deployment: Deployment, target: simulator.Simulator, *, misleading: bool
) -> None:
    """`a success` may be `a` with a success, or an id of two words whose own word got lost."""
    target.script(_look("{batchId} incomplete 2 a success"))

    summary = deployment.run(FILE.replace(b"u1", b"a success" if misleading else b"a"))

    assert summary.profiles == (ProfileCounts(unknown=2) if misleading else ProfileCounts(success=2))
    assert ("lost its tags, and the batch has ids that may mislead." in summary.reason) is misleading


@pytest.mark.fault(
    47, "a body before the follow-up that was not understood: told, however the follow-up ends"
)
@pytest.mark.parametrize("part", ["<error/>", ""])
def test_check_reason_of_an_earlier_body_stays(
    deployment: Deployment, target: simulator.Simulator, part: str
) -> None:
    deployment.configure(max_submissions=2)
    target.script(_look(_says("complete", u2="failed").replace("</response>", f"{part}</response>")))

    summary = deployment.run(FILE)

    assert len(target.submissions) == 2
    assert summary.profiles == (ProfileCounts(success=1, unknown=1) if part else ProfileCounts(success=2))
    said = "Batch 1 (2 rows): Attempt 1: Target's answer has a part that is not known: error."
    assert (said in summary.reason) is bool(part)
    assert summary.batches[0].reason == (said.removeprefix("Batch 1 (2 rows): ") if part else "")


@pytest.mark.fault(47, "a follow-up without a clear end: the failure before it is told")
def test_check_failure_before_a_lost_follow_up_is_told(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    deployment.configure(max_submissions=2)
    target.script(_look(_says("complete", u2="failed")), simulator.fault("server_error", skip=1))
    import_id = deployment.split(deployment.drop(FILE)).import_id

    list(deployment.walk(import_id, 1))
    summary = deployment.finish(import_id)

    assert summary.profiles == ProfileCounts(success=1, unknown=1)
    assert "Target named 1 profile as failed in attempt 1." in summary.batches[0].reason
    [first, second] = deployment.profiles(import_id, 1)
    assert (first.reason, first.attempt, second.attempt) == ("", 1, 2)
    assert "Target named this profile as failed in attempt 1." in second.reason


@pytest.mark.fault(42, "a failure named in a receipt without a safe status URL: an error")
@pytest.mark.parametrize("url", ["", "<batchStatus>http://example.com/</batchStatus>"])
def test_check_failure_in_a_receipt_that_cannot_be_followed(
    deployment: Deployment, target: simulator.Simulator, url: str
) -> None:
    profiles = "".join(
        f"<profile><id>{name}</id><status>{word}</status></profile>"
        for name, word in (("u1", "success"), ("u2", "failed"))
    )
    body = f"<response><success>true</success>{url}{profiles}</response>"
    target.script(simulator.fault(code=200, body=body, accepted=True))

    summary = deployment.run(FILE)

    assert summary.profiles == ProfileCounts(error=1, unknown=1)
    assert "unsafe_status_url" in summary.reason
    assert len(target.submissions) == 1
