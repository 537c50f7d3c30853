"""Step Functions: start an import's state machine."""

from __future__ import annotations

import contextlib
import json
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Self

import boto3

from bulk_profiles.core.errors import ExecutionError

from .errors import translated

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


class Executions:
    """The executions of one state machine."""

    def __init__(self, client: SFNClient, state_machine_arn: str) -> None:
        self._client = client
        self._state_machine_arn = state_machine_arn

    @classmethod
    def connect(cls, state_machine_arn: str) -> Self:
        """Connect to a state machine of this account and region."""
        return cls(boto3.client("stepfunctions"), state_machine_arn)

    def start(self, import_id: str, batches: list[int], name: str = "") -> None:
        """Start the execution of an import, named as it; one that was started before is left alone."""
        state = json.dumps({"importId": import_id, "batches": batches}, separators=(",", ":"))
        with contextlib.suppress(_AlreadyStartedError), _errors(f"start import {import_id}"):
            self._client.start_execution(
                stateMachineArn=self._state_machine_arn, name=name or import_id, input=state
            )

    def died(self, import_id: str) -> bool:
        """Tell whether nothing runs for an import any more, and nobody stopped it on purpose."""
        with _errors(f"describe import {import_id}"):
            newest: dict[str, str] = {}
            pages = self._client.get_paginator("list_executions").paginate(
                stateMachineArn=self._state_machine_arn
            )
            for page in pages:  # the newest come first
                for execution in page["executions"]:
                    if execution["name"].startswith(import_id):
                        newest.setdefault(import_id, execution["status"])
                if newest:
                    break
        return newest.get(import_id, "MISSING") not in {"RUNNING", "PENDING_REDRIVE", "ABORTED", "SUCCEEDED"}


class _AlreadyStartedError(ExecutionError):
    """An execution of that name was started before."""


def _errors(action: str) -> AbstractContextManager[None]:
    failure = f"Step Functions did not {action}"
    return translated(failure, ExecutionError, {"ExecutionAlreadyExists": _AlreadyStartedError(failure)})
