"""Lambda: have a function invoked, without waiting for it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from .errors import InvocationError
from .events import DroppedObject

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


class Invocations:
    """The asynchronous invocations of one split_file function, by name or ARN."""

    def __init__(self, client: LambdaClient, function: str) -> None:
        self._client = client
        self._function = function

    def invoke(self, dropped: DroppedObject) -> None:
        """Have the function split a dropped object, or go on with it."""
        payload = json.dumps(dropped.to_event())
        try:
            self._client.invoke(FunctionName=self._function, InvocationType="Event", Payload=payload)
        except (BotoCoreError, ClientError) as error:
            raise InvocationError(f"Lambda did not take the event: {type(error).__name__}.") from error
