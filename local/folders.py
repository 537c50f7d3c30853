"""The folder of a run: its logs and state, tidied up whatever happens to the run."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from local.errors import LocalRunError
from local.stack import RUNS

KEPT = "kept.json"  # in the folder of a run that was left up
_LOCK = "lock"
_BULKY = ("state", "tmp", "sam")


@contextlib.contextmanager
def run_folder() -> Iterator[Path]:
    """Give a new folder; it stays only where somebody has a reason to look into it."""
    RUNS.mkdir(exist_ok=True)
    _tidy_after_killed_runs()
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=RUNS))
    with (folder / _LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield folder
        except LocalRunError:
            _remove_bulky(folder)  # the error may name a log in there
            if not any(folder.glob("*.log")):
                shutil.rmtree(folder)
            raise
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    if not (folder / KEPT).exists():
        shutil.rmtree(folder, ignore_errors=True)


def _tidy_after_killed_runs() -> None:
    """Remove what runs left that could not tidy up themselves: their locks are free."""
    for lock in RUNS.glob(f"run-*/{_LOCK}"):
        if (lock.parent / KEPT).exists():
            continue
        with contextlib.suppress(OSError), lock.open() as held:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove_bulky(lock.parent)


def _remove_bulky(folder: Path) -> None:
    for name in _BULKY:
        shutil.rmtree(folder / name, ignore_errors=True)
