"""`make run KEEP=1` and what uses the stack that it leaves up, in one go."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from local.kept_run import KEPT, NAMES, KeptRun
from local.stack import RUNS

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(sys.platform != "linux", reason="kept runs are found by /proc"),
]

SECONDS = 120
CSV = b"thirdPartyId,city\na,Bern\nb,Genf\n"


def started(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "it's a file [1].csv"
    file.write_bytes(CSV)
    return file


@pytest.fixture
def kept(file: Path, tmp_path: Path) -> Iterator[KeptRun]:
    """A kept run, started with a parameter that has a blank; another one of this folder is not touched."""
    before = set(RUNS.glob(f"run-*/{KEPT}"))
    params = 'UploadWindow="Mon-Sun 00:00-23:59"'
    out = str(tmp_path / "out")
    result = started("local.run", "--file", str(file), "--params", params, "--out", out, "--keep")
    notes = set(RUNS.glob(f"run-*/{KEPT}")) - before
    assert len(notes) == 1, result.stdout + result.stderr
    run = KeptRun.read(notes.pop().parent)
    assert run
    try:
        assert result.returncode == 0, result.stdout + result.stderr
        [results] = (tmp_path / "out").iterdir()
        assert f"IMPORT={results.name}" in result.stdout
        assert all(len(line) <= 80 for line in result.stdout.splitlines() if line.startswith("  make"))
        yield run
    finally:
        run.stop()


def test_kept_run_takes_files_answers_and_is_stopped(kept: KeptRun, file: Path, tmp_path: Path) -> None:
    def use(*arguments: str) -> str:
        assert KeptRun.newest().folder == kept.folder  # `stop` must not stop another one
        result = started("local.commands", *arguments)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    variables = json.loads((kept.folder / NAMES).read_text())["UploadBatchFunction"]
    assert variables["UPLOAD_WINDOW"] == "Mon-Sun 00:00-23:59"
    assert variables["AWS_ENDPOINT_URL"] == kept.endpoint

    feed = tmp_path / "crm.json"
    feed.write_text('{"mapping": {"key": "thirdPartyId"}}')
    dropped = use("drop", f"FILE={file}", f"FEED={feed}")
    import_id = dropped.splitlines()[0].rpartition(" ")[2]
    assert f"succeeded  {import_id}, feed crm" in use("watch")
    assert use("list").count("succeeded") == 2
    assert f"{import_id} batch 1" in use("find", "ID=b")
    event = tmp_path / "event.json"
    event.write_text('{"importId": "another", "batch": 1}')
    words = ("FUNCTION=UploadBatchFunction", f"EVENT={event}", f"IMPORT={import_id}")
    assert '"outcome": "settled"' in use("invoke", *words)
    assert "Batch brought further" in use("logs")

    assert requests.get(f"{kept.endpoint}/_ministack/health", timeout=SECONDS).ok
    use("stop")
    assert not kept.alive
    assert not kept.folder.exists()
