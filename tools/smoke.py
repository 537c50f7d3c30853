"""Smoke test: the first hour of a deployed stack as a script. It uses boto3 and the stack's outputs alone.

    python -m tools.smoke --stack bulk-profiles

It drops files of invented customers, follows each import to its end, and says passed or failed for each
check. The profiles reach Target under ids that begin with `smoke-`, so it asks before it begins. It removes
what it made in the buckets and in the ledger; the profile results expire after `RetentionDays`, as does what
Target keeps.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

_MIB = 1024 * 1024
_POLL_SECONDS = 2.0
_LEAST_CONCURRENCY = 100
# thirdPartyId,city of two customers, by DuckDB without compression.
_PARQUET = base64.b64decode(
    "UEFSMRUAFVgVWCwVBBUAFQYVBgAAAgAAAAQBDwAAAHNtb2tlLXBhcnF1ZXQtMQ8AAABzbW9rZS1wYXJxdWV0LTIVABUqFSos"
    "FQQVABUGFQYAAAIAAAAEAQMAAABVbG0EAAAAQm9ubhUCGTw1ABgNZHVja2RiX3NjaGVtYRUEABUMJQIYDHRoaXJkUGFydHlJ"
    "ZCUAABUMJQIYBGNpdHklAAAWBBkcGSwmABwVDBkVABkYDHRoaXJkUGFydHlJZBUAFgQWehZ6Jgg8GA9zbW9rZS1wYXJxdWV0"
    "LTIYD3Ntb2tlLXBhcnF1ZXQtMRYAKA9zbW9rZS1wYXJxdWV0LTIYD3Ntb2tlLXBhcnF1ZXQtMRERABkcFQAVABUCAAAAJgAc"
    "FQwZFQAZGARjaXR5FQAWBBZMFkwmggE8GANVbG0YBEJvbm4WACgDVWxtGARCb25uEREAGRwVABUAFQIAAAAWxgEWBCYIFsYB"
    "ACgoRHVja0RCIHZlcnNpb24gdjIuMC4wIChidWlsZCBkNTRjYmJlM2RmKRksHAAAHAAAADUBAABQQVIx"
)


class SmokeError(Exception):
    """A check has failed; the message says why."""


@dataclass
class Stack:
    """A deployed stack: its outputs, and the clients to reach it."""

    name: str
    patience: float  # seconds that an import may take
    run: str = field(default_factory=lambda: uuid.uuid4().hex[:8])
    imports: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        stacks = self.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"]
        self.outputs = {item["OutputKey"]: item["OutputValue"] for item in stacks[0]["Outputs"]}
        self.s3 = self.client("s3")
        self.states = self.client("stepfunctions")
        self.table = boto3.resource("dynamodb").Table(self.outputs["ImportsTableName"])

    def client(self, service: str) -> Any:
        """Return a client of an AWS service."""
        return boto3.client(service)  # type: ignore[call-overload]

    def drop(self, name: str, body: bytes, *, multipart: bool = False) -> str:
        """Drop a file, wait until it has become an import, and return the import's id."""
        key = f"drop/default/smoke-{self.run}-{name}"
        config = TransferConfig(multipart_threshold=5 * _MIB if multipart else 5 * 1024 * _MIB)
        self.s3.upload_fileobj(io.BytesIO(body), self.outputs["DropBucketName"], key, Config=config)
        import_id: str = self.wait(f"{name} becomes an import", lambda: self._import_of(key))
        self.imports.append(import_id)
        return import_id

    def finished(self, import_id: str) -> dict[str, Any]:
        """Wait until an import is over, and return its summary."""
        key = f"imports/{import_id}/summary.json"
        self.wait(f"{import_id} ends", lambda: self._over(import_id))
        body = self.s3.get_object(Bucket=self.outputs["DataBucketName"], Key=key)["Body"].read()
        summary: dict[str, Any] = json.loads(body)
        return summary

    def wait[T](self, what: str, condition: Callable[[], T | None]) -> T:
        """Poll until a condition gives something; raises `SmokeError` when patience is at its end."""
        deadline = time.monotonic() + self.patience
        while True:
            if result := condition():
                return result
            if time.monotonic() > deadline:
                raise SmokeError(f"waited {self.patience:.0f} s in vain until {what}")
            time.sleep(_POLL_SECONDS)

    def entry(self, import_id: str) -> dict[str, Any]:
        """Return the import's entry in the ledger."""
        key = {"pk": f"IMPORT#{import_id}", "sk": "IMPORT"}
        item: dict[str, Any] = self.table.get_item(Key=key, ConsistentRead=True).get("Item", {})
        return item

    def execution_arn(self, import_id: str) -> str:
        """Return the ARN of the import's first execution, which has the import's name."""
        machine = self.outputs["StateMachineArn"]
        return f"{machine.replace(':stateMachine:', ':execution:')}:{import_id}"

    def _import_of(self, key: str) -> str | None:
        for page in self.states.get_paginator("list_executions").paginate(
            stateMachineArn=self.outputs["StateMachineArn"]
        ):
            for execution in page["executions"]:
                if self.entry(execution["name"]).get("source", {}).get("key") == key:
                    return str(execution["name"])
        return None

    def _over(self, import_id: str) -> bool:
        return self.entry(import_id).get("status") in {"succeeded", "partial", "failed"}

    def remove(self) -> None:
        """Remove dropped files, objects and ledger entries of this run."""
        for folder in ("drop", "results"):
            self._remove_objects(self.outputs["DropBucketName"], f"{folder}/default/smoke-{self.run}-")
        for import_id in self.imports:
            self._remove_objects(self.outputs["DataBucketName"], f"imports/{import_id}/")
            items = self.table.query(
                KeyConditionExpression="pk = :pk", ExpressionAttributeValues={":pk": f"IMPORT#{import_id}"}
            )["Items"]
            for item in items:
                self.table.delete_item(Key={"pk": item["pk"], "sk": item["sk"]})

    def _remove_objects(self, bucket: str, prefix: str) -> None:
        pages = self.s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
        for page in pages:
            for version in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                self.s3.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])


def _expect(summary: dict[str, Any], sent: int) -> None:
    if (summary["rows"]["sent"], summary["unaccounted"]) != (sent, 0):
        raise SmokeError(f"{sent} rows should be sent, and the summary says {summary['rows']}")
    if summary["status"] != "succeeded":
        raise SmokeError(f"the import ended as {summary['status']}: {summary['reason']}")


def _csv(stack: Stack, name: str, count: int, width: int = 10) -> bytes:
    rows = (f"smoke-{stack.run}-{name}-{number},{'x' * width}\n" for number in range(count))
    return f"thirdPartyId,city\n{''.join(rows)}".encode()


def small_file(stack: Stack) -> None:
    """Import a small file."""
    _expect(stack.finished(stack.drop("small.csv", _csv(stack, "small", 5))), 5)


def parquet_file(stack: Stack) -> None:
    """Import a Parquet file."""
    _expect(stack.finished(stack.drop("small.parquet", _PARQUET)), 2)


def multipart_file(stack: Stack) -> None:
    """Import a file that is uploaded in parts."""
    body = _csv(stack, "parts", 6_000, width=1_000)
    _expect(stack.finished(stack.drop("parts.csv", body, multipart=True)), 6_000)


def stopped_execution(stack: Stack) -> None:
    """Stop an execution, and start it again with the same input."""
    import_id = stack.drop("stopped.csv", _csv(stack, "stopped", 5))
    arn = stack.execution_arn(import_id)
    try:
        stack.states.stop_execution(executionArn=arn, cause="Smoke test")
    except ClientError as error:
        if _is_running(stack, arn):  # otherwise it has ended already
            raise SmokeError(f"the execution was not stopped: {error.response['Error']['Code']}") from error
    stack.wait(f"{import_id} is stopped", lambda: not _is_running(stack, arn))
    state = stack.states.describe_execution(executionArn=arn)["input"]
    machine = stack.outputs["StateMachineArn"]
    again = stack.states.start_execution(
        stateMachineArn=machine, name=f"{import_id}-{stack.run}", input=state
    )["executionArn"]
    # The import may have ended before its execution was stopped, and ends once more.
    stack.wait(f"{import_id} ends again", lambda: not _is_running(stack, again))
    _expect(stack.finished(import_id), 5)


def _is_running(stack: Stack, arn: str) -> bool:
    return bool(stack.states.describe_execution(executionArn=arn)["status"] == "RUNNING")


def dead_letter(stack: Stack) -> None:
    """Invoke split_file with a message of the dead-letter queue."""
    import_id = stack.imports[0]
    source = stack.entry(import_id)["source"]
    event = {
        "detail": {
            "bucket": {"name": source["bucket"]},
            "object": {"key": source["key"], "version-id": source["versionId"]},
        }
    }
    answer = stack.client("lambda").invoke(
        FunctionName=stack.outputs["SplitFileFunctionName"], Payload=json.dumps({"requestPayload": event})
    )
    payload = json.loads(answer["Payload"].read())
    if payload != {"importId": import_id, "status": "known"}:
        raise SmokeError(f"split_file answered {payload}")


def quotas(stack: Stack) -> None:
    """Look up how many functions the account may run at once."""
    limits = stack.client("lambda").get_account_settings()["AccountLimit"]
    if limits["ConcurrentExecutions"] < _LEAST_CONCURRENCY:
        raise SmokeError(
            f"the account may run {limits['ConcurrentExecutions']} functions at once: ask for "
            f"{_LEAST_CONCURRENCY} or more (Service Quotas, AWS Lambda, Concurrent executions)"
        )


CHECKS: tuple[Callable[[Stack], None], ...] = (
    small_file,
    parquet_file,
    multipart_file,
    stopped_execution,
    dead_letter,
    quotas,
)


def check(stack: Stack) -> Iterator[tuple[str, str]]:
    """Make all checks, and yield the sentence of each with why it failed, or an empty text."""
    for function in CHECKS:
        sentence = (function.__doc__ or "").strip()
        try:
            function(stack)
        except Exception as error:  # noqa: BLE001 whatever fails is the result of its check
            yield sentence, str(error) or type(error).__name__
        else:
            yield sentence, ""


def main(arguments: list[str] | None = None) -> int:
    """Make all checks and print each result. Return 1 if one failed, 2 if nothing was done."""
    parser = argparse.ArgumentParser(prog="python -m tools.smoke", description="Try a deployed stack.")
    parser.add_argument("--stack", required=True, metavar="NAME", help="the CloudFormation stack")
    parser.add_argument("--yes", action="store_true", help="do not ask before profiles are sent to Target")
    parser.add_argument(
        "--patience", type=float, default=900, metavar="SECONDS", help="for each import (900)"
    )
    options = parser.parse_args(arguments)
    stack = Stack(options.stack, options.patience)
    if not options.yes:
        print(f"This sends some 6,000 invented profiles, smoke-{stack.run}-*, to Target by {options.stack}.")
        if input("Go on? [y/N] ").strip().lower() != "y":
            return 2
    failed = 0
    try:
        for sentence, reason in check(stack):
            print(
                f"{'failed' if reason else 'passed'}  {sentence}{f' ({reason})' if reason else ''}",
                flush=True,
            )
            failed += bool(reason)
    finally:
        stack.remove()
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
