"""Drop a file, and follow its import by what anyone can read: the ledger, the execution and summary.json."""

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

from bulk_profiles.accounting.split_verdict import status_line
from bulk_profiles.cli.overview import Waiting
from bulk_profiles.core.models import Why
from bulk_profiles.core.names import DROP_PREFIX, SUMMARY, feed_key, import_id, object_key
from bulk_profiles.core.timestamps import moment
from bulk_profiles.steps.messages import DroppedObject
from local.deployment import Deployment
from local.errors import LocalRunError

type Json = dict[str, Any]

_POLL_SECONDS = 0.3
_ENDED = frozenset({"FAILED", "TIMED_OUT", "ABORTED", "SUCCEEDED"})  # statuses of an execution
_NOT_SPLIT = frozenset({"waiting", "splitting"})  # statuses of an import
_REDELIVERY_SECONDS = 40.0  # between deliveries of an event; a second one does a running split no harm
_TOKEN_SECONDS = 90.0  # in which the token that Target does not accept is tried a second time
_LATE_SECONDS = 30.0  # from which on a wait is worth a word
_SUMMARY_SECONDS = 5.0  # from the end of an execution, by when its summary must exist


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An import at one moment."""

    status: str  # of the import; "waiting" before it has a ledger entry
    batches: Counter[str]  # by state
    settled: int  # batches
    results: int  # items of the deployment's Profiles table, which one batch can take minutes to fill here
    trace: str  # differs whenever anything has changed
    waits_seconds: float = 0  # until the last status check that is planned
    rejected: int = 0  # rows, of an import that has ended
    token: str = ""  # why Target does not accept the token, where a batch waits for that
    parked: int = 0  # batches that wait for that
    waits: str = ""  # what else batches wait for, and until when, where that is not soon

    @property
    def stands(self) -> bool:
        """Whether all that is left waits for a token that Target accepts."""
        return bool(self.parked) and self.parked == self.batches.total() - self.settled

    def line(self) -> str:
        """Return the snapshot as one line of text."""
        total = self.batches.total()
        status = status_line(self.status, self.rejected)
        if not total:
            return status
        states = ", ".join(f"{count} {state}" for state, count in sorted(self.batches.items()))
        token = f". {self.token}" if self.token else ""
        waits = f"; waits: {self.waits}" if self.waits else ""
        return f"{status}: {self.settled} of {total} settled ({states}){waits}{token}"


@dataclass(frozen=True, slots=True)
class Import:
    """An import of a local deployment, for reading."""

    deployment: Deployment
    import_id: str
    dropped: DroppedObject

    def deliver_again(self) -> None:
        """Send the event of the drop again, as AWS does after a lost invocation, and this engine does not."""
        self.deployment.engine.functions.invoke(
            FunctionName=self.deployment.outputs["SplitFileFunctionName"],
            InvocationType="Event",
            Payload=json.dumps(self.dropped.to_event()),
        )

    def snapshot(self) -> Snapshot:
        """Read the import's entries in the ledger."""
        items = list(self._items())
        entry = next((item for item in items if item["sk"]["S"] == "IMPORT"), {})
        batches = [item for item in items if item["sk"]["S"].startswith("BATCH#")]
        parked = [batch for batch in batches if _waits_for_token(batch)]
        table = self.deployment.outputs["ProfilesTableName"]
        results = self.deployment.engine.dynamodb.describe_table(TableName=table)["Table"]["ItemCount"]
        return Snapshot(
            entry["status"]["S"] if entry else "waiting",
            Counter(batch["state"]["S"] for batch in batches),
            sum(bool(batch.get("settledAt", {}).get("S")) for batch in batches),
            results,
            json.dumps([results, items], sort_keys=True, default=str),
            max(map(_waits_seconds, batches), default=0),
            int(entry.get("rejected", {}).get("N", 0)),
            next((batch["reason"]["S"] for batch in parked), ""),
            len(parked),
            _waits(batches),
        )

    def summary(self) -> Json | None:
        """Return the content of summary.json, or None before it is written."""
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
        """Whether the import's execution has started and ended, with any status."""
        machine = self.deployment.outputs["StateMachineArn"]
        states = self.deployment.engine.stepfunctions
        arn = f"{machine.replace(':stateMachine:', ':execution:')}:{self.import_id}"
        try:
            return states.describe_execution(executionArn=arn)["status"] in _ENDED
        except ClientError as error:
            if error.response["Error"]["Code"] == "ExecutionDoesNotExist":
                return False
            raise

    def undelivered(self) -> int:
        """Count the events in the dead-letter queue: all their deliveries failed."""
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


def read_feed(feed: str) -> tuple[str, bytes | None]:
    """Return a feed's name and its configuration, of `crm` or of the file `crm.json`.

    Raises LocalRunError for a file that cannot be read.
    """
    if not feed.endswith(".json"):
        return feed, None
    try:
        return Path(feed).stem, Path(feed).read_bytes()
    except OSError as error:
        raise LocalRunError(f"The feed's configuration {feed} cannot be read: {error.strerror}") from error


def _waits_for_token(batch: Json) -> bool:
    return batch.get("why", {}).get("S") == Why.TOKEN and not batch.get("settledAt", {}).get("S")


def _waits_seconds(batch: Json) -> float:
    """Return the seconds until the next status check of a batch, or until it may be submitted."""
    times = [batch.get(name, {}).get("S", "") for name in ("nextCheckAt", "resumesAt")]
    return max([0, *((moment(at) - datetime.now(UTC)).total_seconds() for at in times if at)])


def _waits(batches: list[Json]) -> str:
    """Say what batches wait for that come back late, such as the upload window, and until when."""
    groups: dict[Why, dict[int, datetime]] = {}
    for batch in batches:
        why, until = batch.get("why", {}).get("S", ""), batch.get("resumesAt", {}).get("S", "")
        late = until and _waits_seconds(batch) > _LATE_SECONDS
        if why and late and not _waits_for_token(batch) and not batch.get("settledAt", {}).get("S"):
            groups.setdefault(Why(why), {})[int(batch["number"]["N"])] = moment(until)
    waiting = [Waiting(why, tuple(group), min(group.values()), "") for why, group in groups.items()]
    return ", ".join(each.text for each in waiting)


def drop(deployment: Deployment, file: Path, feed: str, configuration: bytes | None = None) -> Import:
    """Put a file in the drop bucket as `drop/<feed>/<its name>` and return the import that it becomes.

    `configuration` is the feed's configuration as JSON; None leaves it as it is.
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
    """Show an import's progress until it ends, and return its summary.

    Raises LocalRunError when nothing changes for `patience_seconds` without a reason to wait, when all that
    is left waits for another token, which nobody can give a local run, when the execution ends without a
    summary, or when the event ends in the dead-letter queue.
    """
    last, changed_at = Snapshot("", Counter(), 0, 0, ""), clock()
    ended_at: float | None = None
    moved_at = clock()  # when there was something left that does not wait for a token
    deliveries = 1
    while True:
        snapshot = watched.snapshot()
        if snapshot.trace != last.trace or not last.status:
            last, changed_at, deliveries = snapshot, clock(), 1
            show(snapshot)
        if (summary := watched.summary()) is not None:
            return summary
        if watched.execution_ended():
            ended_at = clock() if ended_at is None else ended_at
            if clock() - ended_at > _SUMMARY_SECONDS:
                raise LocalRunError(f"The execution of {watched.import_id} ended without a summary")
        moved_at = moved_at if snapshot.stands else clock()
        if clock() - moved_at > _TOKEN_SECONDS:
            raise LocalRunError(f"Nothing can go on without another token: {snapshot.token.rstrip('.')}")
        if watched.undelivered():
            raise LocalRunError("The drop could not be made an import: its event is in the dead-letter queue")
        if last.status in _NOT_SPLIT and clock() - changed_at > deliveries * _REDELIVERY_SECONDS:
            deliveries += 1
            watched.deliver_again()
        if clock() - changed_at > patience_seconds + last.waits_seconds:
            raise LocalRunError(
                f"Nothing moved for {patience_seconds:g} s ({last.line()}); --patience waits longer"
            )
        wait(_POLL_SECONDS)
