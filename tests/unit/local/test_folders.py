"""The folder of a run stays only if there is a reason to look into it."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from local import folders
from local.errors import LocalRunError
from local.kept_run import KEPT


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(folders, "RUNS", tmp_path)
    return tmp_path


def _use(folder: Path) -> None:
    (folder / "engine.log").write_text("a word")
    (folder / "tmp").mkdir()
    (folder / "tmp/layer").write_text("bulky")


def _fail(error: BaseException, *, before_use: bool = False) -> None:
    with folders.run_folder() as folder:
        if not before_use:
            _use(folder)
        raise error


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_run_folder_is_removed_after_success(runs: Path) -> None:
    with folders.run_folder() as folder:
        _use(folder)
    assert _names(runs) == set()


def test_run_folder_is_removed_after_an_interrupt(runs: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        _fail(KeyboardInterrupt())
    assert _names(runs) == set()


def test_run_folder_keeps_its_logs_after_an_error(runs: Path) -> None:
    with pytest.raises(LocalRunError):
        _fail(LocalRunError("no"))
    [folder] = runs.iterdir()
    assert _names(folder) == {"engine.log", "lock"}
    with pytest.raises(LocalRunError):
        _fail(LocalRunError("nothing was started"), before_use=True)
    assert _names(runs) == {folder.name}


def test_run_folder_stays_if_the_run_is_kept(runs: Path) -> None:
    with folders.run_folder() as folder:
        _use(folder)
        (folder / KEPT).touch()
    with folders.run_folder():
        assert {"engine.log", "tmp"} <= _names(folder)
    assert _names(runs) == {folder.name}


def test_run_folder_empties_those_of_killed_runs_only(runs: Path) -> None:
    killed, alive = runs / "run-killed", runs / "run-alive"
    for folder in (killed, alive):
        folder.mkdir()
        _use(folder)
        (folder / "lock").touch()
    with (alive / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with folders.run_folder():
            assert _names(killed) == {"engine.log", "lock"}
            assert _names(alive) == {"engine.log", "lock", "tmp"}
