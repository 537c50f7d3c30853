"""The token of one client code, and the batches that wait because Target does not accept it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from bulk_profiles.aws.secrets import Tokens
from bulk_profiles.core.errors import ConflictError, TokenError
from bulk_profiles.ledger.batch_entry import BatchEntry
from bulk_profiles.ledger.ledger import Ledger
from bulk_profiles.ledger.token_entry import TokenEntry, token_digest
from bulk_profiles.target.outcomes import Answered, CheckOutcome, Unauthorized

_LONGEST_WAIT = timedelta(minutes=15)  # until the secret is read again


@dataclass(frozen=True, slots=True)
class Permit:
    """The token for one call, or the wait for one."""

    token: str | None  # None: no secret is configured
    resume_at: datetime | None = None  # None: the call may be made
    reason: str = ""  # what Target said to the token, and what to do about it
    since: datetime | None = None  # when Target refused the token first


class Authorization:
    """The token of one client code, as the two steps that call Target use it."""

    def __init__(self, ledger: Ledger, tokens: Tokens, client_code: str) -> None:
        self._ledger = ledger
        self._tokens = tokens
        self._client_code = client_code

    def permit(self, batch: BatchEntry, now: datetime) -> Permit:
        """Return the token for a call about a batch; where Target refuses it, read the secret again.

        Raises `TokenError`.
        """
        permit = self._permit(batch, self._tokens.get(self._client_code), now)
        if permit.resume_at is None:
            return permit
        return self._permit(batch, self._tokens.renew(self._client_code), now)

    def note(self, batch: BatchEntry, reply: CheckOutcome, token: str | None, now: datetime) -> None:
        """Note what a reply to a status call shows of the token."""
        if isinstance(reply, Answered):
            self.accepted(token, now)
        elif isinstance(reply, Unauthorized):
            self.refused(batch, token, remedy(reply, token), now)

    def accepted(self, token: str | None, now: datetime) -> None:
        """Note that Target has authorized a call with a token."""
        digest = token_digest(self._client_code, token)
        with contextlib.suppress(ConflictError):  # then the next call notes it
            self._ledger.change_token(self._client_code, now, lambda entry: (entry.authorized(digest), None))

    def refused(self, batch: BatchEntry, token: str | None, reason: str, now: datetime) -> bool:
        """Note that Target has refused a token to a batch.

        Return whether it had accepted the token for others since it last refused it to this batch: then the
        refusal is not about the token.
        """
        digest, body = token_digest(self._client_code, token), _body(batch)

        def refuse(entry: TokenEntry) -> tuple[TokenEntry, bool]:
            known = entry.of(digest)
            alone = batch.renewals > 0 and known.accepted and body not in known.refused
            return known.refused_to(body, digest, reason, now), alone

        try:
            return self._ledger.change_token(self._client_code, now, refuse)
        except ConflictError:
            return False  # the next refusal notes it

    def is_replaced(self, token: str | None) -> bool:
        """Whether the secret holds another token by now."""
        try:
            return self._tokens.renew(self._client_code) != token
        except TokenError:
            return True  # the next step asks again, and says why there is none

    def _permit(self, batch: BatchEntry, token: str | None, now: datetime) -> Permit:
        digest, body = token_digest(self._client_code, token), _body(batch)

        def ask(entry: TokenEntry) -> tuple[TokenEntry, Permit]:
            until = entry.parked_until(body, digest, now)
            if until is not None:
                return entry, Permit(token, min(until, now + _LONGEST_WAIT), entry.reason, entry.since)
            return entry.tried(digest, now), Permit(token)

        return self._ledger.change_token(self._client_code, now, ask)


def remedy(reply: Unauthorized, token: str | None) -> str:
    """Return what Target said to a call that it did not authorize, and what to do about it."""
    if token is None:
        return f"{reply.reason} It wants a token: set TokenSecretArn."
    if reply.renewable:
        return f"{reply.reason} It did not accept the token: renew the secret."
    return f"{reply.reason} It does not allow what the token asks for: check its rights."


def _body(batch: BatchEntry) -> str:
    return f"{batch.import_id}/{batch.body_name}"
