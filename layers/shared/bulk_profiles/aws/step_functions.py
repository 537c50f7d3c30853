"""Step Functions: the executions of the state machine."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from bulk_profiles.core.errors import BulkProfilesError, ExecutionError
from bulk_profiles.core.json_object import Json

from .errors import translated

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient
    from mypy_boto3_stepfunctions.type_defs import ExecutionListItemTypeDef

_UNDER_WAY = frozenset({"RUNNING", "PENDING_REDRIVE"})
_AT_WORK = _UNDER_WAY | {"SUCCEEDED"}  # nobody has to start it again


class Executions:
    """The executions of one state machine."""

    def __init__(self, client: SFNClient, state_machine_arn: str) -> None:
        self._client = client
        self._state_machine_arn = state_machine_arn

    def start(self, import_id: str, batches: list[int], name: str = "", *, verify: int = 0) -> None:
        """Start an import's execution with these batches, unless one of the same name was started before.

        `name`: where it is not the import's own. `verify`: how many profiles are read back at the end.
        """
        given: Json = {"importId": import_id, "batches": batches}
        self._start(import_id, name or import_id, given | ({"verifySample": verify} if verify else {}))

    def show_rejected(self, import_id: str, reason: str) -> None:
        """Start an execution that ends at once, so that a rejected file is among those of all imports."""
        self._start(import_id, import_id, {"importId": import_id, "batches": [], "rejected": reason})

    def send_again(self, import_id: str, words: list[str], name: str) -> None:
        """Start an execution that sends parts of an ended import again."""
        self._start(import_id, name, {"importId": import_id, "resend": words})

    def verify(self, import_id: str, sample: int, name: str) -> None:
        """Start an execution that reads back profiles of an ended import."""
        self._start(import_id, name, {"importId": import_id, "verify": sample})

    def over(self, name: str) -> bool:
        """Whether an execution has ended. One that Step Functions does not know, or not yet, has not."""
        arn = f"{self._state_machine_arn.replace(':stateMachine:', ':execution:')}:{name}"
        with contextlib.suppress(_UnknownExecutionError), _errors(f"describe {name}"):
            return self._client.describe_execution(executionArn=arn)["status"] not in _UNDER_WAY
        return False

    def _start(self, import_id: str, name: str, given: Json) -> None:
        state = json.dumps(given, separators=(",", ":"))
        with contextlib.suppress(_AlreadyStartedError), _errors(f"start import {import_id}"):
            self._client.start_execution(stateMachineArn=self._state_machine_arn, name=name, input=state)

    def died(self, import_id: str, *, also: str = "", stopped: bool = False) -> bool:
        """Whether an import has no execution, or its newest one ended without success and was not stopped.

        `also`: the name of an execution that a person may have given another name than the import's. With
        `stopped`, one that was stopped has died too.
        """
        newest = next((execution["status"] for execution in self._of(import_id, also)), None)
        return newest not in _AT_WORK and (stopped or newest != "ABORTED")

    def running(self, import_id: str, *, also: str = "") -> list[str]:
        """Return the names of the executions of an import that are running, the newest first."""
        return [execution["name"] for execution in self._of(import_id, also, running=True)]

    def stop(self, import_id: str, *, also: str = "") -> None:
        """Stop all executions of an import that are running, and one of another name."""
        for execution in self._of(import_id, also, running=True):
            with _errors(f"stop import {import_id}"):
                self._client.stop_execution(executionArn=execution["executionArn"])

    def _of(self, import_id: str, also: str, *, running: bool = False) -> Iterator[ExecutionListItemTypeDef]:
        """Yield the executions of an import, or those that are running, the newest first."""
        with _errors(f"describe import {import_id}"):
            paginator = self._client.get_paginator("list_executions")
            pages = (
                paginator.paginate(stateMachineArn=self._state_machine_arn, statusFilter="RUNNING")
                if running
                else paginator.paginate(stateMachineArn=self._state_machine_arn)
            )
            for page in pages:
                for execution in page["executions"]:
                    if execution["name"].startswith(import_id) or execution["name"] == also:
                        yield execution


class _AlreadyStartedError(ExecutionError):
    """An execution of that name was started before."""


class _UnknownExecutionError(ExecutionError):
    """There is no execution of that name, or not yet."""


def _errors(action: str) -> AbstractContextManager[None]:
    failure = f"Step Functions did not {action}"
    meanings: dict[str, BulkProfilesError] = {
        "ExecutionAlreadyExists": _AlreadyStartedError(failure),
        "ExecutionDoesNotExist": _UnknownExecutionError(failure),
    }
    return translated(failure, ExecutionError, meanings)
