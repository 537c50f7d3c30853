"""Stopping an import for good, as a person asks for it: nothing more of it is sent, and it ends at once."""

from __future__ import annotations

from datetime import datetime

from bulk_profiles.aws.step_functions import Executions
from bulk_profiles.core.models import ImportStatus
from bulk_profiles.ledger.import_entry import GivenUp, ImportEntry
from bulk_profiles.ledger.ledger import Ledger


def give_up(
    import_id: str, given_up: GivenUp, ledger: Ledger, executions: Executions, now: datetime
) -> ImportEntry:
    """Give up an import: no more of it is sent, and what is with Target is followed to its end.

    Its executions are stopped and one with the same input is started, so that no batch waits until its time
    has come. It is safe to do this again; where it is interrupted, the sweep starts the execution.
    Raises `LedgerError` where there is no such import, or nothing of it is left to be sent.
    """
    entry = ledger.give_up(import_id, given_up, now)
    if entry.status is not ImportStatus.SPLITTING:  # otherwise its split starts it
        executions.stop(import_id, also=entry.resend)
        batches = [batch.number for batch in ledger.batches(import_id)]
        executions.start(import_id, batches, f"{import_id}-give-up-{now:%Y%m%d%H%M%S}")
    return entry
