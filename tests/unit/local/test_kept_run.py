"""A kept run is found, and stopped without harm to any process that is not its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local import folders, kept_run
from local.errors import LocalRunError
from local.kept_run import KEPT, KeptRun, begun

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

SLEEP = "import time; time.sleep(60)"
type Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(folders, "RUNS", tmp_path)
    monkeypatch.setattr(kept_run, "RUNS", tmp_path)
    return tmp_path


@pytest.fixture
def start() -> Iterator[Start]:
    """Start processes in groups of their own, and end them after the test."""
    processes: list[subprocess.Popen[bytes]] = []

    def started(program: str = SLEEP, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", program, *arguments]
        processes.append(subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE))
        return processes[-1]

    yield started
    for process in processes:
        process.kill()
        process.wait()
        assert process.stdout
        process.stdout.close()


def kept(folder: Path, processes: dict[int, str]) -> KeptRun:
    folder.mkdir(exist_ok=True)
    note = {"endpoint": "http://e", "target": "http://t", "processes": processes, "outputs": {}}
    (folder / KEPT).write_text(json.dumps(note))
    (folder / "lock").touch()
    run = KeptRun.read(folder)
    assert run
    return run


def test_stop_ends_the_processes_and_removes_the_folder(runs: Path, start: Start) -> None:
    processes = [start(), start()]
    run = kept(runs / "run-a", {process.pid: begun(process.pid) for process in processes})
    assert run.alive
    run.stop()
    assert [process.wait() for process in processes] == [-9, -9]
    assert not run.folder.exists()


def test_stop_spares_a_process_that_was_given_the_id_of_one_that_has_ended(runs: Path, start: Start) -> None:
    stranger = start()
    run = kept(runs / "run-a", {stranger.pid: "began at another time"})
    assert not run.alive
    run.stop()
    assert stranger.poll() is None
    assert not run.folder.exists()


def test_stop_ends_the_workers_of_an_engine_that_has_ended(runs: Path, start: Start) -> None:
    """Their command lines name the run's folder, as those of the engine's workers do."""
    worker = "import subprocess, sys; print(subprocess.Popen(sys.argv[1:]).pid, flush=True)"
    leader = start(worker, sys.executable, "-c", SLEEP, str(runs / "run-a/tmp/worker.py"))
    assert leader.stdout
    pid = int(leader.stdout.readline())
    leader.wait()
    while not Path(f"/proc/{pid}/cmdline").read_bytes():  # it is being executed
        time.sleep(0.01)
    run = kept(runs / "run-a", {leader.pid: "has ended"})
    assert os.getpgid(pid) == leader.pid
    assert run.alive
    run.stop()
    assert not run.alive


def test_newest_is_the_one_that_was_kept_last_of_those_that_go_on(runs: Path, start: Start) -> None:
    process = start()
    going_on = {process.pid: begun(process.pid)}
    names = ("run-old", "run-new", "run-dead")
    for name, processes in zip(names, (going_on, going_on, {1: "has ended"}), strict=True):
        kept(runs / name, processes)
        os.utime(runs / name / KEPT, times=(0, names.index(name)))
    assert KeptRun.newest().folder == runs / "run-new"
    assert [run.folder.name for run in KeptRun.running()] == ["run-new", "run-old"]


def test_newest_without_any_says_how_to_start_one(runs: Path) -> None:
    kept(runs / "run-dead", {1: "has ended"})
    with pytest.raises(LocalRunError, match="No kept stack is up: start one with make run KEEP=1"):
        KeptRun.newest()


def test_next_run_removes_kept_runs_that_have_ended(runs: Path, start: Start) -> None:
    process = start()
    kept(runs / "run-dead", {1: "has ended"})
    kept(runs / "run-alive", {process.pid: begun(process.pid)})
    (runs / "run-unreadable").mkdir()
    (runs / "run-unreadable" / KEPT).write_text("{")
    (runs / "run-unreadable/lock").touch()
    with folders.run_folder():
        names = {path.name for path in runs.iterdir()}
    assert names >= {"run-alive", "run-unreadable"}
    assert "run-dead" not in names
