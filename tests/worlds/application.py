"""The functions as they are deployed: each app.py with the environment that the template gives it.

AWS is moto, Target the simulator; time is told. What is named after the template's resources is named by
their logical ids, so that a call can be held against a policy.
"""

from __future__ import annotations

import importlib.util
import json
import traceback
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from aws_lambda_powertools.utilities.parameters import clear_caches
from botocore.exceptions import ClientError

from bulk_profiles.steps import wiring
from simulator import Simulator
from tests.worlds import deployable
from tests.worlds.aws.functions import Context
from tests.worlds.deployment import Clock

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

type Json = dict[str, Any]

DROP_BUCKET, DATA_BUCKET = "the-DropBucket", "the-DataBucket"
IMPORTS_TABLE, PROFILES_TABLE = "the-ImportsTable", "the-ProfilesTable"
_MOST_STEPS = 200
_TABLES = {IMPORTS_TABLE: ("pk", "sk"), PROFILES_TABLE: ("profile", "batch")}
_ROLE = "arn:aws:iam::123456789012:role/states"
_DEFINITION = json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}})


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a function's code to AWS. `error` is AWS's code where it did not do it."""

    function: str
    service: str
    operation: str
    parameters: Json
    error: str = ""


class Crash(Exception):  # noqa: N818  # not ours: what Lambda makes of an exception
    """A function raised; the exception is the cause."""


@dataclass(slots=True)
class Application:
    """All functions in this process."""

    target: Simulator
    variables: dict[str, str]
    patch: pytest.MonkeyPatch
    s3: S3Client  # of the tests: to make one takes longer than most calls
    clock: Clock = field(default_factory=Clock)
    calls: list[Call] = field(default_factory=list)
    states: list[str] = field(default_factory=list)  # what went into and came out of functions, as JSON
    remaining: Iterator[int] | None = None  # milliseconds that the function has left, each time it asks
    function: str = ""  # whose turn it is
    _apps: dict[str, ModuleType] = field(default_factory=dict)

    def configure(self, **variables: str) -> None:
        """Change variables of the functions that have them, as a deployment does."""
        self.variables |= variables
        self._apps.clear()

    def invoke(self, folder: str, event: Json) -> Json:
        """Run a function's handler; raises `Crash` from whatever it raised."""
        self.states.append(json.dumps(event))
        # In AWS, no function has what another one keeps.
        clear_caches()  # type: ignore[no-untyped-call]  # Powertools left it so
        app = self._app(folder)
        self.function = folder
        try:
            answer: Json = app.lambda_handler(event, self._context(folder))
        except Exception as error:
            letter = {"errorType": type(error).__name__, "errorMessage": str(error)}
            letter["stackTrace"] = "".join(traceback.format_tb(error.__traceback__))
            self.states.append(json.dumps({"requestPayload": event, "responsePayload": letter}))
            raise Crash(f"{type(error).__name__}: {error}") from error
        finally:
            self.function = ""
        self.states.append(json.dumps(answer))
        return answer

    def drop(self, body: bytes, key: str = "drop/default/customers.csv") -> Json:
        """Put a file into the Drop bucket and give S3's event."""
        version = self.s3.put_object(Bucket=DROP_BUCKET, Key=key, Body=body)["VersionId"]
        return {
            "id": f"event-{version}",
            "detail": {"bucket": {"name": DROP_BUCKET}, "object": {"key": key, "version-id": version}},
        }

    def run(self, body: bytes, key: str = "drop/default/customers.csv") -> Json:
        """Import a file from its drop to its end, as the state machine does; gives finish_import's answer."""
        split = self.invoke("split_file", self.drop(body, key))
        return self.resume(split["importId"]) if split["status"] == "uploading" else split

    def resume(self, import_id: str) -> Json:
        """Walk all batches of a split import to their end."""
        manifest = self.read(f"imports/{import_id}/manifest.json")
        for batch in json.loads(manifest)["batches"]:
            self.walk({"importId": import_id, "batch": batch["number"]})
        return self.invoke("finish_import", {"importId": import_id, "batches": []})

    def walk(self, state: Json) -> None:
        """Walk one batch through its states; time passes as the outcomes ask."""
        folder = "upload_batch"
        for _ in range(_MOST_STEPS):
            outcome = self.invoke(folder, state)
            if outcome["outcome"] == "settled" and folder == "check_status":
                return
            if "resumeAt" in outcome:
                self.clock.reach(datetime.fromisoformat(outcome["resumeAt"]))
            if folder == "upload_batch" and outcome["outcome"] != "deferred":
                folder = "check_status"
            elif outcome["outcome"] == "resubmit":
                folder = "upload_batch"
        raise AssertionError(f"the batch goes round in circles: {self.states[-2:]}")

    def read(self, key: str) -> bytes:
        """Give an object of the Data bucket."""
        return self.s3.get_object(Bucket=DATA_BUCKET, Key=key)["Body"].read()

    def objects(self) -> dict[str, bytes]:
        """Give all objects of the Data bucket."""
        listed = self.s3.list_objects_v2(Bucket=DATA_BUCKET).get("Contents", [])
        return {item["Key"]: self.read(item["Key"]) for item in listed}

    def items(self) -> list[Json]:
        """Give all entries of the ledger."""
        return boto3.resource("dynamodb").Table(IMPORTS_TABLE).scan()["Items"]

    def record(self, call: Callable[..., Any], client: Any, operation: str, parameters: Json) -> Any:
        """Make a call for a function and remember it."""
        if not self.function:
            return call(client, operation, parameters)
        service, error = client.meta.service_model.service_name, ""
        try:
            # moto would run a function in a container; that it was asked to is enough.
            return {"StatusCode": 202} if service == "lambda" else call(client, operation, parameters)
        except ClientError as refused:
            error = refused.response["Error"]["Code"]
            raise
        finally:
            self.calls.append(Call(self.function, service, operation, parameters, error))

    def _app(self, folder: str) -> ModuleType:
        if folder not in self._apps:
            environment = deployable.environment(folder)
            for name in environment:
                self.patch.setenv(name, self.variables.get(name, environment[name]))
            path = deployable.ROOT / "functions" / folder / "app.py"
            spec = importlib.util.spec_from_file_location(f"functions.{folder}.app", path)
            assert spec is not None
            assert spec.loader is not None
            app = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(app)
            self._apps[folder] = app
            clock = self.clock

            class Told(datetime):
                @classmethod
                def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]  # of the same kind
                    return clock().astimezone(tz)

            self.patch.setattr(wiring, "datetime", Told)
            self.patch.setattr(
                wiring, "time", SimpleNamespace(sleep=lambda seconds: clock.advance(seconds=seconds))
            )
        return self._apps[folder]

    def _context(self, folder: str) -> Context:
        name = f"the-{deployable.function_name(folder)}"
        return Context(name) if self.remaining is None else Context(name, remaining=self.remaining)


def deployed(target: Simulator, patch: pytest.MonkeyPatch) -> Application:
    """Deploy the functions with their resources; `moto` is on already."""
    s3, dynamodb = boto3.client("s3"), boto3.client("dynamodb")
    for bucket in (DROP_BUCKET, DATA_BUCKET):
        s3.create_bucket(Bucket=bucket)
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for table, keys in _TABLES.items():
        dynamodb.create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
            KeySchema=[
                {"AttributeName": keys[0], "KeyType": "HASH"},
                {"AttributeName": keys[1], "KeyType": "RANGE"},
            ],
        )
    machine = boto3.client("stepfunctions").create_state_machine(
        name="the-ImportProfiles", definition=_DEFINITION, roleArn=_ROLE
    )
    topic = boto3.client("sns").create_topic(Name="the-ImportsTopic")
    for name, value in {
        "POWERTOOLS_SERVICE_NAME": f"security-{uuid.uuid4()}",  # each with a logger of its own
        "POWERTOOLS_METRICS_NAMESPACE": "BulkProfiles",
        "LOG_LEVEL": "DEBUG",
    }.items():
        patch.setenv(name, value)
    variables = {
        "STATE_MACHINE_ARN": machine["stateMachineArn"],
        "TOPIC_ARN": topic["TopicArn"],
        "TARGET_ENDPOINT": target.url,
        "MAX_BATCH_ROWS": "2",
    }
    return Application(target, variables, patch, s3)
