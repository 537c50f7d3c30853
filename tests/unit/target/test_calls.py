"""The two calls and their outcomes, against the simulator."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import timedelta

import pytest

from bulk_profiles.core.models import ApiVersion, ProfileStatus
from bulk_profiles.target import calls, outcomes
from bulk_profiles.target.addresses import safe_status_url, submission_url
from bulk_profiles.target.answers import TargetState
from simulator import Fault, Settings, Simulator, fault, running

BODY = b"batch=thirdPartyId,city\na,Bern\nb,Z%C3%BCrich\nc,Genf\n"
SECONDS = 10
FORBIDDEN_TOKEN = "T0ken-that-must-not-be-seen"
TRY_LATER = {"Retry-After": "7"}


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with running(Settings(completion_seconds=0, calls_per_minute=0, failed_ids=frozenset("b"))) as simulator:
        yield simulator


def submit(
    simulator: Simulator,
    version: ApiVersion = ApiVersion.V2,
    token: str | None = None,
    seconds: float = SECONDS,
) -> outcomes.SubmissionOutcome:
    url = submission_url(simulator.url, "demo", version)
    return calls.submit(url, io.BytesIO(BODY), len(BODY), token, seconds)


def status_url(simulator: Simulator, version: ApiVersion = ApiVersion.V2) -> str:
    outcome = submit(simulator, version)
    assert isinstance(outcome, outcomes.Accepted)
    return safe_status_url(outcome.status_url, simulator.url, "demo")


@pytest.mark.parametrize(
    ("version", "path"),
    [(ApiVersion.V1, "/m2/demo/profile/batchUpdate"), (ApiVersion.V2, "/m2/demo/v2/profile/batchUpdate")],
)
@pytest.mark.parametrize("flattened", [False, True])
def test_submit_batch_that_target_takes_is_accepted(
    simulator: Simulator, version: ApiVersion, path: str, *, flattened: bool
) -> None:
    simulator.configure(flattened=flattened)
    outcome = submit(simulator, version)
    assert isinstance(outcome, outcomes.Accepted)
    assert outcome.status_url.startswith(simulator.url)
    assert outcome.message == "Batch submitted for processing"
    (received,) = simulator.requests
    assert (received.method, received.path) == ("POST", path)
    assert simulator.body(received.number) == BODY


@pytest.mark.fault(35, "every kind of answer")
@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("refused", outcomes.Refused("Unexpected error", 200)),
        ("bad_request", outcomes.Refused("Target answered HTTP 400.", 400)),
        ("too_large", outcomes.Refused("Target answered HTTP 413.", 413)),
        ("wrong_charset", outcomes.Refused("é", 200)),
        ("unauthorized", outcomes.Unauthorized(401)),
        ("forbidden", outcomes.Unauthorized(403)),
        ("unavailable", outcomes.Deferred("Target answered HTTP 503.", None)),
        ("too_many_requests", outcomes.Deferred("Target answered HTTP 429.", None)),
        ("server_error", outcomes.Unknown("Target answered HTTP 500.")),
        ("bad_gateway", outcomes.Unknown("Target answered HTTP 502.")),
        ("redirect", outcomes.Unknown("Target answered HTTP 302.")),
        ("html", outcomes.Unknown("Target's answer to the batch says neither yes nor no.")),
        ("empty", outcomes.Unknown("Target's answer to the batch says neither yes nor no.")),
        ("json", outcomes.Unknown("Target's answer to the batch says neither yes nor no.")),
        ("cut_xml", outcomes.Unknown("Target's answer to the batch says neither yes nor no.")),
        ("reset_during_body", outcomes.Unknown("The connection to Target failed: ConnectionResetError.")),
        ("reset_after_body", outcomes.Unknown("The connection to Target failed: ConnectionResetError.")),
    ],
)
def test_submit_every_answer_is_an_outcome(
    simulator: Simulator, name: str, outcome: outcomes.SubmissionOutcome
) -> None:
    simulator.script(fault(name))
    assert submit(simulator) == outcome
    assert len(simulator.requests) == 1


@pytest.mark.parametrize("name", ["no_answer", "drip", "slow"])
def test_submit_late_answer_is_unknown(simulator: Simulator, name: str) -> None:
    simulator.script(fault(name))
    assert submit(simulator, seconds=0.5) == outcomes.Unknown("Target did not answer within 0.5 seconds.")


@pytest.mark.fault(28, "408, 425, 429 and 503")
@pytest.mark.parametrize("code", [408, 425, 429, 503])
def test_submit_and_check_of_a_busy_target_are_deferred(simulator: Simulator, code: int) -> None:
    url = status_url(simulator)
    simulator.script(fault(code=code, headers=TRY_LATER), fault(on="status", code=code, headers=TRY_LATER))
    deferred = outcomes.Deferred(f"Target answered HTTP {code}.", timedelta(seconds=7))
    assert submit(simulator) == deferred
    assert calls.check(url, None, SECONDS) == deferred


@pytest.mark.fault(35, "a body that contradicts the HTTP status")
@pytest.mark.parametrize(
    ("code", "body", "outcome"),
    [
        (
            400,
            "<response><success>false</success><message>No</message></response>",
            outcomes.Refused("No", 400),
        ),
        (404, "<html>not here</html>", outcomes.Refused("Target answered HTTP 404.", 404)),
        (
            400,
            "<response><success>true</success><batchStatus>{statusUrl}</batchStatus></response>",
            outcomes.Unknown("Target answered HTTP 400."),
        ),
        (
            500,
            "<response><success>false</success><message>No</message></response>",
            outcomes.Unknown("Target answered HTTP 500."),
        ),
        (
            200,
            "<response><success>false</success></response>",
            outcomes.Refused("Target refused the batch without a reason.", 200),
        ),
        (204, "", outcomes.Unknown("Target's answer to the batch says neither yes nor no.")),
    ],
)
def test_submit_body_against_http_status_is_unknown(
    simulator: Simulator, code: int, body: str, outcome: outcomes.SubmissionOutcome
) -> None:
    simulator.script(fault(code=code, body=body, accepted=True))
    assert submit(simulator) == outcome


@pytest.mark.fault(31, "a refused connection, an unknown host")
def test_submit_without_connection_is_not_sent() -> None:
    batch = io.BytesIO(BODY)
    for endpoint, reason in (
        ("http://127.0.0.1:1", "ConnectionRefusedError"),
        ("http://nowhere.invalid", "gaierror"),
        ("nonsense", "MissingSchema"),
        ("http://", "InvalidURL"),
    ):
        url = submission_url(endpoint, "demo", ApiVersion.V2)
        outcome = calls.submit(url, batch, len(BODY), None, SECONDS)
        assert outcome == outcomes.NotSent(f"The connection to Target failed: {reason}.")
        assert calls.check(f"{endpoint}/x?batchId=1", None, SECONDS) == outcomes.Unanswered(outcome.reason)


def test_submit_and_check_send_the_token_and_never_show_it(simulator: Simulator) -> None:
    url = status_url(simulator)
    simulator.configure(token=FORBIDDEN_TOKEN)
    results = [
        submit(simulator),
        submit(simulator, token="old"),
        submit(simulator, token=FORBIDDEN_TOKEN),
        calls.check(url, None, SECONDS),
        calls.check(url, FORBIDDEN_TOKEN, SECONDS),
        submit(simulator, token=f"{FORBIDDEN_TOKEN}\nX: y"),
    ]
    assert [type(outcome) for outcome in results] == [
        outcomes.Unauthorized,
        outcomes.Unauthorized,
        outcomes.Accepted,
        outcomes.Unauthorized,
        outcomes.Answered,
        outcomes.NotSent,
    ]
    assert FORBIDDEN_TOKEN not in repr(results)


@pytest.mark.parametrize("flattened", [False, True])
@pytest.mark.parametrize("generation", [1, 2, 3, 4])
def test_check_every_generation_is_answered(
    simulator: Simulator, generation: int, *, flattened: bool
) -> None:
    simulator.configure(generation=generation, flattened=flattened)
    outcome = calls.check(status_url(simulator), None, SECONDS, details=True)
    assert isinstance(outcome, outcomes.Answered)
    answer = outcome.answer
    assert answer.state is (None if generation == 1 else TargetState.COMPLETE)
    assert answer.batch_size == (None if generation == 1 else 3)
    assert answer.failed == (1 if generation == 4 else None)
    named = {name: answer.profiles.get(name) for name in "ab"}
    success, error = ProfileStatus.SUCCESS, ProfileStatus.ERROR
    assert (
        named
        == {
            1: {"a": success, "b": error},
            2: {"a": None, "b": error},
            3: {"a": None, "b": None},
            4: {"a": None, "b": None},
        }[generation]
    )


def test_check_without_details_gets_no_counts(simulator: Simulator) -> None:
    simulator.configure(generation=4)
    url = status_url(simulator)
    plain = calls.check(url, None, SECONDS)
    assert isinstance(plain, outcomes.Answered)
    assert not plain.answer.counted


@pytest.mark.fault(43, "DOCTYPE and entities in a status, over HTTP")
@pytest.mark.parametrize(
    ("scripted", "outcome"),
    [
        (fault("not_found"), outcomes.Gone(404)),
        (fault(on="status", code=410), outcomes.Gone(410)),
        (fault(on="status", code=401), outcomes.Unauthorized(401)),
        (fault(on="status", code=500), outcomes.Unanswered("Target answered HTTP 500.")),
        (
            fault("redirect", on="status"),
            outcomes.Unanswered("Target answered HTTP 302."),
        ),
        (fault(on="status", code=400), outcomes.Unanswered("Target answered HTTP 400.")),
        (fault("doctype"), outcomes.Unanswered("The answer declares a document type.")),
        (fault("entities"), outcomes.Unanswered("The answer declares a document type.")),
        (fault("cut_status"), outcomes.Unanswered("The answer is not whole, well-formed XML.")),
        (fault("huge"), outcomes.Unanswered("The answer has a text that is too long.")),
        (
            fault(on="status", code=200, body="<response><batchId>b</batchId></response>", filler=61_000_000),
            outcomes.Unanswered("The answer is longer than 60000000 bytes."),
        ),
        (fault(on="status", code=200), outcomes.Unanswered("The answer is not a response of Target.")),
        (
            fault("drip", on="status"),
            outcomes.Unanswered("Target did not answer within 2 seconds."),
        ),
        (
            fault("reset_after_body", on="status"),
            outcomes.Unanswered("The connection to Target failed: ConnectionResetError."),
        ),
    ],
)
def test_check_every_answer_is_an_outcome(
    simulator: Simulator, scripted: Fault, outcome: outcomes.CheckOutcome
) -> None:
    url = status_url(simulator)
    simulator.script(scripted)
    assert calls.check(url, None, 2) == outcome
