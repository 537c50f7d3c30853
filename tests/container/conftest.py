"""The stack on the local engine, and its functions in containers that are connected to it."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local import stack
from local.deployment import Deployment, deployment
from local.engine import clean_environment
from local.folders import run_folder
from simulator import Settings, Simulator, running
from tests.container.__main__ import ARCHIVE
from tests.container.containers import GATEWAY, Answer, Containers, docker, import_image
from tests.container.stand_in import MACHINE
from tests.worlds.deployable import event

_PARAMETERS = {
    "ClientCode": "demo",
    "MaxBatchRows": "500",
    "CallsPerMinute": "3000",
    "FirstCheckSeconds": "1",
    "MaxCheckSeconds": "2",
    "VerifyDelayMinutes": "0",
}
_USUAL = Settings(completion_seconds=0, calls_per_minute=0)
# It can be started and does nothing: here the tests invoke the functions, one after the other.
_IDLE_MACHINE = '{"StartAt": "Idle", "States": {"Idle": {"Type": "Pass", "End": true}}}'


@dataclass(frozen=True, slots=True)
class World:
    """A deployed stack, its Target, and containers to run its functions in."""

    deployment: Deployment
    target: Simulator
    containers: Containers
    machine: str  # ARN of the idle state machine that replaces the stack's own

    def variables(self, function: str) -> dict[str, str]:
        """Return the deployed environment of a function, with the addresses that a container can reach."""
        pages = self.deployment.engine.functions.get_paginator("list_functions").paginate()
        deployed = [item for page in pages for item in page["Functions"]]
        [ours] = [item for item in deployed if function in item["FunctionName"]]
        variables = dict(ours["Environment"]["Variables"])
        if "TARGET_ENDPOINT" in variables:
            variables["TARGET_ENDPOINT"] = seen_from_a_container(self.target.url)
        if "STATE_MACHINE_ARN" in variables:
            variables["STATE_MACHINE_ARN"] = self.machine
        return variables

    def invoke(self, folder: str, event_: Any) -> Answer:
        """Invoke the function of a folder in a container."""
        function = "".join(map(str.capitalize, folder.split("_"))) + "Function"
        return self.containers.invoke(function, event_, self.variables(function))

    def drop(self, name: str, content: bytes) -> dict[str, Any]:
        """Drop a file and return its event: the sample event with the names of the file."""
        bucket, key = self.deployment.outputs["DropBucketName"], f"drop/default/{name}"
        put = self.deployment.engine.s3.put_object(Bucket=bucket, Key=key, Body=content)
        dropped: dict[str, Any] = event("split_file")
        dropped["detail"]["bucket"]["name"] = bucket
        dropped["detail"]["object"] |= {"key": key, "size": len(content), "version-id": put["VersionId"]}
        return dropped

    def read(self, import_id: str, name: str) -> bytes:
        """Read an object of an import."""
        bucket = self.deployment.outputs["DataBucketName"]
        key = f"imports/{import_id}/{name}"
        return self.deployment.engine.s3.get_object(Bucket=bucket, Key=key)["Body"].read()

    def execution_input(self, import_id: str) -> str:
        """Return the input of the execution that an import has started."""
        arn = f"{self.machine.replace(':stateMachine:', ':execution:')}:{import_id}"
        return self.deployment.engine.stepfunctions.describe_execution(executionArn=arn)["input"]


def seen_from_a_container(url: str) -> str:
    """Return the URL by which a container reaches a server on 127.0.0.1."""
    return url.replace("127.0.0.1", GATEWAY)


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    """The deployed stack, in which no import runs by itself."""
    if ARCHIVE not in os.environ:
        pytest.skip("needs a Docker engine of its own: run by make test-container")
    with (
        run_folder() as folder,
        docker(folder),
        running(_USUAL) as target,
        deployment(folder, _PARAMETERS, target=target.url) as deployed,
    ):
        target.configure(status_base=seen_from_a_container(target.url))
        import_image(Path(os.environ[ARCHIVE]), deployed.engine, folder)
        _disable_events(deployed)
        yield World(deployed, target, _containers(deployed, folder), _idle_machine(deployed))


def _disable_events(deployed: Deployment) -> None:
    """Disable the drop bucket's events: the functions on the engine would be faster than the containers."""
    deployed.engine.s3.put_bucket_notification_configuration(
        Bucket=deployed.outputs["DropBucketName"], NotificationConfiguration={}
    )


def _idle_machine(deployed: Deployment) -> str:
    return deployed.engine.stepfunctions.create_state_machine(
        name="idle", definition=_IDLE_MACHINE, roleArn="arn:aws:iam::000000000000:role/idle"
    )["stateMachineArn"]


def _containers(deployed: Deployment, folder: Path) -> Containers:
    environment: Mapping[str, str] = {
        **clean_environment(),
        **deployed.engine.environment,  # SAM asks AWS for the account's number
        "DOCKER_CONFIG": str(folder),
        "SAM_CLI_TELEMETRY": "0",
        "__SAM_CLI_APP_DIR": str(folder / "sam"),
    }
    parameters = {"Architecture": MACHINE, **_PARAMETERS}
    return Containers(
        _with_unpacked_layers(stack.build(folder), folder / "built"), folder, environment, parameters
    )


def _with_unpacked_layers(build_dir: Path, copy: Path) -> Path:
    """Copy a build, with its layers unpacked as `sam build` leaves them.

    SAM would unpack them for each invocation, and then find no image that has them.
    """
    shutil.copytree(build_dir, copy)
    for archive in copy.glob("*.zip"):
        shutil.unpack_archive(archive, archive.with_suffix(""))
        archive.unlink()
    template = copy / "template.yaml"
    template.write_text(
        re.sub(r"^( +ContentUri: \w+)\.zip$", r"\1", template.read_text(), flags=re.MULTILINE)
    )
    return copy
