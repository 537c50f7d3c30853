"""Lambda: asynchronous invocations of a function."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from bulk_profiles.core.errors import InvocationError
from bulk_profiles.core.json_object import Json

from .errors import translated

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


class Invocations:
    """The asynchronous invocations of one function, given by its name or ARN."""

    def __init__(self, client: LambdaClient, function: str) -> None:
        self._client = client
        self._function = function

    def invoke(self, payload: Json) -> None:
        """Queue an event for the function. Raises `InvocationError` where Lambda does not accept it."""
        event = json.dumps(payload)
        with translated("Lambda did not take the event", InvocationError):
            self._client.invoke(FunctionName=self._function, InvocationType="Event", Payload=event)
