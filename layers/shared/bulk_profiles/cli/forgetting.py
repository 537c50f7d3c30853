"""The copies of one person that a stack keeps: found in every import, and removed.

Results keep their line, without the id, so that counts stay true. Every other file of an import that holds
the person is deleted as a whole, the dropped one included: nothing of the import can be sent again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bulk_profiles.accounting.bodies import body_profile_ids
from bulk_profiles.accounting.profile_results import read_results, without_profile
from bulk_profiles.accounting.summary import forgotten
from bulk_profiles.aws.erasure import Version, versions
from bulk_profiles.core.errors import BulkProfilesError, MissingObjectError
from bulk_profiles.core.feeds import Feed
from bulk_profiles.core.json_object import Json
from bulk_profiles.core.models import KeyColumn
from bulk_profiles.core.names import (
    BATCHES,
    MANIFEST,
    REJECTED_ROWS,
    REPORT,
    SUMMARY,
    VERIFICATION,
    import_prefix,
    object_key,
    results_prefix,
)
from bulk_profiles.ledger.import_entry import ImportEntry
from bulk_profiles.splitting.batches.cutter import Limits
from bulk_profiles.splitting.selection import RowSelector, WantedIds
from bulk_profiles.steps.closing import write_report

from .local_files import NoOutput
from .rejected_rows import RejectedRows
from .stack import Stack

_WITHOUT_CUSTOMERS = frozenset({MANIFEST, SUMMARY, REPORT, VERIFICATION})
_RESULTS = ".csv.gz"


@dataclass(slots=True)
class Trace:
    """What one import holds of a person."""

    entry: ImportEntry
    in_file: bool = False  # in the dropped file
    results: list[str] = field(default_factory=list)  # names of files with results of the person
    rows: list[str] = field(default_factory=list)  # names of files of rejected rows with the person
    batches: list[str] = field(default_factory=list)  # names of bodies, where the file cannot be searched
    unread: str = ""  # why the dropped file could not be searched, if so

    @property
    def found(self) -> bool:
        """Whether it holds anything."""
        return self.in_file or bool(self.results or self.rows or self.batches)

    @property
    def under_way(self) -> bool:
        """Whether something of the import may yet be sent, or its results are not written yet."""
        return not self.entry.ended

    def to_json(self) -> Json:
        """Return it as JSON."""
        return {
            "importId": self.entry.import_id,
            "file": f"s3://{self.entry.source.bucket}/{self.entry.source.key}",
            "inFile": self.in_file,
            "results": self.results,
            "rows": self.rows,
            "batches": self.batches,
            "underWay": self.under_way,
            "unread": self.unread,
        }


def find_traces(stack: Stack, profile_id: str) -> Iterator[Trace]:
    """Yield for every import of the ledger what it holds of a person."""
    for entry in stack.ledger.imports():
        trace = Trace(entry)
        searched = _search_file(stack, trace, profile_id)
        for name in stack.storage.names(entry.import_id, ""):
            key = object_key(entry.import_id, name)
            # Whoever is among the failed rows is among the results, too.
            if name.endswith(_RESULTS):
                if any(result.profile_id == profile_id for result in read_results(stack.storage, key)):
                    trace.results.append(name)
            elif name.startswith(REJECTED_ROWS):
                rows = RejectedRows(name, quoted=entry.settings.get("feed", {}).get("quoting") != "none")
                with stack.storage.open(key) as stream:
                    if rows.have(profile_id, stream):
                        trace.rows.append(name)
            elif name.startswith(BATCHES) and not searched:
                with stack.storage.open(key) as body:
                    if profile_id in body_profile_ids(body):
                        trace.batches.append(name)
        yield trace


def forget_import(stack: Stack, trace: Trace, profile_id: str) -> int:
    """Remove what an import that has ended holds of a person; return how many objects were erased.

    The ledger remembers when, so that nobody is told to mend what is gone.
    """
    entry, now = trace.entry, datetime.now(UTC)
    stack.ledger.change_import(
        entry.import_id, now, lambda current: dataclasses.replace(current, forgotten_at=now)
    )
    for name in trace.results:
        without_profile(stack.storage, object_key(entry.import_id, name), profile_id)
    doomed = [*_doomed(stack, trace)]
    _report_again(stack, entry, now)  # before: an import of which nothing is left is not found again
    for version in doomed:
        version.erase()
    return len(doomed)


def forget_results(stack: Stack, profile_id: str) -> int:
    """Delete the items of a person in the Profiles table; return how many there were."""
    return sum(
        stack.profiles.delete(client_code, key_column, profile_id)
        for client_code in stack.ledger.clients()
        for key_column in KeyColumn
    )


def _report_again(stack: Stack, entry: ImportEntry, now: datetime) -> None:
    """Write report and summary again, without the files that are gone and without what to do with them."""
    summary = stack.storage.read_json(object_key(entry.import_id, SUMMARY))
    if summary is None:
        return
    write_report(entry.import_id, forgotten(summary, now), stack.storage)
    prefix = results_prefix(entry.source.key, entry.import_id, entry.started_at)
    for name in (REPORT, SUMMARY):
        stack.storage.copy(object_key(entry.import_id, name), entry.source.bucket, prefix + name)


def _search_file(stack: Stack, trace: Trace, profile_id: str) -> bool:
    """Search the dropped file; return whether that could be done."""
    settings = trace.entry.settings
    selector = RowSelector(
        Feed.from_json(settings.get("feed", {})), Limits(), WantedIds([profile_id]), (), lambda _number: {}
    )
    try:
        source = stack.storage.source_file(trace.entry.source)
        trace.in_file = selector.write(source, NoOutput().create).rows > 0
    except MissingObjectError:
        return False
    except BulkProfilesError as error:
        trace.unread = str(error)
        return False
    return True


def _doomed(stack: Stack, trace: Trace) -> Iterator[Version]:
    """Yield what is erased: all that holds customers, but the newest version of results."""
    entry, source = trace.entry, trace.entry.source
    folder = import_prefix(entry.import_id)
    for version in versions(stack.outputs["DataBucketName"], folder):
        name = version.key.removeprefix(folder)
        kept = name in _WITHOUT_CUSTOMERS or (name.endswith(_RESULTS) and version.latest)
        if not kept:
            yield version
    for version in versions(source.bucket, results_prefix(source.key, entry.import_id, entry.started_at)):
        if version.key.rsplit("/", 1)[-1] not in _WITHOUT_CUSTOMERS:
            yield version
    if trace.in_file or trace.rows or trace.batches:  # which were in the file, too
        yield Version(source.bucket, source.key, source.version_id, latest=True)
