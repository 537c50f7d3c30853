"""The copies of one person that a stack keeps: found in every import, and removed.

Results keep their line, without the id, so that counts stay true. Every other file of an import that holds
the person is deleted as a whole, the dropped one included: nothing of the import can be sent again.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from bulk_profiles.accounting.profile_results import read_results, without_profile
from bulk_profiles.aws.erasure import Version, versions
from bulk_profiles.core.errors import BulkProfilesError, MissingObjectError
from bulk_profiles.core.feeds import Feed, Quoting
from bulk_profiles.core.json_object import Json
from bulk_profiles.core.models import KeyColumn
from bulk_profiles.core.names import (
    FAILED_ROWS,
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
from bulk_profiles.splitting.rows.notes import BATCH, LINE, OUR_NOTES, REASON, STATUS, WHAT_TO_DO
from bulk_profiles.splitting.rows.row_check import BLANKS
from bulk_profiles.splitting.selection import RowSelector, WantedIds

from .local_files import NoOutput
from .stack import Stack

_WITHOUT_CUSTOMERS = frozenset({MANIFEST, SUMMARY, REPORT, VERIFICATION})
_RESULTS = ".csv.gz"
_NOTES = re.compile(f"{LINE}(.){REASON}\\1{WHAT_TO_DO}\\1{BATCH}(?:\\1{STATUS})?")  # in a header
_BETWEEN = re.escape(BLANKS + ",;|'\"`=()[]{}<>:\\") + "\u00b4\u2018-\u201f«»"  # may stand beside an id
_LONGEST_CELL = 64 * 1024 * 1024  # characters


@dataclass(slots=True)
class Trace:
    """What one import holds of a person."""

    entry: ImportEntry
    in_file: bool = False  # in the dropped file
    results: list[str] = field(default_factory=list)  # names of files with results of the person
    rows: list[str] = field(default_factory=list)  # names of files of rows to mend with the person
    unread: str = ""  # why the dropped file could not be searched, if so

    @property
    def found(self) -> bool:
        """Whether it holds anything."""
        return self.in_file or bool(self.results) or bool(self.rows)

    @property
    def under_way(self) -> bool:
        """Whether something of the import may yet be sent."""
        return not self.entry.over

    def to_json(self) -> Json:
        """Return it as JSON."""
        return {
            "importId": self.entry.import_id,
            "file": f"s3://{self.entry.source.bucket}/{self.entry.source.key}",
            "inFile": self.in_file,
            "results": self.results,
            "rows": self.rows,
            "underWay": self.under_way,
            "unread": self.unread,
        }


def find_traces(stack: Stack, profile_id: str) -> Iterator[Trace]:
    """Yield for every import of the ledger what it holds of a person."""
    for entry in stack.ledger.imports():
        trace = Trace(entry)
        _search_file(stack, trace, profile_id)
        for name in stack.storage.names(entry.import_id, ""):
            key = object_key(entry.import_id, name)
            if name.endswith(_RESULTS) and not name.startswith((REJECTED_ROWS, FAILED_ROWS)):
                if any(result.profile_id == profile_id for result in read_results(stack.storage, key)):
                    trace.results.append(name)
            elif name.startswith((REJECTED_ROWS, FAILED_ROWS)) and _holds(stack, trace, name, profile_id):
                trace.rows.append(name)
        yield trace


def forget_import(stack: Stack, trace: Trace, profile_id: str) -> int:
    """Remove what an import that is over holds of a person; return how many objects were erased."""
    entry = trace.entry
    for name in trace.results:
        without_profile(stack.storage, object_key(entry.import_id, name), profile_id)
    doomed = [*_doomed(stack, trace)]
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


def _search_file(stack: Stack, trace: Trace, profile_id: str) -> None:
    settings = trace.entry.settings
    selector = RowSelector(
        Feed.from_json(settings.get("feed", {})), Limits(), WantedIds([profile_id]), (), lambda _number: {}
    )
    try:
        source = stack.storage.source_file(trace.entry.source)
        trace.in_file = selector.write(source, NoOutput().create).rows > 0
    except MissingObjectError:
        return
    except BulkProfilesError as error:
        trace.unread = str(error)


def _holds(stack: Stack, trace: Trace, name: str, profile_id: str) -> bool:
    """Whether a file of rows to mend holds the id, and not only as a part of another one or in our notes."""
    whole = re.compile(rf"(?<![^{_BETWEEN}]){re.escape(profile_id)}(?![^{_BETWEEN}])")
    feed = Feed.from_json(trace.entry.settings.get("feed", {}))
    try:
        with stack.storage.open(object_key(trace.entry.import_id, name)) as stream:
            cells = _json_cells(stream) if name.endswith(".jsonl") else _table_cells(stream, feed.quoting)
            return any(whole.search(cell) for cell in cells)
    except (ValueError, csv.Error):  # a file that cannot be taken apart may hold anybody
        return True


def _json_cells(stream: BinaryIO) -> Iterator[str]:
    """Yield the values of JSON Lines but for our notes."""
    for line in stream:
        fields = json.loads(line.decode("utf-8-sig", "surrogateescape"))
        yield from (str(value) for name, value in fields.items() if name not in OUR_NOTES)


def _table_cells(stream: BinaryIO, quoting: Quoting) -> Iterator[str]:
    """Yield the cells of a delimited file but for our notes, which are the last cells of each row.

    Raises `ValueError` where the header has no notes. A row that could not be taken apart is one cell.
    """
    lines = (line.decode("utf-8-sig", "surrogateescape") for line in stream)
    header = next(filter(None, map(_NOTES.search, lines)), None)
    if header is None:
        raise ValueError
    delimiter, notes = header[1], len(header[0].split(header[1]))
    csv.field_size_limit(_LONGEST_CELL)
    rows = (
        (line.rstrip("\n").split(delimiter) for line in lines)
        if quoting is Quoting.NONE
        else csv.reader(lines, delimiter=delimiter)
    )
    for row in rows:
        for cell in row[:-notes]:
            yield cell
            yield from cell.split(delimiter)


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
    if trace.in_file or trace.rows:  # which were in the file, too
        yield Version(source.bucket, source.key, source.version_id, latest=True)
