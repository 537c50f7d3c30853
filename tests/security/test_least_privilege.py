"""Each function is allowed every call that it makes, and no other.

The calls are those that the functions' own code makes, on the way of imports of every kind; the policies are
those of the template. A function that calls something new, or no longer calls something, fails here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from itertools import chain, repeat
from typing import Any
from urllib.parse import unquote

import boto3
import pytest
from botocore.client import BaseClient
from moto import mock_aws

import simulator
from bulk_profiles.aws.sns import Notices
from bulk_profiles.core.errors import NoticeError
from tests.worlds.application import DATA_BUCKET, DROP_BUCKET, Application, Call, Crash, deployed
from tests.worlds.deployable import FUNCTIONS, child, function_name, machine, resources

type Json = dict[str, Any]
type Permission = tuple[str, str]  # action, resource; of a grant the resource is a pattern

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics to publish")

FILE = b"thirdPartyId,name\nu1,Ada\nu2,Grace\n,Nobody\nu3,Zo\xc3\xab\n"
_MULTIPART = {"CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"}
_LISTS = {"ListObjectsV2": "s3:ListBucket", "ListObjectVersions": "s3:ListBucketVersions"}
_PUT_EVENTS = (
    "events:PutEvents",
    "the-arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/default",
)
_NOT_THERE = {"404", "NoSuchKey", "NoSuchVersion"}

# (function, action) -> why it is allowed and not called here.
UNUSED: dict[tuple[str, str], str] = {}


# --- what is allowed ---


def _resource(value: Any) -> str:
    """Name a resource as the application here names it: `the-DataBucket/imports/*`."""
    if isinstance(value, dict):
        [(function, argument)] = value.items()
        if function == "Fn::Sub":
            return "the-" + str(argument).removeprefix("${").replace(".Arn}", "")
        return "the-" + str(argument[0] if isinstance(argument, list) else argument)
    return str(value)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def grants(logical_id: str, kind: str) -> set[Permission]:
    """Return what the template allows a function or a state machine under any parameters."""
    own = resources(kind)[logical_id]["Policies"]
    documents = [policy["Fn::If"][1] if "Fn::If" in policy else policy for policy in own]
    documents += [
        policy["PolicyDocument"]
        for policy in resources("IAM::Policy").values()
        if {"Ref": f"{logical_id}Role"} in policy["Roles"]
    ]
    return {
        (action, _resource(resource))
        for document in documents
        for statement in document["Statement"]
        for action in _listed(statement["Action"])
        for resource in _listed(statement["Resource"])
    }


# --- what is called ---


def needs(call: Call) -> set[Permission]:
    """Return the permissions that a call needs; to see that an object is missing, the right to list."""
    given = call.parameters
    match call.service:
        case "s3":
            return _s3_needs(call)
        case "dynamodb":
            tables = given["RequestItems"] if "RequestItems" in given else [given["TableName"]]
            return {(f"dynamodb:{call.operation}", table) for table in tables}
        case "events" | "sns":
            told = ("sns:Publish", _last(given["TopicArn"])) if "TopicArn" in given else _PUT_EVENTS
            return {told}
        case "stepfunctions":
            return {(f"states:{call.operation}", _last(given["stateMachineArn"]))}
        case "secretsmanager":
            return {(f"secretsmanager:{call.operation}", "the-TokenSecretArn")}
        case "lambda":
            return {("lambda:InvokeFunction", given["FunctionName"])}
    raise AssertionError(call)


def _last(arn: str) -> str:
    return arn.rsplit(":", 1)[-1]


def _s3_needs(call: Call) -> set[Permission]:
    bucket, operation = call.parameters["Bucket"], call.operation
    if operation in _LISTS:
        return {(_LISTS[operation], bucket)}
    if operation == "CopyObject":
        source = call.parameters["CopySource"]  # by now a path, quoted for the header
        path = unquote(source) if isinstance(source, str) else f"{source['Bucket']}/{source['Key']}"
        return {("s3:GetObject", path), ("s3:PutObject", f"{bucket}/{call.parameters['Key']}")}
    if operation in {"HeadObject", "GetObject"}:
        action = "s3:GetObjectVersion" if call.parameters.get("VersionId") else "s3:GetObject"
    else:
        action = "s3:PutObject" if operation in _MULTIPART else f"s3:{operation}"
    needed = {(action, f"{bucket}/{call.parameters['Key']}")}
    return needed | ({("s3:ListBucket", bucket)} if call.error in _NOT_THERE else set())


def allows(grant: Permission, needed: Permission) -> bool:
    return grant[0] == needed[0] and fnmatchcase(needed[1], grant[1])


# --- imports of every kind ---


def with_a_feed(application: Application) -> None:
    feed = b'{"mapping": {"rename": {"name": "firstName"}}}'
    boto3.client("s3").put_object(Bucket=DATA_BUCKET, Key="feeds/crm.json", Body=feed)
    application.run(FILE, "drop/crm/customers.csv")


def failed_in_part(application: Application) -> None:
    application.target.configure(generation=2, failed_ids=frozenset({"u2"}))
    application.run(FILE)


def failed_while_it_is_followed(application: Application) -> None:
    words = ("success", "failed")
    named = "".join(
        f"<profile><id>u{number}</id><status>{word}</status></profile>" for number, word in enumerate(words)
    )
    body = f"<response><batchId>{{batchId}}</batchId><status>incomplete</status>{named}</response>"
    application.target.script(simulator.fault(on="status", code=200, body=body, times=2))
    application.run(FILE)


def failed_in_the_receipt(application: Application) -> None:
    named = "<profile><id>u2</id><status>failed</status></profile>"
    body = f"<response><success>true</success><batchStatus>{{statusUrl}}</batchStatus>{named}</response>"
    application.target.script(simulator.fault(code=200, body=body, accepted=True))
    application.run(FILE)


def refused(application: Application) -> None:
    application.target.script(simulator.fault("refused"))
    application.run(FILE)


def with_a_token(application: Application) -> None:
    secret = boto3.client("secretsmanager").create_secret(Name="token", SecretString="abc")
    application.configure(TOKEN_SECRET_ARN=secret["ARN"])
    application.target.script(simulator.fault("unauthorized"))
    application.run(FILE)


def cannot_be_read(application: Application) -> None:
    application.run(b"no key column\n")


def gone_before_it_is_read(application: Application) -> None:
    event = application.drop(FILE)
    named = event["detail"]["object"]
    boto3.client("s3").delete_object(Bucket=DROP_BUCKET, Key=named["key"], VersionId=named["version-id"])
    application.invoke("split_file", event)


def deleted_before_its_event(application: Application) -> None:
    event = application.drop(FILE)
    boto3.client("s3").delete_object(Bucket=DROP_BUCKET, Key=event["detail"]["object"]["key"])
    application.invoke("split_file", event)


def beside_drop(application: Application) -> None:
    application.run(FILE, "elsewhere/customers.csv")


def of_a_folder_that_cannot_be_a_feed(application: Application) -> None:
    application.run(FILE, "drop/c r m/customers.csv")


def without_a_row_to_send(application: Application) -> None:
    application.run(b"thirdPartyId,name\n,Nobody\n")


def of_a_sender_without_versions(application: Application) -> None:
    event = application.drop(FILE)
    del event["detail"]["object"]["version-id"]
    application.resume(application.invoke("split_file", event)["importId"])


def too_long_for_one_invocation(application: Application) -> None:
    event = application.drop(FILE)
    application.remaining = repeat(1)
    split = application.invoke("split_file", event)
    while split["status"] == "splitting":
        application.remaining = repeat(1)
        split = application.invoke("split_file", event)
    application.remaining = None
    application.resume(split["importId"])


def _rows(count: int) -> Iterator[bytes]:
    return (b"u%d,%s\n" % (number, b"x" * 40_000) for number in range(count))  # few, as moto is slow


def of_many_megabytes(application: Application) -> None:
    application.configure(MAX_BATCH_ROWS="500000")
    application.run(b"".join(chain([b"thirdPartyId,name\n"], _rows(300))))


def broken_after_many_megabytes(application: Application) -> None:
    application.configure(MAX_BATCH_ROWS="500000")
    rows = chain([b"thirdPartyId,name\n"], _rows(300), [b'u,"\n'])
    application.invoke("split_file", application.drop(b"".join(rows)))


def whose_ids_repeat(application: Application) -> None:
    application.configure(MAX_BATCH_ROWS="10000")
    rows = (b"u%d,x\n" % (number % 4) for number in range(60_000))
    application.run(b"".join(chain([b"thirdPartyId,name\n"], rows)))


def finished_before_its_batches(application: Application) -> None:
    """One batch never left, and of the other one a follow-up is on its way."""
    application.configure(MAX_BATCH_ROWS="2")
    application.target.configure(failed_ids=frozenset({"u2"}))
    import_id = application.invoke("split_file", application.drop(FILE))["importId"]
    batch = {"importId": import_id, "batch": 1}
    application.invoke("upload_batch", batch)
    while (outcome := application.invoke("check_status", batch))["outcome"] != "resubmit":
        application.clock.reach(datetime.fromisoformat(outcome["resumeAt"]))
    application.invoke("finish_import", {"importId": import_id})


def failed_with_many_megabytes_and_no_time_for_them(application: Application) -> None:
    application.configure(MAX_BATCH_ROWS="500000")
    application.target.script(simulator.fault("refused"))
    rows = b"".join(chain([b"thirdPartyId,name\n"], _rows(600)))
    import_id = application.invoke("split_file", application.drop(rows))["importId"]
    batch = {"importId": import_id, "batch": 1}
    application.invoke("upload_batch", batch)
    application.invoke("check_status", batch)
    application.remaining = chain(repeat(900_000, 40), repeat(1))
    application.invoke("finish_import", {"importId": import_id})
    application.remaining = None


def with_the_ids_of_an_earlier_one(application: Application) -> None:
    earlier = application.invoke("split_file", application.drop(FILE))["importId"]
    application.invoke("upload_batch", {"importId": earlier, "batch": 1})
    later = application.invoke("split_file", application.drop(FILE, "drop/default/later.csv"))["importId"]
    application.invoke("upload_batch", {"importId": later, "batch": 1})
    application.resume(earlier)
    application.resume(later)


def whose_bodies_are_gone(application: Application) -> None:
    import_id = application.invoke("split_file", application.drop(FILE))["importId"]
    batch = {"importId": import_id, "batch": 1}
    body = f"imports/{import_id}/batches/00001.batch"
    sent = boto3.client("s3").get_object(Bucket=DATA_BUCKET, Key=body)["Body"].read()
    boto3.client("s3").delete_object(Bucket=DATA_BUCKET, Key=body)
    with pytest.raises(Crash, match="no object"):
        application.invoke("upload_batch", batch)
    boto3.client("s3").put_object(Bucket=DATA_BUCKET, Key=body, Body=sent)
    application.invoke("upload_batch", batch)
    boto3.client("s3").delete_object(Bucket=DATA_BUCKET, Key=body)
    application.clock.advance(minutes=5)
    application.invoke("check_status", batch)  # Target answers in two parts
    with pytest.raises(Crash, match="no object"):
        application.invoke("check_status", batch)


def finished_before_it_was_split(application: Application) -> None:
    with pytest.raises(Crash):
        application.invoke("finish_import", {"importId": "customers-csv-0a1b2c3d4e5f"})


def sent_again(application: Application) -> None:
    application.target.configure(generation=2, failed_ids=frozenset({"u2"}))
    import_id = application.invoke("split_file", application.drop(FILE))["importId"]
    application.resume(import_id)
    application.run(b"thirdPartyId,name\nv1,Ada\n", "drop/default/later.csv")
    asked = {"input": {"importId": import_id, "resend": ["error"]}, "execution": "again"}
    assert application.invoke("resend_import", asked)["batches"] == [1]
    application.resume(import_id)
    [machine] = boto3.client("stepfunctions").list_state_machines()["stateMachines"]
    beside = asked | {"execution": "beside", "machine": machine["stateMachineArn"]}
    assert "is running" in application.invoke("resend_import", beside)["says"]
    boto3.client("s3").delete_object(Bucket=DATA_BUCKET, Key=f"imports/{import_id}/batches/00001.batch")
    assert application.invoke("resend_import", asked | {"execution": "later"})["outcome"] == "refused"


def sent_again_until_none_failed(application: Application) -> None:
    refused(application)
    [import_id] = {key.split("/")[1] for key in application.objects()}
    asked = {"input": {"importId": import_id, "resend": ["refused"]}, "execution": "again"}
    assert application.invoke("resend_import", asked)["batches"] == [1]
    application.resume(import_id)


def read_back(application: Application) -> None:
    secret = boto3.client("secretsmanager").create_secret(Name="token", SecretString="abc")
    application.configure(TOKEN_SECRET_ARN=secret["ARN"], VERIFY_DELAY_MINUTES="0")
    import_id = application.invoke("split_file", application.drop(FILE))["importId"]
    application.resume(import_id)
    application.run(FILE, "drop/default/later.csv")
    event = {"input": {"importId": import_id, "verify": 2}, "execution": "by-hand"}
    while (outcome := application.invoke("verify_import", event))["outcome"] == "waits":
        application.clock.reach(datetime.fromisoformat(outcome["resumeAt"]))
    assert outcome == {"outcome": "verified"}
    application.invoke("finish_import", {"importId": import_id})
    boto3.client("s3").delete_object(Bucket=DATA_BUCKET, Key=f"imports/{import_id}/batches/00001.batch")
    assert application.invoke("verify_import", event | {"execution": "later"})["outcome"] == "refused"


def swept(application: Application) -> None:
    application.patch.setenv("SF_EXECUTION_HISTORY_TYPE", "FAILURE")  # moto's: what is started has failed
    application.drop(FILE, "drop/default/lost.csv")
    for name in ("stopped.csv", "split.csv"):
        application.invoke("split_file", application.drop(FILE, f"drop/default/{name}"))
    _forget_manifest(application, "split-csv")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Notices, "publish", _refuse)
        application.invoke("split_file", application.drop(b"no key column\n", "drop/default/untold.csv"))
    application.clock.reach(datetime.now(UTC) + timedelta(hours=1))  # S3 tells the time by itself
    swept = application.invoke("sweep_imports", {})
    assert swept["SplitBySweep"] == swept["RestartedBySweep"] == swept["ToldBySweep"] == 1


def under_way_for_long(application: Application) -> None:
    import_id = application.invoke("split_file", application.drop(FILE))["importId"]
    follow_up = f"imports/{import_id}/follow-ups/00001-2.batch"
    boto3.client("s3").put_object(Bucket=DATA_BUCKET, Key=follow_up, Body=b"follow-up")
    application.clock.reach(datetime.now(UTC) + timedelta(days=40))
    application.invoke("sweep_imports", {})


def waiting_for_long(application: Application) -> None:
    application.target.script(simulator.fault(code=503, times=0))
    import_id = application.invoke("split_file", application.drop(FILE))["importId"]
    for number in (1, 2):
        application.invoke("upload_batch", {"importId": import_id, "batch": number})
    application.clock.reach(datetime.now(UTC) + timedelta(hours=25))
    application.invoke("sweep_imports", {})


def _refuse(*_: Any) -> None:
    raise NoticeError("SNS did not take the message: Throttling.")


def _forget_manifest(application: Application, name: str) -> None:
    [key] = [key for key in application.objects() if name in key and key.endswith("/manifest.json")]
    boto3.client("s3").delete_object(Bucket=DATA_BUCKET, Key=key)


IMPORTS: list[Callable[[Application], None]] = [
    with_a_feed,
    failed_in_part,
    failed_while_it_is_followed,
    failed_in_the_receipt,
    refused,
    with_a_token,
    read_back,
    cannot_be_read,
    gone_before_it_is_read,
    deleted_before_its_event,
    beside_drop,
    of_a_folder_that_cannot_be_a_feed,
    without_a_row_to_send,
    of_a_sender_without_versions,
    too_long_for_one_invocation,
    of_many_megabytes,
    broken_after_many_megabytes,
    whose_ids_repeat,
    finished_before_its_batches,
    failed_with_many_megabytes_and_no_time_for_them,
    with_the_ids_of_an_earlier_one,
    whose_bodies_are_gone,
    finished_before_it_was_split,
    sent_again,
    sent_again_until_none_failed,
    swept,
    waiting_for_long,
    under_way_for_long,
]


@pytest.fixture(scope="module")
def calls() -> list[Call]:
    """Every call that the functions make in imports of every kind."""
    call = BaseClient._make_api_call  # type: ignore[attr-defined]  # where all calls of all clients meet
    calls: list[Call] = []
    for import_ in IMPORTS:
        settings = simulator.Settings(completion_seconds=0, calls_per_minute=0)
        with simulator.running(settings) as target, pytest.MonkeyPatch.context() as patch, mock_aws():
            application = deployed(target, patch)

            def record(
                client: Any, operation: str, given: Json, application: Application = application
            ) -> Any:
                return application.record(call, client, operation, given)

            patch.setattr(BaseClient, "_make_api_call", record)
            import_(application)
            calls += application.calls
    return calls


@pytest.mark.parametrize("folder", FUNCTIONS)
def test_function_policy_allows_every_call_that_it_makes(folder: str, calls: list[Call]) -> None:
    allowed = grants(function_name(folder), "Serverless::Function")
    needed = set().union(*(needs(call) for call in calls if call.function == folder))
    assert needed
    assert {one for one in needed if not any(allows(grant, one) for grant in allowed)} == set()


@pytest.mark.parametrize("folder", FUNCTIONS)
def test_function_policy_allows_no_call_that_it_never_makes(folder: str, calls: list[Call]) -> None:
    allowed = grants(function_name(folder), "Serverless::Function")
    needed = set().union(*(needs(call) for call in calls if call.function == folder))
    unused = {grant for grant in allowed if not any(allows(grant, one) for one in needed)}
    assert {grant for grant in unused if (folder, grant[0]) not in UNUSED} == set()


def test_machine_policy_allows_its_tasks_and_children_only() -> None:
    allowed = {one for one in grants("ImportProfiles", "Serverless::StateMachine") if "logs:" not in one[0]}
    tasks = [*machine()["States"].values(), *child()["States"].values()]
    folders = {task["Resource"].rsplit(":", 1)[-1] for task in tasks if task["Type"] == "Task"}
    arn = "the-arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:execution:${ImportProfiles.Name}"
    assert allowed == {
        *(("lambda:InvokeFunction", f"the-{function_name(folder)}") for folder in folders),
        ("states:StartExecution", "the-ImportProfiles"),  # a Distributed Map starts its machine's children
        *(
            (f"states:{action}Execution", f"{arn}{end}")
            for action in ("Describe", "Stop", "Redrive")
            for end in ("/*", ":*")
        ),
    }
