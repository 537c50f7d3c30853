"""What the ledger remembers of a batch, and the legal moves between its states."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from bulk_profiles.core.json_object import Json, JsonObject, as_json
from bulk_profiles.core.models import (
    Bases,
    BatchState,
    PlannedBatch,
    ProfileCounts,
    ProfileStatus,
    Why,
    without_bases,
)
from bulk_profiles.core.names import body_name
from bulk_profiles.core.text import quantity

from .isolation import Isolation

_LEGAL: dict[BatchState, frozenset[BatchState]] = {
    BatchState.PLANNED: frozenset({BatchState.SENDING, BatchState.REFUSED, BatchState.UNKNOWN}),
    BatchState.SENDING: frozenset(
        {BatchState.PLANNED, BatchState.ACCEPTED, BatchState.REFUSED, BatchState.UNKNOWN}
    ),
    BatchState.UNKNOWN: frozenset({BatchState.PLANNED}),
    BatchState.ACCEPTED: frozenset(
        {
            BatchState.PLANNED,
            BatchState.UNKNOWN,
            BatchState.COMPLETE,
            BatchState.STUCK,
            BatchState.EXPIRED,
        }
    ),
}


@dataclass(frozen=True, slots=True)
class FollowUp(JsonObject):
    """The body that sends some of a batch's profiles again, as attempt 2 or later."""

    attempt: int
    rows: int
    size: int = dataclasses.field(metadata=as_json(name="bytes"))
    sha256: str
    # What was known of these profiles before. An earlier version sent all errors again, and did not say so.
    sends: Bases = dataclasses.field(default_factory=dict, metadata=as_json(optional=True))


@dataclass(frozen=True, slots=True)
class Resend(JsonObject):
    """That a person had profiles of a settled batch sent again, and what they were before."""

    execution: str  # of the state machine, which has no two of one name
    at: datetime
    attempt: int  # the number of the body
    sends: Bases  # what was known of the profiles in it
    state: BatchState  # of the batch before
    submissions: int  # before
    reason: str = ""  # of the batch before


# Over 150 lines: every field of the item, and every legal move, each of a few lines.
@dataclass(frozen=True, slots=True)
class BatchEntry(JsonObject):
    """One batch of an import, from planned to settled."""

    import_id: str
    number: int
    rows: int
    size: int = dataclasses.field(metadata=as_json(name="bytes"))
    sha256: str
    state: BatchState = BatchState.PLANNED
    submissions: int = 0  # that may have reached Target
    possibly_duplicate: bool = False  # some rows may reach Target a second time
    held: bool = False  # never sent again
    deferrals: int = 0  # times in a row that the budget made the batch wait
    turned_away: int = 0  # times in a row that Target postponed it or could not be reached
    # How long it has waited for that in all.
    put_off: timedelta = dataclasses.field(default=timedelta(0), metadata=as_json(optional=True))
    renewals: int = 0  # submissions in a row that Target did not authorize
    # Why it waits, as a word of `core.models.Why`, and until when.
    why: str = dataclasses.field(default="", metadata=as_json(optional=True))
    resumes_at: datetime | None = dataclasses.field(default=None, metadata=as_json(optional=True))
    checks: int = 0  # status calls in all
    polls: int = 0  # status calls since Target accepted this body
    # Of these, how many had no usable answer; `reason` has the last one's until there is one.
    unread: int = dataclasses.field(default=0, metadata=as_json(optional=True))
    silence: str = dataclasses.field(default="", metadata=as_json(optional=True))  # why, of the last of them
    detail_checks: int = 0  # of these, for details that Target answered without giving any
    sending_until: datetime | None = None  # after it, a submission that is still `sending` is dead
    accepted_at: datetime | None = None
    next_check_at: datetime | None = None  # the next submission or status call is not before
    settled_at: datetime | None = None  # the end of the batch, whatever its state
    status_url: str = ""
    batch_id: str = ""
    # What is not understood in the answer with which Target took this body, fit to be shown.
    doubt: str = dataclasses.field(default="", metadata=as_json(optional=True))
    # What else was to be said of the bodies before this one, fit to be shown.
    history: str = dataclasses.field(default="", metadata=as_json(optional=True))
    reason: str = ""  # why the batch is where it is, fit to be shown
    # What a step has failed with, fit to be shown, until one goes on.
    failure: str = dataclasses.field(default="", metadata=as_json(optional=True))
    # Target's first terminal answer, where it named no ids.
    terminal: Json | None = dataclasses.field(default=None, metadata=as_json(text=True))
    # Target's last usable answer about this body, where it was not final; of its profiles only their number.
    last_answer: Json | None = dataclasses.field(default=None, metadata=as_json(text=True, optional=True))
    last_named: int = dataclasses.field(default=0, metadata=as_json(optional=True))
    profiles_written: int | None = None  # results in the Profiles table; None before their file is there
    profiles: ProfileCounts = dataclasses.field(default_factory=ProfileCounts)
    bases: Bases = dataclasses.field(default_factory=dict, metadata=as_json(text=True, optional=True))
    verdict: str = ""  # the state in which the batch settles
    follow_ups: tuple[FollowUp, ...] = dataclasses.field(default=(), metadata=as_json(text=True))
    resends: tuple[Resend, ...] = dataclasses.field(default=(), metadata=as_json(text=True, optional=True))
    # The search for failing rows that Target counted and did not name, once it has begun.
    isolation: Isolation | None = dataclasses.field(default=None, metadata=as_json(text=True, optional=True))
    version: int = 0  # of the item, for optimistic locking

    @classmethod
    def planned(cls, import_id: str, batch: PlannedBatch) -> Self:
        """Return the first entry of a batch."""
        return cls(import_id, batch.number, batch.rows, batch.size, batch.sha256)

    @property
    def words(self) -> str:
        """Why the batch is where it is: what a step has failed with, or else the reason."""
        return self.failure or self.reason

    @property
    def attempt(self) -> int:
        """The number of the body that is, or was last, on its way: 1 is the batch itself."""
        return self.follow_ups[-1].attempt if self.follow_ups else 1

    @property
    def body_name(self) -> str:
        """The name of that body below the import's folder."""
        return body_name(self.number, self.attempt)

    @property
    def body_rows(self) -> int:
        """The number of rows of that body."""
        return self.follow_ups[-1].rows if self.follow_ups else self.rows

    @property
    def body_size(self) -> int:
        """The size of that body in bytes."""
        return self.follow_ups[-1].size if self.follow_ups else self.size

    @property
    def body_sha256(self) -> str:
        """The SHA-256 of that body (hex)."""
        return self.follow_ups[-1].sha256 if self.follow_ups else self.sha256

    @property
    def known(self) -> Bases:
        """What is known of the profiles that are not in that body, while the batch is not settled."""
        return without_bases(self.bases, self._sent_again) if self.follow_ups else {}

    @property
    def _sent_again(self) -> Bases:
        sends, errors = self.follow_ups[-1].sends, self.bases.get(ProfileStatus.ERROR)
        return sends or ({ProfileStatus.ERROR: errors} if errors else {})

    @property
    def tries(self) -> int:
        """The submissions of the batch, since a person had it sent again, or of a part of it."""
        before = self.resends[-1].submissions if self.resends else 0
        return self.submissions - (self.isolation.begun if self.isolation else before)

    @property
    def search_ended(self) -> bool:
        """Whether the search for failing rows, if there is one, has no submission left."""
        return self.isolation is not None and self.submissions >= self.isolation.limit

    @property
    def settled(self) -> bool:
        """Whether the batch's profile results are written and final."""
        return self.settled_at is not None

    @property
    def has_results(self) -> bool:
        """Whether its profile results are known: they are in their file, and perhaps not all in the table."""
        return self.settled or self.profiles_written is not None

    def sending(self, until: datetime) -> Self:
        """Return the entry that is written before the first byte leaves; after `until` the sender is dead."""
        return self.move(
            BatchState.SENDING, submissions=self.submissions + 1, sending_until=until, why="", resumes_at=None
        )

    def waiting(self, why: Why, until: datetime) -> Self:
        """Return the entry of a batch that waits. This binds nobody who comes earlier."""
        return self.change(why=why.value, resumes_at=until)

    def unsent(self) -> Self:
        """Return the entry of a batch that is `sending`, without the submission: not one byte has left."""
        return self.move(BatchState.PLANNED, submissions=self.submissions - 1, sending_until=None)

    def postponed(self, wait: timedelta, reason: str, not_before: datetime | None) -> Self:
        """Return the entry of a batch that Target certainly did not take and that is sent again after `wait`.

        `not_before`: the moment that Target itself asked for.
        """
        return self.unsent().change(
            turned_away=self.turned_away + 1,
            put_off=self.put_off + wait,
            next_check_at=not_before,
            reason=reason,
        )

    def unauthorized(self, reason: str) -> Self:
        """Return the entry of a batch that Target did not take for its token: that was no submission."""
        return self.unsent().change(renewals=self.renewals + 1, reason=reason)

    def accepted(
        self, status_url: str, batch_id: str, now: datetime, check_at: datetime, *, doubt: str = ""
    ) -> Self:
        """Return the entry of a batch that Target took: its status is asked for at `check_at` first.

        `doubt`: what is not understood in the answer with which Target took it.
        """
        return self.move(
            BatchState.ACCEPTED,
            status_url=status_url,
            batch_id=batch_id,
            doubt=doubt,
            accepted_at=now,
            next_check_at=check_at,
            turned_away=0,
            renewals=0,
            reason="",
        )

    def refused(self, reason: str) -> Self:
        """Return the entry of a batch that is never sent again.

        A batch that may have arrived before is not said to have been refused: what became of it is unknown.
        """
        if self.possibly_duplicate:
            return self.lost(reason, held=True)
        return self.move(BatchState.REFUSED, reason=reason)

    def lost(self, reason: str, *, held: bool = False) -> Self:
        """Return the entry of a batch of which bytes left, and nobody answered. `held`: never sent again."""
        return self.move(BatchState.UNKNOWN, held=held or self.held, reason=reason)

    def ambiguous(self) -> Self:
        """Return the entry of a batch that Target took under the id of another one: it cannot be followed."""
        return self.lost(
            f"Target took two batches under the same id, {self.batch_id}: its answers may be about either.",
            held=True,
        )

    def resent(self) -> Self:
        """Return the entry of a lost batch that is sent again, so that it may reach Target a second time."""
        return self.move(BatchState.PLANNED, possibly_duplicate=True)

    def asked(self, why: str = "", silence: str = "") -> Self:
        """Return the entry after a status call. `silence`: why it had no usable answer, as a sentence."""
        entry = self.change(
            checks=self.checks + 1,
            polls=self.polls + 1,
            unread=self.unread + bool(silence),
            silence=silence or self.silence,
            why=why,
        )
        return entry.change(reason=entry.silent_calls if silence else "")

    @property
    def silent_calls(self) -> str:
        """How many status calls about this body had no usable answer, and why, as sentences."""
        calls = f"{self.unread} of {quantity(self.polls, 'status call')}"
        return f"{calls} had no usable answer, the last one: {self.silence}"

    @property
    def mostly_silent(self) -> str:
        """The same where it is so of most of them: a single call is nothing to tell people."""
        return self.silent_calls if 2 * self.unread > self.polls else ""

    def follow_up(self, follow_up: FollowUp, known: Bases, said: str = "") -> Self:
        """Return the entry of a batch whose failed profiles, the errors of `known`, are sent again.

        `said`: what else is to be said of the body before, as sentences.
        Where the same profiles fail as before, the very same bytes reach Target a second time.
        """
        before = {self.sha256, *(earlier.sha256 for earlier in self.follow_ups)}
        return self.move(
            BatchState.PLANNED,
            possibly_duplicate=self.possibly_duplicate or follow_up.sha256 in before,
            profiles=ProfileCounts.of(known),
            bases=known,
            follow_ups=(*self.follow_ups, follow_up),
            history=f"{self.history} Attempt {self.attempt}: {said}".strip() if said else self.history,
            polls=0,
            unread=0,
            silence="",
            detail_checks=0,
            terminal=None,
            last_answer=None,
            last_named=0,
            accepted_at=None,
            put_off=timedelta(0),
            next_check_at=None,
        )

    def part(self, follow_up: FollowUp, known: Bases, isolation: Isolation) -> Self:
        """Return the entry of a batch of which a part is sent again, to find the rows that fail.

        Target may have taken the rows before.
        """
        sent = self.follow_up(follow_up, known)
        return sent.change(isolation=isolation, possibly_duplicate=True)

    def reopened(self, resend: Resend, follow_up: FollowUp | None, *, may_have_arrived: bool) -> Self:
        """Return the entry of a settled batch that is sent again: its own body, or some rows as a follow-up.

        `may_have_arrived`: Target may have taken the same rows before.
        """
        if not self.settled:
            raise ValueError("a batch that is not settled cannot be sent again")
        before = {self.sha256, *(earlier.sha256 for earlier in self.follow_ups)}
        arrived = may_have_arrived or (follow_up is not None and follow_up.sha256 in before)
        planned = type(self)(self.import_id, self.number, self.rows, self.size, self.sha256)
        return planned.change(
            submissions=self.submissions,
            possibly_duplicate=self.possibly_duplicate or arrived,
            checks=self.checks,
            history=self.history,
            profiles=self.profiles if follow_up else ProfileCounts(),
            bases=self.bases if follow_up else {},
            follow_ups=(*self.follow_ups, follow_up) if follow_up else (),
            resends=(*self.resends, resend),
            version=self.version,
        )

    def settled_as(self, state: BatchState, now: datetime) -> Self:
        """Return the entry of a batch whose profile results are all written."""
        entry = self if state is self.state else self.move(state)
        return entry.change(settled_at=now)

    def move(self, state: BatchState, **changes: object) -> Self:
        """Return the entry in another state. Raises `ValueError` where that is not a legal move."""
        if state not in _LEGAL.get(self.state, frozenset()):
            raise ValueError(f"a {self.state} batch cannot become {state}")
        return self.change(state=state, **changes)

    def change(self, **changes: object) -> Self:
        """Return the entry with some fields changed."""
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]  # checked by the dataclass

    def overdue(self, now: datetime, deadline: timedelta) -> bool:
        """Whether Target accepted the batch as long ago as `deadline`."""
        return self.accepted_at is not None and now - self.accepted_at >= deadline
