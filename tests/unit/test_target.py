"""Target's answers as outcomes, against the simulator."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_profiles import target
from bulk_profiles.answers import TargetState
from bulk_profiles.models import ApiVersion, ProfileStatus
from bulk_profiles.status_url import safe_status_url
from local.simulator import Fault, Settings, Simulator, fault, running

BODY = b"batch=thirdPartyId,city\na,Bern\nb,Z%C3%BCrich\nc,Genf\n"
SECONDS = 10
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
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
) -> target.SubmissionOutcome:
    return target.submit(simulator.url, "demo", version, io.BytesIO(BODY), len(BODY), token, seconds)


def status_url(simulator: Simulator, version: ApiVersion = ApiVersion.V2) -> str:
    outcome = submit(simulator, version)
    assert isinstance(outcome, target.Accepted)
    return safe_status_url(outcome.status_url, simulator.url, "demo")


@pytest.mark.parametrize(
    ("version", "path"),
    [(ApiVersion.V1, "/m2/demo/profile/batchUpdate"), (ApiVersion.V2, "/m2/demo/v2/profile/batchUpdate")],
)
@pytest.mark.parametrize("flattened", [False, True])
def test_a_batch_that_target_takes_is_accepted(
    simulator: Simulator, version: ApiVersion, path: str, *, flattened: bool
) -> None:
    simulator.configure(flattened=flattened)
    outcome = submit(simulator, version)
    assert isinstance(outcome, target.Accepted)
    assert outcome.status_url.startswith(simulator.url)
    assert outcome.message == "Batch submitted for processing"
    (received,) = simulator.requests
    assert (received.method, received.path) == ("POST", path)
    assert simulator.body(received.number) == BODY


@pytest.mark.fault(35, "every kind of answer")
@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("refused", target.Refused("Unexpected error", 200)),
        ("bad_request", target.Refused("Target answered HTTP 400.", 400)),
        ("too_large", target.Refused("Target answered HTTP 413.", 413)),
        ("wrong_charset", target.Refused("é", 200)),
        ("unauthorized", target.Unauthorized(401)),
        ("forbidden", target.Unauthorized(403)),
        ("unavailable", target.Deferred("Target answered HTTP 503.", None)),
        ("too_many_requests", target.Deferred("Target answered HTTP 429.", None)),
        ("server_error", target.Unknown("Target answered HTTP 500.")),
        ("bad_gateway", target.Unknown("Target answered HTTP 502.")),
        ("redirect", target.Unknown("Target answered HTTP 302.")),
        ("html", target.Unknown("Target's answer to the batch says neither yes nor no.")),
        ("empty", target.Unknown("Target's answer to the batch says neither yes nor no.")),
        ("json", target.Unknown("Target's answer to the batch says neither yes nor no.")),
        ("cut_xml", target.Unknown("Target's answer to the batch says neither yes nor no.")),
        ("reset_during_body", target.Unknown("The connection to Target failed: ConnectionResetError.")),
        ("reset_after_body", target.Unknown("The connection to Target failed: ConnectionResetError.")),
    ],
)
def test_every_answer_to_a_batch_is_an_outcome(
    simulator: Simulator, name: str, outcome: target.SubmissionOutcome
) -> None:
    simulator.script(fault(name))
    assert submit(simulator) == outcome
    assert len(simulator.requests) == 1


@pytest.mark.parametrize("name", ["no_answer", "drip", "slow"])
def test_an_answer_that_takes_too_long_leaves_the_batch_unknown(simulator: Simulator, name: str) -> None:
    simulator.script(fault(name))
    assert submit(simulator, seconds=0.5) == target.Unknown("Target did not answer within 0.5 seconds.")


@pytest.mark.fault(28, "429, 503 and their like")
@pytest.mark.parametrize("code", [408, 425, 429, 503])
def test_what_target_did_not_deal_with_is_deferred(simulator: Simulator, code: int) -> None:
    url = status_url(simulator)
    simulator.script(fault(code=code, headers=TRY_LATER), fault(on="status", code=code, headers=TRY_LATER))
    deferred = target.Deferred(f"Target answered HTTP {code}.", timedelta(seconds=7))
    assert submit(simulator) == deferred
    assert target.check(url, None, SECONDS) == deferred


@pytest.mark.fault(35, "words and HTTP status that do not agree")
@pytest.mark.parametrize(
    ("code", "body", "outcome"),
    [
        (
            400,
            "<response><success>false</success><message>No</message></response>",
            target.Refused("No", 400),
        ),
        (404, "<html>not here</html>", target.Refused("Target answered HTTP 404.", 404)),
        (
            400,
            "<response><success>true</success><batchStatus>{statusUrl}</batchStatus></response>",
            target.Unknown("Target answered HTTP 400."),
        ),
        (
            500,
            "<response><success>false</success><message>No</message></response>",
            target.Unknown("Target answered HTTP 500."),
        ),
        (
            200,
            "<response><success>false</success></response>",
            target.Refused("Target refused the batch without a reason.", 200),
        ),
        (204, "", target.Unknown("Target's answer to the batch says neither yes nor no.")),
    ],
)
def test_the_status_and_the_words_must_agree(
    simulator: Simulator, code: int, body: str, outcome: target.SubmissionOutcome
) -> None:
    simulator.script(fault(code=code, body=body, accepted=True))
    assert submit(simulator) == outcome


@pytest.mark.fault(31, "refused connection, unknown host")
def test_nothing_is_sent_where_no_connection_comes_about() -> None:
    batch = io.BytesIO(BODY)
    for endpoint, reason in (
        ("http://127.0.0.1:1", "ConnectionRefusedError"),
        ("http://nowhere.invalid", "gaierror"),
        ("nonsense", "MissingSchema"),
        ("http://", "InvalidURL"),
    ):
        outcome = target.submit(endpoint, "demo", ApiVersion.V2, batch, len(BODY), None, SECONDS)
        assert outcome == target.NotSent(f"The connection to Target failed: {reason}.")
        assert target.check(f"{endpoint}/x?batchId=1", None, SECONDS) == target.Unanswered(outcome.reason)


def test_the_token_goes_along_and_is_seen_nowhere(simulator: Simulator) -> None:
    url = status_url(simulator)
    simulator.configure(token=FORBIDDEN_TOKEN)
    outcomes = [
        submit(simulator),
        submit(simulator, token="old"),
        submit(simulator, token=FORBIDDEN_TOKEN),
        target.check(url, None, SECONDS),
        target.check(url, FORBIDDEN_TOKEN, SECONDS),
        submit(simulator, token=f"{FORBIDDEN_TOKEN}\nX: y"),
    ]
    assert [type(outcome) for outcome in outcomes] == [
        target.Unauthorized,
        target.Unauthorized,
        target.Accepted,
        target.Unauthorized,
        target.Answered,
        target.NotSent,
    ]
    assert FORBIDDEN_TOKEN not in repr(outcomes)


@pytest.mark.parametrize("flattened", [False, True])
@pytest.mark.parametrize("generation", [1, 2, 3, 4])
def test_every_generation_of_the_status_is_answered(
    simulator: Simulator, generation: int, *, flattened: bool
) -> None:
    simulator.configure(generation=generation, flattened=flattened)
    outcome = target.check(status_url(simulator), None, SECONDS, details=True)
    assert isinstance(outcome, target.Answered)
    answer = outcome.answer
    assert answer.state is (None if generation == 1 else TargetState.COMPLETE)
    assert answer.batch_size == (None if generation == 1 else 3)
    assert answer.failed == (1 if generation == 4 else None)
    named = {name: answer.status_of(name) for name in "ab"}
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


def test_details_are_asked_for_only_when_wanted(simulator: Simulator) -> None:
    simulator.configure(generation=4)
    url = status_url(simulator)
    plain = target.check(url, None, SECONDS)
    assert isinstance(plain, target.Answered)
    assert not plain.answer.counted


@pytest.mark.fault(43, "DOCTYPE and entities on the wire")
@pytest.mark.parametrize(
    ("scripted", "outcome"),
    [
        (fault("not_found"), target.Gone(404)),
        (fault(on="status", code=410), target.Gone(410)),
        (fault(on="status", code=401), target.Unauthorized(401)),
        (fault(on="status", code=500), target.Unanswered("Target answered HTTP 500.")),
        (
            fault("redirect", on="status"),
            target.Unanswered("Target answered HTTP 302."),
        ),
        (fault(on="status", code=400), target.Unanswered("Target answered HTTP 400.")),
        (fault("doctype"), target.Unanswered("The answer declares a document type.")),
        (fault("entities"), target.Unanswered("The answer declares a document type.")),
        (fault("cut_status"), target.Unanswered("The answer is not whole, well-formed XML.")),
        (fault("huge"), target.Unanswered("The answer has a text that is too long.")),
        (
            fault(on="status", code=200, body="<response><batchId>b</batchId></response>", filler=61_000_000),
            target.Unanswered("The answer is longer than 60000000 bytes."),
        ),
        (fault(on="status", code=200), target.Unanswered("The answer is not a response of Target.")),
        (
            fault("drip", on="status"),
            target.Unanswered("Target did not answer within 2 seconds."),
        ),
        (
            fault("reset_after_body", on="status"),
            target.Unanswered("The connection to Target failed: ConnectionResetError."),
        ),
    ],
)
def test_every_answer_to_a_status_call_is_an_outcome(
    simulator: Simulator, scripted: Fault, outcome: target.CheckOutcome
) -> None:
    url = status_url(simulator)
    simulator.script(scripted)
    assert target.check(url, None, 2) == outcome


@pytest.mark.fault(28, "Retry-After in seconds, as a date, absurd")
@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        (" 7 ", 7),
        ("0", 1),
        ("-5", None),
        ("3599", 3599),
        ("3601", 3600),
        ("86400", 3600),
        ("86401", None),
        ("9" * 5000, None),
        ("-" + "9" * 5000, None),
        ("Sun, 01 Mar 2026 12:01:00 GMT", 60),
        ("Sun, 01 Mar 2026 13:01:00 +0100", 60),
        ("Sun, 01 Mar 2026 12:01:00 -0000", 60),
        ("Sunday, 01-Mar-26 12:01:00 GMT", 60),
        ("Sun Mar  1 12:01:00 2026", 60),
        ("Sun, 01 Mar 2026 15:00:00 GMT", 3600),
        ("Sun, 01 Mar 2026 11:00:00 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", None),
        ("Mon, 01 Jan 0001 00:00:00 +2359", None),
        ("", None),
        ("soon", None),
        ("1.5", None),
        ("7, 8", None),
        ("Sun, 32 Mar 2026 12:01:00 GMT", None),
        ("Fri, 31 Dec 99999 23:59:59 GMT", None),
    ],
)
def test_reads_retry_after_within_reason(header: str, seconds: int | None) -> None:
    expected = None if seconds is None else timedelta(seconds=seconds)
    assert target.retry_after(header, NOW) == expected


@given(st.text(st.characters(codec="latin-1"), max_size=40))
def test_no_retry_after_crashes(header: str) -> None:
    wait = target.retry_after(header, NOW)
    assert wait is None or timedelta(seconds=1) <= wait <= timedelta(hours=1)
