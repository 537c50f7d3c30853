"""Drop a file, and follow its import by what anyone can read: the ledger, the execution, summary.json."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from bulk_profiles.core.names import DROP_PREFIX, SUMMARY, feed_key, import_id, object_key
from bulk_profiles.core.timestamps import moment
from bulk_profiles.steps.messages import DroppedObject
from local.deployment import Deployment
from local.errors import LocalRunError

type Json = dict[str, Any]

_LOOK_SECONDS = 0.3
_DEAD_EXECUTION = frozenset({"FAILED", "TIMED_OUT", "ABORTED", "SUCCEEDED"})
_NOT_SPLIT = frozenset({"waiting", "splitting"})
_REDELIVERY_SECONDS = 40.0  # between tries of an event; a split that is alive takes no harm from it
_AFTERMATH_SECONDS = 5.0  # from the end of an execution to the last chance of its summary


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An import at a moment. `batches` by state; `trace` differs whenever anything moved.

    `results` are those of the deployment's Profiles table: of one batch they can take minutes here.
    """

    status: str
    batches: Counter[str]
    settled: int
    results: int
    trace: str
    waits_seconds: float = 0  # until the last of the batches that Target works on is asked about again

    def line(self) -> str:
        """Say it in one line."""
        total = self.batches.total()
        if not total:
            return self.status
        states = ", ".join(f"{count} {state}" for state, count in sorted(self.batches.items()))
        return f"{self.status}: {self.settled} of {total} settled ({states})"


@dataclass(frozen=True, slots=True)
class Import:
    """An import of a local deployment, to be looked at."""

    deployment: Deployment
    import_id: str
    dropped: DroppedObject

    def deliver_again(self) -> None:
        """Send the drop's event again, as AWS does where an invocation died and this engine does not."""
        self.deployment.engine.functions.invoke(
            FunctionName=self.deployment.outputs["SplitFileFunctionName"],
            InvocationType="Event",
            Payload=json.dumps(self.dropped.to_event()),
        )

    def snapshot(self) -> Snapshot:
        """Read the ledger's entries of the import."""
        items = list(self._items())
        status = next((item["status"]["S"] for item in items if item["sk"]["S"] == "IMPORT"), "waiting")
        batches = [item for item in items if item["sk"]["S"].startswith("BATCH#")]
        table = self.deployment.outputs["ProfilesTableName"]
        results = self.deployment.engine.dynamodb.describe_table(TableName=table)["Table"]["ItemCount"]
        return Snapshot(
            status,
            Counter(batch["state"]["S"] for batch in batches),
            sum(bool(batch.get("settledAt", {}).get("S")) for batch in batches),
            results,
            json.dumps([results, items], sort_keys=True, default=str),
            max(map(_waits_seconds, batches), default=0),
        )

    def summary(self) -> Json | None:
        """Give summary.json, or None while there is none."""
        bucket = self.deployment.outputs["DataBucketName"]
        try:
            body = self.deployment.engine.s3.get_object(
                Bucket=bucket, Key=object_key(self.import_id, SUMMARY)
            )["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] in {"NoSuchKey", "404"}:
                return None
            raise
        summary: Json = json.loads(body)
        return summary

    def execution_ended(self) -> bool:
        """Whether the import's execution was started and has ended, however."""
        machine = self.deployment.outputs["StateMachineArn"]
        states = self.deployment.engine.stepfunctions
        arn = f"{machine.replace(':stateMachine:', ':execution:')}:{self.import_id}"
        try:
            return states.describe_execution(executionArn=arn)["status"] in _DEAD_EXECUTION
        except ClientError as error:
            if error.response["Error"]["Code"] == "ExecutionDoesNotExist":
                return False
            raise

    def undelivered(self) -> int:
        """Count the events that did not become an import however often they were tried."""
        attributes = self.deployment.engine.sqs.get_queue_attributes(
            QueueUrl=self.deployment.outputs["DeadLetterQueueUrl"],
            AttributeNames=["ApproximateNumberOfMessages"],
        )["Attributes"]
        return int(attributes["ApproximateNumberOfMessages"])

    def _items(self) -> Iterator[Json]:
        pages = self.deployment.engine.dynamodb.get_paginator("query").paginate(
            TableName=self.deployment.outputs["ImportsTableName"],
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": f"IMPORT#{self.import_id}"}},
            ConsistentRead=True,
        )
        for page in pages:
            yield from page["Items"]


def _waits_seconds(batch: Json) -> float:
    at = batch.get("nextCheckAt", {}).get("S", "")
    return max(0, (moment(at) - datetime.now(UTC)).total_seconds()) if at else 0


def drop(deployment: Deployment, file: Path, feed: str, configuration: bytes | None = None) -> Import:
    """Put a file in the drop bucket as `drop/<feed>/<its name>`, and name the import that it becomes.

    `configuration` is the feed's, in JSON, if it has one.
    """
    s3 = deployment.engine.s3
    if configuration is not None:
        s3.put_object(Bucket=deployment.outputs["DataBucketName"], Key=feed_key(feed), Body=configuration)
    bucket, key = deployment.outputs["DropBucketName"], f"{DROP_PREFIX}{feed}/{file.name}"
    with file.open("rb") as body:
        version = s3.put_object(Bucket=bucket, Key=key, Body=body)["VersionId"]
    dropped = DroppedObject("delivered-again", bucket, key, version)
    return Import(deployment, import_id(bucket, key, version), dropped)


def follow(
    watched: Import,
    show: Callable[[Snapshot], None],
    *,
    patience_seconds: float,
    clock: Callable[[], float] = time.monotonic,
    wait: Callable[[float], None] = time.sleep,
) -> Json:
    """Show an import's progress until its end and give its summary.

    Raises LocalRunError when nothing moves for `patience_seconds` that should, or it came to nothing.
    """
    last, moved_at = Snapshot("", Counter(), 0, 0, ""), clock()
    ended_at: float | None = None
    deliveries = 1
    while True:
        snapshot = watched.snapshot()
        if snapshot.trace != last.trace or not last.status:
            last, moved_at, deliveries = snapshot, clock(), 1
            show(snapshot)
        if (summary := watched.summary()) is not None:
            return summary
        if watched.execution_ended():
            ended_at = clock() if ended_at is None else ended_at
            if clock() - ended_at > _AFTERMATH_SECONDS:
                raise LocalRunError(f"The execution of {watched.import_id} ended without a summary")
        if watched.undelivered():
            raise LocalRunError("The drop could not be made an import: its event is in the dead-letter queue")
        if last.status in _NOT_SPLIT and clock() - moved_at > deliveries * _REDELIVERY_SECONDS:
            deliveries += 1
            watched.deliver_again()
        if clock() - moved_at > patience_seconds + last.waits_seconds:
            raise LocalRunError(
                f"Nothing moved for {patience_seconds:g} s ({last.line()}); --patience waits longer"
            )
        wait(_LOOK_SECONDS)
