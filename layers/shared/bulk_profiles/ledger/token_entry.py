"""What the ledger remembers of a client code's token: whether Target authorizes calls with it.

A refusal parks the body that got it. It parks all batches of the client if Target never authorized a call
with the token, or has refused several bodies since it last did: a server that refuses one batch alone stops
no other. What is parked goes on with another token, and now and then one call tries the same token again,
because its rights may have changed at Target.
"""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from bulk_profiles.core.json_object import JsonObject

_PROOF = 3  # bodies that are refused in a row, of a token that was good before
_FIRST_TRIAL = timedelta(minutes=1)  # after the first refusal; then the time doubles
_LONGEST_TRIAL = timedelta(hours=1)
_LATER = timedelta(seconds=30)  # a body that was refused lets others try before it


@dataclass(frozen=True, slots=True)
class TokenEntry(JsonObject):
    """One client code's token; a new one is good until Target refuses it."""

    digest: str = ""  # of the token, never the token itself
    accepted: bool = False  # Target has authorized a call with it
    refused: tuple[str, ...] = ()  # the bodies that Target has refused since
    since: datetime | None = None  # the first of these refusals
    trial_at: datetime | None = None  # when one call may try the token again
    reason: str = ""  # what Target said last, and what to do about it

    def of(self, digest: str) -> Self:
        """Return what is known of a token: nothing, if it is not the one of this entry."""
        return self if digest == self.digest else type(self)(digest)

    def authorized(self, digest: str) -> Self:
        """Return the entry after Target has authorized a call with a token."""
        return type(self)(digest, accepted=True)

    def refused_to(self, body: str, digest: str, reason: str, now: datetime) -> Self:
        """Return the entry after Target has refused a token to a body."""
        known = self.of(digest)
        since = known.since or now
        return dataclasses.replace(
            known,
            refused=tuple(dict.fromkeys((*known.refused, body)))[:_PROOF],
            since=since,
            trial_at=max(known.trial_at or now, now + _FIRST_TRIAL),
            reason=reason,
        )

    def parked_until(self, body: str, digest: str, now: datetime) -> datetime | None:
        """Return when a body may try a token that Target refuses, or None if it may call now."""
        known = self.of(digest)
        dead = len(known.refused) >= (_PROOF if known.accepted else 1)
        if known.trial_at is None or not (dead or body in known.refused):
            return None
        trial_at = known.trial_at + (_LATER if body in known.refused else timedelta(0))
        return trial_at if now < trial_at else None

    def tried(self, digest: str, now: datetime) -> Self:
        """Return the entry after a call with a token: if it was a trial, the next one is later."""
        if digest != self.digest or self.since is None or self.trial_at is None or now < self.trial_at:
            return self
        wait = min(max(_FIRST_TRIAL, now - self.since), _LONGEST_TRIAL)
        return dataclasses.replace(self, trial_at=now + wait)


def token_digest(client_code: str, token: str | None) -> str:
    """Return the SHA-256 (hex) by which a client's token is compared; an empty text without a token."""
    return "" if token is None else hashlib.sha256(f"{client_code}\n{token}".encode()).hexdigest()
