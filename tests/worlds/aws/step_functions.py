"""Step Functions, as far as the code calls it: executions by name, started once, listed in pages."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from .service import KIB, Paginator, Service, error

MOST_INPUT_BYTES = 256 * KIB
_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")  # the characters that CloudWatch and URLs take too
_PAGE = 100  # ListExecutions gives no more unless it is asked


@dataclass
class Machine(Service):
    """One state machine. Nothing runs: whoever tests walks the children and sets the statuses."""

    # Execution to the batches of its input, but for those that only show a rejected file.
    started: dict[str, list[int]] = field(default_factory=dict)
    statuses: dict[str, str] = field(default_factory=dict)  # in the order of their starts
    inputs: dict[str, str] = field(default_factory=dict)
    page: int = _PAGE

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> Any:  # noqa: A002  # the API's own name
        """Start an execution, unless one of that name runs with the same input.

        For 90 days a name stands for one input: it is refused with another one, and after its end.
        """

        def start() -> Any:
            if not _NAME.fullmatch(name):
                raise error("StartExecution", "InvalidName")
            if len(input.encode()) > MOST_INPUT_BYTES:
                raise error("StartExecution", "ValidationException", "the input is too long")
            state = json.loads(input)
            if name in self.statuses:
                if self.inputs[name] != input or self.statuses[name] != "RUNNING":
                    raise error("StartExecution", "ExecutionAlreadyExists")
            else:
                self.statuses[name], self.inputs[name] = "RUNNING", input
                if "rejected" not in state:
                    self.started[name] = state.get("batches", [])
            return {"executionArn": f"{stateMachineArn}:{name}"}

        return self.call("StartExecution", start)

    def list_executions(self, *, stateMachineArn: str, statusFilter: str = "", nextToken: str = "") -> Any:
        """Return one page of executions, of one status or of all, the newest first."""

        def page() -> Any:
            wanted = {statusFilter} if statusFilter else set(self.statuses.values())
            newest_first = [item for item in reversed(self.statuses.items()) if item[1] in wanted]
            start = int(nextToken or 0)
            part = newest_first[start : start + self.page]
            executions = [
                {"name": name, "status": status, "executionArn": f"{stateMachineArn}:{name}"}
                for name, status in part
            ]
            more = start + self.page < len(newest_first)
            return {"executions": executions} | ({"nextToken": str(start + self.page)} if more else {})

        return self.call("ListExecutions", page)

    def stop_execution(self, *, executionArn: str) -> Any:
        """Stop an execution; one that has ended stays as it is."""

        def stop() -> Any:
            name = executionArn.rsplit(":", 1)[-1]
            if self.statuses[name] == "RUNNING":
                self.statuses[name] = "ABORTED"
            return {"stopDate": None}

        return self.call("StopExecution", stop)

    def describe_execution(self, *, executionArn: str) -> Any:
        """Describe an execution by its name."""

        def describe() -> Any:
            name = executionArn.rsplit(":", 1)[-1]
            if name not in self.statuses:
                raise error("DescribeExecution", "ExecutionDoesNotExist")
            return {"name": name, "status": self.statuses[name]}

        return self.call("DescribeExecution", describe)

    def state_of(self, name: str) -> tuple[str, list[int]]:
        """Return the import and the batches of an execution's input."""
        state = json.loads(self.inputs[name])
        return state["importId"], state.get("batches", [])

    def rejected(self, name: str) -> str:
        """Return why the file of an execution was rejected; empty where it was not."""
        return str(json.loads(self.inputs[name]).get("rejected", ""))

    def resend_of(self, name: str) -> list[str]:
        """Return what an execution is to send again."""
        return list(json.loads(self.inputs[name]).get("resend", []))

    def get_paginator(self, operation: str) -> Paginator:
        """Return the paginator of an operation."""
        assert operation == "list_executions"
        return Paginator(self.list_executions, "nextToken", "nextToken")
