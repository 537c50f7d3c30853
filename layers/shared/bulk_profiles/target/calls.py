"""Target itself: one submission, one look at a status. Whatever happens is an outcome, never an error."""

from __future__ import annotations

from datetime import UTC, datetime

from bulk_profiles.core.models import ApiVersion

from .addresses import submission_url, with_details
from .answers import Submission, read_status, read_submission
from .http import Body, BodyError, Readable, Reply, TransportError, call, retry_after
from .outcomes import (
    Accepted,
    Answered,
    CheckOutcome,
    Deferred,
    Gone,
    NotSent,
    Refused,
    SubmissionOutcome,
    Unanswered,
    Unauthorized,
    Unknown,
)
from .response import UnusableAnswerError

_MAX_RECEIPT_BYTES = 1024 * 1024
_SUCCESS, _CLIENT_ERROR = 2, 4  # HTTP's classes
_UNAUTHORIZED = frozenset({401, 403})
_LATER = frozenset({408, 425, 429, 503})  # each of them says that the request was not dealt with
_GONE = frozenset({404, 410})


def submit(  # noqa: PLR0917  # every call of it spells the names of what it passes
    endpoint: str,
    client: str,
    version: ApiVersion,
    body: Readable,
    size: int,
    token: str | None,
    seconds: float,
) -> SubmissionOutcome:
    """Send one batch of `size` bytes, once, within `seconds`.

    The first byte of the body divides the outcomes. Before it, no failure has sent anything. After it,
    only Target's clear word counts: its yes, its no, or an HTTP status that says that it did not deal
    with the batch. A body of ours that breaks off is not sent either: short of its announced length, it
    is no request.
    """
    sent = Body(body, size)
    url = submission_url(endpoint, client, version)
    try:
        with call("POST", url, seconds=seconds, token=token, body=sent) as reply:
            outcome = _outcome(reply)
    except BodyError as error:
        return NotSent(str(error))
    except TransportError as error:
        return Unknown(str(error)) if sent.started else NotSent(str(error))
    if isinstance(outcome, Accepted) and sent.left:
        return Unknown("Target accepted the batch before all of it had left.")
    return outcome


def _outcome(reply: Reply) -> SubmissionOutcome:
    """Translate the answer to a submission.

    500, 502, 504 and whatever is not HTTP's plain yes or no may come from something that stands between
    us and a Target that took the batch: unknown.
    """
    if reply.status in _UNAUTHORIZED:
        return Unauthorized(reply.status)
    if reply.status in _LATER:
        return Unknown(f"Target answered HTTP {reply.status}.") if _said(reply).success else _deferred(reply)
    if reply.status // 100 == _SUCCESS:
        return _receipt(reply)
    if reply.status // 100 == _CLIENT_ERROR:
        return _refused(reply)
    return Unknown(f"Target answered HTTP {reply.status}.")


def _receipt(reply: Reply) -> Accepted | Refused | Unknown:
    answer = read_submission(reply.body(_MAX_RECEIPT_BYTES))
    if answer.success is None:
        return Unknown("Target's answer to the batch says neither yes nor no.")
    if answer.success:
        return Accepted(answer.status_url, answer.message)
    return Refused(answer.message or "Target refused the batch without a reason.", reply.status)


def _refused(reply: Reply) -> Refused | Unknown:
    """Translate a 4xx: the status is the no, the body may say why; a body that says yes leaves no answer."""
    plain, answer = f"Target answered HTTP {reply.status}.", _said(reply)
    return Unknown(plain) if answer.success else Refused(answer.message or plain, reply.status)


def _said(reply: Reply) -> Submission:
    """Read what comes with an HTTP status that says enough by itself; nothing where it cannot be read."""
    try:
        return read_submission(reply.body(_MAX_RECEIPT_BYTES))
    except TransportError:
        return Submission()


def check(status_url: str, token: str | None, seconds: float, *, details: bool = False) -> CheckOutcome:
    """Ask once what became of a batch, within `seconds`; `status_url` is a safe one."""
    url = with_details(status_url) if details else status_url
    try:
        with call("GET", url, seconds=seconds, token=token) as reply:
            return _status(reply)
    except (TransportError, UnusableAnswerError) as error:
        return Unanswered(str(error))


def _status(reply: Reply) -> CheckOutcome:
    if reply.status in _UNAUTHORIZED:
        return Unauthorized(reply.status)
    if reply.status in _GONE:
        return Gone(reply.status)
    if reply.status in _LATER:
        return _deferred(reply)
    if reply.status // 100 != _SUCCESS:
        return Unanswered(f"Target answered HTTP {reply.status}.")
    answer = read_status(reply.pieces())
    if answer.flattened and answer.state is not None and not reply.framed:
        return Unanswered("Nothing shows that all of Target's answer arrived.")
    return Answered(answer)


def _deferred(reply: Reply) -> Deferred:
    header = reply.headers.get("Retry-After", "")
    return Deferred(f"Target answered HTTP {reply.status}.", retry_after(header, datetime.now(UTC)))
