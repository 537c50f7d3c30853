"""What every fake of an AWS service has in common: one way in, and errors as boto3 raises them.

A fake stands where a client of boto3 is. The retries of boto3 lie behind that edge: a call that a fake
refuses is one that boto3 has given up.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

KIB = 1024


@dataclass
class Service:
    """One service of one account. Its calls are answered one at a time."""

    # Error codes by operation, for its next calls: what throttling and refusals are made of.
    refusals: dict[str, list[str]] = field(default_factory=dict, kw_only=True)
    _lock: threading.RLock = field(default_factory=threading.RLock, kw_only=True, repr=False)

    def refuse(self, operation: str, code: str, times: int = 1) -> None:
        """Refuse the next calls of an operation, such as `PutItem`, with an error code of the service."""
        self.refusals.setdefault(operation, []).extend([code] * times)

    def call[T](self, operation: str, action: Callable[[], T]) -> T:
        """Answer one call. Every public method of a fake goes through here."""
        with self._lock:
            if codes := self.refusals.get(operation):
                raise error(operation, codes.pop(0))
            return action()


def error(operation: str, code: str, message: str = "refused", **more: Any) -> ClientError:
    """Return the exception that boto3 raises for an error code."""
    response: Any = {"Error": {"Code": code, "Message": message, **more}}
    return ClientError(response, operation)


@dataclass(frozen=True)
class Paginator:
    """A paginator of boto3: it asks for one page after the other."""

    operation: Callable[..., Mapping[str, Any]]
    token: str  # the name of the next page's token in the answer
    parameter: str  # and in the request

    def paginate(self, **parameters: Any) -> Any:
        """Yield all pages."""
        page = self.operation(**parameters)
        yield page
        while page.get(self.token):
            page = self.operation(**parameters, **{self.parameter: page[self.token]})
            yield page
