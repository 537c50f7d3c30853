"""The command line word by word: its help, the plan as people read it, plan and manifest as JSON."""

from __future__ import annotations

import contextlib
import hashlib
import json
from importlib import metadata
from pathlib import Path

import click
import pytest

from bulk_profiles.cli.cost import estimate_cost
from bulk_profiles.cli.main import all_commands, main
from bulk_profiles.core.names import import_id

OPTIONS = ("--max-rejected-percent", "25")
REASON = (
    "1 row rejected of 4 read: rejected-rows.csv has them with line and reason:"
    " mend it, and drop it as it is."
)


def test_help_names_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    lines = [
        line.split(maxsplit=1) for line in capsys.readouterr().out.partition("Commands:")[2].splitlines()
    ]
    shown = {words[0]: words[1] for words in lines if words}
    names = {name.partition(" ")[0] for name, _ in all_commands()}
    assert shown.keys() == names
    assert all(text.endswith(".") for text in shown.values())


def test_help_explains_every_command_and_every_option() -> None:
    for name, command in all_commands():
        assert command.help, name
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"{name} {parameter.name}"
                assert parameter.help.endswith((".", ")")), f"{name} {parameter.name}"
            else:
                named = parameter.make_metavar(click.Context(command)).strip("[].")
                assert named in command.help or parameter.nargs == -1, f"{name} {named}"


@pytest.mark.parametrize("name", [name for name, _ in all_commands()])
def test_every_command_has_help_that_fits_80_columns(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*name.split(), "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"Usage: bulk-profiles {name} ")
    assert max(map(len, text.splitlines())) <= 80


def test_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"bulk-profiles, version {metadata.version('bulk-profiles')}\n"


def test_shell_completes_commands_and_options(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("_BULK_PROFILES_COMPLETE", "bash_complete")
    for words, found in (("bulk-profiles wa", "watch"), ("bulk-profiles list --fe", "--feed")):
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
        with contextlib.suppress(SystemExit):
            main([])
        assert f"plain,{found}" in capsys.readouterr().out


def test_plan_is_one_fact_on_a_line(
    customers: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    options = ("--max-batch-rows", "1", "--rows-a-day", "1", "--out", str(out))
    assert main(["plan", str(customers), *OPTIONS, *options]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"succeeded  customers.csv, if Target takes every row: {REASON}",
        "file       customers.csv: 30 bytes, key column thirdPartyId",
        "rows       4 read = 2 sent + 1 merged into them + 0 without values + 1 rejected",
        "reject     empty_id: 1 (line 3). The row has no id: fill in the key column.",
        "batch      00001: 1 row, 24 bytes",
        "batch      00002: 1 row, 24 bytes",
        "batches    2 in all, 48 bytes",
        "calls      4 at least: a submission and a status check for each batch",
        "days       2 with 1 row a day",
        "cost       about $0.00 at AWS",
        f"written    manifest, batches and rejects, in {out}/",
    ]


def test_plan_and_manifest_as_json(
    customers: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["plan", str(customers), *OPTIONS, "--json", "--out", str(out)]) == 0
    plan = json.loads(capsys.readouterr().out)
    digest = hashlib.sha256(customers.read_bytes()).hexdigest()
    same = {
        "keyColumn": "thirdPartyId",
        "rows": {"read": 4, "rejected": 1, "merged": 1, "skipped": 0, "sent": 2},
        "rejects": {"empty_id": 1},
        "warnings": {},
        "batches": [
            {"number": 1, "rows": 2, "bytes": 28, "sha256": plan["batches"][0]["sha256"]},
        ],
    }
    assert plan == same | {
        "file": "customers.csv",
        "status": "succeeded",
        "reason": REASON,
        "source": {"bytes": 30, "sha256": digest},
        "examples": {"rejects": {"empty_id": [3]}, "warnings": {}, "columns": {}},
        "calls": 2,
        "isolation": {"submissions": 2, "rows": 2, "calls": 6, "minutes": 2},
        "days": 1,
        "costUsd": estimate_cost(30, 1, 2, 28, 30),
    }
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest.items() >= same.items()
    assert manifest["source"] == {
        "bucket": "",
        "key": "customers.csv",
        "versionId": "",
        "bytes": 30,
        "sha256": digest,
        "modifiedAt": "",
    }
    assert (manifest["feed"], manifest["clientCode"], manifest["apiVersion"]) == ("default", "", "v2")
    assert manifest["importId"] == import_id("", "customers.csv", digest)
