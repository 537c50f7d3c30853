"""The folder of a run, with its logs and state; it is removed whatever happens to the run."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from local.errors import LocalRunError
from local.kept_run import KEPT, KeptRun
from local.stack import RUNS

_LOCK = "lock"
_LARGE = ("state", "tmp", "sam")


@contextlib.contextmanager
def run_folder() -> Iterator[Path]:
    """Make a folder; remove it when the block ends, unless the run is kept or an error names a log in it."""
    RUNS.mkdir(exist_ok=True)
    _remove_abandoned()
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=RUNS))
    with (folder / _LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield folder
        except LocalRunError:
            _remove_large(folder)  # the logs stay: the error may name one
            if not any(folder.glob("*.log")):
                shutil.rmtree(folder)
            raise
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    if not (folder / KEPT).exists():
        shutil.rmtree(folder, ignore_errors=True)


def _remove_abandoned() -> None:
    """Remove what is left of kept runs that have ended, and the state of runs that were killed.

    No process holds the lock of a killed run any more.
    """
    for path in RUNS.glob(f"run-*/{_LOCK}"):
        if (path.parent / KEPT).exists():
            if (kept := KeptRun.read(path.parent)) and not kept.alive:
                shutil.rmtree(path.parent, ignore_errors=True)
            continue
        with contextlib.suppress(OSError), path.open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove_large(path.parent)


def _remove_large(folder: Path) -> None:
    for name in _LARGE:
        shutil.rmtree(folder / name, ignore_errors=True)
