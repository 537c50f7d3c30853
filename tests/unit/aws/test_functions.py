"""Invocations: a function is asked to run later, with an event."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from bulk_profiles.aws.functions import Invocations
from bulk_profiles.core.errors import InvocationError


class Function:
    """The method of the client that `Invocations` calls."""

    def __init__(self, refusal: str = "") -> None:
        self.refusal = refusal
        self.invoked: list[dict[str, Any]] = []

    def invoke(self, **parameters: Any) -> None:
        if self.refusal:
            raise ClientError({"Error": {"Code": self.refusal, "Message": "m"}}, "Invoke")
        self.invoked.append(parameters)


def test_invoke_queues_the_event_as_json() -> None:
    client = Function()
    Invocations(client, "split").invoke({"id": "é", "detail": {}})  # type: ignore[arg-type]  # at the boundary
    assert client.invoked == [
        {"FunctionName": "split", "InvocationType": "Event", "Payload": '{"id": "\\u00e9", "detail": {}}'}
    ]


def test_invoke_that_fails_is_an_invocation_error() -> None:
    client = Function("TooManyRequestsException")
    with pytest.raises(InvocationError, match=r"^Lambda did not take the event: TooManyRequestsException\.$"):
        Invocations(client, "split").invoke({})  # type: ignore[arg-type]  # stands at the boundary
