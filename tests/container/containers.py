"""A Docker engine of our own, and `sam local invoke` in its containers."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.engine import REGION, TOOLS, Engine, clean_environment
from local.errors import LocalRunError
from local.processes import last_line, run, started
from tests.container import stand_in

GATEWAY = "172.17.0.1"  # where a container finds whatever listens on this side's 127.0.0.1
_BRIDGE = "docker0"
_START_SECONDS = 60
_IMPORT_SECONDS = 300
_INVOKE_SECONDS = 120  # each adds the function's layers to the image before


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of a function."""

    payload: Any
    surroundings: dict[str, Any]  # as `bootstrap.py` has found them
    log: str  # all of stderr


@dataclass(frozen=True, slots=True)
class Containers:
    """The functions of a built template, each invocation in a new container."""

    build_dir: Path
    folder: Path
    environment: Mapping[str, str]
    parameters: Mapping[str, str]

    def invoke(self, function: str, event: Any, variables: Mapping[str, str]) -> Answer:
        """Invoke a function. Its payload may be an error, which the exit code does not show."""
        event_file, variables_file = self.folder / "event.json", self.folder / "variables.json"
        event_file.write_text(json.dumps(event))
        variables_file.write_text(json.dumps({function: dict(variables)}))
        command = [
            *(str(TOOLS / "sam/bin/sam"), "local", "invoke", function, "--skip-pull-image"),
            *("--template", str(self.build_dir / "template.yaml"), "--region", REGION),
            *("--event", str(event_file), "--env-vars", str(variables_file)),
            *("--config-file", str(self.folder / "samconfig.toml")),  # the project's own is for AWS
            *("--parameter-overrides", *(f"{name}={value}" for name, value in self.parameters.items())),
        ]
        process = self._run(command)
        log = (self.folder / "invoke.log").read_text()
        assert process.returncode == 0, log
        surroundings = [line for line in log.splitlines() if line.startswith("SURROUNDINGS ")]
        assert surroundings, log
        return Answer(json.loads(process.stdout), json.loads(surroundings[0].partition(" ")[2]), log)

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        log = self.folder / "invoke.log"
        with log.open("w") as stderr:
            try:
                return subprocess.run(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=stderr,
                    text=True,
                    check=False,
                    timeout=_INVOKE_SECONDS,
                    env=dict(self.environment),
                )
            except subprocess.TimeoutExpired as error:
                raise AssertionError(
                    f"It did not end within {_INVOKE_SECONDS} s: {log.read_text()}"
                ) from error


@contextlib.contextmanager
def docker(folder: Path) -> Iterator[None]:
    """Run a Docker engine until the block ends, in the namespaces of this process.

    Containers reach a server on 127.0.0.1 at GATEWAY, with the same port.
    """
    log, environment = folder / "docker.log", clean_environment()
    _set_up(["ip", "link", "set", "lo", "up"], folder)
    _set_up(["mount", "-t", "tmpfs", "tmpfs", "/run"], folder)  # for sockets: short paths of our own
    command = ["dockerd", "--data-root", str(folder / "tmp/docker"), "--bip", f"{GATEWAY}/24"]
    command += ["--userland-proxy=false"]  # it would accept connections before the function listens
    with started(command, log=log, environment=environment) as process:
        deadline = time.monotonic() + _START_SECONDS
        probe = ["docker", "version"]
        while subprocess.run(probe, capture_output=True, check=False, env=environment).returncode:
            if not process.alive or time.monotonic() > deadline:
                raise LocalRunError(f"The Docker engine did not start: {last_line(log)}; see {log}")
            time.sleep(0.1)
        # By default the kernel drops packets to 127.0.0.1 from another interface.
        Path(f"/proc/sys/net/ipv4/conf/{_BRIDGE}/route_localnet").write_text("1")
        to_us = ["-i", _BRIDGE, "-d", GATEWAY, "-p", "tcp", "-j", "DNAT", "--to-destination", "127.0.0.1"]
        _set_up(["iptables", "-t", "nat", "-A", "PREROUTING", *to_us], folder)
        yield


def import_image(archive: Path, engine: Engine, folder: Path) -> None:
    """Import the stand-in under the name that SAM looks for, with the local engine as AWS.

    The image sets AWS_ENDPOINT_URL, because `sam local invoke` passes only the variables of the template.
    """
    port = engine.url.rpartition(":")[2]
    environment = {
        "LANG": "C.UTF-8",
        "LAMBDA_TASK_ROOT": "/var/task",
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "AWS_ENDPOINT_URL": f"http://{GATEWAY}:{port}",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
    }
    changes = [
        f"ENV {' '.join(f'{name}={value}' for name, value in environment.items())}",
        "WORKDIR /var/task",
    ]
    options = [part for change in changes for part in ("--change", change)]
    _set_up(["docker", "import", *options, str(archive), stand_in.IMAGE], folder, _IMPORT_SECONDS)


def _set_up(command: list[str], folder: Path, seconds: int = _START_SECONDS) -> None:
    what = " ".join(command[:2])
    run(command, log=folder / "set-up.log", environment=clean_environment(), seconds=seconds, what=what)
