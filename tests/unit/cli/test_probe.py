"""`bulk-profiles probe`: what it says before, what it writes, and how it ends."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest

import simulator
from bulk_profiles.cli.commands import probe
from bulk_profiles.cli.main import main
from bulk_profiles.probing.probes import PROBES, Comma, Prefix


@pytest.fixture
def target() -> Iterator[simulator.Simulator]:
    with simulator.running(simulator.Settings(completion_seconds=0, calls_per_minute=0)) as running:
        yield running


@pytest.fixture
def arguments(target: simulator.Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The arguments of a probe of the simulator, which never waits."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(time, "sleep", lambda _: None)
    return ["probe", "--client", "demo", "--endpoint", target.url]


def answer(monkeypatch: pytest.MonkeyPatch, *, yes: bool) -> None:
    monkeypatch.setattr(click, "confirm", lambda *_, **__: yes)


def test_probes_are_listed_without_a_call(
    target: simulator.Simulator, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--list", "--with-limits"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(PROBES)
    assert lines[0] == "comma          What becomes of %2C inside a value?"
    assert "hits a limit" in lines[-1]
    assert max(map(len, lines)) <= 80
    assert not target.requests


def test_probes_are_listed_as_json(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*arguments, "--list", "--json", "--with-limits"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [probe["probe"] for probe in listed] == [probe.name for probe in PROBES]
    assert [probe["hitsLimits"] for probe in listed].count(True) == sum(probe.hits_limits for probe in PROBES)


def test_file_that_cannot_be_written_is_told_before_anything_is_sent(
    target: simulator.Simulator, arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "none" / "probe.json"
    assert main([*arguments, "--yes", "--out", str(out)]) == 2
    assert f"{out}: No such file or directory." in capsys.readouterr().err
    assert not target.requests


def test_probe_says_what_it_makes_and_asks_before_it_sends(
    target: simulator.Simulator,
    arguments: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer(monkeypatch, yes=False)
    assert main([*arguments, "--prefix", "ours"]) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "14 probes on the client code demo" in said
    assert "up to 16 profiles are made, whose ids begin with ours-20" in said
    assert "They expire by themselves" in said
    assert re.search(r"Each wait is \d+ minutes at most\.", said)
    assert "about" in said.lower()
    assert not target.requests


def test_conclusions_are_a_table_and_a_file(
    target: simulator.Simulator,
    arguments: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target.configure(kept="cut")
    answer(monkeypatch, yes=True)
    assert main([*arguments, "--only", "comma,prefix"]) == 0
    table = capsys.readouterr().out
    assert f"\n{' ' * 15}the value is cut there. Set SeparatorInValue to replace.\n{' ' * 15}(" in table
    assert "no, it is refused." in table
    report = json.loads(Path("probe.json").read_text())
    assert report["settings"] == {"SeparatorInValue": "replace"}
    assert [one["probe"] for one in report["conclusions"]] == [Comma.name, Prefix.name]
    assert all(one["known"] and one["evidence"] for one in report["conclusions"])
    assert report["calls"] == len(target.requests)


def test_exit_code_is_1_where_an_answer_is_not_known(
    target: simulator.Simulator, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    target.script(simulator.fault("refused", times=0))
    assert main([*arguments, "--only", "comma", "--yes", "--json", "--out", "mine.json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["conclusions"][0]["answer"] == "not known"
    assert json.loads(Path("mine.json").read_text()) == report


def test_json_without_yes_sends_nothing(target: simulator.Simulator, arguments: list[str]) -> None:
    assert main([*arguments, "--json"]) == 1
    assert not target.requests


def test_interrupted_probe_keeps_what_is_known(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Prefix, "run", interrupt)
    assert main([*arguments, "--only", "comma,prefix", "--yes"]) == 130
    assert "it arrives as it is" in capsys.readouterr().out
    assert len(json.loads(Path("probe.json").read_text())["conclusions"]) == 1


def test_token_is_that_of_the_variable_and_is_never_shown(
    target: simulator.Simulator,
    arguments: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TARGET_TOKEN", "an-invented-token")
    target.configure(token="an-invented-token")
    assert main([*arguments, "--only", "comma", "--yes"]) == 0
    captured = capsys.readouterr()
    assert "an-invented-token" not in captured.out + captured.err + Path("probe.json").read_text()


def test_account_is_that_of_the_stack(
    target: simulator.Simulator, arguments: list[str], ours: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    ours.parameters.update(ClientCode="fromstack", TargetEndpoint=target.url, TokenSecretArn="")
    assert main(["probe", "--stack", "ours", "--only", "ampersand", "--yes"]) == 0
    assert "client code fromstack" in " ".join(capsys.readouterr().err.split())
    assert "/m2/fromstack/" in target.requests[0].path
    del arguments


def test_token_of_a_stack_goes_to_its_own_endpoint_alone(
    target: simulator.Simulator, arguments: list[str], ours: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours.parameters.update(ClientCode="demo", TargetEndpoint="http://127.0.0.1:9", TokenSecretArn="arn")
    monkeypatch.setattr(
        probe, "Tokens", lambda secret: SimpleNamespace(get={"demo": f"token-of-{secret}"}.get)
    )
    main([*arguments, "--stack", "ours", "--only", "ampersand", "--yes"])
    assert not any("Authorization" in request.headers for request in target.requests)
    ours.parameters["TargetEndpoint"] = target.url
    main(["probe", "--stack", "ours", "--only", "ampersand", "--yes"])
    assert "Authorization" in target.requests[-1].headers


@pytest.mark.parametrize(("options", "lines"), [([], True), (["--json"], False)])
def test_probe_says_what_it_finds_out_unless_only_json_is_wanted(
    arguments: list[str],
    options: list[str],
    capsys: pytest.CaptureFixture[str],
    *,
    lines: bool,
) -> None:
    main([*arguments, "--only", "ampersand", "--yes", *options])
    assert ("ampersand: How is the & in the status URL written?\n" in capsys.readouterr().err) is lines


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (["--only", "coma"], "There is no probe coma: there are comma, line-feed, "),
        (["--only", "rows"], "add --with-limits"),
        (["--client", "a b"], "Which account?"),
        (["--prefix", "a b"], "--prefix may have"),
        (["--endpoint", "http://tt.omtrdc.net"], "--endpoint must be https"),
    ],
)
def test_wrong_use_is_told(
    arguments: list[str], wrong: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, *wrong]) == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_probes_that_hit_limits_are_announced(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(monkeypatch, yes=False)
    assert main([*arguments, "--with-limits"]) == 1
    assert "hit limits of the account on purpose" in " ".join(capsys.readouterr().err.split())
