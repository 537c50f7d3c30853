"""One batch -> one submission -> a receipt, or the moment to come back at.

The ledger says `sending` before the first byte leaves. Whatever happens after that is either Target's clear
word, or certain not to have been sent, or unknown: a batch is never sent again without that mark.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import BinaryIO

from . import target
from .budget import usable
from .entries import BatchEntry, ImportEntry
from .errors import TokenError
from .identity import object_key
from .ledger import Ledger
from .models import BatchState
from .outcomes import Outcome, Word
from .settings import UnknownPolicy, UploadBatchSettings
from .slots import import_of, take_submission_slot, withdraw_submission
from .status_url import UnsafeStatusUrlError, batch_id_of, safe_status_url
from .storage import Storage

_FIRST_DELAY = timedelta(seconds=5)
_MAX_DELAY = timedelta(minutes=15)
_LONGEST_LOOK = 60  # seconds between two looks at an earlier import with the same ids
_GRACE = timedelta(seconds=15)  # between our deadline for a call and the certainty that its function is gone


@dataclass(frozen=True, slots=True)
class Submitter:
    """Submits batches with one deployment's edges and settings."""

    settings: UploadBatchSettings
    storage: Storage
    ledger: Ledger
    tokens: target.Tokens
    clock: Callable[[], datetime]

    def submit(self, import_id: str, number: int) -> Outcome:
        """Bring one batch a step further. Doing it again is always safe."""
        now = self.clock()
        entry = self.ledger.get_batch(import_id, number)
        if entry.settled:
            return Outcome(Word.SETTLED)
        if entry.state is BatchState.SENDING:
            if entry.sending_until is not None and now < entry.sending_until:
                return Outcome(Word.DEFERRED, entry.sending_until)  # an earlier invocation may be alive
            lost = entry.move(BatchState.UNKNOWN, reason="The upload stopped before Target answered.")
            entry = self.ledger.save_batch(lost, now)
        if entry.state is BatchState.UNKNOWN and self._may_resend(entry):
            again = entry.move(BatchState.PLANNED, possibly_duplicate=True)
            entry = self.ledger.save_batch(again, now)
        match entry.state:
            case BatchState.PLANNED:
                return self._send_in_time(entry, now)
            case BatchState.ACCEPTED:
                return Outcome(Word.ACCEPTED, entry.next_check_at or now)
            case BatchState.UNKNOWN:
                return Outcome(Word.UNKNOWN)
            case _:
                return Outcome(Word.REFUSED)

    def _send_in_time(self, entry: BatchEntry, now: datetime) -> Outcome:
        if entry.overdue(now, timedelta(hours=self.settings.deadline_hours)):
            reason = f"Target did not take the batch for {self.settings.deadline_hours} hours: {entry.reason}"
            self.ledger.save_batch(entry.move(BatchState.REFUSED, reason=reason), now)
            return Outcome(Word.REFUSED)
        return self._send(entry, import_of(self.ledger, entry))

    def _send(self, entry: BatchEntry, owner: ImportEntry) -> Outcome:
        if self._must_wait(owner, self.clock()):
            wait = timedelta(seconds=min(_LONGEST_LOOK, self.settings.max_check_seconds))
            return Outcome(Word.DEFERRED, self.clock() + wait)
        # All that may take its time comes before the slot. Once refused, a token that was kept is no good.
        ask = self.tokens.renew if entry.renewals else self.tokens.get
        try:
            token = ask(owner.client_code)
        except TokenError as error:  # the batch will say why it was not sent
            self.ledger.save_batch(entry.change(reason=str(error)), self.clock())
            raise
        with self.storage.open(object_key(entry.import_id, entry.body_name)) as body:
            return self._send_body(entry, owner, token, body)

    def _send_body(self, entry: BatchEntry, owner: ImportEntry, token: str | None, body: BinaryIO) -> Outcome:
        now = self.clock()
        entry, ask_at = take_submission_slot(entry, owner.client_code, self.settings, self.ledger, now)
        if ask_at is not None:
            return Outcome(Word.DEFERRED, ask_at)
        timeout = timedelta(seconds=self.settings.upload_timeout_seconds)
        sending = entry.move(
            BatchState.SENDING,
            submissions=entry.submissions + 1,
            sending_until=now + timeout + _GRACE,
            first_tried_at=entry.first_tried_at or now,
        )
        entry = self.ledger.save_batch(sending, now)
        if not usable(now, self.clock()):  # the ledger took too long: the slot is over
            return self._put_back(entry, owner, now, entry.reason)
        answer = target.submit(
            self.settings.target_endpoint,
            owner.client_code,
            owner.api_version,
            body,
            entry.body_size,
            token,
            timeout.total_seconds(),
        )
        return self._record(entry, owner, now, answer)

    def _must_wait(self, owner: ImportEntry, now: datetime) -> bool:
        """Tell whether an earlier import with some of the same ids is under way.

        Not for ever: after the deadline Target has settled or dropped what the earlier one sent.
        """
        if now - owner.started_at >= timedelta(hours=self.settings.deadline_hours):
            return False
        earlier = map(self.ledger.get_import, owner.after)
        return any(entry is not None and not entry.status.final for entry in earlier)

    def _record(
        self, entry: BatchEntry, owner: ImportEntry, slot_at: datetime, answer: target.SubmissionOutcome
    ) -> Outcome:
        """Write down what Target answered."""
        match answer:
            case target.Accepted():
                return self._accept(entry, owner, answer.status_url)
            case target.Refused():
                return self._refuse(entry, answer.message)
            case target.Unauthorized() if entry.renewals == 0:
                renewed = entry.change(renewals=1)
                return self._put_back(renewed, owner, slot_at, "Target did not accept the token.")
            case target.Unauthorized():
                reason = f"Target did not accept the token (HTTP {answer.http_status}): renew the secret."
                return self._refuse(entry, reason)
            case target.Deferred() | target.NotSent():
                return self._put_back(entry, owner, slot_at, answer.reason, answer)
            case target.Unknown():
                return self._lose(entry, answer.reason)

    def _accept(self, entry: BatchEntry, owner: ImportEntry, status_url: str) -> Outcome:
        try:
            url = safe_status_url(status_url, self.settings.target_endpoint, owner.client_code)
        except UnsafeStatusUrlError as error:
            # Target may have the batch, and will answer the same when it is sent again: so it is held.
            return self._lose(entry.change(held=True), f"unsafe_status_url: {error}")
        now = self.clock()
        check_at = now + timedelta(seconds=self.settings.first_check_seconds)
        accepted = entry.move(
            BatchState.ACCEPTED,
            status_url=url,
            batch_id=batch_id_of(url),
            accepted_at=now,
            next_check_at=check_at,
            turned_away=0,
            renewals=0,
            reason="",
        )
        self.ledger.save_batch(accepted, now)
        return Outcome(Word.ACCEPTED, check_at)

    def _refuse(self, entry: BatchEntry, reason: str) -> Outcome:
        self.ledger.save_batch(entry.move(BatchState.REFUSED, reason=reason), self.clock())
        return Outcome(Word.REFUSED)

    def _put_back(
        self,
        entry: BatchEntry,
        owner: ImportEntry,
        slot_at: datetime,
        reason: str,
        answer: target.Deferred | target.NotSent | None = None,
    ) -> Outcome:
        """Plan a batch again that Target certainly has not taken: it was no submission."""
        now = self.clock()
        back = entry.move(
            BatchState.PLANNED,
            submissions=entry.submissions - 1,
            turned_away=entry.turned_away + (answer is not None),
            sending_until=None,
            reason=reason,
        )
        self.ledger.save_batch(back, now)
        withdraw_submission(entry, owner.client_code, self.settings, self.ledger, slot_at)
        if answer is None:
            return Outcome(Word.DEFERRED, now)
        asked = answer.retry_after if isinstance(answer, target.Deferred) else None
        return Outcome(Word.DEFERRED, now + max(asked or timedelta(0), _delay(back.turned_away)))

    def _lose(self, entry: BatchEntry, reason: str) -> Outcome:
        now = self.clock()
        lost = self.ledger.save_batch(entry.move(BatchState.UNKNOWN, reason=reason), now)
        if not self._may_resend(lost):
            return Outcome(Word.UNKNOWN)
        return Outcome(Word.DEFERRED, now + _delay(lost.submissions))

    def _may_resend(self, entry: BatchEntry) -> bool:
        resend = self.settings.unknown_policy is UnknownPolicy.RESEND and not entry.held
        return resend and entry.submissions < self.settings.max_submissions


def _delay(times: int) -> timedelta:
    """Give the wait after so many failures in a row: 10 s, 20 s, ... a quarter of an hour."""
    return min(_MAX_DELAY, _FIRST_DELAY * (1 << min(times, 10)))
