"""`python -m local.run` as a person starts it: its exit codes, its results, and that it cleans up."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.processes import free_port
from simulator import Settings, Simulator, fault, running
from tests.local.conftest import wait_until

pytestmark = pytest.mark.engine

SECONDS = 120
FAST = "FirstCheckSeconds=1 MaxCheckSeconds=2 CallsPerMinute=3000 MaxBatchRows=2"
UNHURRIED = "FirstCheckSeconds=60 MaxCheckSeconds=60"
CSV = b"thirdPartyId,city\na,Bern\nb,Genf\nc,Basel\n"


@pytest.fixture
def target() -> Iterator[Simulator]:
    with running(Settings(completion_seconds=0.2, calls_per_minute=0)) as simulator:
        yield simulator


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Let SIGINT interrupt the programs that are started, even if a shell runs the tests with `&`."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "local.run", *arguments]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=SECONDS, check=False)


def test_run_leaves_results(target: Simulator, tmp_path: Path) -> None:
    file = tmp_path / "it's a file [1].csv"
    file.write_bytes(CSV)
    out = str(tmp_path / "out")
    result = run("--file", str(file), "--target", target.url, "--params", FAST, "--out", out)
    assert result.returncode == 0, result.stdout + result.stderr
    [folder] = (tmp_path / "out").iterdir()
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["profiles"]["success"] == 3
    assert sorted(path.name for path in (folder / "batches").iterdir()) == ["00001.batch", "00002.batch"]
    assert target.profile("b") == {"city": "Genf"}
    assert summary["importId"] in result.stdout
    assert "2 of 2 settled" in result.stdout
    assert all(len(line) <= 80 for line in result.stdout.splitlines() if "─" in line or "│" in line)


def test_run_of_a_rejected_file_exits_with_1(target: Simulator, tmp_path: Path) -> None:
    file = tmp_path / "no-key.csv"
    file.write_bytes(b"email,city\nx,Bern\n")
    result = run(
        "--file", str(file), "--target", target.url, "--params", FAST, "--out", str(tmp_path / "out")
    )
    assert result.returncode == 1, result.stdout + result.stderr
    assert "rejected" in result.stdout
    assert target.submissions == []


def test_run_that_cannot_start_exits_with_2_and_a_sentence(target: Simulator, tmp_path: Path) -> None:
    file = tmp_path / "file.csv"
    file.write_bytes(CSV)
    nobody = f"http://127.0.0.1:{free_port()}"
    here = ("--file", str(file), "--out", str(tmp_path))
    for arguments, word in (
        (("--file", str(tmp_path / "none.csv")), "no file"),
        ((*here, "--target", nobody), "cannot be reached"),
        ((*here, "--target", "localhost"), "must look like"),
        ((*here, "--target", target.url, "--params", "MaxBatchRow=1"), "no parameter MaxBatchRow"),
        ((*here, "--target", target.url, "--params", "MaxBatchRows=0"), "MaxBatchRows=0"),
        ((*here, "--target", target.url, "--params", "fast"), "PARAMS must look like"),
        ((*here, "--feed", str(tmp_path / "none.json")), "cannot be read"),
    ):
        result = run(*arguments)
        assert (result.returncode, result.stdout) == (2, "")
        assert word in result.stderr
        assert result.stderr.count("\n") == 1


def test_run_without_progress_exits_with_2_and_a_log(target: Simulator, tmp_path: Path) -> None:
    target.script(fault("no_answer", times=100))
    file = tmp_path / "file.csv"
    file.write_bytes(CSV)
    result = run(
        *("--file", str(file), "--target", target.url, "--out", str(tmp_path), "--patience", "4"),
        *("--params", FAST),
    )
    assert result.returncode == 2
    assert "Nothing moved for 4 s" in result.stderr
    log = Path(result.stderr.rsplit("see ", 1)[1].strip().rstrip("."))
    assert "MiniStack shutting down" in log.read_text()
    shutil.rmtree(log.parent)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=lambda n: n.name)
@pytest.mark.usefixtures("interruptible")
def test_run_that_is_interrupted_stops_its_processes(tmp_path: Path, number: signal.Signals) -> None:
    file = tmp_path / "file.csv"
    file.write_bytes(CSV)
    with subprocess.Popen(
        command("--file", str(file), "--params", UNHURRIED, "--out", str(tmp_path)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout
        for line in process.stdout:
            if "settled" in line:
                break
        started = list(_descendants(process.pid))
        assert len(started) >= 2  # the engine, the simulator, and the engine's workers
        process.send_signal(number)
        code = process.wait(SECONDS)
    assert code == (-number if number is signal.SIGKILL else 130)
    wait_until(lambda: not any(map(_alive, started)))


def _descendants(pid: int) -> Iterator[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for child in map(int, children):
        yield child
        yield from _descendants(child)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (ProcessLookupError, FileNotFoundError):
        return False
