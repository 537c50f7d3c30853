"""Finish import: an import whose batches have ended is reconciled, reported and told."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from bulk_profiles.accounting.summary import FailedRows, Summary, reconcile, verified
from bulk_profiles.accounting.verification import Verification
from bulk_profiles.aws.events import Events
from bulk_profiles.aws.s3 import Storage
from bulk_profiles.aws.sns import Notices
from bulk_profiles.core.command_line import command
from bulk_profiles.core.errors import DeniedObjectError, LedgerError, MissingObjectError
from bulk_profiles.core.models import Manifest
from bulk_profiles.core.names import MANIFEST, VERIFICATION, object_key
from bulk_profiles.ledger.import_entry import ImportEntry
from bulk_profiles.ledger.ledger import Ledger

from .closing import Closing
from .failures import words_of
from .settings import FinishImportSettings

_GONE = "The dropped file cannot be read any more: take the rows from where it came from."
_ANOTHER_WAY = "Make the file with: {}"


@dataclass(frozen=True, slots=True)
class FinishImport:
    """The step with one deployment's edges and settings."""

    settings: FinishImportSettings
    storage: Storage
    ledger: Ledger
    notices: Notices
    events: Events
    clock: Callable[[], datetime]

    def run(self, import_id: str, out_of_time: Callable[[], bool] = lambda: False) -> Summary:
        """Compare the ledger with the manifest, write failed rows, summary and report, and tell people.

        The failed rows are left out where `out_of_time` returns true. Raises `LedgerError` where there is no
        such import, or it has no manifest yet.
        """
        entry = self.ledger.get_import(import_id)
        manifest = self.storage.read_json(object_key(import_id, MANIFEST))
        if entry is None or manifest is None:
            raise LedgerError(f"There is no split import {import_id}: is the name right, is its split done?")
        now = self.clock()
        summary = reconcile(entry, Manifest.from_json(manifest), self.ledger.batches(import_id), now)
        summary = verified(summary, self._verification(entry))
        summary = dataclasses.replace(summary, failed_rows=self._failed_rows(summary, out_of_time))
        closing = Closing(self.storage, self.ledger, self.notices, self.events, self.settings.console_url)
        return closing.conclude(summary, now)

    def _verification(self, entry: ImportEntry) -> Verification | None:
        """Return what a sample has shown; None where none was wanted."""
        data = self.storage.read_json(object_key(entry.import_id, VERIFICATION))
        if data is not None:
            return Verification.from_json(data)
        if not entry.verify_sample:
            return None
        return Verification(entry.verify_sample, 0, reason="The verification has not come to its end.")

    def _failed_rows(self, summary: Summary, out_of_time: Callable[[], bool]) -> FailedRows:
        """Write the file of failed rows. If that goes wrong, the import ends all the same, and says so."""
        if summary.profiles.success == summary.profiles.total:
            return FailedRows()
        # It loads what reads source files, which most imports do not need at their end.
        from bulk_profiles.accounting.failed_rows import write_failed_rows  # noqa: PLC0415

        entry = summary.entry
        output = self.storage.output(entry.import_id)
        results = command(entry.stack, "results", entry.import_id, "--out", entry.import_id)
        try:
            return write_failed_rows(entry, summary.batches, self.storage, output, out_of_time)
        except (MissingObjectError, DeniedObjectError):
            return FailedRows(missing=_GONE)
        except Exception as error:  # noqa: BLE001 it decides nothing, and there is another way to make the file
            return FailedRows(missing=f"{words_of(error)} {_ANOTHER_WAY.format(results)}")
