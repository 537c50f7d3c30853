"""The handlers: what the state machine and CloudWatch get of a step, and the time left for its end."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import repeat
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient
from moto import mock_aws

import simulator
from bulk_profiles.aws.s3 import Storage
from bulk_profiles.core.errors import StorageError
from simulator import Simulator
from tests.worlds.application import DATA_BUCKET, Application, Crash, deployed

FILE = b"thirdPartyId,name\nu1,Ada\nu2,Grace\n"
LONG = FILE + b"u3,Zoe\n"  # with two rows a batch, a split may stop after the first one
NO_KEY = b"name,city\nAda,Bern\n"


@pytest.fixture
def application(target: Simulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Application]:
    """The functions with the template's defaults; every call that they make to AWS is recorded."""
    call = BaseClient._make_api_call  # type: ignore[attr-defined]  # where all calls of all clients meet
    with mock_aws():
        application = deployed(target, monkeypatch)

        def record(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
            return application.record(call, client, operation, parameters)

        monkeypatch.setattr(BaseClient, "_make_api_call", record)
        yield application


def split(application: Application) -> str:
    """Import a file of one batch, which is not sent yet."""
    answer = application.invoke("split_file", application.drop(FILE))
    assert answer["status"] == "uploading"
    return str(answer["importId"])


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Return what the functions wrote since the last look: log lines and metrics."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]


def log(capsys: pytest.CaptureFixture[str], message: str) -> dict[str, Any]:
    """Return the one log line with this message."""
    [line] = [line for line in lines(capsys) if line.get("message") == message]
    return line


# --- split_file ---


def test_split_file_answers_with_the_import_and_logs_its_counts(
    application: Application, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = application.invoke("split_file", application.drop(FILE))
    assert answer == {"importId": answer["importId"], "status": "uploading"}
    line = log(capsys, "File split")
    assert (line["import_id"], line["batches"], line["rows"]["sent"]) == (answer["importId"], 1, 2)


def test_split_file_of_a_known_version_starts_nothing(
    application: Application, capsys: pytest.CaptureFixture[str]
) -> None:
    event = application.drop(FILE)
    first = application.invoke("split_file", event)
    application.clock.advance(minutes=30)
    assert application.invoke("split_file", event) == {"importId": first["importId"], "status": "known"}
    assert log(capsys, "This version of the file is imported already, or being split: nothing to do")


def test_split_file_passes_over_what_is_no_file(
    application: Application, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = application.invoke("split_file", application.drop(b"", "drop/crm/_SUCCESS"))
    assert answer == {"importId": None, "status": "ignored"}
    assert log(capsys, "Not a dropped file: nothing to do")["reason"]
    assert application.items() == []


def test_split_file_of_a_rejected_file_logs_why_and_counts_it(
    application: Application, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = application.invoke("split_file", application.drop(NO_KEY))
    assert answer == {"importId": answer["importId"], "status": "rejected"}
    written = lines(capsys)
    [line] = [line for line in written if line.get("message") == "File rejected"]
    assert (line["level"], line["import_id"]) == ("WARNING", answer["importId"])
    assert "key column" in line["reason"]
    [metrics] = [line for line in written if "ImportsRejected" in line]
    assert (metrics["ImportsRejected"], metrics["UnaccountedRows"]) == ([1], [0])
    [group] = metrics["_aws"]["CloudWatchMetrics"]
    assert {metric["Unit"] for metric in group["Metrics"]} == {"Count"}


def test_split_file_that_starts_an_import_emits_no_metrics(
    application: Application, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are those of the import's end; counted here, they would be counted twice."""
    application.invoke("split_file", application.drop(FILE))
    assert not [line for line in lines(capsys) if "_aws" in line]


@pytest.mark.parametrize(("left", "status"), [(119_999, "splitting"), (120_000, "uploading")])
def test_split_file_stops_while_two_minutes_are_left(
    application: Application, left: int, status: str
) -> None:
    """In them the batch that is being written is ended, and the rest is written down."""
    application.remaining = repeat(left)
    assert application.invoke("split_file", application.drop(LONG))["status"] == status


def test_split_file_out_of_time_invokes_itself_with_the_same_event(
    application: Application, capsys: pytest.CaptureFixture[str]
) -> None:
    application.remaining = repeat(1)
    event = application.drop(LONG)
    answer = application.invoke("split_file", event)
    assert answer == {"importId": answer["importId"], "status": "splitting"}
    assert log(capsys, "Out of time: another invocation goes on")["import_id"] == answer["importId"]
    [call] = [call for call in application.calls if call.service == "lambda"]
    assert call.operation == "Invoke"
    assert call.parameters["FunctionName"] == "the-SplitFileFunction"
    assert call.parameters["InvocationType"] == "Event"
    again = json.loads(call.parameters["Payload"])
    assert again == {"id": event["id"], "detail": event["detail"]}

    application.remaining = None
    assert application.invoke("split_file", again) == answer | {"status": "uploading"}


def test_split_file_is_owned_by_its_invocation_and_not_by_the_event(application: Application) -> None:
    """The platform tries a dead invocation again under its request id; a copy of the event has another."""
    event = application.drop(FILE)
    application.remaining = repeat(1)
    application.invoke("split_file", event)
    [entry] = [item for item in application.items() if item["sk"] == "IMPORT"]
    assert entry["owner"] not in {"", event["id"]}


# --- upload_batch, check_status ---


@pytest.mark.parametrize(
    ("folder", "message", "outcome"),
    [("upload_batch", "Batch brought further", "accepted"), ("check_status", "Batch checked", "resubmit")],
)
def test_step_of_a_batch_answers_and_logs_its_outcome(
    application: Application,
    capsys: pytest.CaptureFixture[str],
    folder: str,
    message: str,
    outcome: str,
) -> None:
    import_id = split(application)
    application.invoke("split_file", application.drop(LONG))  # its name is not in the log of another
    answer = application.invoke(folder, {"importId": import_id, "batch": 1})
    assert answer["outcome"] == outcome
    line = log(capsys, message)
    assert (line["import_id"], line["batch"]) == (import_id, 1)
    assert answer.items() <= line.items()


@pytest.mark.parametrize(("left", "outcome"), [(59_999, "processing"), (60_000, "settled")])
def test_check_status_stops_while_a_minute_is_left(application: Application, left: int, outcome: str) -> None:
    """In it the results that are being written are ended."""
    batch = {"importId": split(application), "batch": 1}
    application.invoke("upload_batch", batch)
    application.remaining = repeat(left)
    for _ in range(5):
        application.clock.advance(minutes=1)
        answer = application.invoke("check_status", batch)
    assert answer["outcome"] == outcome


# --- finish_import, sweep_imports ---


def test_finish_import_of_an_unknown_import_is_an_error(application: Application) -> None:
    with (
        pytest.warns(UserWarning, match="No application metrics"),
        pytest.raises(Crash, match="LedgerError: There is no split import crm-0a1b2c3d4e5f"),
    ):
        application.invoke("finish_import", {"importId": "crm-0a1b2c3d4e5f"})


def test_finish_import_emits_every_count_once(
    application: Application, capsys: pytest.CaptureFixture[str]
) -> None:
    application.run(FILE)
    [metrics] = [line for line in lines(capsys) if "_aws" in line]
    [group] = metrics["_aws"]["CloudWatchMetrics"]
    assert {metric["Unit"] for metric in group["Metrics"]} == {"Count"}
    assert (metrics["RowsSent"], metrics["ProfilesSuccess"], metrics["ImportsSucceeded"]) == ([2], [2], [1])


def test_resend_import_answers_with_the_batches_that_are_open_again(
    application: Application, target: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    target.script(simulator.fault("refused"))
    import_id = split(application)
    application.resume(import_id)
    event = {"input": {"importId": import_id, "resend": ["refused"]}, "execution": "by-hand"}
    capsys.readouterr()
    says = "2 profiles of 1 batch: 2 error."
    answer = {"outcome": "prepared", "importId": import_id, "batches": [1], "says": says}
    assert application.invoke("resend_import", event) == answer
    line = log(capsys, "Sent again")
    assert (line["import_id"], line["batches"], line["says"]) == (import_id, 1, says)


def test_resend_import_answers_and_logs_why_nothing_is_sent_again(
    application: Application, capsys: pytest.CaptureFixture[str]
) -> None:
    event = {"input": {"importId": "crm-0a1b2c3d4e5f", "resend": ["error"]}, "execution": "by-hand"}
    answer = application.invoke("resend_import", event)
    assert answer == {"outcome": "refused", "says": log(capsys, "Nothing is sent again")["reason"]}
    assert answer["says"].startswith("There is no import crm-0a1b2c3d4e5f")


def test_sweep_imports_answers_logs_and_emits_its_counts(
    application: Application, capsys: pytest.CaptureFixture[str]
) -> None:
    split(application)
    application.clock.reach(datetime.now(UTC) + timedelta(hours=1))  # S3 tells the time by itself
    counts = application.invoke("sweep_imports", {})
    assert counts == {
        "SweptVersions": 1,
        "SplitBySweep": 0,
        "RestartedBySweep": 0,
        "ToldBySweep": 0,
        "UnaccountedRows": 0,
        "SweepFailures": 0,
    }
    written = lines(capsys)
    [line] = [line for line in written if line.get("message") == "Swept"]
    assert line["counts"] == counts
    [metrics] = [line for line in written if "SweptVersions" in line]
    assert {name: metrics[name] for name in counts} == {name: [count] for name, count in counts.items()}


def test_split_file_logs_what_could_not_be_told_of_a_rejected_file(
    application: Application, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise StorageError("S3 did not copy the report: AccessDenied.")

    monkeypatch.setattr(Storage, "copy", refuse)
    application.invoke("split_file", application.drop(b"no key column\n"))
    assert log(capsys, "Something was not told")["reason"] == "S3 did not copy the report: AccessDenied."


# --- verify_import ---


def test_verify_import_that_cannot_read_back_lets_the_import_end(
    application: Application, capsys: pytest.CaptureFixture[str]
) -> None:
    application.configure(VERIFY_SAMPLE="2")
    import_id = split(application)
    application.walk({"importId": import_id, "batch": 1})
    boto3.client("s3").delete_object(Bucket=DATA_BUCKET, Key=f"imports/{import_id}/batches/00001.batch")
    event = {"input": {"importId": import_id, "batches": [1], "verifySample": 2}, "execution": import_id}
    assert application.invoke("verify_import", event) == {"outcome": "verified"}
    assert "have been deleted" in log(capsys, "Nothing is verified")["reason"]


def test_verify_import_stops_while_a_minute_is_left(application: Application) -> None:
    application.configure(VERIFY_DELAY_MINUTES="0")
    import_id = split(application)
    application.resume(import_id)
    application.remaining = itertools.repeat(59_999)
    event = {"input": {"importId": import_id, "verify": 2}, "execution": "by-hand"}
    assert application.invoke("verify_import", event)["outcome"] == "waits"
    assert not any("/rest/v1/profiles/" in request.path for request in application.target.requests)
    application.remaining = itertools.repeat(60_000)
    while (outcome := application.invoke("verify_import", event))["outcome"] == "waits":
        application.clock.reach(datetime.fromisoformat(outcome["resumeAt"]))


def test_verify_import_logs_that_it_waits_and_that_it_is_done(
    application: Application, capsys: pytest.CaptureFixture[str]
) -> None:
    import_id = split(application)
    application.resume(import_id)
    event = {"input": {"importId": import_id, "verify": 2}, "execution": "by-hand"}
    outcome = application.invoke("verify_import", event)
    line = log(capsys, "Verification waits")
    assert outcome == {"outcome": "waits", "resumeAt": line["resume_at"]}
    assert line["import_id"] == import_id
    while outcome["outcome"] == "waits":
        application.clock.reach(datetime.fromisoformat(outcome["resumeAt"]))
        outcome = application.invoke("verify_import", event)
    assert outcome == {"outcome": "verified"}
    assert log(capsys, "Import verified")["import_id"] == import_id


# --- the token ---


def test_batch_that_waits_for_a_token_is_counted_by_whoever_finds_it(
    application: Application, capsys: pytest.CaptureFixture[str]
) -> None:
    batch = {"importId": split(application), "batch": 1}
    unauthorized = [simulator.fault("unauthorized", on=on, times=9) for on in ("submit", "status")]
    application.target.script(unauthorized[0])
    for _ in range(2):  # a token that is not accepted is tried once more
        waits = application.invoke("upload_batch", batch)
        application.clock.reach(datetime.fromisoformat(waits["resumeAt"]))
    assert waits["why"] == "token"
    assert _waiting(capsys) == {1}
    application.target.clear_script()
    application.target.script(unauthorized[1])
    application.clock.advance(hours=1)
    application.invoke("upload_batch", batch)
    for _ in range(3):
        application.clock.advance(hours=1)
        waits = application.invoke("check_status", batch)
    assert waits["why"] == "token"
    assert _waiting(capsys) == {1}


def _waiting(capsys: pytest.CaptureFixture[str]) -> set[int]:
    """Return the different counts of batches without a token that were emitted, each as a count."""
    counted = [line for line in lines(capsys) if "BatchesWithoutToken" in line]
    assert all(
        {"Name": "BatchesWithoutToken", "Unit": "Count"} in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]
        for line in counted
    )
    return {int(number) for line in counted for number in line["BatchesWithoutToken"]}
