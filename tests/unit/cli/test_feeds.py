"""`bulk-profiles feeds check`: whether the configurations of feeds can be used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

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
