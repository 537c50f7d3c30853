"""What an import of a local file would do: the result of its split, and what follows from it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from bulk_profiles.accounting.split_verdict import SplitVerdict, judge_split, too_long_to_send
from bulk_profiles.core.errors import FileRejectedError
from bulk_profiles.core.feeds import CountsOnly, Feed
from bulk_profiles.core.json_object import Json
from bulk_profiles.core.models import ApiVersion, Examples, ImportStatus, Manifest, Source
from bulk_profiles.core.names import DEFAULT_FEED, MANIFEST, import_id
from bulk_profiles.ledger.isolation import search_cost
from bulk_profiles.splitting.batches.cutter import Limits
from bulk_profiles.splitting.files import Output
from bulk_profiles.splitting.split import Split, split

from .cost import estimate_cost
from .local_files import FolderOutput, LocalFile, NoOutput

# The template's defaults.
_DEADLINE_HOURS = 24
_ISOLATE_SUBMISSIONS = 60
_FIRST_CHECK = timedelta(seconds=60)
_SHORTEST_SEARCH = 2  # rows: one row that fails is known to be it
_CALLS_OF_A_PART = 3  # its submission, its status, and its counts


@dataclass(frozen=True, slots=True)
class Plan:
    """What would become of a file."""

    file: str  # its name
    size: int  # in bytes
    rows_a_day: int  # 0: no limit
    retention_days: int
    verdict: SplitVerdict
    split: Split | None = None  # None: the file cannot be read
    counts_only: CountsOnly = CountsOnly.ISOLATE

    @property
    def examples(self) -> Examples:
        """The first lines of each code of rejects and warnings."""
        return self.split.examples if self.split else Examples()

    @property
    def calls(self) -> int:
        """The least number of calls to Target: a submission and a status check for each batch."""
        return 2 * len(self.split.batches) if self.split else 0

    @property
    def days(self) -> int:
        """The days that the budget of rows a day needs."""
        sent = self.split.rows.sent if self.split else 0
        return math.ceil(sent / self.rows_a_day) if self.rows_a_day else min(sent, 1)

    @property
    def cost(self) -> dict[str, float]:
        """What AWS would charge, in US dollars, by what it is for."""
        batches = len(self.split.batches) if self.split else 0
        sent = self.split.rows.sent if self.split else 0
        encoded = sum(batch.size for batch in self.split.batches) if self.split else 0
        return estimate_cost(self.size, batches, sent, encoded, self.retention_days)

    @property
    def isolation(self) -> Json:
        """What it takes at most to find one failing row, where Target only counts it; empty: no search.

        The minutes are those that the waits for the first answers take, and no more.
        """
        rows = max((batch.rows for batch in self.split.batches), default=0) if self.split else 0
        if rows < _SHORTEST_SEARCH or self.counts_only is CountsOnly.REPORT:
            return {}
        cost = search_cost(rows, _ISOLATE_SUBMISSIONS)
        minutes = cost.submissions * _FIRST_CHECK / timedelta(minutes=1)
        calls = _CALLS_OF_A_PART * cost.submissions
        return {"submissions": cost.submissions, "rows": cost.rows, "calls": calls, "minutes": int(minutes)}

    def to_json(self) -> Json:
        """Return the plan for programs."""
        data: Json = {
            "file": self.file,
            "status": self.verdict.status.value,
            "reason": self.verdict.reason,
        }
        if self.split:
            data |= {
                "keyColumn": self.split.key_column.value,
                "source": _known({"bytes": self.size, "sha256": self.split.source_sha256}),
                "rows": self.split.rows.to_json(),
                "rejects": self.split.rejects,
                "warnings": self.split.warnings,
                "examples": self.examples.to_json(),
                "batches": [_known(batch.to_json()) for batch in self.split.batches],
                "calls": self.calls,
                "isolation": self.isolation,
                "days": self.days,
                "costUsd": self.cost,
            }
        return data


def _known(data: Json) -> Json:
    """Leave out the digest where none was computed."""
    return {name: value for name, value in data.items() if value or name != "sha256"}


# Eight parameters: what is planned, and the options of the command.
def make_plan(
    source: LocalFile,
    feed: Feed,
    limits: Limits,
    *,
    rows_a_day: int,
    retention_days: int,
    folder: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    processes: int | None = None,
) -> Plan:
    """Split a local file as an import would. With `folder`, write manifest, batches and rejects there.

    `progress` and `processes` are those of `split`. Raises `UsageError` where the folder cannot be used, or
    the file has changed meanwhile.
    """
    output = FolderOutput(folder, source) if folder else None
    target: Output = output or NoOutput()
    try:
        result = split(
            source,
            feed,
            limits,
            target,
            on_read=progress,
            digests=folder is not None,
            processes=processes,
        )
    except FileRejectedError as error:
        if output:
            output.keep(0)
        unreadable = SplitVerdict(ImportStatus.REJECTED, str(error))
        return Plan(source.name, source.size, rows_a_day, retention_days, unreadable)
    source.check_unchanged()
    if output and folder:
        output.keep(len(result.batches))
        _write_manifest(output, source, feed, result)
    verdict = judge_split(result.rows, feed.max_rejected_percent, result.advice, result.rejected_rows)
    too_long = too_long_to_send(result.rows.sent, rows_a_day, _DEADLINE_HOURS, retention_days)
    if too_long and verdict.status is not ImportStatus.REJECTED:
        verdict = SplitVerdict(ImportStatus.REJECTED, too_long)
    counts_only = feed.counts_only or CountsOnly.ISOLATE
    return Plan(source.name, source.size, rows_a_day, retention_days, verdict, result, counts_only)


def _write_manifest(output: FolderOutput, source: LocalFile, feed: Feed, result: Split) -> None:
    manifest = Manifest(
        import_id=import_id("", source.name, result.source_sha256),
        feed=DEFAULT_FEED,
        client_code=feed.client_code or "",
        api_version=feed.api_version or ApiVersion.V2,
        key_column=result.key_column,
        source=Source("", source.name, "", source.size, result.source_sha256),
        rows=result.rows,
        rejects=result.rejects,
        warnings=result.warnings,
        examples=result.examples,
        advice=result.advice,
        rejected_rows=result.rejected_rows,
        batches=result.batches,
    )
    sink = output.create(MANIFEST)
    sink.write(json.dumps(manifest.to_json(), indent=2).encode() + b"\n")
    sink.commit()
