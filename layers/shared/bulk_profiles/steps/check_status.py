"""One receipt -> the profile results of a batch, or the moment to ask again.

A batch settles in three steps, each of which may be repeated: its results file is written, whole; the
Profiles table is filled from that file; the ledger says that the batch is settled.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import unquote

from bulk_profiles.accounting.profile_results import read_results, write_results
from bulk_profiles.aws import secrets
from bulk_profiles.aws.profiles_table import ProfilesTable, profile_items
from bulk_profiles.aws.s3 import Storage
from bulk_profiles.budget.reserve import usable
from bulk_profiles.core.errors import LedgerError
from bulk_profiles.core.models import BatchState, ProfileCounts, ProfileResult, ProfileStatus
from bulk_profiles.core.names import attempt_name, follow_up_name, object_key, profiles_name
from bulk_profiles.ledger.batch_entry import BatchEntry, FollowUp
from bulk_profiles.ledger.import_entry import ImportEntry
from bulk_profiles.ledger.ledger import Ledger
from bulk_profiles.target import calls, outcomes
from bulk_profiles.target.answers import StatusAnswer
from bulk_profiles.target.verdict import (
    Verdict,
    add_details,
    gives_details,
    needs_details,
    settle,
    whole_batch,
)

from .messages import Outcome, Word
from .settings import CheckStatusSettings
from .slots import free_place, import_of, take_check_slot

_HEADER_ROWS = 1
_CALL_TIMEOUT = 60.0  # seconds for one status call, all included
_MOST_DETAIL_CHECKS = 3  # without any in Target's answer; one that is out of reach may still have them
_MOST_GROWTH = 50  # times that the wait grows; by then it is the longest, and numbers end somewhere


@dataclass(frozen=True, slots=True)
class Checker:
    """Follows batches with one deployment's edges and settings."""

    settings: CheckStatusSettings
    storage: Storage
    ledger: Ledger
    profiles: ProfilesTable
    tokens: secrets.Tokens
    clock: Callable[[], datetime]

    def check(self, import_id: str, number: int, out_of_time: Callable[[], bool]) -> Outcome:
        """Bring one batch a step further. Doing it again is always safe."""
        entry = self.ledger.get_batch(import_id, number)
        owner = import_of(self.ledger, entry)
        if entry.settled:
            free_place(entry, owner.client_code, self.settings, self.ledger, self.clock())
            return Outcome(Word.SETTLED)
        if entry.state in {BatchState.PLANNED, BatchState.SENDING}:
            return Outcome(Word.RESUBMIT)
        if entry.profiles_written is None:
            verdict = _unsent(entry)
            if verdict is None:
                entry, verdict = self._ask(entry, owner)
            if verdict is None:
                return Outcome(Word.PROCESSING, entry.next_check_at)
            follow_up = self._follow_up(entry, verdict)
            if follow_up is not None:
                return self._send_again(follow_up, owner)
            entry = self._write_file(entry, verdict)
        return self._fill_table(entry, owner, out_of_time)

    def _ask(self, entry: BatchEntry, owner: ImportEntry) -> tuple[BatchEntry, Verdict | None]:
        """Ask Target once, if the budget allows; without a verdict the entry says when to ask next."""
        token = self.tokens.get(owner.client_code)  # before the slot: a secret may take its time
        now = self.clock()
        if entry.next_check_at is not None and now < entry.next_check_at:
            return entry, None
        entry, ask_at = take_check_slot(entry, owner.client_code, self.settings, self.ledger, now)
        if ask_at is not None or not usable(now, self.clock()):
            # Nothing was asked, so there is nothing to write: whoever else is at it may have the answer.
            return entry.change(next_check_at=ask_at or self.clock()), None
        first = None if entry.terminal is None else StatusAnswer.from_json(entry.terminal)
        outcome = calls.check(entry.status_url, token, _CALL_TIMEOUT, details=first is not None)
        now = self.clock()
        overdue = entry.overdue(now, timedelta(hours=self.settings.deadline_hours))
        entry = entry.change(checks=entry.checks + 1, polls=entry.polls + 1)
        answer = outcome.answer if isinstance(outcome, outcomes.Answered) else None
        if first is None and answer is not None and needs_details(answer):
            return self._later(entry.change(terminal=answer.to_json()), now), None
        if first is not None:
            entry = entry.change(detail_checks=entry.detail_checks + _has_none(outcome))
        no_more = overdue or entry.detail_checks >= _MOST_DETAIL_CHECKS
        if first is None or no_more or gives_details(answer):
            # The first terminal answer stands, whatever came after it; only details are added.
            answer = answer if first is None else add_details(first, answer)
            with self._ids(entry) as ids:
                verdict = settle(answer, ids, rows=entry.body_rows, overdue=overdue, batch_id=entry.batch_id)
            if verdict is not None:
                return entry, verdict
        if isinstance(outcome, outcomes.Unauthorized):
            self.tokens.renew(owner.client_code)
        return self._later(entry, self._next_check(entry, outcome, now)), None

    def _later(self, entry: BatchEntry, ask_at: datetime) -> BatchEntry:
        return self.ledger.save_batch(entry.change(next_check_at=ask_at), self.clock())

    def _next_check(self, entry: BatchEntry, outcome: outcomes.CheckOutcome, now: datetime) -> datetime:
        growth = self.settings.check_backoff ** min(entry.polls, _MOST_GROWTH)
        seconds = min(self.settings.max_check_seconds, self.settings.first_check_seconds * growth)
        asked = outcome.retry_after if isinstance(outcome, outcomes.Deferred) else None
        return now + max(timedelta(seconds=seconds), asked or timedelta(0))

    @contextmanager
    def _ids(self, entry: BatchEntry) -> Iterator[Iterator[str]]:
        """Give the batch's ids, decoded, in the order of its rows; nothing is read before it is asked for."""
        with contextlib.ExitStack() as stack:

            def read() -> Iterator[str]:
                key = object_key(entry.import_id, entry.body_name)
                body = stack.enter_context(self.storage.open(key))
                yield from map(_profile_id, itertools.islice(body, _HEADER_ROWS, None))

            yield read()

    def _follow_up(self, entry: BatchEntry, verdict: Verdict) -> BatchEntry | None:
        """Gather the profiles that Target named as failed in a body of their own, if it may be sent.

        What is known after this attempt is written down first, for the history and for the attempts to come.
        """
        may_send = verdict.state is BatchState.COMPLETE and entry.submissions < self.settings.max_submissions
        if not may_send or not verdict.named.said[ProfileStatus.ERROR]:
            return None
        attempt, rows, size, digest = entry.attempt + 1, 0, 0, hashlib.sha256()
        name = follow_up_name(entry.number, attempt)
        sink = self.storage.sink(object_key(entry.import_id, name))
        for line in self._failed_rows(entry, verdict):
            # No line feed after the last row: a batch ends with its last row's last byte.
            piece = line if size == 0 else b"\n" + line
            rows += size > 0
            size += sink.write(piece)
            digest.update(piece)
        sink.commit()
        known = self._write_results(entry, verdict, attempt_name(entry.number, entry.attempt))
        return entry.follow_up(FollowUp(attempt, rows, size, digest.hexdigest()), known)

    def _failed_rows(self, entry: BatchEntry, verdict: Verdict) -> Iterator[bytes]:
        """Give the header and the rows of the profiles that Target named as failed, without line feeds."""
        with self.storage.open(object_key(entry.import_id, entry.body_name)) as body:
            yield body.readline().rstrip(b"\n")
            for line in body:
                if verdict.result_of(_profile_id(line)).status is ProfileStatus.ERROR:
                    yield line.rstrip(b"\n")

    def _send_again(self, entry: BatchEntry, owner: ImportEntry) -> Outcome:
        now = self.clock()
        self.ledger.save_batch(entry, now)
        free_place(entry, owner.client_code, self.settings, self.ledger, now)
        return Outcome(Word.RESUBMIT)

    def _write_file(self, entry: BatchEntry, verdict: Verdict) -> BatchEntry:
        counts = self._write_results(entry, verdict, profiles_name(entry.number))
        written = entry.change(
            profiles_written=0,
            profiles=counts,
            verdict=verdict.state.value,
            reason=entry.reason or verdict.reason or verdict.note,
        )
        return self.ledger.save_batch(written, self.clock())

    def _write_results(self, entry: BatchEntry, verdict: Verdict, name: str) -> ProfileCounts:
        """Write what is known of all the batch's profiles after this attempt."""
        key = object_key(entry.import_id, name)
        results = self._results(entry, verdict)
        return write_results(self.storage, key, entry.number, results, now=self.clock())

    def _results(self, entry: BatchEntry, verdict: Verdict) -> Iterator[ProfileResult]:
        if entry.attempt == 1:
            with self._ids(entry) as ids:
                yield from map(verdict.result_of, ids)
            return
        earlier = object_key(entry.import_id, attempt_name(entry.number, entry.attempt - 1))
        for result in read_results(self.storage, earlier):
            if result.status is not ProfileStatus.ERROR:
                yield result
            else:  # it was sent again: the last word counts
                again = verdict.result_of(result.profile_id)
                yield dataclasses.replace(again, attempt=entry.attempt)

    def _fill_table(self, entry: BatchEntry, owner: ImportEntry, out_of_time: Callable[[], bool]) -> Outcome:
        if owner.key_column is None:
            raise LedgerError(
                f"Import {entry.import_id} has no key column in the ledger: was its split cut off?"
            )
        now = self.clock()
        items = profile_items(
            read_results(self.storage, object_key(entry.import_id, profiles_name(entry.number))),
            self.settings.profile_results,
            client_code=owner.client_code,
            key_column=owner.key_column,
            import_id=entry.import_id,
            number=entry.number,
            now=now,
            expires_at=int((now + timedelta(days=self.settings.retention_days)).timestamp()),
        )
        written, all_in = self.profiles.fill(items, entry.profiles_written or 0, out_of_time)
        now = self.clock()
        entry = entry.change(profiles_written=written)
        if not all_in:
            self.ledger.save_batch(entry, now)
            return Outcome(Word.PROCESSING, now)
        state = BatchState(entry.verdict)
        if state is not entry.state:
            entry = entry.move(state)
        entry = self.ledger.save_batch(entry.change(settled_at=now), now)
        free_place(entry, owner.client_code, self.settings, self.ledger, now)
        return Outcome(Word.SETTLED)


def _profile_id(row: bytes) -> str:
    return unquote(row.partition(b",")[0].rstrip(b"\n").decode())


def _has_none(outcome: outcomes.CheckOutcome) -> bool:
    """Tell whether Target answered the question for details, and gave none."""
    if isinstance(outcome, outcomes.Answered):
        return not gives_details(outcome.answer)
    return isinstance(outcome, outcomes.Gone)


def _unsent(entry: BatchEntry) -> Verdict | None:
    """Give the verdict on a batch that there is nothing to ask about."""
    if entry.state is BatchState.REFUSED:
        return whole_batch(BatchState.REFUSED, ProfileStatus.ERROR, entry.reason)
    if entry.state is BatchState.UNKNOWN:
        return whole_batch(BatchState.UNKNOWN, ProfileStatus.UNKNOWN, entry.reason)
    return None
