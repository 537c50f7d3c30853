"""When batches that wait will have been submitted, by the same rules that make them wait."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from .policy import Policy
from .reserve import release, reserve_submission
from .state import BudgetState

_HOLDER = "forecast"
_LEASE = timedelta(minutes=1)  # each batch gives its place back at once


def last_submission(state: BudgetState, batches: Iterable[int], now: datetime, policy: Policy) -> datetime:
    """Return the earliest time at which the last of some batches, given by their rows, can be submitted.

    It will be later where other imports of the client ask too, or where Target takes long to finish batches.
    """
    for rows in batches:
        waited = 1  # as those who wait: nobody goes before them
        while True:
            state, slot = reserve_submission(
                state, holder=_HOLDER, rows=rows, now=now, policy=policy, lease=_LEASE, waited=waited
            )
            state = release(state, _HOLDER)
            now = slot.at
            if slot.granted:
                break
    return now
