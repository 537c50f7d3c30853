"""The commands on a kept run: what they need, what they find, and their exit codes."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bulk_profiles.core.names import import_id
from local import commands
from local.engine import ROOT
from local.errors import LocalRunError
from local.kept_run import KeptRun

EVENT = {"importId": "sample", "batch": 1}


class Engine:
    """The clients of an engine on which files were dropped, and whose functions answer."""

    def __init__(self, *dropped: tuple[str, int], error: bool = False) -> None:
        self.dropped, self.error = dropped, error
        self.invoked: list[tuple[str, Any]] = []

    def get_paginator(self, _operation: str) -> Engine:
        return self

    def paginate(self, **_: str) -> list[dict[str, Any]]:
        moment = datetime(2026, 11, 27, tzinfo=UTC)
        return [
            {"Versions": [{"Key": key, "VersionId": key, "LastModified": moment.replace(second=second)}]}
            for key, second in self.dropped
        ]

    def invoke(self, FunctionName: str, Payload: str, LogType: str) -> dict[str, Any]:  # noqa: N803
        assert LogType == "Tail"
        self.invoked.append((FunctionName, json.loads(Payload)))
        error = {"FunctionError": "Unhandled"} if self.error else {}
        log = base64.b64encode(b"a line of the log").decode()
        return {"Payload": io.BytesIO(b'{"outcome": "settled"}'), "LogResult": log, **error}

    def client(self, *_: Any, **__: Any) -> Engine:
        return self


@pytest.fixture
def use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that lets the commands find a kept run with this engine."""

    def used(engine: Engine) -> KeptRun:
        outputs = {"DropBucketName": "drop-bucket", "DataBucketName": "data"}
        run = KeptRun(tmp_path, "http://127.0.0.1:1", "", outputs, {})
        monkeypatch.setattr(KeptRun, "newest", lambda: run)
        monkeypatch.setattr(KeptRun, "client", lambda *_: engine)
        monkeypatch.setattr(commands, "aws_session", lambda: engine)
        monkeypatch.setattr(commands, "functions", lambda _: {"UploadBatchFunction": "deployed-upload"})
        monkeypatch.setattr(os, "environ", {})
        return run

    return used


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["drop"], "make drop: FILE is missing: make drop FILE=customers.csv."),
        (["drop", "file=x"], "make drop: There is no variable file (did you mean FILE?)."),
        (["list", "DIALECT=x"], "make list: There is no variable DIALECT; make list has none."),
        (["find", "ID="], "make find: ID is missing: make find ID=crm-000001."),
        (
            ["invoke", "FUNCTION=UploadBatchFunction"],
            "make invoke: EVENT is missing: make invoke EVENT=events/upload_batch.json.",
        ),
        (
            ["invoke", "FUNCTION=UploadBatch", "EVENT=events/upload_batch.json"],
            "make invoke: There is no function UploadBatch (did you mean UploadBatchFunction?).",
        ),
        (
            ["invoke", "FUNCTION=UploadBatchFunction", "EVENT=none.json"],
            "make invoke: EVENT none.json cannot be read: No such file or directory.",
        ),
        (
            ["invoke", "FUNCTION=UploadBatchFunction", "EVENT=README.md"],
            "make invoke: EVENT README.md is not JSON: Expecting value: line 1 column 1 (char 0).",
        ),
        (["watch"], "make watch: Nothing has been dropped."),
    ],
)
def test_wrong_use_is_told_in_one_line(
    use: Any, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    use(Engine())
    assert commands.main(arguments) == 2
    assert capsys.readouterr().err == f"{sentence}\n"


def test_without_a_kept_run_every_command_says_how_to_start_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def none() -> KeptRun:
        raise LocalRunError("No kept stack is up: start one with make run KEEP=1")

    monkeypatch.setattr(KeptRun, "newest", none)
    assert commands.main(["list"]) == 2
    assert capsys.readouterr().err == "make list: No kept stack is up: start one with make run KEEP=1.\n"


def test_show_takes_the_file_that_was_dropped_last(use: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that are passed over become no imports."""
    use(
        Engine(("drop/a/first.csv", 1), ("drop/a/last.csv", 9), ("drop/a/then.csv", 5), ("drop/a/_x.csv", 11))
    )
    called: list[list[str]] = []

    def bulk_profiles(arguments: list[str]) -> int:
        called.append(arguments)
        return 1

    monkeypatch.setattr(commands, "bulk_profiles", bulk_profiles)
    assert commands.main(["show"]) == 1
    assert commands.main(["show", "IMPORT=named"]) == 1
    last = import_id("drop-bucket", "drop/a/last.csv", "drop/a/last.csv")
    assert called == [["show", "--", last], ["show", "--", "named"]]


def test_commands_see_the_kept_engine_and_nothing_else(use: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run = use(Engine())
    os.environ.update(AWS_PROFILE="live", BULK_PROFILES_STACK="live", HOME="/home/ada")
    monkeypatch.setattr(commands, "bulk_profiles", lambda _: 0)
    commands.main(["list"])
    assert os.environ == run.environment | {"BULK_PROFILES_STACK": "bulk-profiles", "HOME": "/home/ada"}


@pytest.mark.parametrize("error", [False, True])
def test_invoke_prints_answer_and_log_and_exits_with_1_for_an_error(
    use: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], *, error: bool
) -> None:
    engine = Engine(error=error)
    use(engine)
    event = tmp_path / "event.json"
    event.write_text(json.dumps(EVENT))
    words = ["invoke", "FUNCTION=UploadBatchFunction", f"EVENT={event}"]
    assert commands.main(words) == int(error)
    assert capsys.readouterr().out == '{\n  "outcome": "settled"\n}\n\nLog:\na line of the log\n'
    commands.main([*words, "IMPORT=other"])
    assert engine.invoked == [("deployed-upload", EVENT), ("deployed-upload", EVENT | {"importId": "other"})]


@pytest.mark.parametrize(("name", "word"), [("resend_import", "resend"), ("verify_import", "verify")])
def test_invoke_puts_the_import_into_the_input_of_an_execution(use: Any, name: str, word: str) -> None:
    engine = Engine()
    use(engine)
    words = ["invoke", "FUNCTION=UploadBatchFunction", f"EVENT={ROOT}/events/{name}.json", "IMPORT=other"]
    assert commands.main(words) == 0
    [(_, event)] = engine.invoked
    assert (event["input"]["importId"], event["execution"]) == ("other", "other-by-hand")
    assert word in event["input"]
    assert "importId" not in event


def test_invoke_with_an_import_that_the_event_has_no_place_for_is_wrong_use(
    use: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = Engine()
    use(engine)
    words = ["invoke", "FUNCTION=UploadBatchFunction", f"EVENT={ROOT}/events/split_file.json", "IMPORT=other"]
    assert commands.main(words) == 2
    assert "IMPORT is of no use: the event has no importId" in capsys.readouterr().err
    assert engine.invoked == []


def test_logs_prints_the_end_of_the_engines_log(use: Any, capsys: pytest.CaptureFixture[str]) -> None:
    run = use(Engine())
    (run.folder / "engine.log").write_text("".join(f"line {number}\n" for number in range(100)))
    assert commands.main(["logs"]) == 0
    out = capsys.readouterr().out
    assert "line 99\n" in out
    assert "line 39\n" not in out
    assert str(run.folder / "engine.log") in out


def test_clean_stops_every_kept_run(use: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run = use(Engine())
    other = dataclasses.replace(run, folder=run.folder / "other")
    other.folder.mkdir()
    monkeypatch.setattr(KeptRun, "running", lambda: [run, other])
    assert commands.main(["clean"]) == 0
    assert not other.folder.exists()
    assert not run.folder.exists()
