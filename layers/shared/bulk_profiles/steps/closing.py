"""The end of an import, whatever the step that reaches it: summary, report, ledger, notice."""

from __future__ import annotations

import dataclasses
from datetime import datetime

from bulk_profiles.accounting.report import render_report, render_text
from bulk_profiles.accounting.summary import Summary
from bulk_profiles.aws.s3 import Storage
from bulk_profiles.aws.sns import Notices
from bulk_profiles.core.names import REPORT, SUMMARY, object_key
from bulk_profiles.ledger.import_entry import ImportEntry
from bulk_profiles.ledger.ledger import Ledger


def conclude(summary: Summary, storage: Storage, ledger: Ledger, notices: Notices, now: datetime) -> None:
    """Write an import's summary and report, close its entry and tell people.

    Where it was interrupted, doing it again completes it.
    """
    import_id = summary.entry.import_id
    storage.write(object_key(import_id, REPORT), render_report(summary).encode(), "text/html; charset=utf-8")
    storage.write_json(object_key(import_id, SUMMARY), summary.to_json())
    closed = ledger.change_import(import_id, now, lambda entry: _closed(entry, summary))
    if closed.over:  # otherwise batches may yet be sent, and it keeps its place before later imports
        ledger.leave_queue(summary.entry.client_code, import_id, now)
    notices.publish(f"Import {import_id}: {summary.status_line}", render_text(summary))


def _closed(entry: ImportEntry, summary: Summary) -> ImportEntry:
    return dataclasses.replace(
        entry,
        status=summary.status,
        reason=summary.reason,
        rejected=summary.rows.rejected,
        finished_at=summary.finished_at,
        lease_until=None,
        unsettled=summary.rows.sent - sum(batch.rows for batch in summary.batches if batch.settled),
    )
