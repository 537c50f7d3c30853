"""Step Functions: start an import's state machine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from .errors import BulkProfilesError

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


class ExecutionError(BulkProfilesError):
    """Step Functions did not do what was asked."""


class Executions:
    """The executions of one state machine."""

    def __init__(self, client: SFNClient, state_machine_arn: str) -> None:
        self._client = client
        self._state_machine_arn = state_machine_arn

    def start(self, import_id: str, batches: list[int]) -> None:
        """Start the execution of an import, named as it; one that was started before is left alone."""
        state = json.dumps({"importId": import_id, "batches": batches}, separators=(",", ":"))
        try:
            self._client.start_execution(stateMachineArn=self._state_machine_arn, name=import_id, input=state)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code == "ExecutionAlreadyExists":
                return
            raise ExecutionError(f"Step Functions did not start import {import_id}: {code}.") from error
        except BotoCoreError as error:
            kind = type(error).__name__
            raise ExecutionError(f"Step Functions did not start import {import_id}: {kind}.") from error
