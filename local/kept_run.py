"""A run whose processes go on: what is known of it, how it is used, and how it is stopped."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from rich.console import Console

from local.deployment import Deployment
from local.engine import CLIENT_ENVIRONMENT, Engine, aws_session
from local.errors import LocalRunError
from local.stack import RUNS, STACK

KEPT = "kept.json"  # in the folder of a run that goes on after its command has ended
NAMES = "names.json"  # there too: the variables of every function, for `sam local invoke --env-vars`
_PROC = Path("/proc")
_STOP_SECONDS = 10
_EXPORTED = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION")


@dataclass(frozen=True, slots=True)
class KeptRun:
    """A kept run, as its `kept.json` describes it."""

    folder: Path
    endpoint: str  # URL of the engine
    target: str  # URL
    outputs: dict[str, str]  # of the stack, by name
    processes: dict[int, str]  # when each process that was started has begun, by its id

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """Return the kept run of a folder; None where there is none that can be read."""
        try:
            note = json.loads((folder / KEPT).read_text())
            processes = {int(pid): str(begun) for pid, begun in note["processes"].items()}
            return cls(folder, note["endpoint"], note["target"], note["outputs"], processes)
        except (OSError, ValueError, KeyError, AttributeError):
            return None

    @classmethod
    def running(cls) -> list[Self]:
        """Return the kept runs that go on, the newest first."""
        notes = sorted(RUNS.glob(f"run-*/{KEPT}"), key=lambda note: note.stat().st_mtime, reverse=True)
        return [run for note in notes if (run := cls.read(note.parent)) and run.alive]

    @classmethod
    def newest(cls) -> Self:
        """Return the newest kept run that goes on. Raises LocalRunError where there is none."""
        runs = cls.running()
        if not runs:
            raise LocalRunError("No kept stack is up: start one with make run KEEP=1")
        return runs[0]

    @property
    def environment(self) -> dict[str, str]:
        """The variables that connect an AWS client to its engine and to nothing else."""
        return {"AWS_ENDPOINT_URL": self.endpoint, **CLIENT_ENVIRONMENT}

    @property
    def alive(self) -> bool:
        """Whether any of its processes goes on."""
        return any(self._groups())

    def client(self, service: str) -> Any:
        """Return a client of its engine."""
        return aws_session().client(service, endpoint_url=self.endpoint)  # type: ignore[call-overload]

    def stop(self) -> None:
        """End its processes and remove its folder. Raises LocalRunError for processes that do not end."""
        deadline = time.monotonic() + _STOP_SECONDS
        while groups := list(self._groups()):
            if time.monotonic() > deadline:
                raise LocalRunError(f"The processes {', '.join(map(str, groups))} did not end")
            for group in groups:
                # An engine that is asked to end waits for executions that wait, perhaps for a day.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(group, signal.SIGKILL)
            time.sleep(0.05)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _groups(self) -> Iterator[int]:
        """Yield the process groups of this run that have a process.

        The system may have given the id of a process that has ended to another one. So a group is of this run
        only if its leader began when ours did, or a command line in it names the run's folder.
        """
        found = set()
        for process in _PROC.glob("[0-9]*"):
            with contextlib.suppress(OSError):
                group, state, begun = _status(process)
                if group not in self.processes or state in "ZX":
                    continue
                named = str(self.folder).encode() + b"/" in (process / "cmdline").read_bytes()
                if named or (process.name == str(group) and begun == self.processes[group]):
                    found.add(group)
        yield from sorted(found)


def keep(deployed: Deployment, folder: Path, import_id: str, console: Console) -> None:
    """Let the processes outlive this one; print how to use them, and write it down in `folder`."""
    for process in deployed.processes:
        process.kept = True
    note = {
        "endpoint": deployed.engine.url,
        "target": deployed.target,
        "processes": {process.pid: begun(process.pid) for process in deployed.processes},
        "outputs": deployed.outputs,
    }
    (folder / NAMES).write_text(json.dumps(_variables(deployed.engine), indent=2) + "\n")
    (folder / KEPT).write_text(json.dumps(note, indent=2) + "\n")
    environment = deployed.engine.environment
    lines = [
        "",
        f"Still up: AWS at {deployed.engine.url}, Target at {deployed.target}",
        "  make drop FILE=customers.csv      # FEED=name; make watch follows it",
        "  make watch                        # the newest import, or IMPORT=...",
        "  make list                         # all of them; make show, IMPORT=...",
        "  make find ID=crm-000001           # one profile, in all imports",
        "  make invoke FUNCTION=UploadBatchFunction EVENT=events/upload_batch.json \\",
        f"      IMPORT={import_id}",
        "  make logs                         # what engine and functions log",
        "  make stop                         # ends it all and removes its folder",
        *(
            [f"What Target has received: curl {deployed.target}/_control/requests"]
            if deployed.simulated
            else []
        ),
        "For bulk-profiles, the AWS command line and other clients:",
        *(f"  export {name}={shlex.quote(environment[name])}" for name in _EXPORTED),
        f"Logs, and {NAMES} for sam local invoke --env-vars:",
        f"  {folder}",
    ]
    for line in lines:
        console.print(line, soft_wrap=True, markup=False, highlight=False)


def begun(pid: int) -> str:
    """Return when a process began, as a text that is equal for no two processes of one id."""
    return _status(_PROC / str(pid))[2]


def _status(process: Path) -> tuple[int, str, str]:
    """Return a process's group, its state, and when it began: since which start of the machine."""
    # See proc_pid_stat(5): the command's name, in parentheses, may hold blanks and parentheses.
    fields = (process / "stat").read_text().rpartition(")")[2].split()
    boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    return int(fields[2]), fields[0], f"{boot} {fields[19]}"


def functions(endpoint: str) -> dict[str, str]:
    """Return the functions' names on an engine by their names in the template."""
    stacks = aws_session().client("cloudformation", endpoint_url=endpoint)
    return {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for resource in stacks.describe_stack_resources(StackName=STACK)["StackResources"]
        if resource["ResourceType"] == "AWS::Lambda::Function"
    }


def _variables(engine: Engine) -> dict[str, dict[str, str]]:
    """Return each function's variables by its name in the template, and what connects it to the engine."""
    configurations = {
        name: engine.functions.get_function_configuration(FunctionName=deployed)
        for name, deployed in sorted(functions(engine.url).items())
    }
    return {
        name: configuration["Environment"]["Variables"] | engine.environment
        for name, configuration in configurations.items()
    }
