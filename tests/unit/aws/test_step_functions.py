"""The executions of the state machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from bulk_profiles.aws.step_functions import Executions
from bulk_profiles.core.errors import ExecutionError


class Machine:
    """The methods of the client that `Executions` calls."""

    def __init__(self, *pages: list[tuple[str, str]], refusal: str = "") -> None:
        self.pages = pages  # of executions, the newest first: name and status
        self.refusal = refusal
        self.started: list[dict[str, str]] = []
        self.stopped: list[str] = []
        self.read = 0

    def start_execution(self, **parameters: str) -> None:
        if self.refusal:
            raise ClientError({"Error": {"Code": self.refusal, "Message": "m"}}, "StartExecution")
        self.started.append(parameters)

    def stop_execution(self, executionArn: str) -> None:  # noqa: N803  # the API's own name
        if self.refusal:
            raise ClientError({"Error": {"Code": self.refusal, "Message": "m"}}, "StopExecution")
        self.stopped.append(executionArn)

    def describe_execution(self, executionArn: str) -> dict[str, str]:  # noqa: N803  # likewise
        if self.refusal:
            raise ClientError({"Error": {"Code": self.refusal, "Message": "m"}}, "DescribeExecution")
        return {"status": dict(page for [page] in self.pages)[executionArn]}

    def get_paginator(self, operation: str) -> Machine:
        assert operation == "list_executions"
        return self

    def paginate(self, **parameters: str) -> Iterator[dict[str, Any]]:
        assert parameters in (
            {"stateMachineArn": "arn"},
            {"stateMachineArn": "arn", "statusFilter": "RUNNING"},
        )
        wanted = parameters.get("statusFilter")
        for page in self.pages:
            self.read += 1
            yield {
                "executions": [
                    {"name": name, "status": status, "executionArn": f"arn:{name}"}
                    for name, status in page
                    if wanted in {None, status}
                ]
            }


def executions(machine: Machine) -> Executions:
    return Executions(machine, "arn")  # type: ignore[arg-type]  # stands at the boundary


def test_start_passes_import_and_batches() -> None:
    machine = Machine()
    executions(machine).start("crm-1", [1, 2])
    executions(machine).start("crm-1", [2], "crm-1-2026112409")
    assert machine.started == [
        {"stateMachineArn": "arn", "name": "crm-1", "input": '{"importId":"crm-1","batches":[1,2]}'},
        {"stateMachineArn": "arn", "name": "crm-1-2026112409", "input": '{"importId":"crm-1","batches":[2]}'},
    ]


def test_start_of_a_started_execution_changes_nothing() -> None:
    executions(Machine(refusal="ExecutionAlreadyExists")).start("crm-1", [1])


def test_start_that_fails_is_an_execution_error() -> None:
    with pytest.raises(ExecutionError, match=r"Step Functions did not start import crm-1: Throttling\."):
        executions(Machine(refusal="Throttling")).start("crm-1", [1])


@pytest.mark.parametrize(
    ("status", "died"),
    [
        ("RUNNING", False),
        ("PENDING_REDRIVE", False),
        ("SUCCEEDED", False),
        ("ABORTED", False),
        ("FAILED", True),
        ("TIMED_OUT", True),
    ],
)
def test_died_is_told_by_the_newest_execution(status: str, died: bool) -> None:
    machine = Machine([("web-1", "RUNNING")], [("crm-1-2026112409", status), ("crm-1", "FAILED")], [])
    assert executions(machine).died("crm-1") is died
    assert machine.read == 2


@pytest.mark.parametrize(("status", "died"), [("ABORTED", True), ("FAILED", True), ("RUNNING", False)])
def test_died_of_one_that_may_have_been_stopped_tells_so(status: str, *, died: bool) -> None:
    assert executions(Machine([("crm-1", status)])).died("crm-1", stopped=True) is died


def test_stop_ends_the_running_executions_of_the_import_alone() -> None:
    machine = Machine(
        [("web-1", "RUNNING"), ("crm-1-again", "RUNNING")], [("crm-1", "RUNNING"), ("crm-1-0", "FAILED")]
    )
    executions(machine).stop("crm-1")
    assert machine.stopped == ["arn:crm-1-again", "arn:crm-1"]


def test_running_names_the_running_executions_of_the_import_and_one_of_another_name() -> None:
    machine = Machine(
        [("by-hand", "RUNNING"), ("crm-1-again", "RUNNING")], [("web-1", "RUNNING"), ("crm-1", "FAILED")]
    )
    assert executions(machine).running("crm-1") == ["crm-1-again"]
    assert executions(machine).running("crm-1", also="by-hand") == ["by-hand", "crm-1-again"]


def test_stop_that_fails_is_an_execution_error() -> None:
    with pytest.raises(ExecutionError, match=r"Step Functions did not stop import crm-1: Throttling\."):
        executions(Machine([("crm-1", "RUNNING")], refusal="Throttling")).stop("crm-1")


def test_died_without_an_execution_is_true() -> None:
    assert executions(Machine([("web-1", "RUNNING")], [])).died("crm-1")


def test_each_kind_of_execution_has_the_input_that_the_state_machine_reads() -> None:
    machine = Machine()
    executions(machine).start("crm-1", [1], verify=300)
    executions(machine).show_rejected("crm-1", "The file is empty.")
    executions(machine).send_again("crm-1", ["error"], "crm-1-resend-1")
    executions(machine).verify("crm-1", 300, "crm-1-verify-1")
    assert [(started["name"], json.loads(started["input"])) for started in machine.started] == [
        ("crm-1", {"importId": "crm-1", "batches": [1], "verifySample": 300}),
        ("crm-1", {"importId": "crm-1", "batches": [], "rejected": "The file is empty."}),
        ("crm-1-resend-1", {"importId": "crm-1", "resend": ["error"]}),
        ("crm-1-verify-1", {"importId": "crm-1", "verify": 300}),
    ]


@pytest.mark.parametrize(
    ("status", "over"),
    [
        ("RUNNING", False),
        ("PENDING_REDRIVE", False),
        ("SUCCEEDED", True),
        ("FAILED", True),
        ("TIMED_OUT", True),
        ("ABORTED", True),
    ],
)
def test_execution_is_over_when_it_has_ended(status: str, over: bool) -> None:  # a parameter
    machine: Any = Machine([("arn:aws:states:eu-west-1:1:execution:Imports:crm-1-resend-1", status)])
    imports = Executions(machine, "arn:aws:states:eu-west-1:1:stateMachine:Imports")
    assert imports.over("crm-1-resend-1") is over


def test_execution_that_is_not_known_yet_is_not_over() -> None:
    assert not executions(Machine(refusal="ExecutionDoesNotExist")).over("crm-1-resend-1")
    with pytest.raises(
        ExecutionError, match=r"^Step Functions did not describe crm-1-resend-1: Throttling\.$"
    ):
        executions(Machine(refusal="Throttling")).over("crm-1-resend-1")
