"""`bulk-profiles feeds check`: whether the configurations of feeds can be used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bulk_profiles.aws.stack import StackDescription
from bulk_profiles.cli.main import main
from tests.worlds.deployment import DATA_BUCKET, Deployment

pytestmark = pytest.mark.usefixtures("ours")
FEEDS = {
    "crm": b'{"delimiter": ";"}',
    "web": b'{"delimeter": ";", "quoting": "dubble"}',
    "old": b"{",
    "list": b"[]",
}


def test_check_names_every_fault_of_every_feed_of_the_stack(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, content in FEEDS.items():
        deployment.s3.put_object(Bucket=DATA_BUCKET, Key=f"feeds/{name}.json", Body=content)
    deployment.s3.put_object(Bucket=DATA_BUCKET, Key="feeds/notes.txt", Body=b"no feed")
    assert main(["feeds", "check"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "✓ crm"
    assert lines[1].startswith("✗ list: The feed makes no sense:")
    assert lines[2] == f"✗ old: s3://{DATA_BUCKET}/feeds/old.json is not JSON."
    assert "did you mean delimiter?" in lines[3]
    assert "did you mean double?" in lines[3]
    assert len(lines) == 4
    assert main(["feeds", "check", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert {each["feed"]: each["valid"] for each in found} == {
        "crm": True,
        "list": False,
        "old": False,
        "web": False,
    }


def test_check_names_every_fault_of_every_client_code_of_the_stack(
    ours: StackDescription, deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that is named for no client code in use changes the limits of none: that is a fault, too."""
    ours.parameters["ClientCode"] = "demo"
    for key, content in {
        "feeds/crm": b'{"clientCode": "acme"}',
        "clients/acme": b'{"rowsPerDay": 5}',
        "clients/demo": b'{"rowsPerDya": 5}',
        "clients/acmee": b"{}",
        "clients/my shop": b"{}",
        "clients/old": b"{",
    }.items():
        deployment.s3.put_object(Bucket=DATA_BUCKET, Key=f"{key}.json", Body=content)
    assert main(["feeds", "check"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "✓ crm",
        "✓ client acme",
        "✗ client acmee: Neither ClientCode nor a feed is this client code (did you mean acme?).",
        "✗ client demo: clients/demo.json in the Data bucket makes no sense: the file has unknown fields: "
        "rowsPerDya (did you mean rowsPerDay?). Mend it, or delete it: without it, the parameters of the "
        "stack hold.",
        "✗ client my shop: A client code has letters, digits, _ and - only, and the file is named for it.",
        f"✗ client old: s3://{DATA_BUCKET}/clients/old.json is not JSON.",
    ]
    assert main(["feeds", "check", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found[:2] == [
        {"feed": "crm", "valid": True, "fault": ""},
        {"client": "acme", "valid": True, "fault": ""},
    ]


def test_check_takes_a_file_in_a_folder_of_clients_for_limits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "clients"
    folder.mkdir()
    (folder / "acme.json").write_bytes(b'{"rowsPerDay": 5}')
    assert main(["feeds", "check", str(folder / "acme.json")]) == 0
    assert capsys.readouterr().out == "✓ client acme\n"
    monkeypatch.chdir(folder)
    (folder / "acme.json").write_bytes(b'{"rowsPerDay": -5}')
    assert main(["feeds", "check", "acme.json"]) == 1
    assert "rowsPerDay must be a whole number from 0" in capsys.readouterr().out


def test_check_of_files_needs_no_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BULK_PROFILES_STACK", "none")
    paths = []
    for name, content in FEEDS.items():
        path = tmp_path / f"{name}.json"
        path.write_bytes(content)
        paths.append(str(path))
    assert main(["feeds", "check", paths[0]]) == 0
    assert capsys.readouterr().out == "✓ crm\n"
    assert main(["feeds", "check", *paths]) == 1
    assert "✗ old: It is not JSON:" in capsys.readouterr().out
    assert main(["feeds", "check", str(tmp_path / "none.json")]) == 2
    assert "none.json: No such file or directory." in capsys.readouterr().err


def test_check_of_a_stack_without_feeds_says_so(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["feeds", "check"]) == 0
    assert "The stack has no configuration of a feed" in capsys.readouterr().out
    del deployment
