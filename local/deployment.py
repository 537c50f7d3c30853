"""Everything that a local run needs, up at once: the engine, a Target, and the stack on them."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from local import stack
from local.engine import ROOT, Engine, clean_environment, engine
from local.errors import LocalRunError
from local.processes import Process, last_line, started

_START_SECONDS = 20
_TELL_NOTHING: Callable[[str, float], None] = lambda _what, _seconds: None  # noqa: E731 - a default, not a function of ours


@dataclass(frozen=True, slots=True)
class Deployment:
    """A stack that is up, with the processes that keep it up."""

    engine: Engine
    target: str
    outputs: dict[str, str]
    processes: tuple[Process, ...]
    simulated: bool  # whether the Target is ours


@contextlib.contextmanager
def deployment(
    folder: Path,
    parameters: Mapping[str, str],
    *,
    target: str = "",
    simulator_options: tuple[str, ...] = (),
    may_outlive: bool = False,
    tell: Callable[[str, float], None] = _TELL_NOTHING,
) -> Iterator[Deployment]:
    """Have the stack up until the block ends, with the simulator where no `target` is given.

    `folder` takes logs and state; `tell` is told each step and the seconds it took.
    """
    with contextlib.ExitStack() as life:
        with _timed("Build", tell):
            built = stack.build(folder)
        processes, simulated = [], not target
        if simulated:
            with _timed("Target simulator", tell):
                target, process = life.enter_context(
                    simulator(folder, simulator_options, may_outlive=may_outlive)
                )
            processes.append(process)
        with _timed("Local engine", tell):
            aws = life.enter_context(engine(folder, may_outlive=may_outlive))
        processes.append(aws.process)
        with _timed("Deploy", tell):
            outputs = stack.deploy(aws, built, {"TargetEndpoint": target, **parameters}, folder)
        yield Deployment(aws, target, outputs, tuple(processes), simulated)


@contextlib.contextmanager
def simulator(
    folder: Path, options: tuple[str, ...] = (), *, may_outlive: bool = False
) -> Iterator[tuple[str, Process]]:
    """Run the Target simulator as a process of its own until the block ends; give its address."""
    log = folder / "target.log"
    with started(
        [sys.executable, "-m", "simulator", *options],
        log=log,
        environment={**clean_environment(), "PYTHONPATH": str(ROOT)},
        may_outlive=may_outlive,
    ) as process:
        deadline = time.monotonic() + _START_SECONDS
        while not log.read_text().endswith("\n"):
            if not process.alive or time.monotonic() > deadline:
                raise LocalRunError(f"The Target simulator did not start: {last_line(log)}; see {log}")
            time.sleep(0.02)
        yield log.read_text().split("\n", 1)[0], process


@contextlib.contextmanager
def _timed(what: str, tell: Callable[[str, float], None]) -> Iterator[None]:
    began = time.monotonic()
    yield
    tell(what, time.monotonic() - began)
