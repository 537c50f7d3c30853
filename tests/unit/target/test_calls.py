"""Target's answers as outcomes, against the simulator."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_profiles.core.models import ApiVersion, ProfileStatus
from bulk_profiles.target import calls, http, outcomes
from bulk_profiles.target.addresses import safe_status_url, submission_url
from bulk_profiles.target.answers import TargetState
from simulator import Fault, Settings, Simulator, fault, running

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
def test_a_batch_that_target_takes_is_accepted(
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
def test_every_answer_to_a_batch_is_an_outcome(
    simulator: Simulator, name: str, outcome: outcomes.SubmissionOutcome
) -> None:
    simulator.script(fault(name))
    assert submit(simulator) == outcome
    assert len(simulator.requests) == 1


@pytest.mark.parametrize("name", ["no_answer", "drip", "slow"])
def test_an_answer_that_takes_too_long_leaves_the_batch_unknown(simulator: Simulator, name: str) -> None:
    simulator.script(fault(name))
    assert submit(simulator, seconds=0.5) == outcomes.Unknown("Target did not answer within 0.5 seconds.")


@pytest.mark.fault(28, "429, 503 and their like")
@pytest.mark.parametrize("code", [408, 425, 429, 503])
def test_what_target_did_not_deal_with_is_deferred(simulator: Simulator, code: int) -> None:
    url = status_url(simulator)
    simulator.script(fault(code=code, headers=TRY_LATER), fault(on="status", code=code, headers=TRY_LATER))
    deferred = outcomes.Deferred(f"Target answered HTTP {code}.", timedelta(seconds=7))
    assert submit(simulator) == deferred
    assert calls.check(url, None, SECONDS) == deferred


@pytest.mark.fault(35, "words and HTTP status that do not agree")
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
def test_the_status_and_the_words_must_agree(
    simulator: Simulator, code: int, body: str, outcome: outcomes.SubmissionOutcome
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
        url = submission_url(endpoint, "demo", ApiVersion.V2)
        outcome = calls.submit(url, batch, len(BODY), None, SECONDS)
        assert outcome == outcomes.NotSent(f"The connection to Target failed: {reason}.")
        assert calls.check(f"{endpoint}/x?batchId=1", None, SECONDS) == outcomes.Unanswered(outcome.reason)


def test_the_token_goes_along_and_is_seen_nowhere(simulator: Simulator) -> None:
    url = status_url(simulator)
    simulator.configure(token=FORBIDDEN_TOKEN)
    found = [
        submit(simulator),
        submit(simulator, token="old"),
        submit(simulator, token=FORBIDDEN_TOKEN),
        calls.check(url, None, SECONDS),
        calls.check(url, FORBIDDEN_TOKEN, SECONDS),
        submit(simulator, token=f"{FORBIDDEN_TOKEN}\nX: y"),
    ]
    assert [type(outcome) for outcome in found] == [
        outcomes.Unauthorized,
        outcomes.Unauthorized,
        outcomes.Accepted,
        outcomes.Unauthorized,
        outcomes.Answered,
        outcomes.NotSent,
    ]
    assert FORBIDDEN_TOKEN not in repr(found)


@pytest.mark.parametrize("flattened", [False, True])
@pytest.mark.parametrize("generation", [1, 2, 3, 4])
def test_every_generation_of_the_status_is_answered(
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


def test_details_are_asked_for_only_when_wanted(simulator: Simulator) -> None:
    simulator.configure(generation=4)
    url = status_url(simulator)
    plain = calls.check(url, None, SECONDS)
    assert isinstance(plain, outcomes.Answered)
    assert not plain.answer.counted


@pytest.mark.fault(43, "DOCTYPE and entities on the wire")
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
def test_every_answer_to_a_status_call_is_an_outcome(
    simulator: Simulator, scripted: Fault, outcome: outcomes.CheckOutcome
) -> None:
    url = status_url(simulator)
    simulator.script(scripted)
    assert calls.check(url, None, 2) == outcome


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
    assert http.retry_after(header, NOW) == expected


@given(st.text(st.characters(codec="latin-1"), max_size=40))
def test_no_retry_after_crashes(header: str) -> None:
    wait = http.retry_after(header, NOW)
    assert wait is None or timedelta(seconds=1) <= wait <= timedelta(hours=1)
