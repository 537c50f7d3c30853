"""Step Functions: the executions of the state machine."""

from __future__ import annotations

import contextlib
import json
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from bulk_profiles.core.errors import ExecutionError

from .errors import translated

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


class Executions:
    """The executions of one state machine."""

    def __init__(self, client: SFNClient, state_machine_arn: str) -> None:
        self._client = client
        self._state_machine_arn = state_machine_arn

    def start(self, import_id: str, batches: list[int], name: str = "") -> None:
        """Start an import's execution with these batches, unless one of the same name was started before.

        `name`: where it is not the import's own.
        """
        state = json.dumps({"importId": import_id, "batches": batches}, separators=(",", ":"))
        with contextlib.suppress(_AlreadyStartedError), _errors(f"start import {import_id}"):
            self._client.start_execution(
                stateMachineArn=self._state_machine_arn, name=name or import_id, input=state
            )

    def died(self, import_id: str) -> bool:
        """Whether an import has no execution, or its newest one ended without success and was not stopped."""
        with _errors(f"describe import {import_id}"):
            pages = self._client.get_paginator("list_executions").paginate(
                stateMachineArn=self._state_machine_arn
            )
            executions = (execution for page in pages for execution in page["executions"])  # newest first
            statuses = (
                execution["status"] for execution in executions if execution["name"].startswith(import_id)
            )
            newest = next(statuses, None)
        return newest not in {"RUNNING", "PENDING_REDRIVE", "ABORTED", "SUCCEEDED"}


class _AlreadyStartedError(ExecutionError):
    """An execution of that name was started before."""


def _errors(action: str) -> AbstractContextManager[None]:
    failure = f"Step Functions did not {action}"
    return translated(failure, ExecutionError, {"ExecutionAlreadyExists": _AlreadyStartedError(failure)})
