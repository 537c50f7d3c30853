"""A deployment whose functions are killed, or whose calls of the outside world go wrong, at the n-th call.

A call of the outside world is one of AWS, of Target, or one more piece read of an S3 object. A function that
was killed makes no further call; the platform then invokes it again, as Lambda and the state machine do.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import pytest
import requests
from botocore.client import BaseClient
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError
from botocore.response import StreamingBody

from bulk_profiles.accounting.summary import Summary
from bulk_profiles.steps.messages import DroppedObject, Outcome
from bulk_profiles.steps.split_file import SplitResult
from tests.worlds.aws.service import Service
from tests.worlds.deployment import Deployment
from tests.worlds.in_memory import InMemoryDeployment

_MOST_TRIES = 5  # of one invocation; an accident happens once


class KilledError(BaseException):
    """The function is gone. No `except Exception` of the code under test sees it."""


class Accident(StrEnum):
    """What happens at the n-th call."""

    NONE = "none"
    KILLED = "killed"  # the function dies before the call, or after the last
    UNREACHABLE = "unreachable"  # the call fails without effect
    UNANSWERED = "unanswered"  # the call takes effect and its answer is lost
    DOUBLED = "doubled"  # the SDK tries the call again although it took effect
    MEANWHILE = "meanwhile"  # another function works between the code and the call
    PAUSED = "paused"  # time passes between the code and the call


# What may happen to a call. To be killed before a read is to be killed before the next write: nothing
# outside has changed in between. To lose the answer to a read, or to read twice, changes nothing anywhere.
# Nothing can be done about a pause between the last look at the clock and the first byte to Target.
READING = frozenset({Accident.UNREACHABLE, Accident.MEANWHILE, Accident.PAUSED})
WRITING = frozenset(Accident) - {Accident.NONE, Accident.UNREACHABLE}
HTTP = frozenset(Accident) - {Accident.NONE, Accident.DOUBLED, Accident.PAUSED}  # nothing tries again below


@dataclass(slots=True)
class Outside:
    """Counts the calls of the outside world that `function` makes, and has the n-th of them go wrong."""

    accident: Accident = Accident.NONE
    at: int = 0
    function: str = ""
    calls: int = 0
    dead: bool = False
    meanwhile: Callable[[], object] = lambda: None
    _running: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def plan(
        self,
        accident: Accident,
        function: str = "",
        at: int = 0,
        meanwhile: Callable[[], object] = lambda: None,
    ) -> None:
        self.accident, self.function, self.at = accident, function, at
        self.meanwhile = meanwhile
        self.calls, self.dead = 0, False

    @property
    def happened(self) -> bool:
        """Whether the planned accident has been met."""
        return self.accident is not Accident.NONE and self.calls >= self.at

    @contextmanager
    def running(self, function: str) -> Iterator[None]:
        self._running, self.dead = function, False
        try:
            yield
            if self.accident is Accident.KILLED and function == self.function and self.calls == self.at - 1:
                self.calls += 1
                raise KilledError  # all was done, and nobody was told
        finally:
            self._running = ""

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """Let calls go through and leave them uncounted, as those of another function."""
        running, self._running = self._running, ""
        dead, self.dead = self.dead, False
        try:
            yield
        finally:
            self._running, self.dead = running, dead

    def call[T](self, call: Callable[[], T], *, meets: frozenset[Accident]) -> T:
        with self._lock:
            meant = self._running == self.function and self.accident in meets
            self.calls += meant
            now = meant and self.calls == self.at
            self.dead = self.dead or (now and self.accident is Accident.KILLED)
        if self.dead:
            raise KilledError
        between = self.accident in {Accident.MEANWHILE, Accident.PAUSED}
        if now and between:
            with self.suspended():
                self.meanwhile()
        if not now or between:
            return call()
        if self.accident is Accident.UNREACHABLE:
            raise requests.ConnectionError if meets is HTTP else EndpointConnectionError(endpoint_url="there")
        call()
        if self.accident is Accident.UNANSWERED:
            raise requests.ReadTimeout if meets is HTTP else ReadTimeoutError(endpoint_url="there")
        return call()


class AccidentalDeployment(InMemoryDeployment):
    """A deployment in which what fails is invoked again."""

    outside: Outside

    def split(self, dropped: DroppedObject, out_of_time: Callable[[], bool] = lambda: False) -> SplitResult:
        return self._invoke("split", lambda: Deployment.split(self, dropped, out_of_time))

    def submit(self, import_id: str, number: int) -> Outcome:
        return self._invoke("submit", lambda: Deployment.submit(self, import_id, number))

    def check(self, import_id: str, number: int, out_of_time: Callable[[], bool] = lambda: False) -> Outcome:
        return self._invoke("check", lambda: Deployment.check(self, import_id, number, out_of_time))

    def finish(self, import_id: str, out_of_time: Callable[[], bool] = lambda: False) -> Summary:
        return self._invoke("finish", lambda: Deployment.finish(self, import_id, out_of_time))

    def _invoke[T](self, function: str, invocation: Callable[[], T]) -> T:
        for _ in range(_MOST_TRIES):
            met = self.outside.happened
            try:
                with self.outside.running(function):
                    return invocation()
            except (KilledError, Exception):
                if met is self.outside.happened:
                    raise  # no accident: the function failed by itself
                self.clock.advance(seconds=2)
        raise AssertionError(f"{function} did not get through")


def install(monkeypatch: pytest.MonkeyPatch) -> Outside:
    """Have every call of the outside world counted."""
    outside = Outside()
    call_aws = getattr(BaseClient, "_make_api_call")  # noqa: B009  # not in the stubs
    call_fake = Service.call

    def aws(client: BaseClient, operation: str, parameters: dict[str, Any]) -> Any:
        # A copy each time: the SDK puts a file in the place of a body, which can be read once.
        return outside.call(lambda: call_aws(client, operation, dict(parameters)), meets=_meets(operation))

    def fake[T](service: Service, operation: str, action: Callable[[], T]) -> T:
        return outside.call(lambda: call_fake(service, operation, action), meets=_meets(operation))

    def wrap(owner: type, name: str, meets: frozenset[Accident]) -> None:
        original = getattr(owner, name)

        @functools.wraps(original)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            return outside.call(lambda: original(*args, **kwargs), meets=meets)

        monkeypatch.setattr(owner, name, wrapped)

    monkeypatch.setattr(BaseClient, "_make_api_call", aws)
    # A body is read within a call to Target, whose deadline is in real time.
    wrap(StreamingBody, "read", READING - {Accident.PAUSED})
    monkeypatch.setattr(Service, "call", fake)
    wrap(requests.Session, "send", HTTP)
    return outside


def _meets(operation: str) -> frozenset[Accident]:
    return READING if operation.startswith(("Get", "Head", "List", "Query", "Scan")) else WRITING
