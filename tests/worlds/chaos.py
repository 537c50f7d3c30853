"""Death at random moments, on the real engine: its workers, its executions, itself."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from local.deployment import Deployment
from local.engine import TOOLS, Engine, _environment, _healthy
from local.processes import started

_WORKER = "ministack-lambda-"
_PATIENCE_SECONDS = 240
_LOOK_SECONDS = 0.2


def workers(engine: Engine, function: str = "") -> list[int]:
    """Give the processes in which an engine of ours runs functions whose name contains `function`."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            command = (entry / "cmdline").read_text()
            if parent == engine.process.pid and _WORKER in command and function in command:
                found.append(int(entry.name))
    return found


@dataclass(slots=True)
class Killer:
    """Kills one worker after another, each at a random moment. `killed` counts them."""

    engine: Engine
    function: str
    random: random.Random
    longest_seconds: float
    most: int
    killed: int = 0

    def strike(self, stop: threading.Event) -> None:
        """Kill until told to stop, `most` workers at most."""
        while self.killed < self.most and not stop.wait(self.random.uniform(0, self.longest_seconds)):
            if victims := workers(self.engine, self.function):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.random.choice(victims), signal.SIGKILL)
                    self.killed += 1


@contextlib.contextmanager
def killing(
    engine: Engine, function: str = "", *, seed: int = 1, longest_seconds: float = 0.5, most: int = 20
) -> Iterator[Killer]:
    """Kill workers of an engine of ours at random moments, until the block ends."""
    stop = threading.Event()
    killer = Killer(engine, function, random.Random(seed), longest_seconds, most)
    thread = threading.Thread(target=killer.strike, args=(stop,))
    thread.start()
    try:
        yield killer
    finally:
        stop.set()
        thread.join()


def in_time(done: Callable[[], bool]) -> None:
    """Look until something is so; after a death that takes as long as the platform's retries."""
    look, deadline = threading.Event(), time.monotonic() + _PATIENCE_SECONDS
    while not done():
        assert time.monotonic() < deadline
        look.wait(_LOOK_SECONDS)


@contextlib.contextmanager
def restarted(deployment: Deployment, folder: Path) -> Iterator[Deployment]:
    """End a deployment's engine in order and have another go on with its state, until the block ends."""
    before = deployment.engine
    before.process.popen.terminate()
    before.process.popen.wait()
    port = urlsplit(before.url).port
    assert port
    with started(
        [str(TOOLS / "engine/bin/ministack")],
        log=folder / "engine-again.log",
        environment=_environment(folder, port),
    ) as process:
        assert _healthy(process, port)
        yield dataclasses.replace(deployment, engine=dataclasses.replace(before, process=process))
