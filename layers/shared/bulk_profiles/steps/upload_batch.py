"""Upload batch: one submission of one batch, or the moment to come back at.

The ledger says `sending` before the first byte leaves. What happens after that is either Target's clear word,
or certain not to have been sent, or unknown: an unknown batch is never sent again without being marked as
possibly a duplicate.

A batch is given up only after Target has turned it away, never because it waited: for the budget, for an
earlier import, or for somebody who starts the import again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto

from bulk_profiles.aws.s3 import Storage
from bulk_profiles.aws.secrets import Tokens
from bulk_profiles.budget.policy import Policy
from bulk_profiles.budget.reserve import usable
from bulk_profiles.core.errors import TokenError
from bulk_profiles.core.models import BatchState, Why
from bulk_profiles.core.names import object_key
from bulk_profiles.core.text import quantity
from bulk_profiles.ledger.batch_entry import BatchEntry
from bulk_profiles.ledger.import_entry import ImportEntry
from bulk_profiles.ledger.ledger import Ledger
from bulk_profiles.ledger.pauses import longest
from bulk_profiles.target import calls
from bulk_profiles.target.addresses import UnsafeStatusUrlError, batch_id_of, safe_status_url, submission_url
from bulk_profiles.target.http import Body
from bulk_profiles.target.outcomes import (
    Accepted,
    Deferred,
    NotSent,
    Refused,
    SubmissionOutcome,
    Unauthorized,
    Unknown,
)

from .authorization import Authorization, Permit, remedy
from .failures import noted
from .last_answers import keep_answer
from .limits import policy_of
from .messages import Outcome, Word
from .precedence import goes_first, keep_active
from .settings import UnknownPolicy, UploadBatchSettings
from .slots import Slots

_FIRST_BACKOFF = timedelta(seconds=5)
_LONGEST_BACKOFF = timedelta(minutes=15)
_SHORTEST_TURN = timedelta(minutes=1)  # between two looks at an earlier import with some of the same ids
_TURNS = 16  # the wait between two looks grows to this part of the time that they have taken so far
_LONGEST_LOOK = timedelta(minutes=15)  # between two looks at a pause: a month of them fits one execution
_FIRST_TRIAL = timedelta(minutes=1)  # of a token that was refused, or of another one
_GRACE = timedelta(seconds=15)  # from the deadline of a call to the certainty that its function is gone

_REMEDIES = {  # for refusals of which the HTTP status alone shows the cause
    404: " Look whether the client code and TargetEndpoint are right.",
    413: " Lower MaxBatchBytes, and drop the file again: a batch that is sent again keeps its size.",
}


@dataclass(frozen=True, slots=True)
class UploadBatch:
    """The step with one deployment's edges and settings."""

    settings: UploadBatchSettings
    storage: Storage
    ledger: Ledger
    tokens: Tokens
    clock: Callable[[], datetime]

    def run(self, import_id: str, number: int) -> Outcome:
        """Bring one batch a step further. It is always safe to do this again."""
        with noted(self.ledger, import_id, number, self.clock):
            return self._advance(import_id, number)

    def _advance(self, import_id: str, number: int) -> Outcome:
        now = self.clock()
        batch = self.ledger.get_batch(import_id, number)
        if batch.settled:
            return Outcome.settled(batch)
        import_entry = self.ledger.import_of(batch)
        if (
            batch.state is BatchState.SENDING
            and batch.sending_until is not None
            and now < batch.sending_until
        ):
            says = "An earlier invocation may still be sending the batch."
            return Outcome(Word.DEFERRED, batch.sending_until, Why.ALIVE, says)
        batch = self._recovered(batch, import_entry, now)
        if batch.state is not BatchState.PLANNED:
            return _outcome(batch, now)
        outcome = self._send_in_turn(batch, import_entry, now)
        if outcome.word is Word.DEFERRED and outcome.resume_at is not None:
            keep_active(import_entry, outcome.resume_at, self.ledger, self.clock())
        return outcome

    def _recovered(self, batch: BatchEntry, import_entry: ImportEntry, now: datetime) -> BatchEntry:
        """Return the batch as lost where its sender died, and as planned where a lost one is sent again."""
        recovered = batch
        if recovered.state is BatchState.SENDING:
            recovered = recovered.lost("The upload stopped before Target answered.")
        resend = recovered.state is BatchState.UNKNOWN and may_resend(recovered, self.settings)
        if resend and not import_entry.sends_nothing:
            recovered = recovered.resent()
        return batch if recovered is batch else self.ledger.save_batch(recovered, now)

    def _send_in_turn(self, batch: BatchEntry, import_entry: ImportEntry, now: datetime) -> Outcome:
        if import_entry.sends_nothing:
            return self._give_up(batch, import_entry)
        if (paused := self._paused(batch, import_entry, now)) is not None:
            return paused
        if batch.next_check_at is not None and now < batch.next_check_at:
            return Outcome(Word.DEFERRED, batch.next_check_at, Why.RETRY_AFTER, batch.reason)
        deadline = timedelta(hours=self.settings.deadline_hours)
        if earlier := goes_first(import_entry, self.ledger, now, deadline):
            longest_turn = timedelta(seconds=self.settings.max_check_seconds)
            until = now + turn(now - import_entry.started_at, longest_turn)
            self.ledger.note_deferral(batch.waiting(Why.EARLIER_IMPORT, until), now)
            says = f"The earlier import {earlier} has some of the same ids, and goes first."
            return Outcome(Word.DEFERRED, until, Why.EARLIER_IMPORT, says)
        return self._send(batch, import_entry)

    def _paused(self, batch: BatchEntry, import_entry: ImportEntry, now: datetime) -> Outcome | None:
        """Return the answer for a batch of an import that is paused, None where it is not.

        It looks again before the pause ends, because somebody may end it earlier.
        """
        pause = longest(self.ledger.pauses(now), import_entry)
        if pause is None:
            return None
        until = now + turn(now - pause.since, _LONGEST_LOOK)
        until = min(until, pause.until) if pause.until else until
        self.ledger.note_deferral(batch.waiting(Why.PAUSED, until).change(reason=pause.says), now)
        return Outcome(Word.DEFERRED, until, Why.PAUSED, pause.says)

    def _send(self, batch: BatchEntry, import_entry: ImportEntry) -> Outcome:
        permit = self._permit(batch, import_entry.client_code)  # what may take long comes before the slot
        if permit.resume_at is not None:
            return self._park(batch, import_entry, permit, permit.resume_at)
        policy = policy_of(import_entry.client_code, self.settings, self.storage)
        with self.storage.open(object_key(batch.import_id, batch.body_name)) as body:
            import_entry = keep_active(import_entry, self.clock(), self.ledger, self.clock())
            if import_entry.sends_nothing:
                return self._give_up(batch, import_entry)
            slots = Slots(self.ledger, self.settings, import_entry.client_code)
            slot_at = self.clock()
            batch, ask_at = slots.take_submission(batch, policy, slot_at)
            if ask_at is not None:
                why = Why(batch.why)
                return Outcome(Word.DEFERRED, ask_at, why, _limit(policy, why))
            timeout = timedelta(seconds=self.settings.upload_timeout_seconds)
            batch = self.ledger.save_batch(batch.sending(slot_at + timeout + _GRACE), slot_at)
            if not usable(slot_at, self.clock()):  # the ledger took too long: the slot is over
                now = self.clock()
                late = Outcome(Word.DEFERRED, now, Why.CONTENTION, _limit(policy, Why.CONTENTION))
                decision = Decision(batch.unsent(), late, gives_back=True)
            else:
                url = submission_url(
                    self.settings.target_endpoint, import_entry.client_code, import_entry.api_version
                )
                announced = Body(body, batch.body_size, batch.body_sha256)
                reply = calls.submit(url, announced, permit.token, timeout.total_seconds())
                client_code = import_entry.client_code
                token_state = self._token_state(batch, client_code, permit.token, reply)
                decision = decide(
                    batch,
                    reply,
                    self.settings,
                    client_code=client_code,
                    token=permit.token,
                    token_state=token_state,
                    now=self.clock(),
                )
                decision = self._with_named(decision, reply)
        saved = self.ledger.save_batch(decision.batch, self.clock())
        if saved.state is BatchState.ACCEPTED:
            self._authorization(import_entry.client_code).accepted(permit.token, self.clock())
            decision = self._under_own_id(Decision(saved, decision.outcome), import_entry)
        if decision.gives_back:
            slots.withdraw(batch, policy, slot_at)
        return decision.outcome

    def _with_named(self, decision: Decision, reply: SubmissionOutcome) -> Decision:
        """Return the decision with what the receipt says of profiles, as the first answer about the body."""
        if not isinstance(reply, Accepted):
            return decision
        batch = keep_answer(decision.batch, reply.named, self.storage)
        return dataclasses.replace(decision, batch=batch)

    def _under_own_id(self, decision: Decision, import_entry: ImportEntry) -> Decision:
        """Return the decision on a batch that Target took; one under the id of another cannot be followed."""
        now, lifetime = self.clock(), timedelta(hours=self.settings.deadline_hours)
        if not self.ledger.shares_id(import_entry.client_code, decision.batch, now, lifetime):
            return decision
        batch = self.ledger.save_batch(decision.batch.ambiguous(), now)
        return Decision(batch, _outcome(batch, now))

    def _authorization(self, client_code: str) -> Authorization:
        return Authorization(self.ledger, self.tokens, client_code)

    def _permit(self, batch: BatchEntry, client_code: str) -> Permit:
        try:
            return self._authorization(client_code).permit(batch, self.clock())
        except TokenError as error:  # the batch will say why it was not sent
            self.ledger.save_batch(batch.change(reason=str(error)), self.clock())
            raise

    def _park(
        self, batch: BatchEntry, import_entry: ImportEntry, permit: Permit, resume_at: datetime
    ) -> Outcome:
        """Let a batch wait for a token that Target accepts, until its import has waited for the deadline."""
        now = self.clock()
        since = max(permit.since or now, import_entry.started_at)
        paused = batch.why == Why.PAUSED.value  # until now: the token may have been mended meanwhile
        if now - since >= timedelta(hours=self.settings.deadline_hours) and not paused:
            return _outcome(self.ledger.save_batch(batch.refused(permit.reason), now), now)
        parked = batch.waiting(Why.TOKEN, resume_at).change(reason=permit.reason)
        if parked.change(resumes_at=batch.resumes_at) != batch:
            self.ledger.save_batch(parked, now)
        return Outcome(Word.DEFERRED, resume_at, Why.TOKEN, parked.reason)

    def _token_state(
        self, batch: BatchEntry, client_code: str, token: str | None, reply: SubmissionOutcome
    ) -> TokenState:
        """Return what a reply shows of the token with which a batch was sent."""
        if not isinstance(reply, Unauthorized):
            return TokenState.REFUSED
        authorization = self._authorization(client_code)
        alone = authorization.refused(batch, token, remedy(reply, token), self.clock())
        if authorization.is_replaced(token):
            return TokenState.REPLACED
        return TokenState.ACCEPTED if alone else TokenState.REFUSED

    def _give_up(self, batch: BatchEntry, import_entry: ImportEntry) -> Outcome:
        """Never send a batch of an import that has been overtaken or given up."""
        batch = batch.refused(import_entry.sends_nothing)
        now = self.clock()
        return _outcome(self.ledger.save_batch(batch, now), now)


def _limit(policy: Policy, why: Why) -> str:
    """Return the limit of the budget that a batch waits for, as a sentence."""
    match why:
        case Why.CALLS:
            return f"The {policy.calls_per_minute} calls a minute are used up for the moment."
        case Why.PLACES:
            return f"As many batches as may be with Target at once, {policy.max_in_flight}, are there."
        case Why.ROWS:
            return f"The {policy.rows_per_day:,} rows of the day are used up."
        case Why.WINDOW:
            return f"The upload window {policy.upload_window} ({policy.time_zone}) is closed."
        case _:
            return "Too many batches ask the budget at once."


class TokenState(Enum):
    """What is known of the client's token after a submission that Target did not authorize."""

    REFUSED = auto()  # Target does not accept it, for all that is known
    ACCEPTED = auto()  # Target accepts it for other batches: it refuses this one for another reason
    REPLACED = auto()  # the secret holds another token by now


@dataclass(frozen=True, slots=True)
class Decision:
    """What a submission comes to."""

    batch: BatchEntry  # the entry to be written
    outcome: Outcome  # the answer to the state machine
    gives_back: bool = False  # what the submission reserved of the budget was not used


# Seven parameters: the batch, the reply, the settings, and four facts of the call.
def decide(
    batch: BatchEntry,
    reply: SubmissionOutcome,
    settings: UploadBatchSettings,
    *,
    client_code: str,
    token: str | None,
    token_state: TokenState,
    now: datetime,
) -> Decision:
    """Return what Target's reply to a submission means for a batch that is `sending`."""
    if isinstance(reply, Deferred | Unauthorized) and reply.unread:  # it may say yes in spite of its status
        if settings.unknown_policy is UnknownPolicy.RESEND:
            batch = batch.change(possibly_duplicate=True)
        else:
            reply = Unknown(reply.reason)
    match reply:
        case Accepted():
            return _accepted(batch, reply, settings, client_code, now)
        case Refused():
            remedy_for = _REMEDIES.get(reply.http_status, "")
            return _refused(batch, f"{reply.reason}{remedy_for}", now)
        case Unauthorized():
            return _unauthorized(batch, reply, token, token_state, now)
        case Deferred() | NotSent():
            return _postponed(batch, reply, settings, now)
        case Unknown():
            lost = batch.lost(reply.reason)
            if not may_resend(lost, settings):
                return Decision(lost, _outcome(lost, now))
            return _waits(lost, Why.UNANSWERED, now + _backoff(lost.submissions))


def may_resend(batch: BatchEntry, settings: UploadBatchSettings) -> bool:
    """Whether a batch that was lost may be sent again."""
    allowed = settings.unknown_policy is UnknownPolicy.RESEND and not batch.held
    return allowed and batch.tries < settings.max_submissions and not batch.search_ended


def _accepted(
    batch: BatchEntry, reply: Accepted, settings: UploadBatchSettings, client_code: str, now: datetime
) -> Decision:
    try:
        url = safe_status_url(reply.status_url, settings.target_endpoint, client_code)
    except UnsafeStatusUrlError as error:
        # Target may have the batch, and would answer the same to the same batch: so it is held.
        lost = batch.lost(f"unsafe_status_url: {error}", held=True)
        return Decision(lost, _outcome(lost, now))
    check_at = now + timedelta(seconds=settings.first_check_seconds)
    accepted = batch.accepted(url, batch_id_of(url), now, check_at, doubt=reply.doubt)
    return Decision(accepted, _outcome(accepted, now))


def _postponed(
    batch: BatchEntry, reply: Deferred | NotSent, settings: UploadBatchSettings, now: datetime
) -> Decision:
    """Decide on a batch that Target has not taken, for all that its answer says: this was no submission.

    If not all of that could be read, the batch may be there all the same.
    """
    if batch.put_off >= timedelta(hours=settings.deadline_hours):
        reason = (
            f"Target did not take the batch for {quantity(settings.deadline_hours, 'hour')}: {reply.reason}"
        )
        return _refused(batch.change(submissions=batch.submissions - 1), reason, now)
    requested = reply.retry_after if isinstance(reply, Deferred) else None
    wait = max(requested or timedelta(0), _backoff(batch.turned_away + 1))
    # What Target asks for binds whoever comes next; our own backoff ends where somebody starts it anew.
    postponed = batch.postponed(wait, reply.reason, now + requested if requested else None)
    why = Why.RETRY_AFTER if requested else Why.TURNED_AWAY
    return _waits(postponed, why, now + wait, gives_back=True)


def _unauthorized(
    batch: BatchEntry, reply: Unauthorized, token: str | None, token_state: TokenState, now: datetime
) -> Decision:
    """Decide on a batch that Target certainly has not taken, because of its token: this was no submission."""
    if token_state is TokenState.ACCEPTED:
        return _refused(batch, f"{reply.reason} It accepts the token for other batches.", now)
    again = batch.unauthorized(remedy(reply, token))
    if token_state is TokenState.REPLACED:
        return _waits(again, Why.TURNED_AWAY, now, gives_back=True)
    return _waits(again, Why.TOKEN, now + _FIRST_TRIAL, gives_back=True)


def _refused(batch: BatchEntry, reason: str, now: datetime) -> Decision:
    refused = batch.refused(reason)
    return Decision(refused, _outcome(refused, now), gives_back=True)


def _waits(batch: BatchEntry, why: Why, until: datetime, *, gives_back: bool = False) -> Decision:
    """Return the decision that a batch waits for what its entry has as the reason."""
    return Decision(batch.waiting(why, until), Outcome(Word.DEFERRED, until, why, batch.reason), gives_back)


def _outcome(batch: BatchEntry, now: datetime) -> Outcome:
    """Return the answer for a batch that is not to be sent now."""
    match batch.state:
        case BatchState.ACCEPTED:
            return Outcome(Word.ACCEPTED, batch.next_check_at or now)
        case BatchState.UNKNOWN:
            return Outcome(Word.UNKNOWN, state=batch.state, reason=batch.reason)
        case _:
            return Outcome(Word.REFUSED, state=batch.state, reason=batch.reason)


def turn(elapsed: timedelta, longest_turn: timedelta) -> timedelta:
    """Return the wait before another look at what somebody else decides, the longer it takes already."""
    return max(_SHORTEST_TURN, min(elapsed / _TURNS, longest_turn))


def _backoff(failures: int) -> timedelta:
    """Return the wait after so many failures in a row: exponential, 10 s, 20 s, ... a quarter of an hour."""
    return min(_LONGEST_BACKOFF, _FIRST_BACKOFF * (1 << min(failures, 10)))
