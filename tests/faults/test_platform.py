"""Faults 53 to 61: what the platform may do."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from unittest import mock

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError, IncompleteReadError
from botocore.response import StreamingBody

import simulator
from bulk_profiles.aws.step_functions import Executions
from bulk_profiles.core.errors import ConflictError, LedgerError, StorageError, TokenError
from bulk_profiles.core.models import ApiVersion, BatchState, ImportStatus, ProfileCounts
from bulk_profiles.steps.messages import Word
from tests.worlds.aws.step_functions import MOST_INPUT_BYTES, Machine
from tests.worlds.deployment import Deployment

FILE = b"thirdPartyId,name\nu1,Ada\nu2,Grace\n"

type Call = Callable[[], Any]
type Meddler = Callable[[str, Any, Call], Any]  # answers an operation with its parameters, or has it called


@pytest.fixture
def deployment(moto_deployment: Deployment) -> Deployment:
    return moto_deployment


@pytest.fixture
def meddle(monkeypatch: pytest.MonkeyPatch) -> Callable[[Meddler], None]:
    """Route every call of AWS through a function of the test."""
    original = getattr(BaseClient, "_make_api_call")  # noqa: B009  # not in the stubs

    def install(meddler: Meddler) -> None:
        def call(client: BaseClient, operation: str, parameters: Any) -> Any:
            return meddler(operation, parameters, lambda: original(client, operation, parameters))

        monkeypatch.setattr(BaseClient, "_make_api_call", call)

    return install


def _refuse(code: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, operation)


def _checked_later(deployment: Deployment, file: bytes = FILE) -> str:
    """Return an import whose one batch is accepted and due for its check."""
    import_id = deployment.split(deployment.drop(file)).import_id
    outcome = deployment.submit(import_id, 1)
    assert outcome.resume_at is not None
    deployment.clock.reach(outcome.resume_at)
    return import_id


def _table_of_profiles() -> set[str]:
    items = boto3.client("dynamodb").scan(TableName="profiles")["Items"]
    return {item["profile"]["S"].rpartition("#")[2] for item in items}


@pytest.mark.fault(54, "UnprocessedItems: some or many at first, then none")
@pytest.mark.parametrize("left", [1, 24, 25])
def test_check_unprocessed_items_are_written_again(
    deployment: Deployment, meddle: Callable[[Meddler], None], left: int
) -> None:
    deployment.configure(max_batch_rows=60)
    rows = b"".join(b"u%d,name\n" % number for number in range(60))
    import_id = deployment.split(deployment.drop(b"thirdPartyId,name\n" + rows)).import_id
    turns = iter([left, 0] * 20)

    def leave(called: str, parameters: Any, call: Call) -> Any:
        if called != "BatchWriteItem":
            return call()
        [(table, requests)] = parameters["RequestItems"].items()
        leaving = min(next(turns), len(requests))
        parameters["RequestItems"] = {table: requests[leaving:]}
        if requests[leaving:]:
            call()
        return {"UnprocessedItems": {table: requests[:leaving]} if leaving else {}}

    meddle(leave)
    summary = deployment.resume(import_id)

    assert summary.profiles == ProfileCounts(success=60)
    assert _table_of_profiles() == {f"u{number}" for number in range(60)}


@pytest.mark.fault(54, "UnprocessedItems always: waited for until the time is up, then the batch goes on")
def test_check_items_never_processed_leave_the_batch_unsettled(
    deployment: Deployment, meddle: Callable[[Meddler], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    import_id = _checked_later(deployment)
    monkeypatch.setattr("time.sleep", lambda _: None)
    leaving = True

    def leave(called: str, parameters: Any, call: Call) -> Any:
        if leaving and called == "BatchWriteItem":
            return {"UnprocessedItems": parameters["RequestItems"]}
        return call()

    meddle(leave)
    looks = itertools.count()
    outcome = deployment.check(import_id, 1, lambda: next(looks) > 20)
    assert (outcome.word, outcome.resume_at) == (Word.PROCESSING, deployment.clock.now)
    leaving = False
    assert not deployment.ledger.get_batch(import_id, 1).settled

    summary = deployment.resume(import_id)

    assert summary.profiles == ProfileCounts(success=2)
    assert _table_of_profiles() == {"u1", "u2"}


@pytest.mark.fault(54, "throttling: one of our own errors, and the next try goes on")
@pytest.mark.parametrize("code", ["ProvisionedThroughputExceededException", "ThrottlingException"])
@pytest.mark.parametrize("operation", ["GetItem", "PutItem"])
def test_upload_throttled_by_dynamodb_goes_on_at_the_next_try(
    deployment: Deployment,
    target: simulator.Simulator,
    meddle: Callable[[Meddler], None],
    operation: str,
    code: str,
) -> None:
    import_id = deployment.split(deployment.drop(FILE)).import_id
    throttled = True

    def meddler(called: str, _: Any, call: Call) -> Any:
        if throttled and called == operation:
            raise _refuse(code, called)
        return call()

    meddle(meddler)
    with pytest.raises(LedgerError, match=code):
        deployment.submit(import_id, 1)
    throttled = False

    summary = deployment.resume(import_id)

    assert summary.status is ImportStatus.SUCCEEDED
    assert len(target.submissions) == 1
    assert not summary.batches[0].possibly_duplicate


@pytest.mark.fault(54, "a conditional check that fails always: nothing is sent")
def test_upload_that_cannot_write_the_ledger_does_not_send(
    deployment: Deployment, target: simulator.Simulator, meddle: Callable[[Meddler], None]
) -> None:
    import_id = deployment.split(deployment.drop(FILE)).import_id

    def meddler(called: str, _: Any, call: Call) -> Any:
        if called == "PutItem":
            raise _refuse("ConditionalCheckFailedException", called)
        return call()

    meddle(meddler)
    try:
        outcome = deployment.submit(import_id, 1)
    except ConflictError:
        pass
    else:
        assert outcome.word is Word.DEFERRED
    assert not target.submissions


@pytest.mark.fault(55, "S3 answers 503, 500 or 412 to a write or a read")
@pytest.mark.parametrize("operation", ["PutObject", "GetObject", "HeadObject"])
@pytest.mark.parametrize("code", ["SlowDown", "InternalError", "PreconditionFailed"])
def test_split_failed_by_s3_goes_on_at_the_next_try(
    deployment: Deployment, meddle: Callable[[Meddler], None], operation: str, code: str
) -> None:
    dropped = deployment.drop(FILE)
    refusing = True

    def meddler(called: str, _: Any, call: Call) -> Any:
        if refusing and called == operation:
            raise _refuse(code, called)
        return call()

    meddle(meddler)
    with pytest.raises(StorageError):
        deployment.split(dropped)
    assert not deployment.machine.started
    refusing = False

    imported = deployment.split(dropped)

    assert deployment.resume(imported.import_id).status is ImportStatus.SUCCEEDED


@pytest.mark.fault(55, "a body that S3 breaks off while it is sent to Target")
@pytest.mark.parametrize(
    "error", [IncompleteReadError(actual_bytes=1, expected_bytes=2), OSError("reset"), TimeoutError()]
)
def test_upload_of_a_body_that_breaks_off_is_deferred(
    deployment: Deployment, target: simulator.Simulator, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    import_id = deployment.split(deployment.drop(FILE)).import_id

    def read(_self: StreamingBody, _amount: int | None = None) -> bytes:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(StreamingBody, "read", read)
        outcome = deployment.submit(import_id, 1)

    assert outcome.word is Word.DEFERRED
    assert all(request.code != 200 for request in target.submissions)
    [batch] = deployment.resume(import_id).batches
    assert (batch.state, batch.possibly_duplicate) == (BatchState.COMPLETE, False)


@pytest.mark.fault(55, "a body in S3 of another length than planned")
@pytest.mark.parametrize(
    "body", [b"", b"batch=thirdPartyId,name\nu1,Ad", b"batch=thirdPartyId,name\nu1,Ada\nu2,Grace\nu3,x"]
)
def test_upload_of_a_body_of_another_length_is_deferred(
    deployment: Deployment, target: simulator.Simulator, body: bytes
) -> None:
    import_id = deployment.split(deployment.drop(FILE)).import_id
    deployment.storage.write(f"imports/{import_id}/batches/00001.batch", body, "text/plain")

    outcome = deployment.submit(import_id, 1)

    assert outcome.word is Word.DEFERRED
    assert not target.profile_ids()


@pytest.mark.fault(56, "Secrets Manager or KMS refuses: a clear error, nothing sent")
@pytest.mark.parametrize("code", ["AccessDeniedException", "DecryptionFailure", "ResourceNotFoundException"])
def test_upload_without_its_token_sends_nothing(
    deployment: Deployment, target: simulator.Simulator, meddle: Callable[[Meddler], None], code: str
) -> None:
    deployment.configure(token_secret_arn=f"arn:aws:secretsmanager:us-east-1:1:secret:{code}")
    import_id = deployment.split(deployment.drop(FILE)).import_id

    def meddler(called: str, _: Any, call: Call) -> Any:
        if called == "GetSecretValue":
            raise _refuse(code, called)
        return call()

    meddle(meddler)
    with pytest.raises(TokenError, match="Secrets Manager did not give the token"):
        deployment.submit(import_id, 1)

    assert not target.requests
    assert deployment.ledger.get_batch(import_id, 1).state is BatchState.PLANNED


@pytest.mark.fault(
    57, "stopped after any step: the same input again finishes the rest and sends nothing twice"
)
@pytest.mark.parametrize("steps", range(8))
def test_import_started_again_after_any_step_finishes(
    deployment: Deployment, target: simulator.Simulator, steps: int
) -> None:
    import_id = deployment.split(deployment.drop(FILE + b"u3,Zoe\n")).import_id
    walk = (step for number in (1, 2) for step in deployment.walk(import_id, number))
    for _ in range(steps):
        next(walk, None)
    partial = deployment.finish(import_id)  # as the machine does where its map was stopped
    assert partial.unaccounted == 0

    summary = deployment.resume(import_id)

    assert summary.status is ImportStatus.SUCCEEDED
    assert len(target.submissions) == 2
    assert all(batch.submissions == 1 for batch in summary.batches)


@pytest.mark.fault(58, "a new version with other settings is deployed while an import waits")
def test_an_import_keeps_the_settings_it_began_with(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    import_id = _checked_later(deployment)
    deployment.configure(client_code="other", api_version=ApiVersion.V1, max_batch_rows=1)

    summary = deployment.resume(import_id)

    assert summary.status is ImportStatus.SUCCEEDED
    assert summary.entry.client_code == "demo"
    assert all("/m2/demo/v2/" in request.path for request in target.requests)


@pytest.mark.fault(58, "a ledger to which a later version has added fields")
def test_import_ignores_what_a_later_ledger_version_added(deployment: Deployment) -> None:
    import_id = _checked_later(deployment)
    table = boto3.resource("dynamodb").Table("imports")
    for item in table.scan()["Items"]:
        table.put_item(Item=item | {"addedLater": "x"})

    assert deployment.resume(import_id).status is ImportStatus.SUCCEEDED


@pytest.mark.fault(59, "10,000 batches: the state machine's input stays small")
def test_start_execution_for_10000_batches_has_a_small_input() -> None:
    machine = Machine()
    executions = Executions(machine, "arn")  # type: ignore[arg-type]  # stands at the boundary
    executions.start("x" * 53, list(range(1, 10_001)))

    assert len(machine.inputs["x" * 53].encode()) < MOST_INPUT_BYTES / 4
    assert len(machine.started["x" * 53]) == 10_000


@pytest.mark.fault(60, "a clock that is off by ten minutes, either way, between two invocations")
@pytest.mark.parametrize("minutes", [-10, 10])
def test_import_with_a_wrong_clock_loses_nothing(
    deployment: Deployment, target: simulator.Simulator, minutes: int
) -> None:
    import_id = deployment.split(deployment.drop(FILE + b"u3,Zoe\n")).import_id
    first = deployment.walk(import_id, 1)
    next(first)
    deployment.clock.now += timedelta(minutes=minutes)
    next(first)
    deployment.clock.now -= timedelta(minutes=minutes)

    summary = deployment.resume(import_id)

    assert summary.status is ImportStatus.SUCCEEDED
    assert len(target.submissions) == 2


@pytest.mark.fault(60, "an import over the change to summer time and a leap day")
@pytest.mark.parametrize(
    "start", ["2027-03-27T23:30:00+00:00", "2027-10-30T22:30:00+00:00", "2028-02-28T23:30:00+00:00"]
)
def test_import_over_summer_time_or_leap_day_succeeds(
    deployment: Deployment, target: simulator.Simulator, start: str
) -> None:
    deployment.clock.now = datetime.fromisoformat(start)
    # The file has the date of today: it is older than the start.
    deployment.configure(rows_per_day=2, time_zone="Europe/Berlin", reset_hour=2, retention_days=3650)

    summary = deployment.run(FILE + b"u3,Zoe\nu4,Linus\nu5,Lin\n")

    assert summary.status is ImportStatus.SUCCEEDED
    assert len(target.submissions) == 3
    assert deployment.clock() - datetime.fromisoformat(start) < timedelta(days=3)


@pytest.mark.fault(61, "an event replayed from the dead-letter queue, whatever became of it before")
@pytest.mark.parametrize("when", ["never begun", "split", "finished", "killed"])
def test_split_replayed_event_sends_nothing_twice(
    deployment: Deployment, target: simulator.Simulator, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    dropped = deployment.drop(FILE)
    if when == "killed":
        with monkeypatch.context() as patch:
            patch.setattr(deployment.machine, "start_execution", lambda **_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                deployment.split(dropped)
        deployment.clock.advance(days=3)
    elif when != "never begun":
        import_id = deployment.split(dropped).import_id
        if when == "finished":
            deployment.resume(import_id)

    import_id = deployment.split(dropped).import_id

    assert deployment.resume(import_id).status is ImportStatus.SUCCEEDED
    assert len(target.submissions) == 1


def test_object_that_is_closed_twice_is_closed_once(deployment: Deployment) -> None:
    deployment.storage.write("a.json", b"{}", "application/json")
    stream = deployment.storage.open("a.json")
    reader = stream.raw  # type: ignore[attr-defined]  # what is below the buffer
    with mock.patch.object(reader, "_body", mock.Mock()) as body:
        stream.close()
        reader.close()
    assert body.close.call_count == 1
