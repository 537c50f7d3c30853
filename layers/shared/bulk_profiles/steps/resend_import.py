"""Resend import: parts of an import that has ended are opened again, to be sent by the same execution.

The name of the execution stands for the resend. Each batch remembers it, so that the step may be repeated at
any point: a batch that it has opened is not opened again, whatever has become of it since.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from bulk_profiles.aws.s3 import Storage
from bulk_profiles.aws.step_functions import Executions
from bulk_profiles.core.errors import ResendError
from bulk_profiles.core.models import ImportStatus, Resendable
from bulk_profiles.core.names import attempt_name, object_key, profiles_name
from bulk_profiles.ledger.batch_entry import BatchEntry, Resend
from bulk_profiles.ledger.import_entry import ImportEntry
from bulk_profiles.ledger.ledger import Ledger

from .bodies import write_resend
from .resend_plan import Chosen, check_ended, earlier_imports, hold_back, plan_resend
from .settings import ResendImportSettings

_PIECE = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Resent:
    """What is sent again: the batches, and the plan in words."""

    batches: list[int]
    says: str


@dataclass(frozen=True, slots=True)
class ResendImport:
    """The step with one deployment's edges and settings."""

    settings: ResendImportSettings
    storage: Storage
    ledger: Ledger
    executions_of: Callable[[str], Executions]  # of a state machine, by its ARN
    clock: Callable[[], datetime]

    def run(self, import_id: str, words: frozenset[Resendable], execution: str, machine: str = "") -> Resent:
        """Open the batches again that have profiles to be sent again, and give the import its place again.

        `machine` is the ARN of the state machine of the execution. Raises `ResendError` where nothing can be
        sent again, or another execution of the import runs.
        """
        now, retention = self.clock(), timedelta(days=self.settings.retention_days)
        entry = self.ledger.get_import(import_id)
        if entry is None or entry.resend != execution:
            plan_resend(import_id, words, self.storage, self.ledger, retention=retention, now=now)
            if machine:
                self._check_alone(import_id, execution, machine)
            entry = self._begin(import_id, execution, now)
        batches = list(self.ledger.batches(import_id))
        opened = [batch.number for batch in batches if _opened(batch, execution)]
        if entry.status.final:  # the execution has been redriven after its end
            return Resent(opened, "")
        # From here on, a later import with some of these ids waits: those that did not are looked at now.
        self.ledger.queue_import(entry.client_code, import_id, now)
        left = [batch for batch in batches if batch.number not in opened]
        plan = hold_back(entry, left, words, self.storage, self.ledger)
        after = earlier_imports(entry, plan, self.storage, self.ledger)
        self.ledger.change_import(
            import_id, now, lambda current: dataclasses.replace(current, after=after or current.after)
        )
        for chosen in plan.chosen:
            self._open(chosen, execution)
        return Resent(sorted([*opened, *(chosen.batch.number for chosen in plan.chosen)]), plan.says)

    def _check_alone(self, import_id: str, execution: str, machine: str) -> None:
        """Raise `ResendError` while another execution of the import runs: it could write an old report."""
        running = self.executions_of(machine).running(import_id)
        others = [name for name in running if name != execution]
        if others:
            raise ResendError(
                f"Execution {others[0]} of import {import_id} is running: nothing is started beside it. Ask "
                "again when it has ended."
            )

    def _begin(self, import_id: str, execution: str, now: datetime) -> ImportEntry:
        """Enter that the import is under way again, unless another execution was faster."""

        def begin(current: ImportEntry) -> ImportEntry:
            if current.resend == execution:
                return current
            check_ended(current)
            return dataclasses.replace(
                current,
                status=ImportStatus.UPLOADING,
                resend=execution,
                finished_at=None,
                reason="",  # of an end that is none any more
                reconciled=False,
                overtaken_by="",  # what shares ids with a later import is not sent again
                given_up=None,
                active_until=now,
                after=(),
            )

        return self.ledger.change_import(import_id, now, begin)

    def _open(self, chosen: Chosen, execution: str) -> BatchEntry:
        """Open a settled batch again, with its own body or with a follow-up of the chosen rows."""
        batch, follow_up = chosen.batch, None
        if not chosen.whole:
            follow_up = write_resend(batch, self.storage, chosen.marks(self.storage))
            follow_up = dataclasses.replace(follow_up, sends=chosen.sends)
            self._keep_results(batch)
        now = self.clock()
        resend = Resend(
            execution,
            now,
            follow_up.attempt if follow_up else batch.attempt,
            chosen.sends,
            batch.state,
            batch.submissions,
            batch.reason,
        )
        opened = batch.reopened(resend, follow_up, may_have_arrived=chosen.may_have_arrived)
        return self.ledger.save_batch(opened, now)

    def _keep_results(self, batch: BatchEntry) -> None:
        """Copy the results of the batch to where the next attempt looks for what was known before."""
        sink = self.storage.sink(object_key(batch.import_id, attempt_name(batch.number, batch.attempt)))
        with self.storage.open(object_key(batch.import_id, profiles_name(batch.number))) as results:
            while piece := results.read(_PIECE):
                sink.write(piece)
        sink.commit()


def _opened(batch: BatchEntry, execution: str) -> bool:
    return any(resend.execution == execution for resend in batch.resends)
