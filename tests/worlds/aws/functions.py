"""Lambda, as far as the code calls it: asynchronous invocations, and the context that each of them has."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

from .service import KIB, Service, error

MOST_EVENT_BYTES = 256 * KIB  # of an asynchronous event; EventBridge takes no more either
MOST_SECONDS = 900


@dataclass
class Functions(Service):
    """The functions of an account by name. An event is kept until somebody runs it."""

    names: frozenset[str]
    events: list[tuple[str, str]] = field(default_factory=list)  # function and event, in their order

    def invoke(self, *, FunctionName: str, InvocationType: str, Payload: str) -> Any:
        """Queue an event for a function."""

        def queue() -> Any:
            assert InvocationType == "Event", "no test invokes a function and waits for it"
            if FunctionName not in self.names:
                raise error("Invoke", "ResourceNotFoundException")
            if len(Payload.encode()) > MOST_EVENT_BYTES:
                raise error("Invoke", "RequestTooLargeException")
            self.events.append((FunctionName, Payload))
            return {"StatusCode": 202}

        return self.call("Invoke", queue)

    def take(self) -> list[Any]:
        """Return the queued events as the functions get them, and empty the queue."""
        payloads = [payload for _, payload in self.events]
        self.events.clear()
        return [json.loads(payload) for payload in payloads]


@dataclass
class Context:
    """The context of one invocation. A retry has the request id of the first try, a copy has another."""

    function_name: str
    memory_limit_in_mb: int = 512
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    remaining: Iterator[int] = field(
        default_factory=lambda: repeat(MOST_SECONDS * 1000)
    )  # ms, each time asked
    invoked_function_arn: str = field(init=False)

    def __post_init__(self) -> None:
        self.invoked_function_arn = f"arn:aws:lambda:us-east-1:123456789012:function:{self.function_name}"

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds that the invocation may still take."""
        return next(self.remaining)
