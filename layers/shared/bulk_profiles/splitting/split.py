"""Splitting a source file into batches, with every row accounted for."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field

from bulk_profiles.core.errors import AccountingError
from bulk_profiles.core.feeds import Feed
from bulk_profiles.core.json_object import Json
from bulk_profiles.core.models import KeyColumn, PlannedBatch, RowCounts
from bulk_profiles.splitting.batches.cutter import Limits
from bulk_profiles.splitting.parallel.malloc import keep_freed
from bulk_profiles.splitting.parallel.thread import Background
from bulk_profiles.splitting.reading.formats import open_source
from bulk_profiles.splitting.reading.json_lines import NewColumnError

from .checkpoint import State
from .files import Output, Scratch, SourceFile, TemporaryScratch
from .job import Job
from .source_digest import TappedSource, digest

_LARGE_BYTES = 64 * 1024 * 1024  # below, it takes a second, and helpers are not worth starting
_MOST_PROCESSES = 4  # more than that do not get enough to do


@dataclass(frozen=True, slots=True)
class Split:
    """What became of a source file. `examples` are the first line numbers of each reject code."""

    key_column: KeyColumn
    rows: RowCounts
    rejects: dict[str, int]
    warnings: dict[str, int]
    batches: tuple[PlannedBatch, ...]
    source_sha256: str
    examples: dict[str, list[int]] = field(default_factory=dict)


def split(
    source: SourceFile,
    feed: Feed,
    limits: Limits,
    output: Output,
    *,
    scratch: Scratch | None = None,
    checkpoint: Json | None = None,
    out_of_time: Callable[[], bool] | None = None,
    progress: Callable[[int, int], None] | None = None,
    digests: bool = True,
    processes: int | None = None,
) -> Split:
    """Split a source file and write its batches and rejects to `output`.

    `scratch` keeps what does not fit in memory; for a split that is to be continued it must outlive the
    process. `out_of_time` is asked after every batch; once it says so, `OutOfTimeError` carries the
    `checkpoint` to go on with. `progress` is told bytes read and bytes in all, of the present reading.
    Without `digests`, all `sha256` are empty: for who keeps nothing. If there are several `processes`, they
    help with a delimited file in which there is something to encode; None: one for each processor, a few at
    most, if the file is large.
    Raises `FileRejectedError` where the file cannot be read; what was written then means nothing.
    """
    keep_freed()
    state = State.from_json(checkpoint) if checkpoint else State()
    background = Background()
    tapped = TappedSource(source, progress, background, digests=digests)
    temporary = TemporaryScratch()
    try:
        while True:
            try:
                with open_source(tapped, feed, state.names) as reader:
                    job = Job(
                        reader,
                        feed,
                        limits,
                        output,
                        scratch or temporary,
                        background=background,
                        state=state,
                        out_of_time=out_of_time or (lambda: False),
                        digests=digests,
                        processes=processes or _processes(source.size),
                    )
                    counts, batches = job.run()
                break
            except NewColumnError as error:
                state = State(names=tuple(error.all_names()))
    finally:
        background.close()
        temporary.close()
    if counts.unaccounted:
        raise AccountingError(counts.unaccounted)
    return Split(
        job.columns.key_column,
        counts,
        dict(sorted(job.tally.rejects.items())),
        {str(code): count for code, count in sorted((job.tally.warnings + job.columns.warnings).items())},
        tuple(batches),
        (tapped.sha256 or digest(source)) if digests else "",
        job.tally.examples,
    )


def _processes(size: int) -> int:
    processors = os.process_cpu_count() or 1
    return min(processors, _MOST_PROCESSES) if size >= _LARGE_BYTES else 1
