"""`bulk-profiles pause`, `resume`, `stop` and `resend`: what a person decides about imports."""

from __future__ import annotations

import dataclasses
import io
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import click
import pytest

import simulator
from bulk_profiles.aws import identity
from bulk_profiles.aws.step_functions import Executions
from bulk_profiles.cli.commands import control
from bulk_profiles.cli.main import main
from bulk_profiles.cli.stack import Stack
from bulk_profiles.core.models import ProfileCounts, Why
from tests.worlds.deployment import Deployment

FILE = b"thirdPartyId,name\nu1,Ada\nu2,Grace\nu3,Zoe\n"  # two batches
NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)

pytestmark = pytest.mark.usefixtures("ours", "at_nine")


@pytest.fixture
def at_nine(monkeypatch: pytest.MonkeyPatch, deployment: Deployment) -> None:
    """It is nine o'clock, Ana calls, and the state machine is that of the deployment."""

    class Told(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]  # of the same kind
            return deployment.clock().astimezone(tz)

    monkeypatch.setattr(control, "datetime", Told)
    monkeypatch.setattr(control, "caller", lambda: "ana")
    executions = Executions(deployment.machine, "arn")  # type: ignore[arg-type]  # stands at the boundary
    monkeypatch.setattr(Stack, "executions", property(lambda _: executions))

    def begin(_seconds: float) -> None:
        """The execution that was started last begins."""
        name = next(reversed(deployment.machine.inputs))
        import_id, _ = deployment.machine.state_of(name)
        deployment.resend(import_id, *deployment.machine.resend_of(name), execution=name)

    monkeypatch.setattr(time, "sleep", begin)


def run(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main(arguments) == code
    captured = capsys.readouterr()
    return captured.out if code in {0, 1} else captured.err


def answer(monkeypatch: pytest.MonkeyPatch, *, yes: bool) -> list[str]:
    """Answer every question, and return those that are asked."""
    asked: list[str] = []

    def confirm(text: str, **_: Any) -> bool:
        asked.append(text)
        return yes

    monkeypatch.setattr(click, "confirm", confirm)
    return asked


def imported(deployment: Deployment, *, ended: bool = True) -> str:
    import_id = deployment.split(deployment.drop(FILE, "drop/crm/crm.csv")).import_id
    if ended:
        deployment.resume(import_id)
        deployment.machine.statuses[import_id] = "SUCCEEDED"
    return import_id


# --- pause and resume ---


@pytest.mark.parametrize(
    ("options", "scope"),
    [
        (["--all"], "all"),
        (["--client", "demo"], "client:demo"),
        (["--feed", "crm"], "feed:crm"),
        (["--import", ""], "import:"),
    ],
)
def test_pause_and_resume_of_each_scope(
    deployment: Deployment, capsys: pytest.CaptureFixture[str], options: list[str], scope: str
) -> None:
    import_id = imported(deployment, ended=False)
    if scope == "import:":
        options, scope = ["--import", import_id], f"import:{import_id}"
    said = run(capsys, "pause", *options, "--why", "Target is\nbeing moved.")
    assert said == f"Paused ({scope}) by ana: Target is being moved.\n"
    assert deployment.submit(import_id, 1).why is Why.PAUSED

    said = run(capsys, "resume", *options)

    assert said == f"{scope}: Batches that wait go on within a quarter of an hour.\nNothing is paused.\n"
    assert deployment.submit(import_id, 1).why is None


def test_pause_as_json_is_the_list_of_pauses(capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "pause", "--all", "--until", "2026-11-25T06:00")
    [pause] = json.loads(run(capsys, "pause", "--json"))
    assert pause == {
        "scope": "all",
        "since": "2026-11-24T09:00:00.000Z",
        "until": "2026-11-25T06:00:00.000Z",
        "by": "ana",
        "why": "",
    }
    assert json.loads(run(capsys, "resume", "--all", "--json")) == []


@pytest.mark.parametrize(
    ("text", "until"),
    [
        ("30m", NOW + timedelta(minutes=30)),
        ("12h", NOW + timedelta(hours=12)),
        ("2d", NOW + timedelta(days=2)),
        ("2026-11-25T06:00", datetime(2026, 11, 25, 6, tzinfo=UTC)),
        ("2026-11-25T06:00+02:00", datetime(2026, 11, 25, 4, tzinfo=UTC)),
    ],
)
def test_pause_ends_when_it_is_told(
    deployment: Deployment, capsys: pytest.CaptureFixture[str], text: str, until: datetime
) -> None:
    run(capsys, "pause", "--all", "--until", text)
    assert [pause.until for pause in deployment.ledger.pauses(NOW)] == [until]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["pause", "--all", "--feed", "crm"], "Give one of --all, --client, --feed and --import."),
        (["pause", "--why", "x"], "What is to be paused?"),
        (["pause", "--feed", ""], "The name after --client, --feed or --import is empty."),
        (["resume", "--client", ""], "The name after --client, --feed or --import is empty."),
        (["pause", "--feed", "drop/crm"], "There can be no feed drop/crm."),
        (["pause", "--client", "de mo"], "There can be no client code de mo."),
        (
            ["pause", "--all", "--until", "9999-12-31T23:59-23:00"],
            "--until 9999-12-31T23:59-23:00 is no time",
        ),
        (["resume"], "What is to be resumed?"),
        (["pause", "--all", "--until", "soon"], "--until soon is no time"),
        (["pause", "--all", "--until", "2026-11-24T08:00"], "A pause must end after it begins."),
        (["pause", "--all", "--why", "x" * 201], "more than 200 characters"),
        (["pause", "--import", "none-1"], "The stack has no import none-1"),
        (["stop", "none-1"], "The stack has no import none-1"),
        (["resend", "none-1"], "The stack has no import none-1"),
        (["resend", "none-1", "--only", "failed"], "these words: refused, error, unknown, pending, notSent"),
    ],
)
def test_what_cannot_be_done_is_told(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert said in run(capsys, *arguments, code=2)


def test_resume_of_what_is_not_paused_has_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert "feed:crm was not paused." in run(capsys, "resume", "--feed", "crm", code=1)


def test_show_says_who_paused_and_until_when_and_not_when_the_next_look_is(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    import_id = imported(deployment, ended=False)
    run(capsys, "pause", "--all", "--until", "2d")
    deployment.submit(import_id, 1)
    said = run(capsys, "show", import_id)
    assert "1 batch for the end of a pause: Paused (all) by ana until 2026-11-26 09:00 UTC." in said


# --- stop ---


def test_stop_pauses_the_import_and_says_how_it_goes_on(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    import_id = imported(deployment, ended=False)
    said = run(capsys, "stop", import_id)
    assert said.endswith(f"It goes on with: bulk-profiles resume --import {import_id} --stack ours\n")
    assert deployment.submit(import_id, 1).why is Why.PAUSED
    assert deployment.machine.statuses == {import_id: "RUNNING"}


def test_stop_for_good_asks_first(
    deployment: Deployment, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import_id = imported(deployment, ended=False)
    asked = answer(monkeypatch, yes=False)
    run(capsys, "stop", import_id, "--give-up", code=1)
    assert asked == ["Give it up?"]
    assert deployment.machine.statuses == {import_id: "RUNNING"}


def test_stop_for_good_is_done_once_it_is_confirmed(
    deployment: Deployment, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import_id = imported(deployment, ended=False)
    assert answer(monkeypatch, yes=True) == []
    assert "was given up by ana" in run(capsys, "stop", import_id, "--give-up")
    assert list(deployment.machine.statuses.values()) == ["ABORTED", "RUNNING"]


def test_stop_for_good_gives_the_import_up(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    import_id = imported(deployment, ended=False)
    said = json.loads(run(capsys, "stop", import_id, "--give-up", "--yes", "--why", "old", "--json"))
    assert said["givenUp"] is True
    assert said["says"] == "The import was given up by ana at 2026-11-24 09:00 UTC: old."
    assert list(deployment.machine.statuses.values()) == ["ABORTED", "RUNNING"]
    assert deployment.resume(import_id).profiles == ProfileCounts(not_sent=3)
    assert "has ended: there is nothing to stop" in run(capsys, "stop", import_id, code=2)


def test_stop_of_an_overtaken_import_says_what_is_so(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    import_id = imported(deployment, ended=False)
    deployment.ledger.change_import(
        import_id, NOW, lambda entry: dataclasses.replace(entry, overtaken_by="crm-csv-2")
    )
    said = run(capsys, "stop", import_id, code=2)
    assert "crm-csv-2, with some of the same ids, has gone first" in said
    assert "has ended" not in said


# --- resend ---


def test_resend_says_what_it_would_send_and_asks(
    deployment: Deployment,
    target: simulator.Simulator,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target.script(simulator.fault("refused"))
    import_id = imported(deployment)
    asked = answer(monkeypatch, yes=False)
    said = run(capsys, "resend", import_id, code=1)
    reason = deployment.ledger.get_batch(import_id, 1).reason
    assert said == f"1 batch, 2 profiles error: {reason}\nNo later import has one of their ids.\n"
    assert asked == ["Send them again?"]
    assert len(deployment.machine.inputs) == 1


def test_resend_says_first_what_most_profiles_became(
    deployment: Deployment, target: simulator.Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    target.script(simulator.fault("bad_request"), simulator.fault("refused", times=2))
    file = FILE + b"u4,Ida\nu5,Eve\n"
    import_id = deployment.split(deployment.drop(file, "drop/crm/crm.csv")).import_id
    deployment.resume(import_id)
    said = run(capsys, "resend", import_id, "--dry-run").splitlines()
    assert [line.split(" error")[0] for line in said[:2]] == ["2 batches, 3 profiles", "1 batch, 2 profiles"]


@pytest.mark.parametrize("options", [[], ["--yes"]])
def test_resend_starts_an_execution_once_it_is_told_to(
    deployment: Deployment,
    target: simulator.Simulator,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
) -> None:
    target.script(simulator.fault("refused"))
    import_id = imported(deployment)
    asked = answer(monkeypatch, yes=True)
    deployment.clock.now = NOW
    said = run(capsys, "resend", import_id, "--only", "refused, error", *options)
    execution = f"{import_id}-resend-20261124090000"
    follow = f"To follow it: bulk-profiles watch {import_id} --stack ours\n"
    assert said.endswith(f"Execution {execution} sends them again. {follow}")
    given = {"importId": import_id, "resend": ["refused", "error"]}
    assert json.loads(deployment.machine.inputs[execution]) == given
    assert bool(asked) is not bool(options)


def test_resend_as_json_sends_nothing_unless_it_is_told_to(
    deployment: Deployment, target: simulator.Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    target.script(simulator.fault("refused"))
    import_id = imported(deployment)
    planned = json.loads(run(capsys, "resend", import_id, "--json"))
    assert (planned["profiles"]["error"], planned["execution"]) == (2, "")
    assert len(deployment.machine.inputs) == 1
    sent = json.loads(run(capsys, "resend", import_id, "--json", "--yes"))
    assert sent["execution"] in deployment.machine.inputs


@pytest.mark.parametrize("options", [["--yes"], ["--yes", "--json"]])
def test_resend_returns_when_its_import_is_under_way_again(
    deployment: Deployment,
    target: simulator.Simulator,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
) -> None:
    """Otherwise `watch`, which it names, would take the import for ended."""
    target.script(simulator.fault("refused"))
    import_id = imported(deployment)
    run(capsys, "resend", import_id, *options)
    assert json.loads(run(capsys, "show", import_id, "--json"))["status"] == "uploading"


def test_resend_whose_execution_ends_before_it_begins_is_told(
    deployment: Deployment,
    target: simulator.Simulator,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target.script(simulator.fault("refused"))
    import_id = imported(deployment)

    def fail(_seconds: float) -> None:
        deployment.machine.statuses[next(reversed(deployment.machine.inputs))] = "FAILED"

    monkeypatch.setattr(time, "sleep", fail)
    assert main(["resend", import_id, "--yes"]) == 1
    captured = capsys.readouterr()
    assert "has sent nothing: its cause, in the console, says why." in captured.err
    assert "watch" not in captured.out


@pytest.mark.parametrize("command", [["resend", "--yes"], ["verify"]])
def test_nothing_is_started_beside_an_execution_that_runs(
    deployment: Deployment,
    target: simulator.Simulator,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    command: list[str],
) -> None:
    """It may write an old `error` over the `success` of the resend, and a report while batches are open."""
    target.script(simulator.fault("refused"))
    import_id = imported(deployment)
    again = f"{import_id}-again"
    deployment.machine.statuses[again] = "RUNNING"
    looks: list[float] = []

    def look(seconds: float) -> None:
        looks.append(seconds)
        assert len(looks) <= 15, "something was started, and is waited for"

    monkeypatch.setattr(time, "sleep", look)
    said = run(capsys, command[0], import_id, *command[1:], code=2)
    assert f"Execution {again} of import {import_id} is running: nothing is started beside it." in said
    assert len(deployment.machine.inputs) == 1
    assert looks == [1.0] * 15


def test_execution_that_is_about_to_end_is_waited_for(
    deployment: Deployment, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import_id = imported(deployment)
    deployment.machine.statuses[import_id] = "RUNNING"
    monkeypatch.setattr(
        time, "sleep", lambda _seconds: deployment.machine.statuses.update({import_id: "SUCCEEDED"})
    )
    assert "reads 300 profiles back" in run(capsys, "verify", import_id)


def unsettled(deployment: Deployment) -> str:
    """Return an import that was reported while its second batch had not come to an end."""
    import_id = imported(deployment, ended=False)
    for _ in deployment.walk(import_id, 1):
        pass
    deployment.finish(import_id)
    deployment.machine.statuses[import_id] = "FAILED"
    return import_id


@pytest.mark.parametrize("options", [["--yes"], []])
def test_resend_lets_batches_go_on_that_did_not_come_to_an_end(
    deployment: Deployment,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
) -> None:
    import_id = unsettled(deployment)
    answer(monkeypatch, yes=True)
    said = run(capsys, "resend", import_id, *options)
    execution = f"{import_id}-again-{deployment.clock():%Y%m%d%H%M%S}"
    assert said.startswith("1 batch of 2 did not come to an end.")
    assert f"bulk-profiles show {import_id} --stack ours" in said
    assert json.loads(deployment.machine.inputs[execution]) == {"importId": import_id, "batches": [1, 2]}


def test_resend_of_batches_that_did_not_come_to_an_end_asks_first(
    deployment: Deployment, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import_id = unsettled(deployment)
    asked = answer(monkeypatch, yes=False)
    run(capsys, "resend", import_id, code=1)
    assert asked == ["Let them go on?"]
    run(capsys, "resend", import_id, "--dry-run", "--yes")
    assert json.loads(run(capsys, "resend", import_id, "--json")) == {
        "importId": import_id,
        "unsettled": [2],
        "execution": "",
    }
    assert len(deployment.machine.inputs) == 1


@pytest.mark.parametrize("command", [["resend"], ["stop", "--give-up"]])
def test_question_that_nobody_can_answer_is_told(
    deployment: Deployment,
    target: simulator.Simulator,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    command: list[str],
) -> None:
    target.script(simulator.fault("refused"))
    import_id = imported(deployment, ended=command == ["resend"])
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert "nobody has answered: add --yes" in run(capsys, *command, import_id, code=2)


def test_question_that_is_interrupted_ends_the_command(
    deployment: Deployment,
    target: simulator.Simulator,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target.script(simulator.fault("refused"))
    import_id = imported(deployment)

    class Interrupted(io.StringIO):
        def readline(self, *_: object) -> str:  # type: ignore[override]  # a text's
            raise KeyboardInterrupt

    monkeypatch.setattr("sys.stdin", Interrupted())
    assert "resend: interrupted" in run(capsys, "resend", import_id, code=130)


def test_resend_on_trial_sends_nothing_and_asks_nothing(
    deployment: Deployment, target: simulator.Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    target.script(simulator.fault("refused"))
    import_id = imported(deployment)
    assert "2 profiles error" in run(capsys, "resend", import_id, "--dry-run", "--yes")
    assert len(deployment.machine.inputs) == 1


def test_resend_names_the_later_import_that_holds_a_batch_back(
    deployment: Deployment, target: simulator.Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    target.script(simulator.fault("refused", times=2))
    import_id = imported(deployment)
    later = deployment.split(deployment.drop(b"thirdPartyId,name\nu3,N\n", "drop/b/b.csv")).import_id
    said = run(capsys, "resend", import_id, "--dry-run")
    assert f"Batch 2 is not sent again: the later import {later} has, or may have" in said
    assert "No later import" not in said


def test_resend_tells_which_rows_may_arrive_twice(
    deployment: Deployment, target: simulator.Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    target.script(simulator.fault("server_error", times=3))
    import_id = imported(deployment)
    said = run(capsys, "resend", import_id, "--dry-run")
    assert "Of 1 batch, Target may have some rows already." in said


# --- who calls ---


@pytest.mark.parametrize(
    ("arn", "name"),
    [
        ("arn:aws:iam::123456789012:user/ana", "ana"),
        ("arn:aws:sts::123456789012:assumed-role/operators/ana", "operators/ana"),
        ("arn:aws:iam::123456789012:root", "root"),
    ],
)
def test_caller_is_named_as_the_credentials_are(monkeypatch: pytest.MonkeyPatch, arn: str, name: str) -> None:
    class Sts:
        def get_caller_identity(self) -> dict[str, str]:
            return {"Arn": arn}

    monkeypatch.setattr(identity, "client", {"sts": Sts()}.get)
    assert identity.caller() == name


# --- verify ---


def test_verify_starts_an_execution_that_reads_profiles_back(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    import_id = imported(deployment)
    said = run(capsys, "verify", import_id, "--sample", "5")
    execution = f"{import_id}-verify-{deployment.clock():%Y%m%d%H%M%S}"
    assert execution in said
    assert said.endswith(f"Then: bulk-profiles show {import_id} --stack ours\n")
    deployment.machine.statuses[execution] = "SUCCEEDED"
    assert f"from {deployment.clock() + timedelta(hours=1):%Y-%m-%d %H:%M} UTC on" in said
    assert json.loads(deployment.machine.inputs[execution]) == {"importId": import_id, "verify": 5}
    data = json.loads(run(capsys, "verify", import_id, "--json"))
    assert data == {"importId": import_id, "sample": 300, "execution": execution}


def test_verify_of_what_has_not_ended_or_was_rejected_is_refused(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "has not ended" in run(capsys, "verify", imported(deployment, ended=False), code=2)
    rejected = deployment.split(deployment.drop(b"no key column\n", "drop/crm/x.csv")).import_id
    assert "Nothing of import" in run(capsys, "verify", rejected, code=2)


def test_show_says_what_was_read_back(deployment: Deployment, capsys: pytest.CaptureFixture[str]) -> None:
    import_id = imported(deployment)
    deployment.verified(import_id, 3, "by-hand")
    assert "verified     3 of 3 profiles that were read back are as sent" in run(capsys, "show", import_id)
