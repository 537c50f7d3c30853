"""Step Functions: start an import's state machine."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from .errors import ExecutionError

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


class Executions:
    """The executions of one state machine."""

    def __init__(self, client: SFNClient, state_machine_arn: str) -> None:
        self._client = client
        self._state_machine_arn = state_machine_arn

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


@contextmanager
def _errors(doing: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        kind = _AlreadyStartedError if code == "ExecutionAlreadyExists" else ExecutionError
        raise kind(f"Step Functions did not {doing}: {code}.") from error
    except BotoCoreError as error:
        raise ExecutionError(f"Step Functions did not {doing}: {type(error).__name__}.") from error
