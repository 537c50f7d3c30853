"""The outcomes of a call to Target: whatever happens is one of these, never an exception."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus

from .answers import StatusAnswer


@dataclass(frozen=True, slots=True)
class Accepted:
    """Target has the batch. `status_url` is as it came: not to be called before it is proved safe."""

    status_url: str
    message: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Target will not have the batch, now or later. `message` is Target's own, if it gave one."""

    message: str
    http_status: int


@dataclass(frozen=True, slots=True)
class Deferred:
    """Target will not deal with the call now. `retry_after`: 1 s to 1 hour, None where it named no time."""

    reason: str
    retry_after: timedelta | None


@dataclass(frozen=True, slots=True)
class NotSent:
    """Target has nothing of the batch, for certain."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unauthorized:
    """Target does not accept the token, or wants one."""

    http_status: int

    @property
    def renewable(self) -> bool:
        """Whether another token may do; what one is not allowed to do, its successor is not either."""
        return self.http_status == HTTPStatus.UNAUTHORIZED


@dataclass(frozen=True, slots=True)
class Unknown:
    """Bytes of the batch left, and Target said neither yes nor no."""

    reason: str


type SubmissionOutcome = Accepted | Refused | Deferred | NotSent | Unauthorized | Unknown


@dataclass(frozen=True, slots=True)
class Answered:
    """Target said where the batch is."""

    answer: StatusAnswer


@dataclass(frozen=True, slots=True)
class Gone:
    """Target does not know the batch (any more)."""

    http_status: int


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Target gave no usable answer."""

    reason: str


type CheckOutcome = Answered | Deferred | Gone | Unauthorized | Unanswered
