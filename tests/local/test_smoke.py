"""The smoke test of a first deployment, on the deployed template."""

from __future__ import annotations

import json

import pytest

from bulk_profiles.cli.main import main
from tests.local.conftest import Stack
from tools import smoke

pytestmark = pytest.mark.engine


def test_smoke_test_passes_and_removes_what_it_made(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All but the account's quota, which an engine has not."""
    engine = stack.deployment.engine
    for name, value in engine.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(smoke, "_LEAST_CONCURRENCY", 1)
    outputs = stack.deployment.outputs
    before = _count(stack, outputs["DropBucketName"]) + _count(stack, outputs["DataBucketName"])

    arguments = ["--stack", "bulk-profiles", "--yes", "--patience", "90"]
    status = smoke.main(arguments)

    out = capsys.readouterr().out
    assert (status, out.count("passed"), out.count("failed")) == (0, len(smoke.CHECKS), 0), out
    assert _count(stack, outputs["DropBucketName"]) + _count(stack, outputs["DataBucketName"]) == before


def test_command_line_lists_and_shows_the_imports_of_the_stack(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in stack.deployment.engine.environment.items():
        monkeypatch.setenv(name, value)
    import_id = stack.run_import("listed.csv", b"thirdPartyId,name\nlisted-1,Ada\n").import_id
    assert main(["list", "--stack", "bulk-profiles", "--json", "--limit", "1000"]) == 0
    assert import_id in {each["importId"] for each in json.loads(capsys.readouterr().out)}
    assert main(["show", import_id, "--stack", "bulk-profiles"]) == 0
    assert import_id in capsys.readouterr().out


def _count(stack: Stack, bucket: str) -> int:
    pages = stack.deployment.engine.s3.get_paginator("list_object_versions").paginate(Bucket=bucket)
    return sum(len(page.get("Versions", [])) + len(page.get("DeleteMarkers", [])) for page in pages)
