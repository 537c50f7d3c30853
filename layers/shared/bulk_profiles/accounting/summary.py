"""The accounting: what became of every row, as a pure function of the manifest and the ledger.

    rows.read = rejected + merged + skipped + sent
    rows.sent = rows over all batches = success + error + pending + unknown + notSent
    success = reported + implied + isolated
    batches of the manifest = batches of the ledger

What does not add up is `unaccounted`. It is zero, or the software has a fault.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from bulk_profiles.core.command_line import command
from bulk_profiles.core.json_object import Json, JsonObject
from bulk_profiles.core.models import (
    SUCCESS_BASES,
    Bases,
    Basis,
    BatchState,
    Examples,
    ImportStatus,
    Manifest,
    ProfileCounts,
    ProfileStatus,
    Resendable,
    RowCounts,
    add_bases,
    resend_word,
)
from bulk_profiles.core.names import REJECTED_ROWS, REPORT
from bulk_profiles.core.text import quantity
from bulk_profiles.core.timestamps import timestamp
from bulk_profiles.ledger.batch_entry import BatchEntry
from bulk_profiles.ledger.import_entry import ImportEntry

from .evidence import by_word
from .split_verdict import SplitVerdict, judge_split, status_line
from .verification import Verification, with_verification

_SHOWN_REASONS = 3
_SHOWN_BATCHES = 3


@dataclass(frozen=True, slots=True)
class FailedRows(JsonObject):
    """The file of failed rows. Where there is none although there should be, `missing` says why."""

    file: str = ""  # its name below the import's folder
    profiles: int = 0  # that have rows in it
    rows: int = 0  # in it: where rows were merged, a profile has several
    not_found: int = 0  # profiles whose rows are not in the source file; none, or the software has a fault
    missing: str = ""  # a sentence


@dataclass(frozen=True, slots=True)
class Summary:
    """What became of an import: the content of summary.json and of the report."""

    entry: ImportEntry
    status: ImportStatus
    reason: str  # sentences for people; empty where every row reached Target
    finished_at: datetime
    rows: RowCounts = field(default_factory=RowCounts)
    rejects: dict[str, int] = field(default_factory=dict)  # by code
    warnings: dict[str, int] = field(default_factory=dict)  # by code
    examples: Examples = field(default_factory=Examples)
    profiles: ProfileCounts = field(default_factory=ProfileCounts)
    bases: Bases = field(default_factory=dict)
    batches: tuple[BatchEntry, ...] = ()
    unaccounted: int = 0  # rows that the counts do not explain
    told: bool = True  # the notice was sent
    untold: tuple[str, ...] = ()  # why results were not copied or no event was put, as sentences
    rejected_file: str = ""  # the name of the file of rejected rows, if there is one
    failed_rows: FailedRows = FailedRows()
    verification: Verification | None = None  # None: nothing was read back

    @property
    def status_line(self) -> str:
        """The status with the number of rejected rows."""
        return status_line(self.status.value, self.rows.rejected)

    @property
    def evidence(self) -> Counter[Basis]:
        """The successes, by whose word they are: `reported`, `implied` and `isolated`."""
        counted = self.bases.get(ProfileStatus.SUCCESS, Counter())
        return Counter({basis: counted[basis] for basis in SUCCESS_BASES})

    @property
    def conclusion(self) -> str:
        """The reason; where every row reached Target, that, and by whose word."""
        said = self.reason or f"Every row reached Target: {by_word(self.evidence)}."
        return with_verification(said, self.verification)

    def to_json(self) -> Json:
        """Return summary.json."""
        entry = self.entry
        summary = {
            "importId": entry.import_id,
            "status": self.status.value,
            "reason": self.reason,
            "feed": entry.feed,
            "clientCode": entry.client_code,
            "stack": entry.stack,
            "apiVersion": entry.api_version.value,
            "keyColumn": entry.key_column.value if entry.key_column else "",
            "source": entry.source.to_json(),
            "startedAt": timestamp(entry.started_at),
            "finishedAt": timestamp(self.finished_at),
            "rows": self.rows.to_json(),
            "rejects": dict(sorted(self.rejects.items())),
            "rejectedRows": self.rejected_file,
            "failedRows": self.failed_rows.to_json(),
            "warnings": dict(sorted(self.warnings.items())),
            "examples": self.examples.to_json(),
            "profiles": self.profiles.to_json(),
            "bases": {basis.value: count for basis, count in self.evidence.items()},
            "basesByStatus": _bases_json(self.bases),
            "batches": [_batch_json(batch) for batch in self.batches],
            "verification": self.verification.to_summary() if self.verification else None,
            "duplicateOf": entry.duplicate_of,
            "forgottenAt": "",
            "unaccounted": self.unaccounted,
        }
        return forgotten(summary, entry.forgotten_at) if entry.forgotten_at else summary

    def metrics(self) -> dict[str, int]:
        """Return every count of the import by the name of its CloudWatch metric, zeros included."""
        counts = {f"Rows{name.title()}": count for name, count in self.rows.to_json().items()}
        counts |= {f"Profiles{_capital(name)}": count for name, count in self.profiles.to_json().items()}
        final = (status for status in ImportStatus if status.final)
        counts |= {f"Imports{status.value.title()}": int(status is self.status) for status in final}
        return counts | {
            "Batches": len(self.batches),
            "Submissions": sum(batch.submissions for batch in self.batches),
            "UnaccountedRows": self.unaccounted,
            "NoticesFailed": int(not self.told),
        }


def forgotten(summary: Json, at: datetime) -> Json:
    """Return a summary.json of which a person was forgotten: it names no file that is gone."""
    return summary | {
        "reason": forgotten_reason(at),
        "rejectedRows": "",
        "failedRows": FailedRows().to_json(),
        "forgottenAt": timestamp(at),
    }


def forgotten_reason(at: datetime) -> str:
    """Return what is said of an import of which a person was forgotten, in place of what to do."""
    return (
        f"A person was forgotten on {at:%Y-%m-%d}: the dropped file, its batches and the rows to mend are "
        "deleted, and nothing of the import can be sent again."
    )


def verified(summary: Summary, verification: Verification | None) -> Summary:
    """Return the summary with what a sample has shown: an import of which values differ has not succeeded."""
    if verification is None:
        return summary
    differ = verification.different > 0
    status = ImportStatus.PARTIAL if differ and summary.status is ImportStatus.SUCCEEDED else summary.status
    reason = with_verification(summary.reason, verification).strip() if differ else summary.reason
    return dataclasses.replace(summary, verification=verification, status=status, reason=reason)


def reject(entry: ImportEntry, reason: str, now: datetime) -> Summary:
    """Return the summary of a file that is not split: nothing of it is sent."""
    return Summary(entry, ImportStatus.REJECTED, reason, now)


def reconcile(entry: ImportEntry, manifest: Manifest, ledger: Iterable[BatchEntry], now: datetime) -> Summary:
    """Compare the ledger with the manifest, and return what became of every row.

    Without a row that can be sent the status is rejected, as `import_verdict` says.
    """
    verdict = import_verdict(entry, manifest)
    batches, rows = tuple(ledger), manifest.rows
    bases = add_bases(map(batch_bases, batches))
    profiles = sum(map(batch_profiles, batches), ProfileCounts())
    entered = {batch.number for batch in batches}
    differences = (
        rows.unaccounted,
        rows.sent - sum(batch.rows for batch in manifest.batches),
        rows.sent - profiles.total,
        sum(batch.rows for batch in manifest.batches if batch.number not in entered),
        sum(batch.rows for batch in batches if not _is_as_planned(batch, manifest)),
    )
    # One row can be in several differences, so the largest of them is reported, and not their sum.
    unaccounted = max(abs(difference) for difference in differences)
    return Summary(
        entry=entry,
        status=_status(verdict, rows, profiles, unaccounted),
        reason=" ".join(
            [
                *_reason(verdict, profiles, bases, batches),
                *_open(entry, batches),
                *_unaccounted(unaccounted),
                *_next(entry, rows, batches, rejected_file(manifest)),
            ]
        ),
        finished_at=now,
        rows=rows,
        rejects=manifest.rejects,
        warnings=manifest.warnings,
        examples=manifest.examples,
        profiles=profiles,
        bases=bases,
        batches=batches,
        unaccounted=unaccounted,
        rejected_file=rejected_file(manifest),
    )


def rejected_file(manifest: Manifest) -> str:
    """Return the name of the file of rejected rows; "" where there is none."""
    if manifest.rejected_rows or not manifest.rows.rejected:
        return manifest.rejected_rows
    return f"{REJECTED_ROWS}.csv"  # release 0.1.0 did not write it down


def import_verdict(entry: ImportEntry, manifest: Manifest) -> SplitVerdict:
    """Return the verdict on an import's split, by the limit that was pinned when the import began."""
    feed = entry.settings.get("feed", {})
    limit = feed.get("maxRejectedPercent")
    return judge_split(manifest.rows, limit, manifest.advice, rejected_file(manifest))


def batch_profiles(batch: BatchEntry) -> ProfileCounts:
    """Count a batch's profiles. Without results they have the status that the batch's state leads to.

    With a follow-up on its way, only the profiles in it are open: those that are sent again. Of an accepted
    batch of 100 rows that is not settled, 100 are pending; of one that nobody has sent, 100 are not sent.
    """
    if batch.has_results:
        return batch.profiles
    # An earlier version did not keep the evidence for what is known.
    known = ProfileCounts.of(batch.known) if batch.bases else dataclasses.replace(batch.profiles, error=0)
    return known + ProfileCounts.of(_open_bases(batch))


def batch_bases(batch: BatchEntry) -> Bases:
    """Count a batch's profiles by the evidence for their status; see `batch_profiles`."""
    if batch.has_results:
        return batch.bases
    return add_bases([batch.known, _open_bases(batch)])


def _open_bases(batch: BatchEntry) -> Bases:
    """Count the profiles in the body of an unsettled batch."""
    return {open_status(batch): Counter({Basis.BATCH: batch.body_rows})}


def open_status(batch: BatchEntry) -> ProfileStatus:
    """Return the status of the profiles in the body of an unsettled batch."""
    match batch.state:
        case BatchState.PLANNED | BatchState.REFUSED if not batch.possibly_duplicate:
            return ProfileStatus.ERROR if batch.submissions else ProfileStatus.NOT_SENT
        case BatchState.PLANNED | BatchState.REFUSED | BatchState.SENDING | BatchState.UNKNOWN:
            return ProfileStatus.UNKNOWN
        case _:
            return ProfileStatus.PENDING


def _is_as_planned(batch: BatchEntry, manifest: Manifest) -> bool:
    """Whether a batch has the rows and the body of the manifest, and as many results if it is settled."""
    return any(
        (planned.number, planned.rows, planned.sha256) == (batch.number, batch.rows, batch.sha256)
        for planned in manifest.batches[batch.number - 1 : batch.number]
    ) and (not batch.settled or batch.profiles.total == batch.rows)


def _status(
    verdict: SplitVerdict, rows: RowCounts, profiles: ProfileCounts, unaccounted: int
) -> ImportStatus:
    if profiles.success == rows.sent and not unaccounted:
        return verdict.status
    return ImportStatus.PARTIAL if profiles.success else ImportStatus.FAILED


def _reason(
    verdict: SplitVerdict, profiles: ProfileCounts, bases: Bases, batches: tuple[BatchEntry, ...]
) -> list[str]:
    """Return what a person must know, in sentences; nothing where every row reached Target."""
    sentences = [verdict.reason] if verdict.reason else []
    if profiles.success < profiles.total:
        sentences.append(_outcomes(profiles, bases))
    sentences.extend(_batch_reasons(batches))
    return sentences


def _open(entry: ImportEntry, batches: tuple[BatchEntry, ...]) -> Iterator[str]:
    """Yield how batches go on that are not settled."""
    if unsettled := sum(not batch.settled for batch in batches):
        yield (
            f"{unsettled} of {len(batches)} batches did not come to an end: the hourly sweep lets them go "
            f"on, and `{command(entry.stack, 'resend', entry.import_id)}` does so at once."
        )


def _unaccounted(rows: int) -> Iterator[str]:
    if rows:
        yield f"{rows} rows are unaccounted for: this is a fault of the software, report it."


def _next(entry: ImportEntry, rows: RowCounts, batches: tuple[BatchEntry, ...], file: str) -> list[str]:
    """Return the next step as a sentence: what is to be done for most rows comes first."""
    words: Counter[Resendable] = Counter()
    for batch in batches:
        for status, bases in batch_bases(batch).items():
            for basis, count in bases.items():
                if count and (word := resend_word(status, basis, batch.state)):
                    words[word] += count
    steps: list[tuple[int, str]] = []
    if words and all(batch.settled for batch in batches):  # otherwise another sentence says what to do
        only = ",".join(word for word, _ in words.most_common())
        resend = command(entry.stack, "resend", entry.import_id, "--only", only)
        if entry.given_up:
            steps.append((words.total(), f"if they are to be sent after all, use `{resend}`"))
        else:
            mended = "once the cause is mended, " if Resendable.REFUSED in words else ""
            steps.append((words.total(), f"{mended}send them again with `{resend}`"))
    if rows.rejected:
        steps.append((rows.rejected, f"mend {file} and drop it"))
    steps.sort(key=lambda step: -step[0])
    return [f"Next: {'; '.join(step for _, step in steps)}."] if steps and words else []


def _outcomes(profiles: ProfileCounts, bases: Bases) -> str:
    """Return what became of the profiles, as a sentence; for the successes also by whose word."""

    def are(count: int) -> str:
        return "is" if count == 1 else "are"

    evidence = bases.get(ProfileStatus.SUCCESS, Counter())
    phrases = [
        (profiles.success, f"succeeded ({by_word(evidence)})"),
        (profiles.error, "failed"),
        (profiles.pending, f"{are(profiles.pending)} pending"),
        (profiles.unknown, f"{are(profiles.unknown)} unknown"),
        (profiles.not_sent, "not sent"),
    ]
    counted = ", ".join(f"{count:,} {phrase}" for count, phrase in phrases if count)
    return f"Of {quantity(profiles.total, 'profile')}, {counted}."


def _batch_reasons(batches: tuple[BatchEntry, ...]) -> list[str]:
    """Return the reasons of batches with their batches and rows, the one of most rows first.

    `Batches 2 and 5 (800 rows): Target refused the batch: "Unexpected error".`
    """
    by_reason: dict[str, list[BatchEntry]] = {}
    for batch in batches:
        if batch.words:
            by_reason.setdefault(batch.words, []).append(batch)
    counted = sorted(
        ((sum(batch.rows for batch in several), reason) for reason, several in by_reason.items()),
        key=lambda pair: -pair[0],
    )
    sentences = [
        f"{_numbered([batch.number for batch in by_reason[reason]])} ({quantity(rows, 'row')}): {reason}"
        for rows, reason in counted[:_SHOWN_REASONS]
    ]
    if len(counted) > _SHOWN_REASONS:
        sentences.append(f"{REPORT} has {quantity(len(counted) - _SHOWN_REASONS, 'more reason')}.")
    return sentences


def _numbered(numbers: list[int]) -> str:
    """Return batches in words: `Batch 2`, `Batches 2 and 5`, `Batches 2, 5, 6 and 7 more`."""
    if len(numbers) == 1:
        return f"Batch {numbers[0]}"
    shown = numbers[:_SHOWN_BATCHES]
    more = len(numbers) - len(shown)
    last = f"{more} more" if more else str(shown.pop())
    return f"Batches {', '.join(map(str, shown))} and {last}"


def _bases_json(bases: Bases) -> Json:
    return {
        status.value: {basis.value: bases[status][basis] for basis in Basis if bases[status][basis]}
        for status in ProfileStatus
        if status in bases
    }


def _capital(name: str) -> str:
    return name[:1].upper() + name[1:]


def _batch_json(batch: BatchEntry) -> Json:
    return {
        "number": batch.number,
        "rows": batch.rows,
        "bytes": batch.size,
        "sha256": batch.sha256,
        "state": batch.state.value,
        "batchId": batch.batch_id,
        "submissions": batch.submissions,
        "possiblyDuplicate": batch.possibly_duplicate,
        "checks": batch.checks,
        "unread": batch.unread,
        "reason": batch.words,
        "isolation": batch.isolation.to_json() if batch.isolation else None,
        "followUps": [follow_up.to_json() for follow_up in batch.follow_ups],
        "resends": [resend.to_json() for resend in batch.resends],
        "profiles": batch_profiles(batch).to_json(),
        "bases": _bases_json(batch_bases(batch)),
    }
