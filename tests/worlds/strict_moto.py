"""The limits of AWS that moto does not know, for every call of boto3 in this process."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.client import BaseClient

from tests.worlds.aws.dynamodb import MOST_BATCH_ITEMS
from tests.worlds.aws.functions import MOST_EVENT_BYTES
from tests.worlds.aws.s3 import MOST_KEY_BYTES
from tests.worlds.aws.service import error
from tests.worlds.aws.step_functions import MOST_INPUT_BYTES


def install(patch: pytest.MonkeyPatch) -> None:
    """Refuse what AWS refuses and moto takes."""
    call = getattr(BaseClient, "_make_api_call")  # noqa: B009  # not in the stubs

    def strict(client: BaseClient, operation: str, parameters: dict[str, Any]) -> Any:
        code = _refusal(operation, parameters)
        if code:
            raise error(operation, code)
        return call(client, operation, parameters)

    patch.setattr(BaseClient, "_make_api_call", strict)


def _refusal(operation: str, parameters: dict[str, Any]) -> str:
    """Return the error code for a call that goes beyond a limit; an empty text for any other."""
    match operation:
        case "BatchWriteItem":
            items = sum(map(len, parameters["RequestItems"].values()))
            return "ValidationException" if items > MOST_BATCH_ITEMS else ""
        case "PutObject" | "CreateMultipartUpload":
            return "KeyTooLongError" if len(parameters["Key"].encode()) > MOST_KEY_BYTES else ""
        case "StartExecution":
            too_long = len(parameters["input"].encode()) > MOST_INPUT_BYTES
            return "ValidationException" if too_long else ""
        case "Invoke":
            too_long = len(parameters.get("Payload", "").encode()) > MOST_EVENT_BYTES
            return "RequestTooLargeException" if too_long else ""
    return ""
