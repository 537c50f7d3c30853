"""Finish import: an import whose batches have ended is reconciled, reported and told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from bulk_profiles.accounting.summary import Summary, reconcile
from bulk_profiles.aws.s3 import Storage
from bulk_profiles.aws.sns import Notices
from bulk_profiles.core.errors import LedgerError
from bulk_profiles.core.models import Manifest
from bulk_profiles.core.names import MANIFEST, object_key
from bulk_profiles.ledger.ledger import Ledger

from .closing import conclude
from .settings import FinishImportSettings


@dataclass(frozen=True, slots=True)
class FinishImport:
    """The step with one deployment's edges and settings."""

    settings: FinishImportSettings
    storage: Storage
    ledger: Ledger
    notices: Notices
    clock: Callable[[], datetime]

    def run(self, import_id: str) -> Summary:
        """Compare the ledger with the manifest, write summary and report, and tell people.

        Raises `LedgerError` where there is no such import, or it has no manifest yet.
        """
        entry = self.ledger.get_import(import_id)
        manifest = self.storage.read_json(object_key(import_id, MANIFEST))
        if entry is None or manifest is None:
            raise LedgerError(f"There is no split import {import_id}: is the name right, is its split done?")
        now = self.clock()
        summary = reconcile(entry, Manifest.from_json(manifest), self.ledger.batches(import_id), now)
        return conclude(summary, self.storage, self.ledger, self.notices, now)
