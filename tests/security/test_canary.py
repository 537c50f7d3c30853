"""No value of a row and no token is shown: not in a log, a metric, an error, a state or a report.

A value that occurs nowhere else is planted in ids and cells, in rows that are sent, rejected and refused, in
files that cannot be read, in the token and in what Target answers. Where rows belong - batches, rejected
rows, profile results, the split's scratch - is not looked at; everything else is.
"""

from __future__ import annotations

import bz2
import gzip
import itertools
import json
import lzma
import traceback
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError, EndpointConnectionError

import simulator
from bulk_profiles.splitting.rows.faults import Reject
from tests.worlds.application import DATA_BUCKET, IMPORTS_TABLE, Application, Crash

pytestmark = [
    pytest.mark.fault(62, "a value of a row, or a token, in any output"),
    pytest.mark.filterwarnings("ignore:No application metrics to publish"),
]

CANARY = "canary7f3a9c"
RESULTS = (
    "/batches/",
    "/follow-ups/",
    "/answers/",
    "/profiles/",
    "/rejected-rows.",
    "/failed-rows.",
    "/scratch/",
    "/verification.csv",
)  # where rows belong
ROWS = "".join(f"{CANARY}-{n},{CANARY} & {n},{CANARY}@example.com\n" for n in range(3))
FILE = f"thirdPartyId,name,mail\n{ROWS}".encode()
LINES = "".join(f'{{"thirdPartyId": "{CANARY}-{n}", "name": "{CANARY}"}}\n' for n in range(3)).encode()

type Silent = Callable[..., None]


@pytest.fixture
def assert_silent(
    application: Application, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> Silent:
    """Return a check that there was output, and that the canary is in none of it."""

    def look(*crashes: BaseException, canary: str = CANARY) -> None:
        out, err = capsys.readouterr()
        assert out
        crashed = [text for crash in crashes for text in traceback.format_exception(crash)]
        records = [f"{record.getMessage()} {record.__dict__}" for record in caplog.records]
        objects = {
            name: body
            for name, body in application.objects().items()
            if name.startswith("imports/") and not any(part in name for part in RESULTS)
        }
        messages = [
            json.dumps(call.parameters)
            for call in application.calls
            if call.service in {"sns", "stepfunctions", "lambda"}
        ]
        everything = {
            "stdout": out,
            "stderr": err,
            "logs": "\n".join(records),
            "exceptions": "\n".join(crashed),
            "states and dead letters": "\n".join(application.states),
            "messages": "\n".join(messages),
            "ledger": str(application.items()),
        } | {name: body.decode("latin-1") + name for name, body in objects.items()}
        assert [place for place, text in everything.items() if canary in text] == []

    return look


@pytest.mark.parametrize("generation", [1, 2, 3, 4])
def test_values_of_a_sent_file_are_never_shown(
    application: Application, target: simulator.Simulator, assert_silent: Silent, generation: int
) -> None:
    target.configure(generation=generation, failed_ids=frozenset({f"{CANARY}-1"}))
    answer = application.run(FILE)
    assert answer["status"] in {"partial", "succeeded"}
    assert target.profile(f"{CANARY}-0") == {"name": f"{CANARY} & 0", "mail": f"{CANARY}@example.com"}
    assert_silent()


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("a.csv.gz", gzip.compress(FILE, mtime=0)),
        ("a.csv.bz2", bz2.compress(FILE)),
        ("a.csv.xz", lzma.compress(FILE)),
        ("a.tsv", FILE.replace(b",", b"\t")),
        ("a.jsonl", LINES),
        ("a.txt", b"batch=" + FILE.replace(b" & ", b"%20%26%20").replace(b"@", b"%40")),
        ("a.csv", FILE.decode().encode("utf-16")),
    ],
)
def test_values_of_a_file_in_any_format_are_never_shown(
    application: Application, assert_silent: Silent, name: str, body: bytes
) -> None:
    assert application.run(body, f"drop/default/{name}")["status"] == "succeeded"
    assert_silent()


# Each row is rejected for its own reason; the file says nothing else.
HEADER, SOUND = b"thirdPartyId,name\n", b"u1,Ada\n"
REJECTED = {
    Reject.EMPTY_ID: HEADER + SOUND + f",{CANARY}\n".encode(),
    Reject.ID_CHARACTER: HEADER + SOUND + f"{CANARY}/1,x\n".encode(),
    Reject.ID_DECODED: HEADER + SOUND + f"{CANARY}\ufffd,x\n".encode(),
    Reject.ID_TOO_LONG: HEADER + SOUND + f"{CANARY * 30},x\n".encode(),
    Reject.ID_NUMBER: b'{"thirdPartyId": "u1", "name": "Ada"}\n'
    + f'{{"thirdPartyId": 1.5, "name": "{CANARY}"}}\n'.encode(),
    Reject.ID_QUOTED: HEADER + SOUND + f"'{CANARY}',x\n".encode(),
    Reject.PLACEHOLDER_ID: HEADER + SOUND + f"{{{{{CANARY}}}}},x\n".encode(),
    Reject.COMMENT_ROW: HEADER + SOUND + f"# {CANARY},x\n".encode(),
    Reject.TOTAL_ROW: HEADER + SOUND + f"Total,{CANARY}\n".encode(),
    Reject.MIXED_ENCODING: HEADER + b"u1,Ren\xe9\n" + f"u2,{CANARY} \u00e9\n".encode(),
    Reject.TOO_FEW_CELLS: HEADER + SOUND + f"{CANARY}\n".encode(),
    Reject.TOO_MANY_CELLS: HEADER + SOUND + f"u2,{CANARY},{CANARY}\n".encode(),
    Reject.INVALID_UTF8: HEADER + SOUND + CANARY.encode() + b"\xff,x\n",
    Reject.BAD_QUOTE: HEADER + SOUND + f'u2,"{CANARY}" {CANARY}\n'.encode(),
    Reject.BAD_ESCAPE: b"batch=" + HEADER + SOUND + f"u2,{CANARY}%zz\n".encode(),
    Reject.BAD_JSON: b'{"thirdPartyId": "u1", "name": "Ada"}\n' + f'{{"{CANARY}": {CANARY}\n'.encode(),
    Reject.NESTED_VALUE: b'{"thirdPartyId": "u1", "name": "Ada"}\n'
    + f'{{"thirdPartyId": "u2", "name": ["{CANARY}"]}}\n'.encode(),
    Reject.SEPARATOR_IN_VALUE: HEADER + SOUND + f'u2,"{CANARY}, x"\n'.encode(),
    Reject.ROW_TOO_LARGE: HEADER + SOUND + f"u2,{CANARY * 20}\n".encode(),
}


@pytest.mark.parametrize("answer", ["plus", "lost", CANARY])
def test_values_that_are_read_back_are_never_shown(
    application: Application, assert_silent: Silent, answer: str
) -> None:
    """The table of differences has ids, as the results have them; it is the only one that does."""
    import_id = application.invoke("split_file", application.drop(FILE))["importId"]
    if answer == "plus":
        application.target.configure(kept="plus")
    elif answer == "lost":
        application.target.configure(lost_ids=frozenset({f"{CANARY}-1"}))
    else:
        body = json.dumps({"client": "demo", "profileAttributes": {CANARY: {"value": CANARY}}})
        application.target.script(simulator.fault(on="profile", code=200, body=body, times=0))
    application.resume(import_id)
    event = {"input": {"importId": import_id, "verify": 5}, "execution": "by-hand"}
    while (outcome := application.invoke("verify_import", event))["outcome"] == "waits":
        application.clock.reach(datetime.fromisoformat(outcome["resumeAt"]))
    assert application.invoke("finish_import", {"importId": import_id})["status"] in {"partial", "succeeded"}
    assert_silent()


@pytest.mark.parametrize("reason", list(Reject))
def test_values_of_a_rejected_row_are_never_shown(
    application: Application, assert_silent: Silent, reason: Reject
) -> None:
    application.configure(SEPARATOR_IN_VALUE="reject")
    if reason is Reject.MIXED_ENCODING:
        feed = b'{"encoding": "cp1252"}'
        boto3.client("s3").put_object(Bucket=DATA_BUCKET, Key="feeds/default.json", Body=feed)
    if reason is Reject.ROW_TOO_LARGE:
        application.configure(MAX_BATCH_BYTES="100")
    application.run(REJECTED[reason])
    [rejects] = [body for name, body in application.objects().items() if "/rejected-rows." in name]
    assert reason.value.encode() in rejects
    assert_silent()


@pytest.mark.parametrize(
    "body",
    [
        f"{CANARY}-1,{CANARY}\n{CANARY}-2,{CANARY}\n".encode(),  # no header: the first row stands there
        f"{CANARY}-1,{CANARY},{CANARY}\n{CANARY}-2,{CANARY},x\n".encode(),
        f'thirdPartyId,name\nu1,"{CANARY}\nu2,{CANARY}\n'.encode(),
        f'thirdPartyId,name\nu1,"{CANARY}\n{CANARY}" {CANARY}\n'.encode(),
        CANARY.encode(),
        f'[{{"thirdPartyId": "{CANARY}"}}]'.encode(),
        f'{{"name": "{CANARY}"}}\n'.encode(),
        f"batch=name,mail\n{CANARY},{CANARY}\n".encode(),
        gzip.compress(FILE, mtime=0)[:-9],
        gzip.compress(FILE, compresslevel=0, mtime=0)[:-20] + CANARY.encode(),
        b"PAR1" + CANARY.encode() * 20 + b"PAR1",
        b"PK\x03\x04" + CANARY.encode() * 20,
        FILE.decode().encode("utf-16-le"),
    ],
)
def test_values_of_an_unreadable_file_are_never_shown(
    application: Application, assert_silent: Silent, body: bytes
) -> None:
    answer = application.invoke("split_file", application.drop(body))
    assert answer["status"] == "rejected"
    assert_silent()


def test_values_of_an_invalid_feed_are_never_shown(application: Application, assert_silent: Silent) -> None:
    feed = {"apiVersion": CANARY, "mapping": {"key": [CANARY]}, "encoding": CANARY, "delimiter": CANARY}
    s3 = boto3.client("s3")
    s3.put_object(Bucket=DATA_BUCKET, Key="feeds/default.json", Body=json.dumps(feed).encode())
    assert application.invoke("split_file", application.drop(FILE))["status"] == "rejected"
    _silent_but_for_settings(application, assert_silent)


def _silent_but_for_settings(application: Application, assert_silent: Silent) -> None:
    """The ledger pins the feed itself; nothing else repeats it."""
    for item in application.items():
        boto3.resource("dynamodb").Table(IMPORTS_TABLE).put_item(Item=item | {"settings": ""})
    assert_silent()


ANSWERS = [
    *(
        simulator.fault(name)
        for name in ("unavailable", "server_error", "bad_request", "html", "json", "cut_xml")
    ),
    *(
        simulator.fault(name)
        for name in ("refused", "reset_during_body", "reset_after_body", "redirect", "empty")
    ),
    *(
        simulator.fault(name, times=3)
        for name in ("doctype", "entities", "cut_status", "unknown_word", "stuck")
    ),
    simulator.fault(code=500, body=CANARY),
    simulator.fault(code=400, body=f"<html>{CANARY}</html>"),
    simulator.fault(code=200, body=f"<response><success>{CANARY}</success><{CANARY}/></response>"),
    simulator.fault(code=200, body=f"<response><success>true</success><{CANARY}>"),
    simulator.fault(code=503, headers={"Retry-After": CANARY}),
    simulator.fault(code=302, headers={"Location": f"http://127.0.0.1:9/{CANARY}"}),
    simulator.fault("unsafe_status_url", status_url=f"http://example.com/{CANARY}?batchId={CANARY}"),
    simulator.fault("unsafe_status_url", status_url=f"http://{CANARY}@127.0.0.1/?batchId=1"),
    simulator.fault(on="status", code=200, body=f"<!DOCTYPE {CANARY}><response/>", times=2),
    simulator.fault(on="status", code=200, body=f"<response><status>{CANARY}</status></response>", times=2),
    simulator.fault(on="status", code=200, body=f"<response><batchId>b1</batchId><{CANARY}>", times=2),
    simulator.fault(on="status", code=404, body=CANARY, times=2),
]


@pytest.mark.parametrize("faults", [*itertools.batched(ANSWERS, 8, strict=False)], ids=range(4))
def test_values_in_an_answer_of_target_are_never_shown(
    application: Application,
    target: simulator.Simulator,
    assert_silent: Silent,
    faults: tuple[simulator.Fault, ...],
) -> None:
    """Each batch of one import meets the next one of these answers."""
    application.configure(DEADLINE_HOURS="1", UPLOAD_TIMEOUT_SECONDS="2")
    target.script(*faults)
    rows = "".join(f"{CANARY}-{n},{CANARY}\n" for n in range(2 * len(faults)))
    application.run(f"thirdPartyId,name\n{rows}".encode())
    assert sum(bool(request.fault) for request in target.requests) == sum(fault.times for fault in faults)
    assert_silent()


def calls_of(application: Application) -> list[tuple[str, str]]:
    """Return the kinds of calls that an import made, each once: function and operation."""
    return list(dict.fromkeys((call.function, call.operation) for call in application.calls))


def failing(kind: tuple[str, str], application: Application, error: Callable[[], Exception]) -> Any:
    """Return a replacement for the calls of AWS that fails for one operation of one function."""
    call = BaseClient._make_api_call  # type: ignore[attr-defined]  # where all calls of all clients meet

    def make(client: Any, operation: str, parameters: Any) -> Any:
        if (application.function, operation) == kind:
            raise error()
        return call(client, operation, parameters)

    return make


ERRORS: list[Callable[[], Exception]] = [
    lambda: ClientError({"Error": {"Code": "InternalError", "Message": "Try again."}}, "AnyOperation"),
    lambda: EndpointConnectionError(endpoint_url="https://aws.example.com"),
]


def test_values_in_flight_at_an_error_of_aws_are_never_shown(
    application: Application, assert_silent: Silent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each kind of call fails once, with one of the errors."""
    application.run(FILE)
    kinds = calls_of(application)
    assert len(kinds) > 12
    crashes, others = [], []
    for number, kind in enumerate(kinds):
        file = FILE.replace(b"-", f"-{number}-".encode())
        with monkeypatch.context() as patch:
            patch.setattr(
                BaseClient, "_make_api_call", failing(kind, application, ERRORS[number % len(ERRORS)])
            )
            try:
                application.run(file, f"drop/default/{number}.csv")
            except Crash as crash:
                crashes.append(crash)
            else:
                others.append(kind)
    told = {operation for _, operation in others}
    # Telling decides nothing.
    assert told == {"ListObjectsV2", "CopyObject", "PutEvents", "Publish"}
    assert_silent(*crashes)


SPOILED = [
    ("check_status", "batches/00001.batch", b"batch=thirdPartyId\n" + CANARY.encode() + b"\xff\n"),
    ("finish_import", "manifest.json", CANARY.encode()),
    ("finish_import", "manifest.json", json.dumps({CANARY: CANARY}).encode()),
    ("upload_batch", "batches/00001.batch", b"batch=thirdPartyId\n" + CANARY.encode()),
]


@pytest.mark.parametrize(("folder", "name", "body"), SPOILED)
def test_values_in_a_spoiled_object_are_never_shown(
    application: Application, assert_silent: Silent, folder: str, name: str, body: bytes
) -> None:
    import_id = application.invoke("split_file", application.drop(FILE))["importId"]
    s3 = boto3.client("s3")
    crashes = []
    for batch in (1, 2):
        state = {"importId": import_id, "batch": batch}
        if folder != "upload_batch":
            application.walk(state) if folder == "finish_import" else application.invoke(
                "upload_batch", state
            )
    key = f"imports/{import_id}/{name}"
    s3.put_object(Bucket=DATA_BUCKET, Key=key, Body=body)
    application.clock.advance(hours=25)
    try:
        application.invoke(folder, {"importId": import_id, "batch": 1})
        application.invoke(folder, {"importId": import_id, "batch": 1})
    except Crash as crash:
        crashes.append(crash)
    s3.delete_object(Bucket=DATA_BUCKET, Key=key)
    assert_silent(*crashes)


@pytest.mark.parametrize(
    "event",
    [
        {"importId": CANARY + "/", "batch": 1},
        {"importId": "a", "batch": CANARY},
        {"detail": {"bucket": CANARY, "object": {"key": [CANARY]}}},
        {"detail": CANARY},
    ],
)
def test_values_in_an_invalid_event_are_never_shown(
    application: Application, assert_silent: Silent, event: Any
) -> None:
    application.run(FILE)
    application.states.clear()
    crashes = []
    for folder in ("split_file", "upload_batch", "check_status", "finish_import"):
        try:
            application.invoke(folder, event)
        except Crash as crash:
            crashes.append(crash)
    assert len(crashes) >= 3
    letters = [json.loads(state) for state in application.states]
    application.states = [
        json.dumps(letter["responsePayload"]) for letter in letters if "responsePayload" in letter
    ]
    assert_silent(*crashes)


# --- the token ---

TOKEN = "token-4e7b1d90"


def with_token(application: Application, secret: str) -> str:
    """Keep a token in Secrets Manager, make the functions use it, and return the ARN of the secret."""
    arn: str = boto3.client("secretsmanager").create_secret(
        Name=f"target-{uuid.uuid4()}", SecretString=secret
    )["ARN"]
    application.configure(TOKEN_SECRET_ARN=arn)
    return arn


ECHO = f"<response><success>false</success><batchStatus/><message>Bearer {TOKEN}</message></response>"
SCENARIOS = [  # secret, the token that Target wants, what Target answers
    pytest.param(TOKEN, TOKEN, [], id="accepted"),
    pytest.param(json.dumps({"demo": TOKEN}), TOKEN, [], id="accepted, of one client"),
    pytest.param(TOKEN, "another", [], id="not accepted"),
    pytest.param(TOKEN, TOKEN, [simulator.fault("unauthorized", times=2)], id="renewed"),
    pytest.param(TOKEN, TOKEN, [simulator.fault(code=200, body=ECHO, times=2)], id="echoed in a refusal"),
    pytest.param(TOKEN, TOKEN, [simulator.fault(code=400, body=ECHO, times=2)], id="echoed in a 400"),
    pytest.param(TOKEN, TOKEN, [simulator.fault("reset_during_body")], id="connection reset"),
]


@pytest.mark.parametrize(("secret", "wanted", "faults"), SCENARIOS)
def test_token_in_any_use_is_never_shown(
    application: Application,
    target: simulator.Simulator,
    assert_silent: Silent,
    secret: str,
    wanted: str,
    faults: list[simulator.Fault],
) -> None:
    with_token(application, secret)
    application.configure(DEADLINE_HOURS="1")
    target.configure(token=wanted)
    target.script(*faults)
    application.run(FILE)
    assert {request.authorized for request in target.requests} == {wanted == TOKEN}
    assert_silent(canary=TOKEN)


@pytest.mark.parametrize(
    "secret", [f"{TOKEN}\n{TOKEN}", f"{{{TOKEN}", json.dumps({"other": TOKEN}), f"token={TOKEN}"]
)
def test_token_that_cannot_be_sent_is_never_shown(
    application: Application, assert_silent: Silent, secret: str
) -> None:
    with_token(application, secret)
    with pytest.raises(Crash, match="TokenError") as crash:
        application.run(FILE)
    assert_silent(crash.value, canary=TOKEN)
