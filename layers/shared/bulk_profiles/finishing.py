"""The end of an import: reconciled, written down, told."""

from __future__ import annotations

import dataclasses
from datetime import datetime

from .accounting import Summary, reconcile
from .entries import ImportEntry
from .errors import LedgerError
from .identity import MANIFEST, REPORT, SUMMARY, object_key
from .ledger import Ledger
from .models import Manifest
from .notices import Notices
from .report import render_report, render_text
from .storage import Storage


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


def conclude(summary: Summary, *, storage: Storage, ledger: Ledger, notices: Notices, now: datetime) -> None:
    """Write an import's summary and report, close its entry, tell people. Doing it again repairs a half."""
    import_id = summary.entry.import_id
    storage.write(object_key(import_id, REPORT), render_report(summary).encode(), "text/html; charset=utf-8")
    storage.write_json(object_key(import_id, SUMMARY), summary.to_json())
    closed = ledger.change_import(import_id, now, lambda entry: _closed(entry, summary))
    if closed.over:  # with batches that may yet be sent it keeps its place before later imports
        ledger.leave_queue(summary.entry.client_code, import_id, now)
    notices.publish(f"Import {import_id}: {summary.status}", render_text(summary))


def _closed(entry: ImportEntry, summary: Summary) -> ImportEntry:
    return dataclasses.replace(
        entry,
        status=summary.status,
        reason=summary.reason,
        finished_at=summary.finished_at,
        lease_until=None,
        unsettled=summary.rows.sent - sum(batch.rows for batch in summary.batches if batch.settled),
    )
