"""The simulated Target, called over real sockets."""

from __future__ import annotations

import hashlib
import http.client
import re
import ssl
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
import requests
import trustme

from simulator import FAULTS, Settings, Simulator, fault, running

BODY = b"batch=thirdPartyId,city\na,Bern\nb,Z%C3%BCrich\nc,Genf\n"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
SECONDS = 10


@pytest.fixture
def target() -> Iterator[Simulator]:
    with running(Settings(completion_seconds=60, calls_per_minute=0)) as simulator:
        yield simulator


def submit(target: Simulator, body: bytes = BODY, version: str = "v2/", **kwargs: Any) -> requests.Response:
    url = f"{target.url}/m2/demo/{version}profile/batchUpdate"
    options: dict[str, Any] = {"timeout": SECONDS, "headers": FORM, "allow_redirects": False} | kwargs
    return requests.post(url, data=body, **options)


def status_url(answer: requests.Response) -> str:
    match = re.search("<batchStatus>(.+)</batchStatus>", answer.text)
    assert match
    return match[1].replace("&amp;", "&")


def accepted(target: Simulator, body: bytes = BODY, version: str = "v2/") -> str:
    return status_url(submit(target, body, version))


def ask(url: str, **kwargs: Any) -> requests.Response:
    return requests.get(url, timeout=SECONDS, **kwargs)


def test_simulator_has_the_limits_of_target_unless_told_otherwise() -> None:
    """As Adobe documents them: less than 50 MB, half a million rows, 50 calls a minute of any kind."""
    settings = Settings()
    assert (settings.max_bytes, settings.max_rows) == (50_000_000, 500_000)
    assert (settings.calls_per_minute, settings.count_status_calls) == (50, True)


def test_submission_over_a_limit_is_refused(target: Simulator) -> None:
    target.configure(max_bytes=len(BODY), max_rows=2)
    assert "<message>Batch size exceeds the allowed limit</message>" in submit(target).text
    target.configure(max_bytes=len(BODY) + 1)
    assert "<message>Number of rows exceeds the allowed limit</message>" in submit(target).text
    target.configure(max_rows=3)
    assert "<success>true</success>" in submit(target).text


def test_submission_is_accepted_and_its_profiles_kept(target: Simulator) -> None:
    answer = submit(target)
    assert answer.status_code == 200
    assert answer.text == (
        f"<response><success>true</success><batchStatus>{target.url}/m2/demo/v2/profile/batchStatus"
        "?batchId=demo-1845664501&m2Node=00</batchStatus>"
        "<message>Batch submitted for processing</message></response>"
    )
    assert target.profile("b") == {"city": "Zürich"}
    assert target.profile("d") is None
    assert sorted(target.profile_ids()) == ["a", "b", "c"]


def test_request_record_has_all_but_the_token(target: Simulator) -> None:
    submit(target, headers=FORM | {"Authorization": "Bearer hush"})
    [request] = target.submissions
    assert (request.size, request.rows, request.code) == (len(BODY), 3, 200)
    assert request.sha256 == hashlib.sha256(BODY).hexdigest()
    assert request.headers["Authorization"] == "Bearer ***"
    assert "hush" not in requests.get(f"{target.url}/_control/requests", timeout=SECONDS).text
    assert target.body(request.number) == BODY


def test_submission_in_chunks_is_read_whole(target: Simulator) -> None:
    url = f"{target.url}/m2/demo/v2/profile/batchUpdate"
    requests.post(url, data=iter([BODY[:10], BODY[10:]]), headers=FORM, timeout=SECONDS)
    assert target.submissions[0].sha256 == hashlib.sha256(BODY).hexdigest()


def test_submission_of_a_bad_body_is_refused(target: Simulator) -> None:
    answer = submit(target, b"batch=thirdPartyId,city\na,100%\n")
    assert answer.status_code == 200
    assert answer.text == (
        "<response><success>false</success><batchStatus></batchStatus>"
        "<message>Unexpected error</message></response>"
    )
    assert target.profile_ids() == []


HEAD = "<batchId>demo-1845664501</batchId>"


@pytest.mark.parametrize(
    ("generation", "query", "pending", "complete"),
    [
        (
            1,
            "",
            "".join(f"<profile><id>{i}</id><status>pending</status></profile>" for i in "abc"),
            (
                "<profile><id>a</id><status>success</status></profile>"
                "<profile><id>b</id><status>error</status></profile>"
                "<profile><id>c</id><status>success</status></profile>"
            ),
        ),
        (
            2,
            "",
            "<status>incomplete</status><batchSize>3</batchSize>",
            (
                "<status>complete</status><batchSize>3</batchSize>"
                "<profile><id>b</id><status>failed</status></profile>"
            ),
        ),
        (
            3,
            "",
            "<status>incomplete</status><batchSize>3</batchSize>",
            "<status>complete</status><batchSize>3</batchSize>",
        ),
        (
            4,
            "",
            "<status>incomplete</status><batchSize>3</batchSize>",
            "<status>complete</status><batchSize>3</batchSize>",
        ),
        (
            4,
            "&showDetails=true",
            "<status>incomplete</status><batchSize>3</batchSize>",
            (
                "<status>complete</status><batchSize>3</batchSize><consumedCount>3</consumedCount>"
                "<successfulUpdates>2</successfulUpdates><profilesNotFound>0</profilesNotFound>"
                "<failedUpdates>1</failedUpdates>"
            ),
        ),
    ],
)
def test_status_is_answered_in_each_generation(
    target: Simulator, generation: int, query: str, pending: str, complete: str
) -> None:
    target.configure(generation=generation, failed_ids=["b"])
    url = accepted(target) + query
    assert ask(url).text == f"<response>{HEAD}{pending}</response>"
    target.advance(60)
    assert ask(url).text == f"<response>{HEAD}{complete}</response>"
    assert target.profile("b") is None


def test_answers_when_flattened_have_no_tags(target: Simulator) -> None:
    target.configure(generation=1, flattened=True, completion_seconds=0)
    answer = submit(target)
    url = answer.text.split(" ")[1]
    assert answer.text == f"true {url} Batch submitted for processing"
    assert ask(url).text == "demo-1845664501 a success b success c success"


def test_receipt_escapes_the_ampersand_only_if_set(target: Simulator) -> None:
    assert "&m2Node=00" in submit(target).text
    target.configure(raw_ampersand=False)
    assert "&amp;m2Node=00" in submit(target).text


def test_submission_to_v1_creates_no_profiles(target: Simulator) -> None:
    target.configure(assume_existing=False, completion_seconds=0, generation=4)
    target.seed("a", {"city": "Basel"})
    url = accepted(target, version="")
    assert "/m2/demo/profile/batchStatus" in url
    assert "<profilesNotFound>2</profilesNotFound>" in ask(url + "&showDetails=true").text
    assert target.profile("a") == {"city": "Bern"}
    assert target.profile("b") is None


def test_submission_of_an_empty_value_changes_nothing(target: Simulator) -> None:
    submit(target)
    submit(target, b"batch=thirdPartyId,city,age\na,,40\n")
    assert target.profile("a") == {"city": "Bern", "age": "40"}


def test_update_set_to_fail_once_succeeds_the_second_time(target: Simulator) -> None:
    target.configure(failed_once_ids=["b"], completion_seconds=0)
    assert "<id>b</id>" in ask(accepted(target)).text
    assert "<id>" not in ask(accepted(target)).text


def test_call_above_the_budget_of_a_minute_gets_503(target: Simulator) -> None:
    target.configure(calls_per_minute=3)
    url = accepted(target)
    target.advance(30)
    codes = [submit(target).status_code, ask(url).status_code, submit(target).status_code]
    assert codes == [200, 200, 503]
    target.advance(30.5)
    assert [submit(target).status_code, submit(target).status_code] == [200, 503]
    assert target.load["callsInAnyMinute"] == 5


def test_status_call_set_as_free_is_not_counted(target: Simulator) -> None:
    target.configure(calls_per_minute=1, count_status_calls=False)
    url = accepted(target)
    assert [ask(url).status_code, ask(url).status_code] == [200, 200]


def test_load_counts_batches_in_flight(target: Simulator) -> None:
    first, _ = accepted(target), accepted(target)
    target.advance(60)
    ask(first)
    target.advance(1)
    accepted(target)
    assert target.load["batchesInFlight"] == 2


def test_call_without_the_right_token_gets_401(target: Simulator) -> None:
    target.configure(token="right")
    assert submit(target).status_code == 401
    assert submit(target, headers=FORM | {"Authorization": "Bearer wrong"}).status_code == 401
    assert submit(target, headers=FORM | {"Authorization": "Bearer right"}).status_code == 200
    assert [request.authorized for request in target.requests] == [False, False, True]


def test_status_of_an_unknown_or_forgotten_batch_is_404(target: Simulator) -> None:
    url = accepted(target)
    assert ask(url.replace("1845664501", "1")).status_code == 404
    assert ask(url.replace("/v2/", "/")).status_code == 404
    target.configure(statuses_kept=1)
    accepted(target)
    assert ask(url).status_code == 404


def test_profile_call_returns_one_profile(target: Simulator) -> None:
    submit(target)
    url = f"{target.url}/rest/v1/profiles/thirdPartyId"
    answer = ask(f"{url}/b?client=demo").json()
    assert answer["client"] == "demo"
    assert answer["profileAttributes"]["city"]["value"] == "Zürich"
    assert datetime.fromisoformat(answer["profileAttributes"]["city"]["modifiedAt"]).tzinfo
    assert "user.browser" in answer["profileAttributes"]
    assert ask(f"{url}/z?client=demo").status_code == 404


# --- faults ---


def test_fault_meets_only_the_calls_it_is_scripted_for(target: Simulator) -> None:
    target.script(fault("unavailable", skip=1, times=2, headers={"Retry-After": "5"}))
    answers = [submit(target) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 503, 503, 200]
    assert answers[1].headers["Retry-After"] == "5"
    assert len(target.profile_ids()) == 3


@pytest.mark.parametrize("when", ["before", "during", "after"])
def test_fault_resets_the_connection(target: Simulator, when: str) -> None:
    target.script(fault(f"reset_{when}_body"))
    with pytest.raises(requests.ConnectionError):
        submit(target)
    received = {"before": 0, "during": len(BODY) // 2, "after": len(BODY)}[when]
    assert [(request.size, request.code) for request in target.requests] == [(received, 0)]
    assert bool(target.profile_ids()) is (when == "after")


def test_fault_no_answer_accepts_the_batch_silently(target: Simulator) -> None:
    target.script(fault("no_answer"))
    with pytest.raises(requests.Timeout):
        submit(target, timeout=0.2)
    assert len(target.profile_ids()) == 3


def test_fault_drip_answers_byte_by_byte(target: Simulator) -> None:
    target.script(fault(body="<response/>", code=200, drip_seconds=0.001))
    assert submit(target).text == "<response/>"


def test_fault_unsafe_status_url_names_another_host(target: Simulator) -> None:
    target.script(fault("unsafe_status_url"))
    assert status_url(submit(target)).startswith("http://example.com/m2/demo/v2/profile/batchStatus?")
    assert len(target.profile_ids()) == 3


def test_fault_of_a_status_call_changes_the_status(target: Simulator) -> None:
    target.configure(completion_seconds=0)
    url = accepted(target)
    names = ["incomplete_forever", "stuck", "unknown_word", "wrong_size", "not_found", "cut_status"]
    answers = []
    for name in names:
        target.script(fault(name, times=1))
        answers.append(ask(url))
    head = f"<response>{HEAD}<status>"
    assert [answer.text for answer in answers] == [
        f"{head}incomplete</status><batchSize>3</batchSize></response>",
        f"{head}stuck</status><batchSize>3</batchSize></response>",
        f"{head}pondering</status><batchSize>3</batchSize></response>",
        f"{head}complete</status><batchSize>7</batchSize></response>",
        "",
        f"{head}complete</status><batchSize>3</batchSize>",
    ]
    assert answers[4].status_code == 404


def test_fault_filler_makes_the_answer_long(target: Simulator) -> None:
    target.script(fault("huge", filler=100_000))
    assert len(ask(accepted(target)).content) > 100_000


@pytest.mark.parametrize("name", sorted(set(FAULTS) - {"no_answer", "slow", "drip", "huge"}))
def test_named_fault_changes_exactly_one_call(target: Simulator, name: str) -> None:
    target.configure(completion_seconds=0)
    scripted = fault(name, times=1)
    url = accepted(target) if scripted.on == "status" else ""
    usual = submit(target).text if not url else ask(url).text
    target.script(scripted)
    try:
        met = ask(url) if url else submit(target)
    except requests.ConnectionError:
        assert scripted.reset
    else:
        assert (met.status_code, re.sub(r"-\d+", "", met.text)) != (200, re.sub(r"-\d+", "", usual))
    assert (ask(url) if url else submit(target)).status_code == 200


# --- the control API ---


def control(target: Simulator, method: str, path: str, data: object = None) -> Any:
    return requests.request(method, f"{target.url}/_control/{path}", json=data, timeout=SECONDS).json()


def test_control_api_changes_and_shows_everything(target: Simulator) -> None:
    assert control(target, "POST", "settings", {"generation": 4, "token": "hush"})["generation"] == 4
    assert control(target, "GET", "settings")["token"] is True
    control(target, "POST", "settings", {"token": ""})
    faults = control(
        target, "POST", "faults", [{"name": "unavailable", "times": 2}, {"on": "status", "code": 500}]
    )
    assert faults == [{"on": "submit", "times": 2, "code": 503}, {"on": "status", "times": 1, "code": 500}]
    assert submit(target).status_code == 503
    assert control(target, "DELETE", "faults") == []
    submit(target)
    assert [batch["rows"] for batch in control(target, "GET", "batches")] == [3]
    assert [request["code"] for request in control(target, "GET", "requests")] == [503, 200]
    assert requests.get(f"{target.url}/_control/bodies/2", timeout=SECONDS).content == BODY
    assert control(target, "GET", "profiles/b") == {"attributes": {"city": "Zürich"}, "updates": 1}
    assert control(target, "POST", "profiles/%C3%A9", {"city": "a, b"})["attributes"] == {"city": "a, b"}
    before = control(target, "POST", "clock", {"advance": 0})["now"]
    assert control(target, "POST", "clock", {"advance": 100})["now"] >= before + 100
    assert control(target, "GET", "load")["batchesInFlight"] == 1


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("settings", {"generations": 4}),
        ("settings", {"generation": "4"}),
        ("faults", {"name": "no such thing"}),
        ("faults", {"reset": "now and then"}),
        ("clock", {}),
        ("nothing", {}),
    ],
)
def test_control_api_answers_a_wrong_call_with_an_error(target: Simulator, path: str, data: object) -> None:
    assert control(target, "POST", path, data)["error"]


def test_unknown_path_gets_404(target: Simulator) -> None:
    assert ask(f"{target.url}/m2/demo/v2/profile/batchUpdate").status_code == 404
    assert ask(f"{target.url}/").status_code == 404


def test_simulator_speaks_tls() -> None:
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server)
    with running(Settings(), tls=server) as target:
        host = target.url.removeprefix("https://")
        with pytest.raises(ssl.SSLCertVerificationError):
            http.client.HTTPSConnection(host, context=client, timeout=SECONDS).request(
                "GET", "/_control/health"
            )
        authority.configure_trust(client)
        connection = http.client.HTTPSConnection(host, context=client, timeout=SECONDS)
        connection.request("GET", "/_control/health")
        assert connection.getresponse().read() == b'{"ok": true}'
        connection.close()


def test_program_runs_until_it_is_terminated() -> None:
    command = [sys.executable, "-m", "simulator", "--generation", "3", "--failed-ids", "a,b"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        url = process.stdout.readline().strip()
        settings = ask(f"{url}/_control/settings").json()
        process.terminate()
        assert process.wait(SECONDS) == 0
    assert (settings["generation"], settings["failed_ids"]) == (3, ["a", "b"])
