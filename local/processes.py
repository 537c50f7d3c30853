"""Start a process, and end it with all processes that it has started."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from local.errors import LocalRunError

_GRACE_SECONDS = 10


@dataclass(slots=True)
class Process:
    """A running process."""

    popen: subprocess.Popen[bytes]
    log: Path
    kept: bool = False  # whether it goes on after its block has ended

    @property
    def pid(self) -> int:
        """The id of the process and of its group."""
        return self.popen.pid

    @property
    def alive(self) -> bool:
        """Whether the process is running."""
        return self.popen.poll() is None


@contextlib.contextmanager
def started(
    command: list[str], *, log: Path, environment: Mapping[str, str], may_outlive: bool = False
) -> Iterator[Process]:
    """Run a process until the block ends, with its output in `log`.

    It has a process group of its own, so that Ctrl-C reaches only us and we can end it in order. If we are
    killed it ends too, unless it may outlive us.
    """
    with log.open("ab") as output:
        popen = subprocess.Popen(
            command if may_outlive else [*_tie(), *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            start_new_session=True,
        )
    process = Process(popen, log)
    try:
        yield process
    finally:
        if not process.kept:
            _stop(popen)


def run(command: list[str], *, log: Path, environment: Mapping[str, str], seconds: int, what: str) -> None:
    """Run a command to its end, with its output in `log`; raise LocalRunError if it fails."""
    with started(command, log=log, environment=environment) as process:
        try:
            code = process.popen.wait(seconds)
        except subprocess.TimeoutExpired as error:
            raise LocalRunError(f"{what} did not end within {seconds} s; see {log}") from error
    if code:
        raise LocalRunError(f"{what} failed: {last_line(log)}; see {log}")


def last_line(log: Path) -> str:
    """Return the last line of a log that is not empty."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines()]
    return next((line for line in reversed(lines) if line), "the log is empty")


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 on which no process listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _tie() -> list[str]:
    """Return the command prefix by which Linux kills the process whenever we end; empty elsewhere."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []


def _stop(popen: subprocess.Popen[bytes]) -> None:
    popen.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        popen.wait(_GRACE_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(popen.pid, signal.SIGKILL)  # the group may outlive its leader
    popen.wait()
