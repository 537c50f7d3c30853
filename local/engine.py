"""The local engine: AWS on this machine, by the package ministack, with its own port and state folder."""

from __future__ import annotations

import contextlib
import http.client
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import boto3

from local.errors import LocalRunError
from local.processes import Process, free_port, last_line, started

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_stepfunctions import SFNClient

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".tools"
REGION = "us-east-1"
# What every AWS client needs, ours and those inside the functions.
CLIENT_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
    "AWS_EC2_METADATA_DISABLED": "true",
    "NO_PROXY": "127.0.0.1,localhost",
}
_START_SECONDS = 30
_PORTS_TRIED = 3


@dataclass(frozen=True, slots=True)
class Engine:
    """A running engine and the clients that are connected to it."""

    url: str
    process: Process
    dynamodb: DynamoDBClient
    s3: S3Client
    sqs: SQSClient
    functions: LambdaClient
    stepfunctions: SFNClient

    @property
    def environment(self) -> dict[str, str]:
        """The variables that connect an AWS client to this engine and to nothing else."""
        return {"AWS_ENDPOINT_URL": self.url, **CLIENT_ENVIRONMENT}


@contextlib.contextmanager
def engine(folder: Path, *, may_outlive: bool = False) -> Iterator[Engine]:
    """Run an engine until the block ends, with its state and its log in `folder`.

    Raises LocalRunError if it does not become healthy.
    """
    for _ in range(_PORTS_TRIED):
        port = free_port()
        with started(
            [str(TOOLS / "engine/bin/ministack")],
            log=folder / "engine.log",
            environment=_environment(folder, port),
            may_outlive=may_outlive,
        ) as process:
            if _healthy(process, port):
                yield _connect(process, f"http://127.0.0.1:{port}")
                return
            exited = not process.alive  # perhaps another process took the port first
        if not exited:
            break
    raise LocalRunError(f"The local engine did not start: {last_line(process.log)}; see {process.log}")


def aws_session() -> boto3.Session:
    """Return a session with test credentials, whatever the caller's own AWS settings are."""
    return boto3.Session("test", "test", region_name=REGION)


def clean_environment() -> dict[str, str]:
    """Return this process's environment without the settings of AWS clients, the SAM CLI and Python."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SAM_", "PYTHON"))
    }


def _environment(folder: Path, port: int) -> dict[str, str]:
    state, temporary = folder / "state", folder / "tmp"
    state.mkdir(exist_ok=True)
    temporary.mkdir(exist_ok=True)
    return {
        **clean_environment(),
        **CLIENT_ENVIRONMENT,
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "STATE_DIR": str(state),
        "TMPDIR": str(temporary),
    }


def _connect(process: Process, url: str) -> Engine:
    session = aws_session()
    return Engine(
        url,
        process,
        dynamodb=session.client("dynamodb", endpoint_url=url),
        s3=session.client("s3", endpoint_url=url),
        sqs=session.client("sqs", endpoint_url=url),
        functions=session.client("lambda", endpoint_url=url),
        stepfunctions=session.client("stepfunctions", endpoint_url=url),
    )


def _healthy(process: Process, port: int) -> bool:
    deadline = time.monotonic() + _START_SECONDS
    while process.alive and time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
        try:
            connection.request("GET", "/_ministack/health")
            if connection.getresponse().status == http.HTTPStatus.OK:
                return process.alive
        except OSError:
            time.sleep(0.05)
        finally:
            connection.close()
    return False
