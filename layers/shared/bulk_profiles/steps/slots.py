"""A batch's way to its next call: granted by the client's budget now, or the moment to ask again."""

from __future__ import annotations

import contextlib
from datetime import datetime, timedelta

from bulk_profiles.budget.policy import Policy
from bulk_profiles.budget.reserve import Slot, lease_end, release, renew, reserve_check, reserve_submission
from bulk_profiles.budget.reserve import withdraw as withdrawn
from bulk_profiles.budget.state import BudgetState
from bulk_profiles.core.errors import ConflictError, LedgerError
from bulk_profiles.core.models import BatchState
from bulk_profiles.ledger.batch_entry import BatchEntry
from bulk_profiles.ledger.import_entry import ImportEntry
from bulk_profiles.ledger.ledger import Ledger

from .settings import TargetSettings

_CROWDED = timedelta(seconds=2)
_MARGIN = timedelta(minutes=15)  # a function's longest life: a place outlives whoever is about to renew it


def policy_of(settings: TargetSettings) -> Policy:
    """Give the budget that a deployment is set to."""
    return Policy(
        calls_per_minute=settings.calls_per_minute,
        max_in_flight=settings.max_in_flight,
        rows_per_day=settings.rows_per_day,
        reset_hour=settings.reset_hour,
        time_zone=settings.time_zone,
        upload_window=settings.upload_window,
    )


def import_of(ledger: Ledger, entry: BatchEntry) -> ImportEntry:
    """Give a batch's import. Raises `LedgerError` where there is none."""
    found = ledger.get_import(entry.import_id)
    if found is None:
        raise LedgerError(f"The ledger has batches of import {entry.import_id}, but not the import.")
    return found


def take_submission_slot(
    entry: BatchEntry, client_code: str, settings: TargetSettings, ledger: Ledger, now: datetime
) -> tuple[BatchEntry, datetime | None]:
    """Give the entry, and None where the batch may be submitted now, else when to ask again."""
    policy, lease = policy_of(settings), _lease(settings)

    def reserve(state: BudgetState) -> tuple[BudgetState, Slot]:
        return reserve_submission(
            state,
            holder=_holder(entry),
            rows=entry.body_rows,
            now=now,
            policy=policy,
            lease=lease,
            waited=entry.deferrals,
        )

    try:
        slot = ledger.change_budget(client_code, now, reserve)
    except ConflictError:
        return entry, now + _CROWDED
    return _answer(entry, slot, ledger, now)


def take_check_slot(
    entry: BatchEntry, client_code: str, settings: TargetSettings, ledger: Ledger, now: datetime
) -> tuple[BatchEntry, datetime | None]:
    """Give the entry, and None where Target may be asked now, else when; keep the batch's place."""
    policy, lease = policy_of(settings), _lease(settings)

    def reserve(state: BudgetState) -> tuple[BudgetState, Slot]:
        kept = renew(state, _holder(entry), now, lease)
        return reserve_check(kept, now=now, policy=policy, waited=entry.deferrals)

    try:
        slot = ledger.change_budget(client_code, now, reserve)
    except ConflictError:
        return entry, now + _CROWDED
    return _answer(entry, slot, ledger, now)


def withdraw_submission(
    entry: BatchEntry, client_code: str, settings: TargetSettings, ledger: Ledger, slot_at: datetime
) -> None:
    """Give back what a submission granted at `slot_at` took and Target certainly did not take."""
    policy = policy_of(settings)

    def withdraw(state: BudgetState) -> tuple[BudgetState, None]:
        holder = _holder(entry)
        return withdrawn(
            state,
            holder=holder,
            rows=entry.body_rows,
            granted_at=slot_at,
            policy=policy,
            leased_until=lease_end(slot_at, _lease(settings)),
        ), None

    with contextlib.suppress(ConflictError):  # then it stays taken: the budget errs on the safe side
        ledger.change_budget(client_code, slot_at, withdraw)


def free_place(
    entry: BatchEntry, client_code: str, settings: TargetSettings, ledger: Ledger, now: datetime
) -> None:
    """Give the place in flight of a batch that was done with at `now` to others.

    One that Target may still be at, for all that is known, keeps its place until the lease ends; so does one
    for which another execution has taken it since.
    """
    if entry.state in {BatchState.UNKNOWN, BatchState.EXPIRED}:
        return
    holder, until = _holder(entry), lease_end(now, _lease(settings))
    with contextlib.suppress(ConflictError):  # then its lease ends by itself
        ledger.change_budget(client_code, now, lambda state: (release(state, holder, until), None))


def _answer(
    entry: BatchEntry, slot: Slot, ledger: Ledger, now: datetime
) -> tuple[BatchEntry, datetime | None]:
    if slot.granted:
        return entry.change(deferrals=0), None
    entry = entry.change(deferrals=entry.deferrals + 1)
    ledger.note_deferral(entry, now)
    return entry, slot.at


def _holder(entry: BatchEntry) -> str:
    return f"{entry.import_id}#{entry.number}"


def _lease(settings: TargetSettings) -> timedelta:
    return timedelta(seconds=max(settings.first_check_seconds, settings.max_check_seconds)) + _MARGIN
