"""The two calls and their outcomes, against the simulator."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from bulk_profiles.core.models import ApiVersion, ProfileStatus
from bulk_profiles.target import calls, outcomes
from bulk_profiles.target.addresses import safe_status_url, submission_url
from bulk_profiles.target.answers import TargetState, max_status_bytes
from simulator import Fault, Settings, Simulator, fault, running
from tests.worlds.peer import announced

BODY = b"batch=thirdPartyId,city\na,Bern\nb,Z%C3%BCrich\nc,Genf\n"
SECONDS = 10
FORBIDDEN_TOKEN = "T0ken-that-must-not-be-seen"
TRY_LATER = {"Retry-After": "7"}
NEITHER = "Target's answer to the batch says neither yes nor no"


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
    return calls.submit(url, announced(BODY), token, seconds)


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
        ("refused", outcomes.Refused('Target refused the batch: "Unexpected error".', 200)),
        ("bad_request", outcomes.Refused("Target answered HTTP 400.", 400)),
        ("too_large", outcomes.Refused("Target answered HTTP 413.", 413)),
        ("wrong_charset", outcomes.Refused('Target refused the batch: "é".', 200)),
        ("unauthorized", outcomes.Unauthorized("Target answered HTTP 401.", 401)),
        ("forbidden", outcomes.Unauthorized("Target answered HTTP 403.", 403)),
        ("unavailable", outcomes.Deferred("Target answered HTTP 503.", None)),
        ("too_many_requests", outcomes.Deferred("Target answered HTTP 429.", None)),
        ("server_error", outcomes.Unknown("Target answered HTTP 500 with HTML instead of XML.")),
        ("bad_gateway", outcomes.Unknown("Target answered HTTP 502 with HTML instead of XML.")),
        ("redirect", outcomes.Unknown("Target answered HTTP 302.")),
        ("html", outcomes.Unknown("Target's answer to the batch is HTML instead of XML.")),
        ("empty", outcomes.Unknown("Target's answer to the batch says neither yes nor no.")),
        (
            "json",
            outcomes.Unknown('Target\'s answer to the batch says neither yes nor no: "{"success": true}".'),
        ),
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
            outcomes.Refused('Target refused the batch: "No".', 400),
        ),
        (
            404,
            "<html>not here</html>",
            outcomes.Refused("Target answered HTTP 404 with HTML instead of XML.", 404),
        ),
        (400, "Bad batch", outcomes.Refused('Target answered HTTP 400: "Bad batch".', 400)),
        (400, '{"error": "Bad batch"}', outcomes.Refused('Target answered HTTP 400: "Bad batch".', 400)),
        (
            500,
            "<response><success>false</success><message>No</message></response>",
            outcomes.Unknown('Target answered HTTP 500: "No".'),
        ),
        (200, "Unexpected error", outcomes.Unknown(f'{NEITHER}: "Unexpected error".')),
        (
            200,
            "<response><success>false</success><batchStatus>{statusUrl}</batchStatus></response>",
            outcomes.Unknown(f"{NEITHER}."),
        ),
        (200, "<response><success>true</success></response>", outcomes.Accepted("", "")),
        (
            200,
            "<response><success>false</success></response>",
            outcomes.Refused("Target refused the batch without a reason.", 200),
        ),
        (204, "", outcomes.Unknown(f"{NEITHER}.")),
    ],
)
def test_submit_body_against_http_status_is_unknown(
    simulator: Simulator, code: int, body: str, outcome: outcomes.SubmissionOutcome
) -> None:
    simulator.script(fault(code=code, body=body, accepted=True))
    assert submit(simulator) == outcome


@pytest.mark.fault(35, "a yes in an answer whose HTTP status says no")
@pytest.mark.parametrize("code", [400, 401, 403, 404, 408, 413, 425, 429, 451, 500, 503])
@pytest.mark.parametrize(
    "body",
    [
        "<response><success>true</success><batchStatus>{statusUrl}</batchStatus></response>",
        "<response><success>true</success></response>",
        "true {statusUrl} Batch submitted",
    ],
)
def test_submit_yes_against_http_status_is_unknown(simulator: Simulator, code: int, body: str) -> None:
    simulator.script(fault(code=code, body=body, accepted=True))
    outcome = submit(simulator)
    assert isinstance(outcome, outcomes.Unknown)
    assert outcome.reason.startswith(f"Target answered HTTP {code}")
    assert outcome.reason.endswith(" Yet its answer says that it took the batch.")


@pytest.mark.fault(30, "401 and 403: Target's own words")
@pytest.mark.parametrize("code", [401, 403, 503, 404])
@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("", ""),
        ("Access denied", ': "Access denied"'),
        ('{"message": "Access denied"}', ': "Access denied"'),
        (
            "<response><success>false</success><message>Access denied</message></response>",
            ': "Access denied"',
        ),
        ("<html>", " with HTML instead of XML"),
        ("<Error/>", ""),
        (f"{FORBIDDEN_TOKEN} is wrong", ': "*** is wrong"'),
        ("<response><message>u1 is denied</message></response>", ': "*** is denied"'),
    ],
)
def test_check_other_status_has_targets_own_words(
    simulator: Simulator, code: int, body: str, words: str
) -> None:
    url = status_url(simulator)
    simulator.script(fault(on="status", code=code, body=body))
    outcome = calls.check(url, FORBIDDEN_TOKEN, SECONDS)
    assert not isinstance(outcome, outcomes.Answered)
    assert outcome.reason == f"Target answered HTTP {code}{words}."
    kinds = {
        401: outcomes.Unauthorized,
        403: outcomes.Unauthorized,
        404: outcomes.Gone,
        503: outcomes.Deferred,
    }
    assert type(outcome) is kinds[code]


@pytest.mark.fault(31, "a refused connection, an unknown host")
def test_submit_without_connection_is_not_sent() -> None:
    for endpoint, reason in (
        ("http://127.0.0.1:1", "ConnectionRefusedError"),
        ("http://nowhere.invalid", "gaierror"),
        ("nonsense", "MissingSchema"),
        ("http://", "InvalidURL"),
    ):
        url = submission_url(endpoint, "demo", ApiVersion.V2)
        outcome = calls.submit(url, announced(BODY), None, SECONDS)
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
        (fault("not_found"), outcomes.Gone("Target answered HTTP 404.", 404)),
        (fault(on="status", code=410), outcomes.Gone("Target answered HTTP 410.", 410)),
        (fault(on="status", code=401), outcomes.Unauthorized("Target answered HTTP 401.", 401)),
        (fault(on="status", code=500), outcomes.Unanswered("Target answered HTTP 500.")),
        (
            fault("redirect", on="status"),
            outcomes.Unanswered("Target answered HTTP 302."),
        ),
        (fault(on="status", code=400), outcomes.Unanswered("Target answered HTTP 400.")),
        (fault("doctype"), outcomes.Unanswered("The answer declares a document type.")),
        (fault("entities"), outcomes.Unanswered("The answer declares a document type.")),
        (fault("cut_status"), outcomes.Unanswered("The answer is not whole, well-formed XML.")),
        (fault("huge"), outcomes.Unanswered("The answer has an element without end.")),
        (fault("html", on="status"), outcomes.Unanswered("The answer is HTML instead of XML.")),
        (
            fault("json", on="status"),
            outcomes.Unanswered('The answer is JSON instead of XML: "{"success": true}".'),
        ),
        (
            fault(on="status", code=200, body="<response></response>"),
            outcomes.Unanswered("The answer says nothing of a batch."),
        ),
        (fault(on="status", code=200), outcomes.Unanswered("The answer is empty.")),
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


def test_check_answer_over_its_limit_is_unanswered(simulator: Simulator) -> None:
    url = status_url(simulator)
    outcome = calls.check(url, None, SECONDS, limit_bytes=20)
    assert outcome == outcomes.Unanswered("The answer is longer than 20 bytes.")
    assert isinstance(calls.check(url, None, SECONDS, limit_bytes=2000), outcomes.Answered)


def test_check_seconds_follow_from_the_length_of_the_answer() -> None:
    """A batch of 500,000 ids of 64 characters: 66 MB, at half a megabyte a second."""
    limit = max_status_bytes(500_000, 500_000 * 64)
    assert 66_000_000 / 500_000 < calls.check_seconds(limit) < 300
    assert calls.check_seconds(max_status_bytes(1, 256)) < 62


@pytest.mark.fault(46, "a flattened answer of v2 with three counts of four: nobody knows which is missing")
@pytest.mark.parametrize(
    ("version", "counted", "doubted"),
    [
        (ApiVersion.V2, "4 4 0 0", True),
        (ApiVersion.V2, "4 4 4 0 0", False),
        (ApiVersion.V2, "4", False),
        (ApiVersion.V1, "4 4 0 0", False),
    ],
)
def test_check_flattened_answer_that_lacks_a_count_is_doubted(
    simulator: Simulator, version: ApiVersion, counted: str, *, doubted: bool
) -> None:
    url = status_url(simulator, version)
    simulator.script(fault(on="status", code=200, body=f"{{batchId}} complete {counted}"))
    outcome = calls.check(url, None, SECONDS)
    assert isinstance(outcome, outcomes.Answered)
    assert bool(outcome.answer.unclear) is doubted
