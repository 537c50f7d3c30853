"""The fake of Step Functions: what it refuses, and where it agrees with moto."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from bulk_profiles.aws.step_functions import Executions
from tests.worlds.aws.step_functions import MOST_INPUT_BYTES, Machine

type Refused = Callable[[Callable[[], object]], str]
type Start = Callable[[str, list[int]], object]

DEFINITION = json.dumps({"StartAt": "Wait", "States": {"Wait": {"Type": "Succeed"}}})


@pytest.fixture(params=["fake", "moto"])
def start(request: pytest.FixtureRequest) -> Iterator[Start]:
    """Start an execution that goes on running."""
    with mock_aws():
        client: Any = Machine() if request.param == "fake" else boto3.client("stepfunctions")
        arn = "arn"
        if request.param == "moto":
            role = "arn:aws:iam::123456789012:role/states"
            arn = client.create_state_machine(name="m", definition=DEFINITION, roleArn=role)[
                "stateMachineArn"
            ]
        yield lambda name, batches: client.start_execution(
            stateMachineArn=arn, name=name, input=json.dumps({"importId": "crm-1", "batches": batches})
        )


def test_name_that_runs_with_the_same_input_is_started_once(start: Start, refused: Refused) -> None:
    start("crm-1", [1])
    start("crm-1", [1])
    assert refused(lambda: start("crm-1", [1, 2])) == "ExecutionAlreadyExists"


@pytest.mark.parametrize("name", ["a b", "a/b", "", "a" * 81])
def test_name_that_is_none_is_refused(refused: Refused, name: str) -> None:
    machine = Machine()
    assert (
        refused(lambda: machine.start_execution(stateMachineArn="arn", name=name, input="{}"))
        == "InvalidName"
    )


def test_name_of_an_execution_that_has_ended_is_refused(refused: Refused) -> None:
    machine = Machine()
    Executions(machine, "arn").start("crm-1", [1])  # type: ignore[arg-type]  # stands at the boundary
    machine.statuses["crm-1"] = "SUCCEEDED"
    same = machine.inputs["crm-1"]

    def start() -> None:
        machine.start_execution(stateMachineArn="arn", name="crm-1", input=same)

    assert refused(start) == "ExecutionAlreadyExists"


def test_input_of_more_than_256_kib_is_refused(start: Start, refused: Refused) -> None:
    start("a", [0] * (MOST_INPUT_BYTES // 4))  # "0, " for each
    assert refused(lambda: start("b", [0] * (MOST_INPUT_BYTES // 2))) == "ValidationException"


def test_executions_are_listed_in_pages_of_100_the_newest_first() -> None:
    machine = Machine()
    executions = Executions(machine, "arn")  # type: ignore[arg-type]  # stands at the boundary
    for number in range(101):
        executions.start(f"crm-{number:03d}", [1])

    pages = list(machine.get_paginator("list_executions").paginate(stateMachineArn="arn"))

    assert [len(page["executions"]) for page in pages] == [100, 1]
    assert pages[0]["executions"][0]["name"] == "crm-100"
    assert pages[1]["executions"][0]["name"] == "crm-000"


def test_an_execution_of_an_earlier_page_is_found() -> None:
    machine = Machine()
    executions = Executions(machine, "arn")  # type: ignore[arg-type]  # stands at the boundary
    executions.start("crm-1", [1])
    for number in range(250):
        executions.start(f"web-{number}", [1])

    assert not executions.died("crm-1")
    machine.statuses["crm-1"] = "FAILED"
    assert executions.died("crm-1")


def test_execution_that_there_is_not_cannot_be_described(refused: Refused) -> None:
    assert refused(lambda: Machine().describe_execution(executionArn="arn:crm-1")) == "ExecutionDoesNotExist"
    with mock_aws():
        client = boto3.client("stepfunctions")
        arn = "arn:aws:states:us-east-1:123456789012:execution:m:crm-1"
        assert refused(lambda: client.describe_execution(executionArn=arn)) == "ExecutionDoesNotExist"


def test_execution_is_over_when_it_runs_no_more() -> None:
    with mock_aws():
        client = boto3.client("stepfunctions")
        role = "arn:aws:iam::123456789012:role/states"
        arn = client.create_state_machine(name="m", definition=DEFINITION, roleArn=role)["stateMachineArn"]
        executions = Executions(client, arn)
        executions.send_again("crm-1", ["error"], "crm-1-resend")
        assert not executions.over("crm-1-resend")
        assert not executions.over("crm-2-resend")
        client.stop_execution(executionArn=arn.replace(":stateMachine:", ":execution:") + ":crm-1-resend")
        assert executions.over("crm-1-resend")
