"""The end of an import, whatever the step that reaches it: summary, report, ledger, and who is told."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from bulk_profiles.accounting.report import render_page, render_text
from bulk_profiles.accounting.summary import Summary
from bulk_profiles.aws.events import Events
from bulk_profiles.aws.s3 import Storage
from bulk_profiles.aws.sns import Notices
from bulk_profiles.core.errors import BulkProfilesError, LedgerError, NoticeError
from bulk_profiles.core.json_object import Json
from bulk_profiles.core.models import ImportStatus
from bulk_profiles.core.names import FAILED_ROWS, REPORT, SUMMARY, import_prefix, object_key, results_prefix
from bulk_profiles.core.text import printable
from bulk_profiles.ledger.import_entry import ImportEntry
from bulk_profiles.ledger.ledger import Ledger

ENDED, REJECTED, WAITS = "Import ended", "File rejected", "Import waits"  # the types of events


@dataclass(frozen=True, slots=True)
class Closing:
    """What it takes to end an import."""

    storage: Storage
    ledger: Ledger
    notices: Notices
    events: Events
    console_url: str  # of the region; empty where nobody can open one

    def conclude(self, summary: Summary, now: datetime) -> Summary:
        """Write an import's summary and report, close its entry and tell people and programs.

        Where it was interrupted, doing it again completes it. To tell decides nothing: a notice that SNS
        refuses stays in the ledger for the sweep, and the returned summary is not `told`. What else could not
        be told is in its `untold`.
        """
        entry, storage = summary.entry, self.storage
        write_report(entry.import_id, summary.to_json(), storage)
        untold = []
        places = [("All of it", storage.bucket, import_prefix(entry.import_id))]
        prefix = results_prefix(entry.source.key, entry.import_id, entry.started_at)
        try:
            self._copy_results(summary, prefix)
        except BulkProfilesError as error:
            untold.append(str(error))
        else:
            places.insert(0, ("Results", entry.source.bucket, prefix))
        text = "\n".join([render_text(summary), *(self._place(*place) for place in places)])
        closed = self.ledger.change_import(
            entry.import_id, now, lambda current: _closed(current, summary, text)
        )
        if closed.over:  # otherwise batches may yet be sent, and it keeps its place before later imports
            self.ledger.leave_queue(entry.client_code, entry.import_id, now)
            self.ledger.expire_batches(summary.batches, now)
        try:
            self.events.put(*_event(summary, places))
        except NoticeError as error:
            untold.append(str(error))
        told = tell(closed, self.ledger, self.notices, now)
        return dataclasses.replace(summary, told=told, untold=tuple(untold))

    def _copy_results(self, summary: Summary, prefix: str) -> None:
        """Put what people need beside the dropped file, and remove failed rows of an earlier end.

        Whoever dropped these would send rows again that are updated meanwhile. They stay where the rows that
        fail now cannot be written: then they are the only ones.
        """
        import_id, bucket = summary.entry.import_id, summary.entry.source.bucket
        failed = summary.failed_rows.file
        earlier = [] if summary.failed_rows.missing else self.storage.names(import_id, FAILED_ROWS)
        for name in earlier:
            if name != failed:
                self.storage.delete(prefix + name, bucket)  # first, as the other one tells that it is there
                self.storage.delete(object_key(import_id, name))
        for name in filter(None, (REPORT, SUMMARY, failed, summary.rejected_file)):
            self.storage.copy(object_key(import_id, name), bucket, prefix + name)

    def _place(self, title: str, bucket: str, prefix: str) -> str:
        """Return a line that says where something is, with a link to the console."""
        line = f"{title}: s3://{bucket}/{prefix}"
        if not self.console_url:
            return line
        region = self.console_url.partition("//")[2].partition(".")[0]
        return f"{line}\n  {self.console_url}/s3/buckets/{bucket}?region={region}&prefix={quote(prefix)}"


def write_report(import_id: str, summary: Json, storage: Storage) -> None:
    """Write report.html and summary.json."""
    report = render_page(summary).encode()
    storage.write(object_key(import_id, REPORT), report, "text/html; charset=utf-8")
    storage.write_json(object_key(import_id, SUMMARY), summary)


def tell(entry: ImportEntry, ledger: Ledger, notices: Notices, now: datetime) -> bool:
    """Send the notice of an import that is closed. Returns whether SNS took it."""
    subject, _, text = entry.notice.partition("\n")
    try:
        notices.publish(subject, text, attributes(entry))
    except NoticeError:
        # Where the list is full, or the ledger refuses, the entry has the notice all the same.
        with contextlib.suppress(LedgerError):
            ledger.note_notice(entry.import_id, now, told=False)
        return False
    ledger.change_import(entry.import_id, now, lambda current: dataclasses.replace(current, notice=""))
    return True


def attributes(entry: ImportEntry) -> Mapping[str, str]:
    """Return what subscribers may choose notices by."""
    return {"feed": printable(entry.feed) or "?", "status": entry.status.value}


def event_of(entry: ImportEntry) -> Json:
    """Return what every event says of an import."""
    return {
        "importId": entry.import_id,
        "feed": entry.feed,
        "clientCode": entry.client_code,
        "bucket": entry.source.bucket,
        "key": entry.source.key,
        "versionId": entry.source.version_id,
    }


def _event(summary: Summary, places: list[tuple[str, str, str]]) -> tuple[str, Json]:
    """Return the type of the event that tells of an end, and its detail."""
    rejected = summary.status is ImportStatus.REJECTED
    _, bucket, prefix = places[0]
    return REJECTED if rejected else ENDED, event_of(summary.entry) | {
        "status": summary.status.value,
        "reason": printable(summary.reason),
        "rows": summary.rows.to_json(),
        "profiles": summary.profiles.to_json(),
        "unaccounted": summary.unaccounted,
        "results": f"s3://{bucket}/{prefix}",
    }


def _closed(entry: ImportEntry, summary: Summary, text: str) -> ImportEntry:
    return dataclasses.replace(
        entry,
        status=summary.status,
        reason=summary.reason,
        rejected=summary.rows.rejected,
        finished_at=summary.finished_at,
        lease_until=None,
        unsettled=summary.rows.sent - sum(batch.rows for batch in summary.batches if batch.settled),
        notice=f"Import {entry.import_id}: {summary.status_line}\n{text}",
        reconciled=False,
        verified=" ".join(summary.verification.says) if summary.verification else "",
    )
