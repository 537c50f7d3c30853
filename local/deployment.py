"""What a local run needs: the engine, a Target, and the stack that is deployed on the engine."""

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


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployed stack and the processes that it needs."""

    engine: Engine
    target: str  # URL
    outputs: dict[str, str]  # the template's outputs by name
    processes: tuple[Process, ...]
    simulated: bool  # whether the Target is our simulator


@contextlib.contextmanager
def deployment(
    folder: Path,
    parameters: Mapping[str, str],
    *,
    target: str = "",
    simulator_options: tuple[str, ...] = (),
    may_outlive: bool = False,
    report: Callable[[str, float], None] | None = None,
) -> Iterator[Deployment]:
    """Build and deploy the stack, and keep it running until the block ends.

    Without a `target`, the simulator runs too. Logs and state go to `folder`. `report` is called after each
    step with its name and its seconds. Raises LocalRunError for a step that fails.
    """
    with contextlib.ExitStack() as resources:
        with _timed("Build", report):
            build_dir = stack.build(folder)
        processes, simulated = [], not target
        if simulated:
            with _timed("Target simulator", report):
                target, process = resources.enter_context(
                    simulator(folder, simulator_options, may_outlive=may_outlive)
                )
            processes.append(process)
        with _timed("Local engine", report):
            aws = resources.enter_context(engine(folder, may_outlive=may_outlive))
        processes.append(aws.process)
        with _timed("Deploy", report):
            outputs = stack.deploy(aws, build_dir, {"TargetEndpoint": target, **parameters}, folder)
        yield Deployment(aws, target, outputs, tuple(processes), simulated)


@contextlib.contextmanager
def simulator(
    folder: Path, options: tuple[str, ...] = (), *, may_outlive: bool = False
) -> Iterator[tuple[str, Process]]:
    """Run the Target simulator as a process until the block ends; yield its URL and the process."""
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
def _timed(step: str, report: Callable[[str, float], None] | None) -> Iterator[None]:
    start = time.monotonic()
    yield
    if report is not None:
        report(step, time.monotonic() - start)
