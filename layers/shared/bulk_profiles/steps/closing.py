"""The end of an import, whatever the step that reaches it: summary, report, ledger, notice."""

from __future__ import annotations

import contextlib
import dataclasses
from datetime import datetime

from bulk_profiles.accounting.report import render_report, render_text
from bulk_profiles.accounting.summary import Summary
from bulk_profiles.aws.s3 import Storage
from bulk_profiles.aws.sns import Notices
from bulk_profiles.core.errors import LedgerError, NoticeError
from bulk_profiles.core.names import REPORT, SUMMARY, object_key
from bulk_profiles.ledger.import_entry import ImportEntry
from bulk_profiles.ledger.ledger import Ledger


def conclude(summary: Summary, storage: Storage, ledger: Ledger, notices: Notices, now: datetime) -> Summary:
    """Write an import's summary and report, close its entry and tell people.

    Where it was interrupted, doing it again completes it. A notice that SNS refuses decides nothing: it stays
    in the ledger for the sweep, and the returned summary is not `told`.
    """
    import_id = summary.entry.import_id
    storage.write(object_key(import_id, REPORT), render_report(summary).encode(), "text/html; charset=utf-8")
    storage.write_json(object_key(import_id, SUMMARY), summary.to_json())
    closed = ledger.change_import(import_id, now, lambda entry: _closed(entry, summary))
    if closed.over:  # otherwise batches may yet be sent, and it keeps its place before later imports
        ledger.leave_queue(summary.entry.client_code, import_id, now)
        ledger.expire_batches(summary.batches, now)
    return dataclasses.replace(summary, told=tell(closed, ledger, notices, now))


def tell(entry: ImportEntry, ledger: Ledger, notices: Notices, now: datetime) -> bool:
    """Send the notice of an import that is closed. Returns whether SNS took it."""
    subject, _, text = entry.notice.partition("\n")
    try:
        notices.publish(subject, text)
    except NoticeError:
        # Where the list is full, or the ledger refuses, the entry has the notice all the same.
        with contextlib.suppress(LedgerError):
            ledger.note_notice(entry.import_id, now, told=False)
        return False
    ledger.change_import(entry.import_id, now, lambda current: dataclasses.replace(current, notice=""))
    return True


def _closed(entry: ImportEntry, summary: Summary) -> ImportEntry:
    return dataclasses.replace(
        entry,
        status=summary.status,
        reason=summary.reason,
        rejected=summary.rows.rejected,
        finished_at=summary.finished_at,
        lease_until=None,
        unsettled=summary.rows.sent - sum(batch.rows for batch in summary.batches if batch.settled),
        notice=f"Import {entry.import_id}: {summary.status_line}\n{render_text(summary)}",
        reconciled=False,
    )
