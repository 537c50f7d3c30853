"""What people see of an import of a deployed stack: where it stands, and why what waits does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bulk_profiles.accounting.summary import batch_profiles, forgotten_reason
from bulk_profiles.core.json_object import Json
from bulk_profiles.core.models import ImportStatus, ProfileCounts, Why
from bulk_profiles.core.text import printable_name
from bulk_profiles.core.timestamps import timestamp
from bulk_profiles.ledger.batch_entry import BatchEntry
from bulk_profiles.ledger.import_entry import ImportEntry

from .options import labelled

_COLUMNS = ("STATUS", "IMPORT", "PROFILES", "FAILED", "REJECTED")  # rejected are rows
_NAME = _COLUMNS.index("IMPORT")
_RIGHT = frozenset({"PROFILES", "FAILED", "REJECTED"})
_INDENT = " " * 13  # of what is said of an import, below its line
_MARKS = {"succeeded": "✓", "partial": "!", "failed": "✗", "rejected": "✗"}
_UNDER_WAY = "●"
_WORDS = {
    Why.CALLS: "the calls a minute",
    Why.PLACES: "a place with Target",
    Why.ROWS: "the rows of the day",
    Why.WINDOW: "the upload window",
    Why.CONTENTION: "the budget",
    Why.EARLIER_IMPORT: "an earlier import",
    Why.TURNED_AWAY: "another try, as Target did not take it",
    Why.RETRY_AFTER: "the time that Target asked for",
    Why.UNANSWERED: "another try after no answer",
    Why.ALIVE: "an earlier invocation",
    Why.TOKEN: "another token",
    Why.PAUSED: "the end of a pause",
    Why.STATUS: "a status that can be read",
}
# Of these the end is known. Of the others it is only known when a batch looks again.
_ENDS = frozenset({Why.CALLS, Why.ROWS, Why.WINDOW, Why.RETRY_AFTER})


@dataclass(frozen=True, slots=True)
class Waiting:
    """Batches of an import that wait for the same."""

    why: Why
    batches: tuple[int, ...]  # numbers
    until: datetime | None  # when the first of them comes back
    reason: str  # of one of them, fit to be shown

    @property
    def text(self) -> str:
        """What they wait for, and until when."""
        text = f"{_batches(len(self.batches))} for {_WORDS[self.why]}"
        if self.until is None or self.why is Why.PAUSED:  # the end of a pause is in its reason
            return text
        if self.why in _ENDS:
            return f"{text} until {_minute(self.until)}"
        return f"{text} (next look at {_minute(self.until)})"

    def to_json(self) -> Json:
        """Return it as JSON."""
        until = timestamp(self.until) if self.until else ""
        return {"why": self.why.value, "batches": list(self.batches), "until": until, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class Overview:
    """One import, from its entries in the ledger."""

    entry: ImportEntry
    batches: tuple[BatchEntry, ...]
    submitted_at: datetime | None = None  # the earliest time by which all batches can be submitted, if known

    @property
    def mark(self) -> str:
        """A sign for the status."""
        return _MARKS.get(self.entry.status.value, _UNDER_WAY)

    @property
    def rows(self) -> int:
        """The rows of all batches."""
        return sum(batch.rows for batch in self.batches)

    @property
    def rejected(self) -> int | None:
        """The rejected rows; None where they are not counted, because the import was not reported yet.

        Nor are they of a file that could not be read.
        """
        status = self.entry.status
        counted = self.entry.rejected or (status.final and status is not ImportStatus.REJECTED)
        return self.entry.rejected if counted else None

    @property
    def settled(self) -> int:
        """How many batches have ended."""
        return sum(batch.settled for batch in self.batches)

    @property
    def failed(self) -> int:
        """The profiles that have failed, or of which nobody knows; none of a batch under way."""
        counts = sum((batch.profiles for batch in self.batches if batch.has_results), ProfileCounts())
        return counts.error + counts.unknown

    @property
    def waiting(self) -> list[Waiting]:
        """Why batches wait, the largest group first."""
        groups: dict[Why, list[BatchEntry]] = {}
        for batch in self.batches:
            if batch.why and not batch.settled:
                groups.setdefault(Why(batch.why), []).append(batch)
        found = [_waiting(why, group) for why, group in groups.items()]
        return sorted(found, key=lambda waiting: -len(waiting.batches))

    @property
    def status(self) -> str:
        """The import's status; `waiting` where all batches that are left wait."""
        left = [batch for batch in self.batches if not batch.settled]
        if left and not self.entry.status.final and all(batch.why for batch in left):
            return "waiting"
        return self.entry.status.value

    @property
    def profiles(self) -> ProfileCounts:
        """The profiles of all batches by their status."""
        return sum(map(batch_profiles, self.batches), ProfileCounts())

    @property
    def note(self) -> str:
        """The one thing to know: what it waits for, or why it ended as it did."""
        if self.waiting and not self.entry.status.final:
            return f"waits: {self.waiting[0].text}"
        return self.reason

    @property
    def reason(self) -> str:
        """Why it ended as it did; once a person was forgotten, not what to do with files that are gone."""
        if self.entry.forgotten_at:
            return forgotten_reason(self.entry.forgotten_at)
        return self.entry.reason or self.entry.last_error

    def to_json(self) -> Json:
        """Return what `list --json` and `show --json` print."""
        entry, source = self.entry, self.entry.source
        states = Counter(batch.state.value for batch in self.batches)
        return {
            "importId": entry.import_id,
            "status": self.status,
            "feed": entry.feed,
            "clientCode": entry.client_code,
            "key": source.key,
            "versionId": source.version_id,
            "startedAt": timestamp(entry.started_at),
            "finishedAt": timestamp(entry.finished_at) if entry.finished_at else "",
            "rows": self.rows,
            "rejected": self.rejected,
            "profiles": self.profiles.to_json(),
            "batches": {"all": len(self.batches), "settled": self.settled, "byState": dict(states)},
            "waiting": [waiting.to_json() for waiting in self.waiting],
            "submittedAt": timestamp(self.submitted_at) if self.submitted_at else "",
            "after": list(entry.after),
            "overtakenBy": entry.overtaken_by,
            "duplicateOf": entry.duplicate_of,
            "verified": entry.verified,
            "reason": self.reason,
        }


def render_list(overviews: Sequence[Overview], now: datetime, width: int, feed: str | None = None) -> str:
    """Return imports as a table: a line each, and below it what to say, in `width` columns (0: any).

    Where a name leaves no space for the numbers, they are on the next line.
    """
    if not overviews:
        where = "" if feed is None else f" of the feed {feed}"
        return f"No imports{where}: nothing has been dropped, or what was has expired."
    cells = [_COLUMNS, *map(_cells, overviews)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(_COLUMNS))]
    if width:
        spare = width - sum(widths) - 2 * (len(widths) - 1)
        widths[_NAME] = max(len(_COLUMNS[_NAME]), widths[_NAME] + min(0, spare))
    head, *lines = (_joined(line, widths) for line in cells)
    said = (_said(overview, now, width) for overview in overviews)
    return "\n".join([head, *(f"{line}\n{note}" for line, note in zip(lines, said, strict=True))])


def render_import(overview: Overview, outputs: dict[str, str], now: datetime, width: int = 0) -> str:
    """Return one import as text: a fact on each line, wrapped to `width` columns (0: not at all)."""
    entry, counts = overview.entry, overview.profiles
    facts = [
        (
            f"{overview.mark} {overview.status}",
            f"{entry.import_id}, feed {entry.feed}, client {entry.client_code}",
        ),
        ("file", f"s3://{entry.source.bucket}/{printable_name(entry.source.key)}"),
        ("started", f"{_minute(entry.started_at)}, {_ago(entry.started_at, now)}"),
        ("batches", _progress(overview)),
        (
            "profiles",
            f"{counts.success:,} success, {counts.error:,} error, {counts.pending:,} pending, "
            f"{counts.unknown:,} unknown, {counts.not_sent:,} not sent",
        ),
        *(("waits", _sentence(waiting)) for waiting in overview.waiting),
        *(("waits", sentence) for sentence in _waits_otherwise(overview)),
        *([("same as", f"import {entry.duplicate_of}: the same content")] if entry.duplicate_of else []),
        *(
            [("forecast", f"all batches submitted by {_minute(overview.submitted_at)} at the earliest")]
            if overview.submitted_at
            else []
        ),
        *([("reason", overview.reason)] if overview.reason else []),
        *([("verified", entry.verified)] if entry.verified else []),
        ("results", f"{outputs.get('ResultsUri', '')}{entry.import_id}/"),
    ]
    return "\n".join(labelled(label, fact, len(_INDENT), width) for label, fact in facts)


def render_results(profile_id: str, results: Sequence[Json]) -> str:
    """Return what became of one profile as text: a line for each batch that had it."""
    if not results:
        return (
            f"No result of {profile_id} is in the Profiles table: no batch that has ended had it, its row "
            "was rejected or had no value, results have expired, or ProfileResults leaves them out. The "
            "files below profiles/ of each import hold every result."
        )
    return "\n".join(
        f"{result['status']:<9}{result['checkedAt'][:16].replace('T', ' ')} UTC  {result['importId']} "
        f"batch {result['batch']}, {result['basis']}" + (f": {result['reason']}" if result["reason"] else "")
        for result in results
    )


def _sentence(waiting: Waiting) -> str:
    reason = f": {waiting.reason}" if waiting.reason else "."
    return f"{waiting.text}{reason}"


def _progress(overview: Overview) -> str:
    if not overview.batches and overview.entry.status is ImportStatus.SPLITTING:
        return "none yet: the file is being split"
    return f"{overview.settled:,} of {len(overview.batches):,} settled"


def _waits_otherwise(overview: Overview) -> Iterator[str]:
    """Yield what is to be said of an import under way beside the reasons of its batches."""
    entry = overview.entry
    if entry.status.final:
        return
    if any(waiting.why is Why.EARLIER_IMPORT for waiting in overview.waiting):
        go = "goes" if len(entry.after) == 1 else "go"
        yield f"for {', '.join(entry.after)}, with some of the same ids, which {go} first."
    if entry.sends_nothing:
        yield f"{entry.sends_nothing} Nothing more is sent; what is with Target is followed to its end."
    if overview.batches and overview.settled == len(overview.batches):
        sample = f"{entry.verify_sample:,} profiles to be read back, and for " if entry.verify_sample else ""
        yield f"for {sample}its report."


def _waiting(why: Why, batches: Sequence[BatchEntry]) -> Waiting:
    ends = [batch.resumes_at for batch in batches if batch.resumes_at]
    reason = next((batch.words for batch in batches if batch.words), "")
    return Waiting(why, tuple(batch.number for batch in batches), min(ends, default=None), reason)


def _cells(overview: Overview) -> tuple[str, ...]:
    entry = overview.entry
    return (
        f"{overview.mark} {overview.status}",
        entry.import_id,
        f"{overview.rows:,}" if overview.batches else "-",
        f"{overview.failed:,}" if overview.batches else "-",
        "-" if overview.rejected is None else f"{overview.rejected:,}",
    )


def _said(overview: Overview, now: datetime, width: int) -> str:
    text = ", ".join(_when(overview, now)) + (f": {overview.note}" if overview.note else "")
    return labelled("", text, len(_INDENT), width)


def _when(overview: Overview, now: datetime) -> Iterator[str]:
    """Yield the feed, when the import began, and how long it took or how much of it is done."""
    entry = overview.entry
    yield entry.feed
    yield _ago(entry.started_at, now)
    if entry.status.final and entry.finished_at:
        yield f"took {_duration(entry.finished_at - entry.started_at)}"
    elif overview.rows:
        done = sum(batch.rows for batch in overview.batches if batch.settled)
        yield f"{100 * done // overview.rows} % done"


def _joined(cells: Sequence[str], widths: Sequence[int]) -> str:
    if len(cells[_NAME]) > widths[_NAME]:
        numbers = ("", "", *cells[_NAME + 1 :])
        return f"{cells[0]:<{widths[0]}}  {cells[_NAME]}\n{_joined(numbers, widths)}"
    padded = [
        f"{cell:>{width}}" if name in _RIGHT else f"{cell:<{width}}"
        for name, cell, width in zip(_COLUMNS, cells, widths, strict=True)
    ]
    return "  ".join(padded).rstrip()


def _batches(count: int) -> str:
    return "1 batch" if count == 1 else f"{count:,} batches"


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _ago(moment: datetime, now: datetime) -> str:
    elapsed = now - moment
    return f"{_duration(elapsed)} ago" if elapsed >= timedelta(minutes=1) else "just now"


def _duration(elapsed: timedelta) -> str:
    """Return a duration in its largest unit: `3 days`, `2 h`, `5 min`, `7 s`."""
    seconds = max(0, int(elapsed.total_seconds()))
    for size, unit in ((86_400, "day"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            count = seconds // size
            return f"{count} {unit}{'s' if unit == 'day' and count > 1 else ''}"
    return f"{seconds} s"
