"""The fields of `--json` that docs/command-line.md names are those that are printed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import simulator
from bulk_profiles.aws.step_functions import Executions
from bulk_profiles.cli.commands import control
from bulk_profiles.cli.json_fields import FIELDS
from bulk_profiles.cli.main import all_commands, main
from bulk_profiles.cli.stack import Stack
from tests.worlds.deployment import Deployment

pytestmark = pytest.mark.usefixtures("ours")


@pytest.fixture(autouse=True)
def edges(monkeypatch: pytest.MonkeyPatch, deployment: Deployment) -> None:
    executions = Executions(deployment.machine, "arn")  # type: ignore[arg-type]  # stands at the boundary
    monkeypatch.setattr(Stack, "executions", property(lambda _: executions))
    monkeypatch.setattr(control, "caller", lambda: "ana")
    monkeypatch.setattr(control, "_begun", lambda *_: True)


@pytest.fixture
def import_id(deployment: Deployment, target: simulator.Simulator) -> str:
    """An import with a profile that failed."""
    target.script(simulator.fault("refused"))
    imported = deployment.split(deployment.drop(b"thirdPartyId,name\nu1,Ada\n,x\n", "drop/crm/crm.csv"))
    deployment.resume(imported.import_id)
    deployment.machine.statuses[imported.import_id] = "FAILED"
    return imported.import_id


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    main([*arguments, "--json"])
    answer = json.loads(capsys.readouterr().out)
    return answer[0] if isinstance(answer, list) else answer


def test_every_command_with_json_has_its_fields_documented() -> None:
    options = {
        name: {option for parameter in command.params for option in parameter.opts}
        for name, command in all_commands()
    }
    assert {name for name, given in options.items() if "--json" in given} == set(FIELDS)


@pytest.mark.parametrize(
    "arguments",
    [
        ["list"],
        ["find", "u1"],
        ["resend", "IMPORT"],
        ["verify", "IMPORT"],
        ["forget", "u1", "--dry-run"],
        ["pause", "--all"],
    ],
)
def test_fields_of_each_command_are_those_that_it_prints(
    import_id: str, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    arguments = [import_id if word == "IMPORT" else word for word in arguments]
    assert set(printed(capsys, *arguments)) == set(FIELDS[arguments[0]][1])


def test_fields_of_an_import_that_is_stopped_or_whose_batches_go_on(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    import_id = deployment.split(deployment.drop(b"thirdPartyId,name\nu1,Ada\n", "drop/crm/a.csv")).import_id
    assert set(printed(capsys, "stop", import_id)) == set(FIELDS["stop"][1])
    deployment.finish(import_id)
    what = FIELDS["resend"][0]
    assert all(f"`{name}`" in what for name in printed(capsys, "resend", import_id))


def test_fields_of_commands_that_read_files(
    customers: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert set(printed(capsys, "plan", str(customers))) == set(FIELDS["plan"][1])
    assert set(printed(capsys, "drop", str(customers))) == set(FIELDS["drop"][1])
    (tmp_path / "crm.json").write_text("{}")
    assert set(printed(capsys, "feeds", "check", str(tmp_path / "crm.json"))) == set(FIELDS["feeds check"][1])


def test_fields_of_a_plan_of_what_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = tmp_path / "empty.csv"
    empty.write_bytes(b"")
    what = FIELDS["plan"][0]
    assert all(f"`{name}`" in what for name in printed(capsys, "plan", str(empty)))
