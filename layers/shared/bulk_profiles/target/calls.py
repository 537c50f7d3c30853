"""The two calls to Target: submit a batch, check its status. Each returns an outcome and raises nothing."""

from __future__ import annotations

from datetime import UTC, datetime

from .addresses import with_details
from .answers import Receipt, read_receipt, read_status
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
_SUCCESS, _CLIENT_ERROR = 2, 4  # HTTP's classes of status codes
_UNAUTHORIZED = frozenset({401, 403})
_LATER = frozenset({408, 425, 429, 503})  # each says that the request was not dealt with
_GONE = frozenset({404, 410})


def submit(url: str, body: Readable, size: int, token: str | None, seconds: float) -> SubmissionOutcome:
    """Submit one batch of `size` bytes to a submission URL, once, within `seconds`.

    The outcome depends on whether the first byte of the body has left. Before it, every failure is
    `NotSent`. After it, only a clear answer counts: Target's yes or no, or an HTTP status which says that
    the request was not dealt with. A body of ours that breaks off is `NotSent` too: shorter than its
    announced length, it is no complete request.
    """
    sent = Body(body, size)
    try:
        with call("POST", url, seconds=seconds, token=token, body=sent) as reply:
            outcome = _submission_outcome(reply)
    except BodyError as error:
        return NotSent(str(error))
    except TransportError as error:
        return Unknown(str(error)) if sent.started else NotSent(str(error))
    if isinstance(outcome, Accepted) and sent.left:
        return Unknown("Target accepted the batch before all of it had left.")
    return outcome


def check(status_url: str, token: str | None, seconds: float, *, details: bool = False) -> CheckOutcome:
    """Ask once for the status of a batch, within `seconds`; `status_url` is a safe one."""
    url = with_details(status_url) if details else status_url
    try:
        with call("GET", url, seconds=seconds, token=token) as reply:
            return _check_outcome(reply)
    except (TransportError, UnusableAnswerError) as error:
        return Unanswered(str(error))


def _submission_outcome(reply: Reply) -> SubmissionOutcome:
    """Return the outcome of a submission that was answered.

    Where a proxy stands between us and Target, a 500, 502 or 504 may be its own while Target took the batch:
    such a status is `Unknown`, like every other that is neither HTTP's yes nor its no.
    """
    if reply.status in _UNAUTHORIZED:
        return Unauthorized(reply.status)
    if reply.status // 100 == _SUCCESS:
        return _receipt_outcome(read_receipt(reply.body(_MAX_RECEIPT_BYTES)), reply.status)
    if reply.status not in _LATER and reply.status // 100 != _CLIENT_ERROR:
        return Unknown(_sentence(reply))
    receipt = _optional_receipt(reply)
    if receipt.success:  # against the status: then neither counts
        return Unknown(_sentence(reply))
    if reply.status in _LATER:
        return _deferred(reply)
    return Refused(receipt.message or _sentence(reply), reply.status)


def _receipt_outcome(receipt: Receipt, http_status: int) -> Accepted | Refused | Unknown:
    if receipt.success is None:
        return Unknown("Target's answer to the batch says neither yes nor no.")
    if receipt.success:
        return Accepted(receipt.status_url, receipt.message)
    return Refused(receipt.message or "Target refused the batch without a reason.", http_status)


def _optional_receipt(reply: Reply) -> Receipt:
    """Return the receipt in an answer whose HTTP status suffices; an empty one if the body cannot be read."""
    try:
        return read_receipt(reply.body(_MAX_RECEIPT_BYTES))
    except TransportError:
        return Receipt()


def _check_outcome(reply: Reply) -> CheckOutcome:
    if reply.status in _UNAUTHORIZED:
        return Unauthorized(reply.status)
    if reply.status in _GONE:
        return Gone(reply.status)
    if reply.status in _LATER:
        return _deferred(reply)
    if reply.status // 100 != _SUCCESS:
        return Unanswered(_sentence(reply))
    answer = read_status(reply.pieces())
    if answer.flattened and answer.state is not None and not reply.framed:
        return Unanswered("Nothing shows that all of Target's answer arrived.")
    return Answered(answer)


def _deferred(reply: Reply) -> Deferred:
    header = reply.headers.get("Retry-After", "")
    return Deferred(_sentence(reply), retry_after(header, datetime.now(UTC)))


def _sentence(reply: Reply) -> str:
    return f"Target answered HTTP {reply.status}."
