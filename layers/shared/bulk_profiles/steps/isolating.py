"""Isolating: the rows that fail are found where Target counts failures and names no profile.

The search itself is `ledger.isolation`. Here it meets Target's answers: a part is looked at as any body of
the batch, and the search goes on only after an answer in which everything is understood.
"""

from __future__ import annotations

from bulk_profiles.core.feeds import CountsOnly
from bulk_profiles.core.models import BatchState, ProfileStatus
from bulk_profiles.core.text import quantity
from bulk_profiles.ledger.batch_entry import BatchEntry
from bulk_profiles.ledger.import_entry import ImportEntry
from bulk_profiles.ledger.isolation import Isolation
from bulk_profiles.target.verdict import Verdict


def is_wanted(import_entry: ImportEntry) -> bool:
    """Whether failing rows are searched for, as the import has it since it began."""
    feed = import_entry.settings.get("feed", {})
    return bool(feed.get("countsOnly") == CountsOnly.ISOLATE)


def search(batch: BatchEntry, verdict: Verdict, budget: int) -> Isolation | None:
    """Return the search for failing rows after the verdict on a body, or None where there is none.

    Each failing row takes at least one submission of the budget: more failures are not searched for.
    """
    if batch.isolation is None:
        if not (budget and verdict.unnamed) or budget < verdict.unnamed < batch.body_rows:
            return None
        return Isolation.begin(batch.attempt, batch.body_rows, verdict.unnamed, batch.submissions, budget)
    if not is_clear(verdict):
        return batch.isolation.stopped()
    named = verdict.named.by_status[ProfileStatus.ERROR]
    return batch.isolation.after(verdict.unnamed, named, batch.submissions)


def says(state: Isolation, submissions: int) -> str:
    """Return what a search has found, as sentences for people. `submissions`: of the batch, in all."""
    counted = f"Target counted {quantity(state.failures, 'failure')} and named none"
    if submissions == state.first:
        return f"{counted}: every row failed."
    found = quantity(state.found, "failing row") if state.found else "no failing row"
    sent = quantity(submissions - state.first, "submission")
    sentences = [f"{counted}; {sent} of parts of the rows found {found}."]
    if state.unknown:
        sentences.append(f"Which others of {quantity(state.unknown, 'row')} failed is not known.")
    elif state.failures > state.found:
        again = state.failures - state.found
        sentences.append(f"{quantity(again, 'failure')} did not come again when the rows were sent again.")
    return " ".join(sentences)


def is_clear(verdict: Verdict) -> bool:
    """Whether Target said of every row of a part what became of it, or counted the failures."""
    if verdict.state is not BatchState.COMPLETE or verdict.named.by_status[ProfileStatus.UNKNOWN]:
        return False
    counted = verdict.status is ProfileStatus.SUCCESS or verdict.unnamed > 0
    return counted or not verdict.named.by_status[None]
