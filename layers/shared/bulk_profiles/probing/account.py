"""An account of Target as probes see it: each call at a pace, and each answer with its raw body.

The answers are read as those of an import are. A probe looks at the raw body only for what the readers
forgive: how an `&` is written, or a header.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bulk_profiles.core.models import ApiVersion, KeyColumn
from bulk_profiles.target import calls
from bulk_profiles.target.addresses import (
    UnsafeStatusUrlError,
    batch_id_of,
    profile_url,
    safe_status_url,
    submission_url,
    with_details,
)
from bulk_profiles.target.answers import Receipt, StatusAnswer, TargetState, read_receipt, read_status
from bulk_profiles.target.http import Body, BodyError, TransportError, call
from bulk_profiles.target.outcomes import ReadOutcome
from bulk_profiles.target.response import UnusableAnswerError

_SECONDS = 60.0  # of one call
_MOST_BYTES = 4 * 1024 * 1024
_SUCCESS = 2  # HTTP's class of status codes
_BAD, _TOO_LARGE = 400, 413
_DETAILED = frozenset({TargetState.COMPLETE, None})


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to one call. Without one, the HTTP status is 0, and `error` says why."""

    status: int
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    error: str = ""

    @property
    def words(self) -> str:
        """What came back, in words."""
        return f"HTTP {self.status}" if self.status else self.error.rstrip(".")

    @property
    def receipt(self) -> Receipt:
        """The same as the answer to a submission."""
        return read_receipt(self.body)

    @property
    def took(self) -> bool:
        """Whether it says, in both ways, that Target took a body."""
        return self.status // 100 == _SUCCESS and self.receipt.success is True

    @property
    def refused(self) -> bool:
        """Whether it says that Target refused a body, and not that it is busy, broken or guarded."""
        said_no = self.receipt.success is False and (self.status // 100 == _SUCCESS or self.status == _BAD)
        return said_no or self.status == _TOO_LARGE

    @property
    def answer(self) -> StatusAnswer | None:
        """What it says of a batch; None where it says nothing."""
        if self.status // 100 != _SUCCESS:
            return None
        try:
            return read_status([self.body])
        except UnusableAnswerError:
            return None

    @property
    def is_status(self) -> bool:
        """Whether it is the status of a batch, in which everything is understood."""
        answer = self.answer
        return answer is not None and not answer.unclear and answer.state is not TargetState.OTHER


@dataclass(slots=True)
class Account:
    """One client code at one endpoint."""

    client: str
    endpoint: str
    token: str | None
    calls_per_minute: int
    clock: Callable[[], datetime]
    sleep: Callable[[float], None]
    said: Callable[[str], None] = lambda _: None  # what goes on, as a line
    calls: int = 0  # made so far
    _next: datetime | None = None

    def submit(self, body: bytes, *, token: str | None = None, seconds: float = _SECONDS) -> Reply:
        """Submit a body; `token`: in place of the account's own."""
        url = submission_url(self.endpoint, self.client, ApiVersion.V2)
        sent = Body(io.BytesIO(body), len(body), hashlib.sha256(body).hexdigest())
        return self._call("POST", url, token or self.token, seconds, sent)

    def status_url(self, reply: Reply) -> str:
        """Return the status URL in the answer to a submission; empty where there is none to be called."""
        try:
            return safe_status_url(reply.receipt.status_url, self.endpoint, self.client)
        except UnsafeStatusUrlError:
            return ""

    def ask(self, url: str, *, token: str | None = None, paced: bool = True) -> Reply:
        """Make one call to a safe status URL."""
        return self._call("GET", url, token or self.token, _SECONDS, paced=paced)

    def settled(self, url: str, minutes: float) -> StatusAnswer | None:
        """Ask for the status of a batch until it is terminal; None where it is not, so many minutes later."""
        batch_id, end = batch_id_of(url), self.clock() + timedelta(minutes=minutes)
        while True:
            answer = self.ask(url).answer
            if answer is not None and answer.state in _DETAILED:
                detailed = None
                if not (answer.profiles or answer.counted):
                    detailed = self.ask(with_details(url)).answer
                return (detailed or answer).about(batch_id)
            if self.clock() >= end:
                return None
            self.said("Target is at work on a batch.")
            self.sleep(min(30.0, 60.0 / self.calls_per_minute * 5))

    def read(self, profile_id: str) -> ReadOutcome:
        """Read a profile by its thirdPartyId."""
        self._wait()
        url = profile_url(self.endpoint, self.client, KeyColumn.THIRD_PARTY_ID, profile_id)
        return calls.read_back(url, self.client, self.token, _SECONDS, third_party_id=profile_id)

    def _call(
        self,
        method: str,
        url: str,
        token: str | None,
        seconds: float,
        body: Body | None = None,
        *,
        paced: bool = True,
    ) -> Reply:
        self._wait(paced=paced)
        try:
            with call(method, url, seconds=seconds, token=token, body=body) as reply:
                redirected = reply.status // 100 == 3  # noqa: PLR2004 HTTP's class; its body may be of any size
                data = b"" if redirected else reply.body(_MOST_BYTES)
                return Reply(reply.status, data, dict(reply.headers))
        except (TransportError, BodyError) as error:
            return Reply(0, error=str(error))

    def _wait(self, *, paced: bool = True) -> None:
        now = self.clock()
        if paced and self._next is not None and self._next > now:
            self.sleep((self._next - now).total_seconds())
        self._next = self.clock() + timedelta(minutes=1) / self.calls_per_minute
        self.calls += 1
