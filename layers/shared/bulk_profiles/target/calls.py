"""The calls to Target: submit a batch, ask for its status, read a profile. Each returns an outcome."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime

from bulk_profiles.core.models import ProfileStatus

from .addresses import is_v2, with_details
from .answers import (
    MAX_STATUS_BYTES,
    Receipt,
    StatusAnswer,
    TargetState,
    may_say_yes,
    read_receipt,
    read_status,
)
from .http import Body, BodyError, Reply, TransportError, call, retry_after
from .outcomes import (
    Accepted,
    Answered,
    CheckOutcome,
    Deferred,
    Found,
    Gone,
    NotSent,
    ReadOutcome,
    Refused,
    SubmissionOutcome,
    Unanswered,
    Unauthorized,
    Unknown,
)
from .response import UnusableAnswerError
from .stored_profile import MAX_PROFILE_BYTES, read_profile
from .token_mask import NOT_SHOWN, TokenMask

_MAX_RECEIPT_BYTES = 1024 * 1024
_LEAST_CHECK_SECONDS = 60.0
_BYTES_A_SECOND = 1_000_000
_SUCCESS, _REDIRECTION, _CLIENT_ERROR = 2, 3, 4  # HTTP's classes of status codes
_UNAUTHORIZED = frozenset({401, 403})
_LATER = frozenset({408, 425, 429, 503})  # each says that the request was not dealt with
_GONE = frozenset({404, 410})
_LACKS_A_COUNT = "Target's answer lost its tags, and has three counts of four."
_FAILURES = frozenset({ProfileStatus.ERROR, ProfileStatus.UNKNOWN})


def submit(url: str, body: Body, token: str | None, seconds: float) -> SubmissionOutcome:
    """Submit the body of one batch to a submission URL, once, within `seconds`.

    The outcome depends on whether the first byte of the body has left. Before it, every failure is
    `NotSent`. After it, only a clear answer counts: Target's yes or no, or an HTTP status which says that
    the request was not dealt with. A body of ours that breaks off is `NotSent` too: shorter than its
    announced length, it is no complete request.
    """
    try:
        with call("POST", url, seconds=seconds, token=token, body=body) as reply:
            outcome = _submission_outcome(reply)
    except BodyError as error:
        return NotSent(str(error))
    except TransportError as error:
        return Unknown(str(error)) if body.started else NotSent(str(error))
    if isinstance(outcome, Accepted) and body.left:
        return Unknown("Target accepted the batch before all of it had left.")
    return outcome


def check(
    status_url: str,
    token: str | None,
    seconds: float,
    *,
    details: bool = False,
    limit_bytes: int = MAX_STATUS_BYTES,
) -> CheckOutcome:
    """Ask once for the status of a batch, within `seconds`; `status_url` is a safe one.

    `limit_bytes`: how long the answer may be (see `max_status_bytes`, and `check_seconds` for the time).
    """
    url = with_details(status_url) if details else status_url
    try:
        with call("GET", url, seconds=seconds, token=token) as reply:
            outcome = _check_outcome(reply, limit_bytes)
    except (TransportError, UnusableAnswerError) as error:
        return Unanswered(TokenMask(token, url).text(str(error), NOT_SHOWN))
    if isinstance(outcome, Answered) and _lacks_a_count(outcome.answer, status_url):
        return Answered(outcome.answer.doubted(_LACKS_A_COUNT))
    return outcome


def read_back(
    url: str, client: str, token: str | None, seconds: float, *, third_party_id: str = ""
) -> ReadOutcome:
    """Read a profile of a client once, within `seconds`; `third_party_id` unless it is asked for by pcId."""
    try:
        with call("GET", url, seconds=seconds, token=token) as reply:
            if reply.status // 100 == _SUCCESS:
                return Found(read_profile(reply.body(MAX_PROFILE_BYTES), client, third_party_id))
            if reply.status in _GONE:
                return _absent(reply)
            return _unread(reply)
    except (TransportError, UnusableAnswerError) as error:
        return Unanswered(str(error))


def check_seconds(limit_bytes: int) -> float:
    """Return how long a status call may take whose answer may be so long: a minute, and 1 MB a second."""
    return _LEAST_CHECK_SECONDS + limit_bytes / _BYTES_A_SECOND


def _submission_outcome(reply: Reply) -> SubmissionOutcome:
    """Return the outcome of a submission that was answered.

    Where a proxy stands between us and Target, a 500, 502 or 504 may be its own while Target took the batch:
    such a status is `Unknown`, like every other that is neither HTTP's yes nor its no. So is a status against
    which the answer says yes.
    """
    if reply.status // 100 == _SUCCESS:
        receipt = read_receipt(reply.body(_MAX_RECEIPT_BYTES), reply.charset)
        return _receipt_outcome(reply.mask.receipt(receipt), reply.status)
    body, whole = _other_body(reply)
    receipt = _receipt(reply, body, whole=whole)
    reason = _reason(reply, receipt)
    if may_say_yes(body, reply.charset):
        return Unknown(f"{reason} Yet its answer says that it took the batch.")
    if not whole and reply.status in _UNAUTHORIZED | _LATER:
        reason = f"{reason} Not all of its answer could be read."
    if reply.status in _UNAUTHORIZED:
        return Unauthorized(reason, reply.status, unread=not whole)
    if reply.status in _LATER:
        return dataclasses.replace(_deferred(reply, reason), unread=not whole)
    if reply.status // 100 != _CLIENT_ERROR:
        return Unknown(reason)
    return Refused(_refusal(receipt.message) if receipt.success is False else reason, reply.status)


def _receipt_outcome(receipt: Receipt, http_status: int) -> Accepted | Refused | Unknown:
    if receipt.success is None:
        return Unknown(_neither(receipt))
    if receipt.success:
        return Accepted(receipt.status_url, receipt.message, " ".join(receipt.unclear), receipt.named)
    return Refused(_refusal(receipt.message), http_status)


def _neither(receipt: Receipt) -> str:
    if receipt.html:
        return "Target's answer to the batch is HTML instead of XML."
    words = f': "{receipt.message}"' if receipt.message else ""
    return f"Target's answer to the batch says neither yes nor no{words}."


def _refusal(message: str) -> str:
    return (
        f'Target refused the batch: "{message}".' if message else "Target refused the batch without a reason."
    )


def _receipt(reply: Reply, body: bytes, *, whole: bool) -> Receipt:
    """Return what an answer says whose HTTP status suffices: nothing, if it was cut short."""
    return reply.mask.receipt(read_receipt(body if whole else b"", reply.charset))


def _other_body(reply: Reply) -> tuple[bytes, bool]:
    """Return the body of an answer whose HTTP status suffices, and whether it could be read whole.

    The body of a redirect is not read: it may be of any size, and says nothing.
    """
    body = bytearray()
    if reply.status // 100 == _REDIRECTION:
        return b"", True
    try:
        reply.read_into(body, _MAX_RECEIPT_BYTES)
    except TransportError:
        return bytes(body), False
    return bytes(body), True


def _check_outcome(reply: Reply, limit_bytes: int) -> CheckOutcome:
    if reply.status // 100 == _SUCCESS:
        answer = reply.mask.answer(read_status(reply.pieces(), limit_bytes, reply.charset))
        may_be_cut = answer.state is not None or bool(answer.unclear)
        if answer.flattened and may_be_cut and not reply.framed:
            return Unanswered("Nothing shows that all of Target's answer arrived.")
        return Answered(answer)
    body, whole = _other_body(reply)
    reason = _reason(reply, _receipt(reply, body, whole=whole))
    doubt = f"Target answered HTTP {reply.status} with failures." if _has_failures(body, reply) else ""
    if reply.status in _UNAUTHORIZED:
        return Unauthorized(reason, reply.status, doubt)
    if reply.status in _GONE:
        return Gone(reason, reply.status, doubt)
    if reply.status in _LATER:
        return dataclasses.replace(_deferred(reply, reason), doubt=doubt)
    return Unanswered(reason, doubt)


def _lacks_a_count(answer: StatusAnswer, status_url: str) -> bool:
    """Whether one of the counts of v2 is missing in a flattened answer, so that nobody knows which."""
    counted = answer.flattened and answer.successful is not None
    return counted and answer.consumed is None and is_v2(status_url)


def _has_failures(body: bytes, reply: Reply) -> bool:
    """Whether an answer that is not believed, for its HTTP status, names or counts failures."""
    try:
        answer = read_status([body], charset=reply.charset)
    except UnusableAnswerError:
        return False
    named = not _FAILURES.isdisjoint(answer.profiles.values())
    return named or bool(answer.failed or answer.not_found) or answer.state is TargetState.STUCK


def _absent(reply: Reply) -> Gone | Unanswered:
    """Return that Target has no such profile, if its Profile API says so, and no server before it."""
    reason = f"Target answered HTTP {reply.status}."
    try:
        answer = json.loads(_other_body(reply)[0])
    except (ValueError, RecursionError):
        return Unanswered(reason)
    if isinstance(answer, dict) and answer.get("status") == reply.status:
        return Gone(reason, reply.status)
    return Unanswered(reason)


def _unread(reply: Reply) -> Deferred | Unauthorized | Unanswered:
    reason = f"Target answered HTTP {reply.status}."
    if reply.status in _UNAUTHORIZED:
        return Unauthorized(reason, reply.status)
    return _deferred(reply, reason) if reply.status in _LATER else Unanswered(reason)


def _deferred(reply: Reply, reason: str) -> Deferred:
    return Deferred(reason, retry_after(reply.headers.get("Retry-After", ""), datetime.now(UTC)))


def _reason(reply: Reply, receipt: Receipt) -> str:
    """Return the HTTP status with Target's own words: `Target answered HTTP 403: "No access".`."""
    form = " with HTML instead of XML" if receipt.html else ""
    words = f': "{receipt.message}"' if receipt.message else ""
    return f"Target answered HTTP {reply.status}{form}{words}."
