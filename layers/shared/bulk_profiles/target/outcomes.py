"""The outcomes of a call to Target: every call ends as one of these, never as an exception.

Each `reason` is one sentence or more, fit to be shown. Words of Target are quoted in it as Target's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus

from .answers import StatusAnswer
from .stored_profile import StoredProfile


@dataclass(frozen=True, slots=True)
class Accepted:
    """Target has the batch."""

    # As it came from outside: not to be called before `safe_status_url` has passed it. It refuses
    # an empty one, which means that Target named none.
    status_url: str
    message: str  # Target's own
    doubt: str = ""  # what is not understood in its answer, as sentences
    named: StatusAnswer | None = None  # what it says of profiles, e.g. that one has failed


@dataclass(frozen=True, slots=True)
class Refused:
    """Target does not take the batch, now or later."""

    reason: str
    http_status: int


@dataclass(frozen=True, slots=True)
class Deferred:
    """Target does not deal with the call now."""

    reason: str
    retry_after: timedelta | None  # from a second to an hour; None: Target named no time
    doubt: str = ""  # that its answer to a status call names failures all the same, as a sentence
    # Whether the answer to a submission could not be read whole, so that it may say yes all the same.
    unread: bool = False


@dataclass(frozen=True, slots=True)
class NotSent:
    """Target certainly has nothing of the batch."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unauthorized:
    """Target does not accept the token, or requires one: it will say so to every call of the client."""

    reason: str
    http_status: int
    doubt: str = ""  # likewise
    unread: bool = False  # likewise

    @property
    def renewable(self) -> bool:
        """Whether another token may be accepted: on 401, but not on 403, where the client has no right."""
        return self.http_status == HTTPStatus.UNAUTHORIZED


@dataclass(frozen=True, slots=True)
class Unknown:
    """Bytes of the batch were sent, and Target's answer is neither yes nor no."""

    reason: str


type SubmissionOutcome = Accepted | Refused | Deferred | NotSent | Unauthorized | Unknown


@dataclass(frozen=True, slots=True)
class Answered:
    """Target reported the status of the batch."""

    answer: StatusAnswer


@dataclass(frozen=True, slots=True)
class Gone:
    """Target does not know the batch, or no longer."""

    reason: str
    http_status: int
    doubt: str = ""  # likewise


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Target gave no usable answer."""

    reason: str
    doubt: str = ""  # likewise


type CheckOutcome = Answered | Deferred | Gone | Unauthorized | Unanswered


@dataclass(frozen=True, slots=True)
class Found:
    """Target has the profile."""

    profile: StoredProfile


type ReadOutcome = Found | Gone | Deferred | Unauthorized | Unanswered
