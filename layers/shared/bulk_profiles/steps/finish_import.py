"""The end of an import: reconciled, written down, told."""

from __future__ import annotations

from datetime import datetime

from bulk_profiles.accounting.summary import Summary, reconcile
from bulk_profiles.aws.s3 import Storage
from bulk_profiles.aws.sns import Notices
from bulk_profiles.core.errors import LedgerError
from bulk_profiles.core.models import Manifest
from bulk_profiles.core.names import MANIFEST, object_key
from bulk_profiles.ledger.ledger import Ledger

from .closing import conclude


def finish_import(
    import_id: str, *, storage: Storage, ledger: Ledger, notices: Notices, now: datetime
) -> Summary:
    """Hold the ledger against the manifest, write summary and report, tell people.

    Raises `LedgerError` where there is no such import, or it has no manifest yet.
    """
    entry = ledger.get_import(import_id)
    manifest = storage.read_json(object_key(import_id, MANIFEST))
    if entry is None or manifest is None:
        raise LedgerError(f"There is no split import {import_id}: is the name right, is its split done?")
    known = Manifest.from_json(manifest)
    summary = reconcile(entry, known, ledger.batches(import_id), now)
    conclude(summary, storage=storage, ledger=ledger, notices=notices, now=now)
    return summary
