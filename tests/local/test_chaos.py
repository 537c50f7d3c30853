"""Kills at random moments on the deployed template: every import ends, with nothing lost or sent twice."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Iterator

import pytest

from local.deployment import deployment
from local.imports import Import, drop, follow
from simulator import Settings, fault, running
from tests.local.conftest import PARAMETERS, Stack
from tests.worlds.chaos import in_time, killing, restarted

pytestmark = [pytest.mark.engine, pytest.mark.chaos]

BATCHES = 8
ROWS = BATCHES * 300


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("chaos")
    parameters = PARAMETERS | {"MaxBatchRows": "300", "UploadTimeoutSeconds": "5", "LogLevel": "WARNING"}
    with pytest.MonkeyPatch.context() as patched:
        # The engine saves its state when it is stopped in order.
        for name, value in {
            "PERSIST_STATE": "1",
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(folder / "s3"),
        }.items():
            patched.setenv(name, value)
        with (
            running(Settings(completion_seconds=1.0, calls_per_minute=0)) as target,
            deployment(folder, parameters, target=target.url) as deployed,
        ):
            yield Stack(deployed, target, folder)


def customers(prefix: str) -> bytes:
    rows = (f"{prefix}-{n},Customer {n},Z\u00fcrich {n} & more" for n in range(ROWS))
    return "\n".join(["thirdPartyId,name,city", *rows]).encode()


def drop_customers(stack: Stack, prefix: str, name: str = "") -> Import:
    file = stack.folder / f"{name or prefix}.csv"
    file.write_bytes(customers(prefix))
    return drop(stack.deployment, file, "default")


def start_again(import_: Import, name: str) -> None:
    states = import_.deployment.engine.stepfunctions
    states.start_execution(
        stateMachineArn=import_.deployment.outputs["StateMachineArn"],
        name=f"{import_.import_id}-{name}",
        input=json.dumps({"importId": import_.import_id, "batches": list(range(1, BATCHES + 1))}),
    )


def stop(import_: Import) -> None:
    machine = import_.deployment.outputs["StateMachineArn"]
    arn = f"{machine.replace(':stateMachine:', ':execution:')}:{import_.import_id}"
    import_.deployment.engine.stepfunctions.stop_execution(executionArn=arn)


def is_split(import_: Import) -> bool:
    return import_.snapshot().batches.total() == BATCHES


def has_succeeded(import_: Import) -> bool:
    summary = import_.summary()
    return summary is not None and summary["status"] == "succeeded"


def assert_survived(stack: Stack, prefix: str, *imports: Import) -> None:
    """Assert that imports of the same rows agree with their source and with what Target has accepted."""
    in_time(lambda: all(map(has_succeeded, imports)))
    summaries = [import_.summary() or {} for import_ in imports]
    for summary in summaries:
        assert summary["unaccounted"] == 0
        assert summary["rows"]["sent"] == summary["profiles"]["success"] == ROWS
    for n in range(ROWS):
        expected = {"name": f"Customer {n}", "city": f"Z\u00fcrich {n} & more"}
        assert stack.target.profile(f"{prefix}-{n}") == expected
    allowed: Counter[str] = Counter()
    for batch in (batch for summary in summaries for batch in summary["batches"]):
        allowed[batch["sha256"]] += batch["submissions"] if batch["possiblyDuplicate"] else 1
    accepted = [request for request in stack.target.submissions if request.batch_id]
    arrived = Counter(request.sha256 for request in accepted)
    assert all(len(imports) <= arrived[body] <= times for body, times in allowed.items())
    checks = "\n".join(request.path for request in stack.target.requests if request.method == "GET")
    unknown = sum(request.batch_id not in checks for request in accepted)  # their receipts were lost
    assert stack.target.load["batchesInFlight"] <= 10 + unknown


@pytest.mark.fault(51, "workers killed on the engine")
@pytest.mark.parametrize("function", ["UploadBatch", "CheckStatus", "FinishImport"])
def test_import_survives_killed_functions(stack: Stack, function: str) -> None:
    prefix = function.lower()
    import_ = drop_customers(stack, prefix)
    with killing(stack.deployment.engine, function, most=4) as killer:
        in_time(lambda: has_succeeded(import_))
    assert killer.killed
    assert_survived(stack, prefix, import_)


@pytest.mark.fault(51, "a split killed on the engine")
def test_split_survives_a_kill_when_its_event_comes_again(stack: Stack) -> None:
    import_ = drop_customers(stack, "split")
    with killing(stack.deployment.engine, "SplitFile", most=1, longest_seconds=1) as killer:
        in_time(lambda: killer.killed == 1)
    follow(import_, lambda _: None, patience_seconds=240)  # it delivers the event again, as AWS does
    assert_survived(stack, "split", import_)


@pytest.mark.fault(57, "stopped and started again, on the engine")
def test_import_survives_a_stopped_execution(stack: Stack) -> None:
    import_ = drop_customers(stack, "stopped")
    in_time(lambda: import_.snapshot().batches["accepted"] >= 1)
    stop(import_)
    start_again(import_, "again")
    assert_survived(stack, "stopped", import_)


@pytest.mark.fault(52, "kills and Target's faults at once, on the engine")
def test_imports_survive_kills_and_target_faults_at_once(stack: Stack) -> None:
    first = drop_customers(stack, "storm")
    in_time(lambda: is_split(first))  # this engine does not deliver the event of a dead split again
    stack.target.script(
        fault("unavailable", times=3, headers={"Retry-After": "1"}),
        fault("reset_after_body", skip=2),
        fault("no_answer", skip=3),
        fault("reset_during_body", skip=4),
        fault("not_found", times=2),
    )
    with killing(stack.deployment.engine, most=6, longest_seconds=4):
        stop(first)
        start_again(first, "again")
        second = drop_customers(stack, "storm", "the same again")
        follow(second, lambda _: None, patience_seconds=240)
        in_time(lambda: has_succeeded(first) and has_succeeded(second))
    assert_survived(stack, "storm", first, second)


@pytest.mark.fault(57, "the engine ended and started again")
def test_import_survives_a_restart_of_the_engine(stack: Stack) -> None:
    import_ = drop_customers(stack, "engine")
    in_time(lambda: import_.snapshot().batches["accepted"] >= 1)
    with restarted(stack.deployment, stack.folder) as deployed:
        again = dataclasses.replace(import_, deployment=deployed)
        start_again(again, "again")
        assert_survived(stack, "engine", again)
