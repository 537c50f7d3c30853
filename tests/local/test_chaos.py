"""Death at random moments on the deployed template: every import ends, with nothing lost or doubled."""

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
        # The engine keeps what it holds when it is ended in order.
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


def dropped(stack: Stack, prefix: str, name: str = "") -> Import:
    file = stack.folder / f"{name or prefix}.csv"
    file.write_bytes(customers(prefix))
    return drop(stack.deployment, file, "default")


def start_again(watched: Import, name: str) -> None:
    states = watched.deployment.engine.stepfunctions
    states.start_execution(
        stateMachineArn=watched.deployment.outputs["StateMachineArn"],
        name=f"{watched.import_id}-{name}",
        input=json.dumps({"importId": watched.import_id, "batches": list(range(1, BATCHES + 1))}),
    )


def stop(watched: Import) -> None:
    machine = watched.deployment.outputs["StateMachineArn"]
    arn = f"{machine.replace(':stateMachine:', ':execution:')}:{watched.import_id}"
    watched.deployment.engine.stepfunctions.stop_execution(executionArn=arn)


def split(watched: Import) -> bool:
    return watched.snapshot().batches.total() == BATCHES


def ended(watched: Import) -> bool:
    summary = watched.summary()
    return summary is not None and summary["status"] == "succeeded"


def assert_survived(stack: Stack, prefix: str, *imports: Import) -> None:
    """Hold the end of imports of the same rows against the source and every body that Target took in."""
    in_time(lambda: all(map(ended, imports)))
    summaries = [watched.summary() or {} for watched in imports]
    for summary in summaries:
        assert summary["unaccounted"] == 0
        assert summary["rows"]["sent"] == summary["profiles"]["success"] == ROWS
    for n in range(ROWS):
        expected = {"name": f"Customer {n}", "city": f"Z\u00fcrich {n} & more"}
        assert stack.target.profile(f"{prefix}-{n}") == expected
    allowed: Counter[str] = Counter()
    for batch in (batch for summary in summaries for batch in summary["batches"]):
        allowed[batch["sha256"]] += batch["submissions"] if batch["possiblyDuplicate"] else 1
    taken = [request for request in stack.target.submissions if request.batch_id]
    arrived = Counter(request.sha256 for request in taken)
    assert all(len(imports) <= arrived[body] <= times for body, times in allowed.items())
    asked = "\n".join(request.path for request in stack.target.requests if request.method == "GET")
    unknown = sum(request.batch_id not in asked for request in taken)  # their receipts were lost
    assert stack.target.load["batchesInFlight"] <= 10 + unknown


@pytest.mark.fault(51, "workers killed on the engine")
@pytest.mark.parametrize("function", ["UploadBatch", "CheckStatus", "FinishImport"])
def test_a_function_killed_again_and_again(stack: Stack, function: str) -> None:
    prefix = function.lower()
    watched = dropped(stack, prefix)
    with killing(stack.deployment.engine, function, most=4) as killer:
        in_time(lambda: ended(watched))
    assert killer.killed
    assert_survived(stack, prefix, watched)


@pytest.mark.fault(51, "a split killed on the engine")
def test_a_split_killed_and_its_event_delivered_again(stack: Stack) -> None:
    watched = dropped(stack, "split")
    with killing(stack.deployment.engine, "SplitFile", most=1, longest_seconds=1) as killer:
        in_time(lambda: killer.killed == 1)
    follow(watched, lambda _: None, patience_seconds=240)  # it delivers again, as AWS does
    assert_survived(stack, "split", watched)


@pytest.mark.fault(57, "stopped and started again, on the engine")
def test_an_execution_stopped_and_started_again(stack: Stack) -> None:
    watched = dropped(stack, "stopped")
    in_time(lambda: watched.snapshot().batches["accepted"] >= 1)
    stop(watched)
    start_again(watched, "again")
    assert_survived(stack, "stopped", watched)


@pytest.mark.fault(52, "kills and Target's faults at once, on the engine")
def test_everything_at_once(stack: Stack) -> None:
    first = dropped(stack, "storm")
    in_time(lambda: split(first))  # this engine does not invoke a dead split again
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
        second = dropped(stack, "storm", "the same again")
        follow(second, lambda _: None, patience_seconds=240)
        in_time(lambda: ended(first) and ended(second))
    assert_survived(stack, "storm", first, second)


@pytest.mark.fault(57, "the engine ended and started again")
def test_the_whole_engine_ended_and_started_again(stack: Stack) -> None:
    watched = dropped(stack, "engine")
    in_time(lambda: watched.snapshot().batches["accepted"] >= 1)
    with restarted(stack.deployment, stack.folder) as deployed:
        again = dataclasses.replace(watched, deployment=deployed)
        start_again(again, "again")
        assert_survived(stack, "engine", again)
