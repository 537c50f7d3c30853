"""One batch -> one submission -> a receipt, or the moment to come back at.

The ledger says `sending` before the first byte leaves. Whatever happens after that is either Target's clear
word, or certain not to have been sent, or unknown: a batch is never sent again without that mark.

A batch is given up only after Target has turned it away, never because it waited: for the budget, for its
turn, for who starts the import again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import BinaryIO

from bulk_profiles.aws import secrets
from bulk_profiles.aws.s3 import Storage
from bulk_profiles.budget.reserve import usable
from bulk_profiles.core.errors import TokenError
from bulk_profiles.core.models import BatchState
from bulk_profiles.core.names import object_key
from bulk_profiles.ledger.batch_entry import BatchEntry
from bulk_profiles.ledger.import_entry import ImportEntry
from bulk_profiles.ledger.ledger import Ledger
from bulk_profiles.target import calls, outcomes
from bulk_profiles.target.addresses import UnsafeStatusUrlError, batch_id_of, safe_status_url

from .messages import Outcome, Word
from .settings import UnknownPolicy, UploadBatchSettings
from .slots import import_of, take_submission_slot, withdraw_submission

_FIRST_DELAY = timedelta(seconds=5)
_MAX_DELAY = timedelta(minutes=15)
_SHORTEST_LOOK = timedelta(minutes=1)  # between two looks at an earlier import with the same ids
_LOOKS = 16  # the wait between two grows to this part of what was waited already
_GRACE = timedelta(seconds=15)  # between our deadline for a call and the certainty that its function is gone
_ACTIVE = timedelta(hours=1)  # for which an import's entry is written once; far longer than a function lives


@dataclass(frozen=True, slots=True)
class Submitter:
    """Submits batches with one deployment's edges and settings."""

    settings: UploadBatchSettings
    storage: Storage
    ledger: Ledger
    tokens: secrets.Tokens
    clock: Callable[[], datetime]

    def submit(self, import_id: str, number: int) -> Outcome:
        """Bring one batch a step further. Doing it again is always safe."""
        now = self.clock()
        entry = self.ledger.get_batch(import_id, number)
        if entry.settled:
            return Outcome(Word.SETTLED)
        owner = import_of(self.ledger, entry)
        if entry.state is BatchState.SENDING:
            if entry.sending_until is not None and now < entry.sending_until:
                return Outcome(Word.DEFERRED, entry.sending_until)  # an earlier invocation may be alive
            lost = entry.move(BatchState.UNKNOWN, reason="The upload stopped before Target answered.")
            entry = self.ledger.save_batch(lost, now)
        if entry.state is BatchState.UNKNOWN and self._may_resend(entry) and not owner.overtaken_by:
            again = entry.move(BatchState.PLANNED, possibly_duplicate=True)
            entry = self.ledger.save_batch(again, now)
        match entry.state:
            case BatchState.PLANNED:
                return self._send_in_turn(entry, owner, now)
            case BatchState.ACCEPTED:
                return Outcome(Word.ACCEPTED, entry.next_check_at or now)
            case BatchState.UNKNOWN:
                return Outcome(Word.UNKNOWN)
            case _:
                return Outcome(Word.REFUSED)

    def _send_in_turn(self, entry: BatchEntry, owner: ImportEntry, now: datetime) -> Outcome:
        if owner.overtaken_by:
            return self._overtaken(entry, owner)
        if entry.next_check_at is not None and now < entry.next_check_at:
            outcome = Outcome(Word.DEFERRED, entry.next_check_at)
        elif self._must_wait(owner, now):
            longest = timedelta(seconds=self.settings.max_check_seconds)
            wait = min(max(_SHORTEST_LOOK, (now - owner.started_at) / _LOOKS), longest)
            outcome = Outcome(Word.DEFERRED, now + wait)
        else:
            outcome = self._send(entry, owner)
        if outcome.word is Word.DEFERRED and outcome.resume_at is not None:
            self._keep_active(owner, outcome.resume_at)
        return outcome

    def _send(self, entry: BatchEntry, owner: ImportEntry) -> Outcome:
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
        owner = self._keep_active(owner, self.clock())
        if owner.overtaken_by:
            return self._overtaken(entry, owner)
        now = self.clock()
        entry, ask_at = take_submission_slot(entry, owner.client_code, self.settings, self.ledger, now)
        if ask_at is not None:
            return Outcome(Word.DEFERRED, ask_at)
        timeout = timedelta(seconds=self.settings.upload_timeout_seconds)
        sending = entry.move(
            BatchState.SENDING,
            submissions=entry.submissions + 1,
            sending_until=now + timeout + _GRACE,
        )
        entry = self.ledger.save_batch(sending, now)
        if not usable(now, self.clock()):  # the ledger took too long: the slot is over
            unsent = entry.change(submissions=entry.submissions - 1)
            return self._plan_again(unsent, owner, now, timedelta(0))
        answer = calls.submit(
            self.settings.target_endpoint,
            owner.client_code,
            owner.api_version,
            body,
            entry.body_size,
            token,
            timeout.total_seconds(),
        )
        return self._record(entry, owner, now, token, answer)

    def _must_wait(self, owner: ImportEntry, now: datetime) -> bool:
        """Tell whether an earlier import with some of the same ids goes first."""
        return any(self._goes_first(name, owner, now) for name in owner.after)

    def _goes_first(self, name: str, owner: ImportEntry, now: datetime) -> bool:
        """Tell whether an earlier import may still send, and overtake one that nobody works on any more.

        Once overtaken it sends nothing: what it sent before, Target has settled or dropped by then.
        """
        deadline = timedelta(hours=self.settings.deadline_hours)

        def overtake(earlier: ImportEntry) -> ImportEntry:
            if earlier.over or not earlier.abandoned(now, deadline):
                return earlier
            return dataclasses.replace(earlier, overtaken_by=owner.import_id)

        earlier = self.ledger.get_import(name)
        if earlier is None or earlier.over:
            return False
        if not earlier.abandoned(now, deadline):
            return True
        if not self.ledger.change_import(name, now, overtake).over:
            return True
        self.ledger.leave_queue(owner.client_code, name, now)
        return False

    def _keep_active(self, owner: ImportEntry, until: datetime) -> ImportEntry:
        """Give the import's entry, in which it is active until then or overtaken.

        Nobody overtakes an import that is active, and nobody sends for one that is not: who reads that it is
        has ended long before it may be overtaken.
        """

        def renew(current: ImportEntry) -> ImportEntry:
            if current.overtaken_by or _active(current, until):
                return current
            return dataclasses.replace(current, active_until=until + _ACTIVE)

        if _active(owner, until):
            return owner
        return self.ledger.change_import(owner.import_id, self.clock(), renew)

    def _record(
        self,
        entry: BatchEntry,
        owner: ImportEntry,
        slot_at: datetime,
        token: str | None,
        answer: outcomes.SubmissionOutcome,
    ) -> Outcome:
        """Write down what Target answered."""
        match answer:
            case outcomes.Accepted():
                return self._accept(entry, owner, answer.status_url)
            case outcomes.Refused():
                return self._turned_down(entry, owner, slot_at, answer.message)
            case outcomes.Unauthorized() if self._has_new_token(entry, owner, token, answer):
                again = entry.change(renewals=1, reason="Target did not accept the token.")
                return self._plan_again(again, owner, slot_at, timedelta(0))
            case outcomes.Unauthorized():
                return self._turned_down(entry, owner, slot_at, _unauthorized(token, answer))
            case outcomes.Deferred() | outcomes.NotSent():
                return self._put_off(entry, owner, slot_at, answer)
            case outcomes.Unknown():
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

    def _has_new_token(
        self, entry: BatchEntry, owner: ImportEntry, token: str | None, answer: outcomes.Unauthorized
    ) -> bool:
        """Tell whether the secret holds another token by now, with which the batch may go once more."""
        may_go = entry.renewals == 0 and entry.submissions < self.settings.max_submissions
        if token is None or not answer.renewable or not may_go:
            return False
        try:
            return self.tokens.renew(owner.client_code) != token
        except TokenError:
            return True  # the next step asks again, and says why there is none

    def _refuse(self, entry: BatchEntry, reason: str) -> Outcome:
        self.ledger.save_batch(entry.move(BatchState.REFUSED, reason=reason), self.clock())
        return Outcome(Word.REFUSED)

    def _put_off(
        self,
        entry: BatchEntry,
        owner: ImportEntry,
        slot_at: datetime,
        answer: outcomes.Deferred | outcomes.NotSent,
    ) -> Outcome:
        """Have a batch wait that Target certainly has not taken: it was no submission."""
        entry = entry.change(submissions=entry.submissions - 1, reason=answer.reason)
        if entry.put_off >= timedelta(hours=self.settings.deadline_hours):
            reason = (
                f"Target did not take the batch for {self.settings.deadline_hours} hours: {answer.reason}"
            )
            return self._turned_down(entry, owner, slot_at, reason)
        entry = entry.change(turned_away=entry.turned_away + 1)
        asked = answer.retry_after if isinstance(answer, outcomes.Deferred) else None
        wait = max(asked or timedelta(0), _delay(entry.turned_away))
        # What Target asks for holds for whoever comes next; our own delays end where somebody starts anew.
        entry = entry.change(
            put_off=entry.put_off + wait, next_check_at=self.clock() + asked if asked else None
        )
        return self._plan_again(entry, owner, slot_at, wait)

    def _turned_down(self, entry: BatchEntry, owner: ImportEntry, slot_at: datetime, reason: str) -> Outcome:
        """Send a batch no more of which Target has not taken anything this time."""
        outcome = self._give_up(entry, reason)
        withdraw_submission(entry, owner.client_code, self.settings, self.ledger, slot_at)
        return outcome

    def _plan_again(
        self, entry: BatchEntry, owner: ImportEntry, slot_at: datetime, wait: timedelta
    ) -> Outcome:
        """Plan a batch again of which Target has nothing, and give back what it took of the budget."""
        now = self.clock()
        self.ledger.save_batch(entry.move(BatchState.PLANNED, sending_until=None), now)
        withdraw_submission(entry, owner.client_code, self.settings, self.ledger, slot_at)
        return Outcome(Word.DEFERRED, now + wait)

    def _overtaken(self, entry: BatchEntry, owner: ImportEntry) -> Outcome:
        reason = f"A newer import, {owner.overtaken_by}, with some of the same ids has gone first."
        return self._give_up(entry, reason)

    def _give_up(self, entry: BatchEntry, reason: str) -> Outcome:
        """Send a batch no more. One that may have arrived before is not said to have been refused."""
        if not entry.possibly_duplicate:
            return self._refuse(entry, reason)
        lost = entry.move(BatchState.UNKNOWN, held=True, reason=reason)
        self.ledger.save_batch(lost, self.clock())
        return Outcome(Word.UNKNOWN)

    def _lose(self, entry: BatchEntry, reason: str) -> Outcome:
        now = self.clock()
        lost = self.ledger.save_batch(entry.move(BatchState.UNKNOWN, reason=reason), now)
        if not self._may_resend(lost):
            return Outcome(Word.UNKNOWN)
        return Outcome(Word.DEFERRED, now + _delay(lost.submissions))

    def _may_resend(self, entry: BatchEntry) -> bool:
        resend = self.settings.unknown_policy is UnknownPolicy.RESEND and not entry.held
        return resend and entry.submissions < self.settings.max_submissions


def _active(owner: ImportEntry, until: datetime) -> bool:
    return owner.active_until is not None and until <= owner.active_until


def _unauthorized(token: str | None, answer: outcomes.Unauthorized) -> str:
    if token is None:
        return f"Target wants a token (HTTP {answer.http_status}): set TokenSecretArn."
    if answer.renewable:
        return f"Target did not accept the token (HTTP {answer.http_status}): renew the secret."
    return f"Target does not allow what the token asks for (HTTP {answer.http_status}): check its rights."


def _delay(times: int) -> timedelta:
    """Give the wait after so many failures in a row: 10 s, 20 s, ... a quarter of an hour."""
    return min(_MAX_DELAY, _FIRST_DELAY * (1 << min(times, 10)))
