"""Check status: one look at what became of a batch: its profile results, or the moment to ask again.

A batch settles in three stages, each of which may be repeated: its results file is written, whole; the
Profiles table is filled from that file; the ledger says that the batch is settled.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from bulk_profiles.accounting.bodies import body_ids
from bulk_profiles.accounting.profile_results import read_results
from bulk_profiles.aws.profiles_table import ProfilesTable, profile_puts
from bulk_profiles.aws.s3 import Storage
from bulk_profiles.aws.secrets import Tokens
from bulk_profiles.budget.reserve import usable
from bulk_profiles.core.errors import LedgerError
from bulk_profiles.core.models import Bases, Basis, BatchState, ProfileCounts, ProfileStatus, Why
from bulk_profiles.core.names import attempt_name, object_key, profiles_name
from bulk_profiles.ledger.batch_entry import BatchEntry
from bulk_profiles.ledger.import_entry import ImportEntry
from bulk_profiles.ledger.isolation import Isolation
from bulk_profiles.ledger.ledger import Ledger
from bulk_profiles.target import calls
from bulk_profiles.target.answers import StatusAnswer, max_status_bytes
from bulk_profiles.target.earlier_answers import combine
from bulk_profiles.target.outcomes import Answered, CheckOutcome, Deferred, Gone, Unauthorized
from bulk_profiles.target.verdict import (
    Verdict,
    add_details,
    add_named,
    gives_details,
    isolated,
    lasting_doubts,
    needs_details,
    settle,
    whole_batch,
)

from .attempt_results import failed_before, write_attempt
from .authorization import Authorization, remedy
from .bodies import write_follow_up, write_part
from .failures import noted
from .isolating import is_clear, is_wanted, says, search
from .last_answers import keep_answer, last_answer
from .limits import policy_of
from .messages import Outcome, Word
from .settings import CheckStatusSettings
from .slots import Slots

_MOST_DETAIL_CHECKS = (
    3  # that Target answers without details; where it is out of reach it may still have some
)
_LAST_LOOK = timedelta(minutes=10)  # before the deadline, which is when Target forgets a batch
_LOOK = timedelta(seconds=1)  # between two looks at the ledger while results are written
_MOST_GROWTH = 50  # times that the wait grows: by then it is the longest, and a float is not yet infinite


@dataclass(frozen=True, slots=True)
class CheckStatus:
    """The step with one deployment's edges and settings."""

    settings: CheckStatusSettings
    storage: Storage
    ledger: Ledger
    profiles: ProfilesTable
    tokens: Tokens
    clock: Callable[[], datetime]

    def run(self, import_id: str, number: int, out_of_time: Callable[[], bool]) -> Outcome:
        """Bring one batch a step further. It is always safe to do this again."""
        with noted(self.ledger, import_id, number, self.clock):
            return self._advance(import_id, number, out_of_time)

    def _advance(self, import_id: str, number: int, out_of_time: Callable[[], bool]) -> Outcome:
        batch = self.ledger.get_batch(import_id, number)
        import_entry = self.ledger.import_of(batch)
        if batch.settled:
            self._slots(import_entry).free(batch, self.clock())
            return Outcome.settled(batch)
        if batch.state in {BatchState.PLANNED, BatchState.SENDING}:
            return Outcome(Word.RESUBMIT)
        if batch.profiles_written is None:
            verdict = self._unfollowed(batch)
            if verdict is None:
                batch, verdict = self._ask(batch, import_entry)
                if verdict is None:
                    return _processing(batch)
                # Before any object is written: another execution may have had another answer.
                batch = self.ledger.save_batch(batch, self.clock())
            found = search(batch, verdict, self._search_budget(import_entry))
            if found is None:
                again = self._follow_up(batch, verdict)
            else:
                verdict = isolated(verdict, batch.body_rows)
                again = self._part(batch, verdict, found)
            if again is not None:
                return self._send_again(again, import_entry, verdict.state)
            batch = self._write_file(batch.change(isolation=found), verdict)
        return self._fill_table(batch, import_entry, out_of_time)

    def _ask(self, batch: BatchEntry, import_entry: ImportEntry) -> tuple[BatchEntry, Verdict | None]:
        """Ask Target once, if budget and token allow; without a verdict the batch says when to ask next."""
        now, deadline = self.clock(), timedelta(hours=self.settings.deadline_hours)
        if batch.next_check_at is not None and now < batch.next_check_at:
            return batch, None
        authorization = Authorization(self.ledger, self.tokens, import_entry.client_code)
        permit = authorization.permit(batch, now)  # before the slot, as it may take long
        if permit.resume_at is not None and not batch.overdue(now, deadline):
            return self._park(batch, permit.resume_at, permit.reason), None
        policy = policy_of(import_entry.client_code, self.settings, self.storage)
        now = self.clock()
        batch, ask_at = self._slots(import_entry).take_check(batch, policy, now)
        if ask_at is not None or not usable(now, self.clock()):
            # Nothing was asked, so nothing is written: another execution may have the answer.
            return batch.change(next_check_at=ask_at or self.clock()), None
        limit = max_status_bytes(batch.body_rows, batch.body_size)
        seconds, details = calls.check_seconds(limit), batch.terminal is not None
        reply = calls.check(batch.status_url, permit.token, seconds, details=details, limit_bytes=limit)
        now = self.clock()
        authorization.note(batch, reply, permit.token, now)
        batch = _asked(batch, reply, permit.token)
        batch, verdict = self._judge(batch, reply, overdue=batch.overdue(now, deadline))
        if verdict is None:
            replaced = isinstance(reply, Unauthorized) and authorization.is_replaced(permit.token)
            at_once = replaced or (batch.terminal is not None and not details)
            ask_at = now if at_once else next_check(batch, reply, self.settings, now)
            return self.ledger.save_batch(batch.change(next_check_at=ask_at), self.clock()), None
        if self.ledger.shares_id(import_entry.client_code, batch, now, deadline):
            batch = batch.ambiguous()
            return batch, _unsent(batch)
        return batch, verdict

    def _judge(
        self, batch: BatchEntry, reply: CheckOutcome, *, overdue: bool
    ) -> tuple[BatchEntry, Verdict | None]:
        """Return the verdict, or None and the entry that keeps what must be known at the next look."""
        first = None if batch.terminal is None else StatusAnswer.from_json(batch.terminal)
        answer = reply.answer.about(batch.batch_id) if isinstance(reply, Answered) else None
        if first is None and answer is not None and needs_details(answer):
            return batch.change(terminal=answer.to_json()), None
        if first is not None:
            batch = batch.change(
                detail_checks=batch.detail_checks + _lacks_details(reply),
                terminal=add_details(first, answer).to_json(),
            )
        no_more = overdue or batch.detail_checks >= _MOST_DETAIL_CHECKS
        if not (no_more or gives_details(answer) or (first is None and answer is not None)):
            return batch, None
        answer = combine(first, answer, last_answer(batch, self.storage))
        if answer is not None:
            answer = answer.doubted(batch.doubt)
        with body_ids(batch, self.storage) as ids:
            verdict = settle(
                answer,
                ids,
                rows=batch.body_rows,
                overdue=overdue,
                silence=batch.reason,
                body="follow-up" if batch.follow_ups else "batch",
            )
        if verdict is None and answer is not None:
            with body_ids(batch, self.storage) as ids:
                doubts = lasting_doubts(answer, ids, batch.body_rows)
            for doubt in doubts:
                answer = answer.doubted(doubt)
            batch = keep_answer(batch, answer, self.storage)
        return batch, verdict

    def _unfollowed(self, batch: BatchEntry) -> Verdict | None:
        """Return the verdict on a batch that is not asked about, with what its receipt said of profiles."""
        verdict = _unsent(batch)
        receipt = last_answer(batch, self.storage) if verdict else None
        if verdict is None or receipt is None:
            return verdict
        with body_ids(batch, self.storage) as ids:
            return add_named(verdict, receipt, ids, batch.body_rows)

    def _park(self, batch: BatchEntry, resume_at: datetime, reason: str) -> BatchEntry:
        """Return the entry of a batch that is not asked about before Target accepts the client's token."""
        now = self.clock()
        parked = batch.change(why=Why.TOKEN.value, reason=reason)
        if parked != batch:
            parked = self.ledger.save_batch(parked, now)
        deadline = (batch.accepted_at or now) + timedelta(hours=self.settings.deadline_hours)
        return parked.change(next_check_at=min(resume_at, deadline))

    def _slots(self, import_entry: ImportEntry) -> Slots:
        return Slots(self.ledger, self.settings, import_entry.client_code)

    def _follow_up(self, batch: BatchEntry, verdict: Verdict) -> BatchEntry | None:
        """Write the profiles that Target named as failed into a follow-up, if it may be sent.

        What is known after this attempt is written first, for the history and for the attempts to come.
        """
        finished = verdict.state in {BatchState.COMPLETE, BatchState.EXPIRED}
        may_send = finished and batch.tries < self.settings.max_submissions
        if not may_send or not verdict.named.by_status[ProfileStatus.ERROR]:
            return None

        sends: Bases = {ProfileStatus.ERROR: Counter()}

        def failed(profile_id: str) -> bool:
            result = verdict.result_of(profile_id)
            if result.status is not ProfileStatus.ERROR:
                return False
            sends[ProfileStatus.ERROR][result.basis] += 1
            return True

        follow_up = write_follow_up(batch, self.storage, failed)
        follow_up = dataclasses.replace(follow_up, sends=sends)
        return batch.follow_up(follow_up, self._known(batch, verdict), _reason(batch, verdict))

    def _search_budget(self, import_entry: ImportEntry) -> int:
        """Return how many submissions the search for failing rows may add to a batch."""
        return self.settings.isolate_submissions if is_wanted(import_entry) else 0

    def _part(self, batch: BatchEntry, verdict: Verdict, found: Isolation) -> BatchEntry | None:
        """Write the next part of a search for failing rows, unless the search is over."""
        if found.over:
            return None
        part = write_part(batch, self.storage, found)
        sends = {ProfileStatus.UNKNOWN: Counter({Basis.COUNTS: part.rows})}
        part = dataclasses.replace(part, sends=sends)
        return batch.part(part, self._known(batch, verdict), found)

    def _known(self, batch: BatchEntry, verdict: Verdict) -> Bases:
        """Write what is known of all profiles of a batch before the next attempt, and return its counts."""
        name = attempt_name(batch.number, batch.attempt)
        return write_attempt(batch, verdict, self.storage, name, self.clock())

    def _send_again(self, batch: BatchEntry, import_entry: ImportEntry, ended: BatchState) -> Outcome:
        now = self.clock()
        self.ledger.save_batch(batch, now)
        if ended is BatchState.COMPLETE:  # otherwise Target may still be working on the body before
            self._slots(import_entry).free(batch, now)
        return Outcome(Word.RESUBMIT)

    def _write_file(self, batch: BatchEntry, verdict: Verdict) -> BatchEntry:
        bases = write_attempt(batch, verdict, self.storage, profiles_name(batch.number), self.clock())
        counts = ProfileCounts.of(bases)
        # A follow-up may be complete while profiles of the body before it are still pending.
        expired = verdict.state is BatchState.COMPLETE and counts.pending
        written = batch.change(
            profiles_written=0,
            profiles=counts,
            bases=bases,
            verdict=(BatchState.EXPIRED if expired else verdict.state).value,
            reason=_told(_words(batch, verdict), batch.history),
        )
        return self.ledger.save_batch(written, self.clock())

    def _fill_table(
        self, batch: BatchEntry, import_entry: ImportEntry, out_of_time: Callable[[], bool]
    ) -> Outcome:
        if import_entry.key_column is None:
            raise LedgerError(
                f"Import {batch.import_id} has no key column in the ledger: was its split cut off?"
            )
        now = self.clock()
        puts = profile_puts(
            read_results(self.storage, object_key(batch.import_id, profiles_name(batch.number))),
            self.settings.profile_results,
            told_before=batch.resends[0].attempt if batch.resends else None,
            client_code=import_entry.client_code,
            key_column=import_entry.key_column,
            import_id=batch.import_id,
            number=batch.number,
            now=now,
            expires_at=int((now + timedelta(days=self.settings.retention_days)).timestamp()),
        )
        is_to_stop = self._until_changed(batch, out_of_time)
        written, complete = self.profiles.fill(puts, batch.profiles_written or 0, is_to_stop)
        now = self.clock()
        batch = batch.change(profiles_written=written)
        if not complete:
            self.ledger.save_batch(batch, now)
            return Outcome(Word.PROCESSING, now)
        batch = self.ledger.save_batch(batch.settled_as(BatchState(batch.verdict), now), now)
        self._slots(import_entry).free(batch, now)
        return Outcome.settled(batch)

    def _until_changed(self, batch: BatchEntry, out_of_time: Callable[[], bool]) -> Callable[[], bool]:
        """Return an `out_of_time` that is also true once another execution has changed the batch.

        That one may have settled the batch, and a resend may have opened it again: then these results are
        old. The ledger is asked once a second.
        """
        look_at = self.clock() + _LOOK

        def stop() -> bool:
            nonlocal look_at
            if out_of_time():
                return True
            if self.clock() < look_at:
                return False
            look_at = self.clock() + _LOOK
            return self.ledger.get_batch(batch.import_id, batch.number).version != batch.version

        return stop


def next_check(
    batch: BatchEntry, reply: CheckOutcome, settings: CheckStatusSettings, now: datetime
) -> datetime:
    """Return when to ask again: after the backoff, but also shortly before the deadline, and at it."""
    growth = settings.check_backoff ** min(batch.polls, _MOST_GROWTH)
    seconds = min(settings.max_check_seconds, settings.first_check_seconds * growth)
    check_at = now + timedelta(seconds=seconds)
    if batch.accepted_at is not None:
        deadline = batch.accepted_at + timedelta(hours=settings.deadline_hours)
        check_at = min([check_at, *(at for at in (deadline - _LAST_LOOK, deadline) if at > now)])
    requested = reply.retry_after if isinstance(reply, Deferred) else None
    return max(check_at, now + (requested or timedelta(0)))


def _processing(batch: BatchEntry) -> Outcome:
    """Return the outcome for a batch that Target is asked about again."""
    return Outcome(Word.PROCESSING, batch.next_check_at, Why(batch.why) if batch.why else None, batch.reason)


def _asked(batch: BatchEntry, reply: CheckOutcome, token: str | None) -> BatchEntry:
    """Return the entry after a status call, with the reason if it had no usable answer."""
    match reply:
        case Answered():
            return batch.asked()
        case Unauthorized():
            asked = batch.asked(Why.TOKEN.value, remedy(reply, token))
        case _:
            asked = batch.asked(Why.STATUS.value, reply.reason)
    return asked.change(doubt=_told(asked.doubt, reply.doubt))


def _reason(batch: BatchEntry, verdict: Verdict) -> str:
    """Return what is to be said of the body that was on its way."""
    return _told(verdict.reason or verdict.note, batch.mostly_silent)


def _words(batch: BatchEntry, verdict: Verdict) -> str:
    """Return what is to be said of the batch at its end."""
    if batch.isolation is None:
        return _told(_reason(batch, verdict), failed_before(batch, verdict))
    found = says(batch.isolation, batch.submissions)
    return found if is_clear(verdict) else _told(found, _reason(batch, verdict))


def _told(text: str, sentence: str) -> str:
    """Return a text with one more sentence, unless that is empty or there."""
    return text if sentence in text else f"{text} {sentence}".strip()


def _lacks_details(reply: CheckOutcome) -> bool:
    """Whether Target answered the question for details without giving any."""
    if isinstance(reply, Answered):
        return not gives_details(reply.answer)
    return isinstance(reply, Gone)


def _unsent(batch: BatchEntry) -> Verdict | None:
    """Return the verdict on a batch on which Target's answers have no say; None for any other."""
    if batch.state is BatchState.REFUSED and not batch.submissions:
        return whole_batch(BatchState.REFUSED, ProfileStatus.NOT_SENT, batch.reason)
    if batch.state is BatchState.REFUSED:
        return whole_batch(BatchState.REFUSED, ProfileStatus.ERROR, batch.reason)
    if batch.state is BatchState.UNKNOWN:
        return whole_batch(BatchState.UNKNOWN, ProfileStatus.UNKNOWN, batch.reason)
    return None
