"""Each probe against both positions of what it asks for, and against a Target that does not show it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import simulator
from bulk_profiles.probing.account import Account, Reply
from bulk_profiles.probing.probes import (
    PROBES,
    Ampersand,
    Bench,
    Comma,
    Conclusion,
    CountsStatusCalls,
    Empty,
    EncodedTwice,
    FailedIds,
    KeptStatuses,
    LineEnds,
    LineFeed,
    Override,
    Plus,
    Prefix,
    Probe,
    Quote,
    StatusHost,
    Token,
    TooManyBytes,
    TooManyRows,
    UnknownBatch,
)
from tests.worlds.deployment import Clock

SECRET = {"TokenSecretArn": "the secret's ARN"}
REPLACE = {"SeparatorInValue": "replace"}
POSITIONS: list[tuple[type[Probe], dict[str, Any], str, dict[str, str]]] = [
    (Comma, {}, "it arrives as it is", {}),
    (Comma, {"kept": "cut"}, "the value is cut there", REPLACE),
    (Comma, {"kept": "shifted"}, "it moves values to other columns", REPLACE),
    (Comma, {"kept": "encoded"}, "it arrives as another value", REPLACE),
    (LineFeed, {}, "it arrives as it is", {}),
    (LineFeed, {"kept": "cut"}, "the value is cut there", REPLACE),
    (LineFeed, {"kept": "shifted"}, "the row is cut there", REPLACE),
    (Quote, {}, "it arrives as it is", {}),
    (Quote, {"kept": "cut"}, "the value is cut there", REPLACE),
    (Plus, {}, "yes, so each + must be sent as %2B, as it is", {}),
    (Plus, {"kept": "plus"}, "no, it stays a +", {}),
    (EncodedTwice, {}, "once, as it should be", {}),
    (EncodedTwice, {"kept": "twice"}, "twice", {}),
    (EncodedTwice, {"kept": "encoded"}, "not at all", {}),
    (LineEnds, {"crlf": "end"}, "yes", {}),
    (LineEnds, {"crlf": "refused"}, "no, it is refused", {}),
    (LineEnds, {}, "no, the CR becomes part of a value or a name", {}),
    (Override, {}, "no, they stay", {}),
    (Override, {"overrides": True}, "yes: put all columns of a profile into one file", {}),
    (Empty, {}, "no", {}),
    (Empty, {"clears": True}, "yes", {}),
    (Ampersand, {}, "raw, so that the answer is no XML", {}),
    (Ampersand, {"raw_ampersand": False}, "as &amp;, so that the answer is XML", {}),
    (FailedIds, {"generation": 1}, "yes", {"CountsOnly": "report"}),
    (FailedIds, {"generation": 2}, "yes", {"CountsOnly": "report"}),
    (
        FailedIds,
        {"generation": 4},
        "no, it only counts them: failing rows are searched for",
        {"CountsOnly": "isolate"},
    ),
    (UnknownBatch, {}, "HTTP 404, so a batch that is forgotten is told", {}),
    (UnknownBatch, {"names_unknown": False}, "an answer as for any batch: it says nothing", {}),
    (Token, {}, "no", {}),
    (
        Token,
        {"token": "right"},
        "yes, at submissions and status calls",
        SECRET,
    ),
    (
        Token,
        {"token": "right", "guarded": "submit"},
        "yes, at submissions",
        SECRET,
    ),
    (
        Token,
        {"token": "right", "guarded": "status"},
        "yes, at status calls",
        SECRET,
    ),
    (Prefix, {}, "no, it is refused", {}),
    (Prefix, {"needs_prefix": False}, "yes, and its rows arrive", {}),
    (CountsStatusCalls, {"calls_per_minute": 50}, "yes", {}),
    (CountsStatusCalls, {"calls_per_minute": 50, "count_status_calls": False}, "no", {}),
    (KeptStatuses, {}, "yes", {}),
    (KeptStatuses, {"statuses_kept": 10}, "no: MaxInFlight must stay at 10 or below", {}),
    (TooManyRows, {}, "it is refused", {}),
    (TooManyRows, {"max_rows": 600_000}, "it is taken: 500,000 rows is not a limit of this account", {}),
    (TooManyBytes, {}, "it is refused", {}),
    (TooManyBytes, {"max_bytes": 60_000_000}, "it is taken: 50 MB is not a limit of this account", {}),
]
# What hides the answer of a probe.
HIDDEN: list[tuple[type[Probe], dict[str, Any]]] = [
    *((probe, {"hides_profiles": True}) for probe in (Comma, LineFeed, Quote, Plus, EncodedTwice, LineEnds)),
    *((probe, {"hides_profiles": True}) for probe in (Override, Empty)),
    (Prefix, {"hides_profiles": True, "needs_prefix": False}),
    (FailedIds, {"generation": 3}),
    (StatusHost, {}),  # the simulator's own host has no https
]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def target(clock: Clock) -> Iterator[simulator.Simulator]:
    settings = simulator.Settings(completion_seconds=0, calls_per_minute=0)
    with simulator.running(settings, clock=lambda: clock().timestamp()) as running:
        yield running


@pytest.fixture
def bench(clock: Clock, target: simulator.Simulator) -> Bench:
    def sleep(seconds: float) -> None:
        clock.advance(seconds=seconds)

    account = Account("demo", target.url, None, 20, clock, sleep)
    return Bench(account, "probe", 5)


def run(probe: type[Probe], bench: Bench) -> Conclusion:
    before = bench.account.calls
    conclusion = probe().run(bench)
    assert bench.account.calls > before
    assert (conclusion.probe, conclusion.question) == (probe.name, probe.question)
    assert conclusion.known is (conclusion.answer != "not known")
    assert conclusion.evidence
    return conclusion


@pytest.mark.parametrize(("probe", "settings", "answer", "change"), POSITIONS)
def test_probe_finds_out_how_target_is(
    bench: Bench,
    target: simulator.Simulator,
    probe: type[Probe],
    settings: dict[str, Any],
    answer: str,
    change: dict[str, str],
) -> None:
    target.configure(**settings)
    if settings.get("token"):
        bench.account.token = settings["token"]
    conclusion = run(probe, bench)
    assert (conclusion.answer, conclusion.settings) == (answer, change)


@pytest.mark.parametrize(("probe", "settings"), HIDDEN)
def test_probe_says_not_known_where_target_does_not_show_it(
    bench: Bench, target: simulator.Simulator, probe: type[Probe], settings: dict[str, Any]
) -> None:
    target.configure(**settings)
    conclusion = run(probe, bench)
    assert not conclusion.known
    assert conclusion.settings == {}


def faults(*names: str) -> Callable[[simulator.Simulator], None]:
    def script(target: simulator.Simulator) -> None:
        for name, on in itertools.product(names, ("submit", "status", "profile")):
            target.script(simulator.fault(name, on=on, times=0))

    return script


TROUBLES: dict[str, Callable[[simulator.Simulator], None]] = {
    "busy": faults("unavailable"),
    "broken": faults("server_error"),
    "no answer": faults("reset_before_body"),
    "no XML": faults("html"),
    "nothing": faults("empty"),
    "status: busy": lambda target: target.script(simulator.fault("unavailable", on="status", times=0)),
    "status: no XML": lambda target: target.script(simulator.fault("html", on="status", times=0)),
    "profiles: broken": lambda target: target.script(simulator.fault("server_error", on="profile", times=0)),
    "unsafe URL": lambda target: target.script(simulator.fault(status_url="http://evil.example/", times=0)),
    "refuses all": lambda target: target.script(simulator.fault("refused", times=0)),
    "never done": lambda target: target.configure(completion_seconds=10**9),
    "no rights": lambda target: target.script(
        *(simulator.fault(code=403, on=on, times=0) for on in ("submit", "status", "profile"))
    ),
}
ANSWERED_ALL_THE_SAME = {
    # With nothing but its receipt or its refusal, or by the answers to wrong calls.
    ("never done", Ampersand),
    ("never done", UnknownBatch),
    ("never done", Token),
    ("never done", Prefix),
    ("never done", CountsStatusCalls),
    ("never done", KeptStatuses),
    *(("profiles: broken", probe) for probe in (Ampersand, FailedIds, UnknownBatch, Token, Prefix)),
    *(("profiles: broken", probe) for probe in (CountsStatusCalls, KeptStatuses)),
    *(("status: no XML", probe) for probe in (Ampersand, UnknownBatch, Token, Prefix, KeptStatuses)),
    ("status: no XML", CountsStatusCalls),
    *(("status: busy", probe) for probe in (Ampersand, Prefix, CountsStatusCalls)),
    ("unsafe URL", Prefix),
}


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("probe", [one for one in PROBES if one not in {TooManyBytes, TooManyRows}])
def test_probe_concludes_nothing_from_trouble(
    bench: Bench, target: simulator.Simulator, trouble: str, probe: type[Probe]
) -> None:
    TROUBLES[trouble](target)
    conclusion = run(probe, bench)
    if (trouble, probe) not in ANSWERED_ALL_THE_SAME:
        assert conclusion.answer == "not known"
        assert conclusion.settings == {}


YES = "<response><success>true</success><batchStatus>{statusUrl}</batchStatus></response>"
NO = "<response><success>false</success><batchStatus/><message>later</message></response>"
EMPTY = "<response><message>No such batch</message></response>"
GONE = "<response><status>complete</status><message>No such batch</message></response>"
WORD = "<response><batchId>{batchId}</batchId><status>no such batch</status></response>"


def profiles_of(values: dict[str, str]) -> Callable[[simulator.Simulator], None]:
    body = json.dumps({"profileAttributes": {name: {"value": text} for name, text in values.items()}})
    return lambda target: target.script(simulator.fault(on="profile", code=200, body=body, times=0))


@pytest.mark.parametrize("probe", [Override, Empty, Prefix, LineEnds, Comma, Plus, EncodedTwice])
def test_profile_that_does_not_show_what_was_sent_is_not_read_back(
    bench: Bench, target: simulator.Simulator, probe: type[Probe]
) -> None:
    target.configure(needs_prefix=False)
    profiles_of({"other": "1"})(target)
    assert not run(probe, bench).known


def test_line_end_is_not_known_where_the_last_column_did_not_come_back(
    bench: Bench, target: simulator.Simulator
) -> None:
    profiles_of({"bpProbeValue": "one"})(target)
    assert not run(LineEnds, bench).known


def test_target_is_asked_once_whether_it_takes_a_plain_row(bench: Bench, target: simulator.Simulator) -> None:
    target.configure(crlf="refused", needs_prefix=True)
    assert run(LineEnds, bench).answer == "no, it is refused"
    before = len(target.submissions)
    assert run(LineEnds, bench).answer == "no, it is refused"
    assert len(target.submissions) == before + 1


@pytest.mark.parametrize(
    "values",
    [
        {"bpProbeValue": "", "bpProbeEnd": ""},
        {"bpProbeValue": "one,two"},
        {"bpProbeValue": "one,two", "bpProbeEnd": "another"},
        {"bpProbeValue": "o"},
    ],
)
def test_value_is_cut_only_where_its_first_part_came_back(
    bench: Bench, target: simulator.Simulator, values: dict[str, str]
) -> None:
    profiles_of(values)(target)
    conclusion = run(Comma, bench)
    assert (conclusion.known, conclusion.settings) == (False, {})


@pytest.mark.parametrize(("code", "body"), [(503, NO), (401, NO), (500, YES), (403, YES)])
@pytest.mark.parametrize("probe", [LineEnds, Prefix, TooManyBytes])
def test_answer_is_a_yes_or_a_no_only_with_its_http_status(
    bench: Bench, target: simulator.Simulator, probe: type[Probe], code: int, body: str
) -> None:
    target.configure(max_bytes=60_000_000)
    target.script(simulator.fault(on="submit", code=code, body=body))
    assert not run(probe, bench).known


STATUS_PROBES = [UnknownBatch, Token, CountsStatusCalls, KeptStatuses]


@pytest.mark.parametrize(("code", "body"), [(200, EMPTY), (200, GONE), (200, WORD), (500, ""), (404, "")])
@pytest.mark.parametrize("skip", [0, 1])
@pytest.mark.parametrize("probe", STATUS_PROBES)
def test_status_that_says_nothing_concludes_nothing(
    bench: Bench, target: simulator.Simulator, probe: type[Probe], skip: int, code: int, body: str
) -> None:
    """A 404 after an answer is what two of the probes look for."""
    target.script(simulator.fault(on="status", code=code, body=body, skip=skip, times=0))
    conclusion = run(probe, bench)
    told = skip == 1 and code == 404 and probe in {UnknownBatch, KeptStatuses}
    assert conclusion.known is told


def test_503_long_before_the_limit_is_no_count_of_calls(bench: Bench, target: simulator.Simulator) -> None:
    target.script(simulator.fault("unavailable", on="status", skip=3))
    assert not run(CountsStatusCalls, bench).known


def test_submission_that_is_refused_in_words_shows_no_lack_of_a_token(
    bench: Bench, target: simulator.Simulator
) -> None:
    target.script(simulator.fault("refused"))
    assert not run(Token, bench).known


def test_host_that_cannot_be_reached_is_not_without_https(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Account, "status_url", lambda *_: "https://127.0.0.1:1/batchStatus?batchId=b")
    assert not run(StatusHost, bench).known


@pytest.mark.parametrize(
    "extra", ["<weather>fine</weather>", "<profile><id>x</id><status>failed</status></profile>"]
)
def test_failed_ids_in_an_answer_that_is_not_understood_conclude_nothing(
    bench: Bench, target: simulator.Simulator, extra: str
) -> None:
    target.configure(generation=2)
    target.speak(f"status 1\nextra {extra}")
    assert not run(FailedIds, bench).known


def test_invented_batch_id_is_not_put_into_the_name_of_the_host(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    url = "https://mboxedge45.tt.omtrdc.net/m2/demo/v2/profile/batchStatus?batchId=45"
    status = b"<response><batchId>45</batchId><status>complete</status></response>"

    def ask(_: Account, url: str) -> Reply:
        asked.append(url)
        return Reply(200, status)

    monkeypatch.setattr(Account, "status_url", lambda *_: url)
    monkeypatch.setattr(Account, "ask", ask)
    run(UnknownBatch, bench)
    assert asked == [url, f"{url}0000"]


@pytest.mark.parametrize(("seconds", "words"), [(0, "no Retry-After"), (30, "Retry-After '30'")])
def test_refusal_of_too_many_calls_is_told_with_the_time_that_it_names(
    bench: Bench, target: simulator.Simulator, seconds: int, words: str
) -> None:
    target.configure(calls_per_minute=50, retry_after=seconds)
    assert run(CountsStatusCalls, bench).evidence.endswith(words)


def test_calls_keep_their_pace(bench: Bench, clock: Clock, target: simulator.Simulator) -> None:
    target.configure(calls_per_minute=20)
    begun = clock()
    for probe in (Comma, Override, FailedIds, UnknownBatch):
        assert run(probe, bench).known
    assert clock() - begun >= timedelta(seconds=3 * (bench.account.calls - 1))
    assert target.load["callsInAnyMinute"] <= 21


def test_update_that_shows_late_is_waited_for(bench: Bench, target: simulator.Simulator) -> None:
    target.configure(visible_seconds=200)
    assert run(Comma, bench).answer == "it arrives as it is"


def test_ids_are_invented_and_begin_with_the_prefix(bench: Bench, target: simulator.Simulator) -> None:
    for probe in PROBES[:8]:
        run(probe, bench)
    ids = target.profile_ids()
    assert len(ids) <= sum(probe.profiles for probe in PROBES[:8])
    assert all(name.startswith("probe-") for name in ids)


def test_text_of_target_in_evidence_is_short_and_printable(bench: Bench, target: simulator.Simulator) -> None:
    value = "\x1b[31m" + "x" * 500
    values = {name: {"value": value} for name in ("bpProbeValue", "bpProbeEnd")}
    body = json.dumps({"profileAttributes": values})
    target.script(simulator.fault(on="profile", code=200, body=body, times=0))
    conclusion = run(Comma, bench)
    assert "\x1b" not in conclusion.evidence
    assert len(conclusion.evidence) < 200


def test_every_probe_has_a_name_and_a_question_of_its_own() -> None:
    assert len({probe.name for probe in PROBES}) == len({probe.question for probe in PROBES}) == len(PROBES)
    assert datetime.now(UTC)


@pytest.mark.parametrize("probe", [Override, Empty, KeptStatuses, Token])
@pytest.mark.parametrize("skip", [1, 2])
def test_probe_of_several_batches_knows_nothing_where_a_later_one_is_refused(
    bench: Bench, target: simulator.Simulator, probe: type[Probe], skip: int
) -> None:
    target.script(simulator.fault("refused", skip=skip, times=0))
    conclusion = run(probe, bench)
    assert conclusion.known is (probe is not KeptStatuses and skip == 2)


@pytest.mark.parametrize("probe", [Override, Empty])
def test_second_update_that_never_shows_answers_nothing(
    bench: Bench, target: simulator.Simulator, probe: type[Probe], monkeypatch: pytest.MonkeyPatch
) -> None:
    submit, sent = Account.submit, list[bytes]()

    def lose_the_second(account: Account, body: bytes, **options: Any) -> Reply:
        sent.append(body)
        if len(sent) == 2:
            target.configure(lost_ids=frozenset({"probe-1"}))
        return submit(account, body, **options)

    monkeypatch.setattr(Account, "submit", lose_the_second)
    assert not run(probe, bench).known


@pytest.mark.parametrize(
    ("value", "end", "answer"),
    [
        (None, "end", "not known"),
        ("one", "", "the row is cut there"),
        ("one", "end", "the value is cut there"),
        ("", "", "not known"),
        ("else", "", "not known"),
        ("else", "end", "it arrives as another value"),
        ("one", "two", "it moves values to other columns"),
        ("one,two", "two", "not known"),
    ],
)
def test_value_of_a_separator_is_read_with_the_column_after_it(
    value: str | None, end: str, answer: str
) -> None:
    assert Comma().read(value, end, "evidence").answer == answer


@dataclass
class Told:
    """An account that answers as it is told."""

    reply: Reply
    asked: Reply
    calls: int = 0

    def submit(self, _body: bytes, **_: Any) -> Reply:
        self.calls += 1
        return self.reply

    def status_url(self, _reply: Reply) -> str:
        return "https://demo.tt.omtrdc.net/m2/demo/v2/profile/batchStatus?batchId=demo-1"

    def ask(self, _url: str, **_: Any) -> Reply:
        self.calls += 1
        return self.asked

    def clock(self) -> datetime:
        return datetime(2026, 11, 27, tzinfo=UTC)


RECEIPT = "<response><success>true</success><batchStatus>{}</batchStatus></response>"


def told(url: str, asked: Reply) -> Bench:
    account: Any = Told(Reply(200, RECEIPT.format(url).encode()), asked)
    return Bench(account, "probe", 1)


@pytest.mark.parametrize(
    ("asked", "answer"),
    [(Reply(200), "yes"), (Reply(404), "yes"), (Reply(0, error="No connection."), "not known")],
)
def test_host_that_answers_by_https_speaks_it_and_a_connection_that_fails_says_nothing(
    asked: Reply, answer: str
) -> None:
    assert run(StatusHost, told("https://x", asked)).answer == answer


def test_receipt_without_an_ampersand_shows_no_way_to_write_one() -> None:
    assert not run(Ampersand, told("https://x/batchStatus?batchId=1", Reply(200))).known


@pytest.mark.parametrize("probe", [UnknownBatch, CountsStatusCalls])
def test_call_without_an_answer_says_nothing(probe: type[Probe]) -> None:
    assert not run(probe, told("https://x", Reply(0, error="No connection."))).known


def test_size_that_is_neither_taken_nor_refused_says_nothing() -> None:
    bench = told("https://x", Reply(200))
    bench.account.reply = Reply(502)  # type: ignore[attr-defined]  # it is told
    assert not run(TooManyBytes, bench).known


def test_details_are_asked_for_where_a_status_has_none(bench: Bench, target: simulator.Simulator) -> None:
    for generation, calls in ((1, 1), (4, 2)):
        target.configure(generation=generation)
        _, url = bench.send([f"{bench.new_id()},one,end".encode(), b","])
        before = bench.account.calls
        assert bench.settled(url) is not None
        assert bench.account.calls == before + calls


def test_batch_is_waited_for_no_longer_than_was_said(
    bench: Bench, target: simulator.Simulator, clock: Clock
) -> None:
    target.configure(completion_seconds=10**9)
    bench.account.calls_per_minute = 60
    said = list[str]()
    bench.account.said = said.append
    _, url = bench.send([f"{bench.new_id()},one,end".encode()])
    clock.advance(seconds=1)  # the next call may be made at once
    begun = clock()
    assert bench.settled(url) is None
    assert clock() - begun == timedelta(minutes=5)
    assert set(said) == {"Target is at work on a batch."}


def test_profile_is_read_once_a_minute_until_it_shows(
    bench: Bench, target: simulator.Simulator, clock: Clock
) -> None:
    target.configure(visible_seconds=150)
    bench.account.calls_per_minute = 60
    said = list[str]()
    bench.account.said = said.append
    name = bench.new_id()
    bench.send([f"{name},one,end".encode()])
    begun = clock()
    assert bench.profile(name, lambda _: True) is not None
    assert clock() - begun in {timedelta(minutes=3), timedelta(minutes=3, seconds=1)}
    assert said == ["An update does not show yet."] * 3


def test_every_row_has_an_id_of_its_own(bench: Bench) -> None:
    assert [bench.new_id() for _ in range(3)] == ["probe-1", "probe-2", "probe-3"]


@pytest.mark.parametrize(
    ("receipt", "words"),
    [
        ("<batchStatus>http://evil.example/</batchStatus>", "Target took it"),
        ("", "Target took it and named no status URL"),
    ],
)
def test_batch_that_was_taken_and_cannot_be_followed_is_told_as_such(
    bench: Bench, target: simulator.Simulator, receipt: str, words: str
) -> None:
    body = f"<response><success>true</success>{receipt}</response>"
    target.script(simulator.fault(on="submit", code=200, body=body, times=0))
    assert run(Comma, bench).evidence.endswith(f", {words}")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"code": 200, "body": NO}, 'Target refused it: "later"'),
        ({"code": 413, "body": ""}, "Target refused it"),
        ({"code": 503, "body": ""}, "HTTP 503"),
        ({"code": 503, "body": NO}, 'HTTP 503: "later"'),
    ],
)
def test_batch_that_was_not_taken_is_told_with_what_target_said(
    bench: Bench, target: simulator.Simulator, answer: dict[str, Any], words: str
) -> None:
    target.script(simulator.fault(on="submit", times=0, **answer))
    assert run(Comma, bench).evidence.endswith(f", {words}")
