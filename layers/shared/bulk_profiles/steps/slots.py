"""Slots: the moments at which the client's budget lets a batch make its next call to Target."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import datetime, timedelta

from bulk_profiles.budget.policy import Policy
from bulk_profiles.budget.reserve import (
    Slot,
    lease_end,
    release,
    renew,
    reserve_check,
    reserve_submission,
    withdraw,
)
from bulk_profiles.budget.state import BudgetState
from bulk_profiles.core.errors import ConflictError
from bulk_profiles.core.models import BatchState, Why
from bulk_profiles.ledger.batch_entry import BatchEntry
from bulk_profiles.ledger.ledger import Ledger

from .settings import TargetSettings

_CONTENTION_DELAY = timedelta(seconds=2)  # before another try where too many change the budget at once
_FUNCTION_LIFETIME = timedelta(minutes=15)  # Lambda's limit: a place outlives whoever is about to renew it


class Slots:
    """The slots of one client code. A batch's place in flight is leased under the batch's name.

    The policy is that of the client, which `limits.policy_of` reads. What only frees a place needs none.
    """

    def __init__(self, ledger: Ledger, settings: TargetSettings, client_code: str) -> None:
        self._ledger = ledger
        self._client_code = client_code
        longest_wait = max(settings.first_check_seconds, settings.max_check_seconds)
        self._lease = timedelta(seconds=longest_wait) + _FUNCTION_LIFETIME

    def take_submission(
        self, batch: BatchEntry, policy: Policy, now: datetime
    ) -> tuple[BatchEntry, datetime | None]:
        """Reserve a submission: a call, a place in flight, and the rows of the day.

        Returns the entry, and None where the batch may be submitted now, otherwise when to ask again; the
        entry says why.
        """
        return self._take(
            batch,
            now,
            lambda state: reserve_submission(
                state,
                holder=_holder(batch),
                rows=batch.body_rows,
                now=now,
                policy=policy,
                lease=self._lease,
                waited=batch.deferrals,
            ),
            BatchEntry.waiting,
        )

    def take_check(
        self, batch: BatchEntry, policy: Policy, now: datetime
    ) -> tuple[BatchEntry, datetime | None]:
        """Reserve a status check and renew the batch's place in flight.

        Returns the entry, and None where Target may be asked now, otherwise when to ask again.
        """

        def reserve(state: BudgetState) -> tuple[BudgetState, Slot]:
            renewed = renew(state, _holder(batch), now, self._lease)
            return reserve_check(renewed, now=now, policy=policy, waited=batch.deferrals)

        return self._take(batch, now, reserve)

    def withdraw(self, batch: BatchEntry, policy: Policy, slot_at: datetime) -> None:
        """Withdraw what a submission granted at `slot_at` reserved and Target certainly did not take."""

        def give_back(state: BudgetState) -> tuple[BudgetState, None]:
            return withdraw(
                state,
                holder=_holder(batch),
                rows=batch.body_rows,
                granted_at=slot_at,
                policy=policy,
                leased_until=lease_end(slot_at, self._lease),
            ), None

        with contextlib.suppress(ConflictError):  # then it stays reserved: the budget errs on the safe side
            self._ledger.change_budget(self._client_code, slot_at, give_back)

    def free(self, batch: BatchEntry, now: datetime) -> None:
        """Free the place in flight of a batch that ended at `now`.

        A batch that Target may still be working on, for all that is known, keeps its place until the lease
        ends. So does one whose place another execution has leased since.
        """
        if batch.state in {BatchState.UNKNOWN, BatchState.EXPIRED}:
            return
        holder, until = _holder(batch), lease_end(now, self._lease)
        with contextlib.suppress(ConflictError):  # then its lease ends by itself
            self._ledger.change_budget(
                self._client_code, now, lambda state: (release(state, holder, until), None)
            )

    def _take(
        self,
        batch: BatchEntry,
        now: datetime,
        reserve: Callable[[BudgetState], tuple[BudgetState, Slot]],
        waiting: Callable[[BatchEntry, Why, datetime], BatchEntry] = lambda batch, _why, _until: batch,
    ) -> tuple[BatchEntry, datetime | None]:
        try:
            slot = self._ledger.change_budget(self._client_code, now, reserve)
        except ConflictError:
            again = now + _CONTENTION_DELAY
            return waiting(batch, Why.CONTENTION, again), again
        if slot.why is None:
            return batch.change(deferrals=0), None
        batch = waiting(batch.change(deferrals=batch.deferrals + 1), slot.why, slot.at)
        self._ledger.note_deferral(batch, now)
        return batch, slot.at


def _holder(batch: BatchEntry) -> str:
    return f"{batch.import_id}#{batch.number}"
