"""Splitting a source file into batches, with every row accounted for."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field

from bulk_profiles.core.errors import AccountingError, DamagedScratchError
from bulk_profiles.core.feeds import Feed
from bulk_profiles.core.json_object import Json
from bulk_profiles.core.models import Examples, KeyColumn, PlannedBatch, RowCounts
from bulk_profiles.core.names import CHECKPOINT
from bulk_profiles.splitting.batches.cutter import Cutter, Limits
from bulk_profiles.splitting.batches.writer import BatchWriter
from bulk_profiles.splitting.parallel.malloc import keep_freed_memory
from bulk_profiles.splitting.parallel.thread import Background
from bulk_profiles.splitting.reading.formats import open_source
from bulk_profiles.splitting.reading.json_lines import NewColumnError
from bulk_profiles.splitting.rows.columns import resolve
from bulk_profiles.splitting.rows.prepare import RowPreparer

from .checked_scratch import CheckedScratch
from .checkpoint import Phase, Progress
from .files import Output, Scratch, SourceFile, TemporaryScratch
from .job import Job
from .pending_blocks import PendingBlocks
from .source_digest import DigestingSource, digest
from .whole_source import WholeSource

_LARGE_BYTES = 64 * 1024 * 1024  # below, a split takes a second, and helpers are not worth starting
_MAX_PROCESSES = 4  # more do not get enough to do


@dataclass(frozen=True, slots=True)
class Split:
    """The result of a split."""

    key_column: KeyColumn
    rows: RowCounts
    rejects: dict[str, int]  # by code
    warnings: dict[str, int]  # by code
    batches: tuple[PlannedBatch, ...]
    source_sha256: str  # of the file as stored (hex); empty where no digests are taken
    examples: Examples = field(default_factory=Examples)
    rejected_rows: str = ""  # the name of the file of the rejected rows, if there are any
    advice: str = ""  # a sentence on the rejects, where one is known that helps with most of them


def split(  # four parameters that every caller has, and options
    source: SourceFile,
    feed: Feed,
    limits: Limits,
    output: Output,
    *,
    scratch: Scratch | None = None,
    checkpoint: Json | None = None,
    out_of_time: Callable[[], bool] | None = None,
    on_read: Callable[[int, int], None] | None = None,
    digests: bool = True,
    processes: int | None = None,
) -> Split:
    """Split a source file and write its batches and rejects to `output`.

    `scratch` keeps what does not fit in memory; it must outlive the process if the split is to be continued.
    `out_of_time` is called after every batch and in long merges; where it returns true after a batch,
    `OutOfTimeError` is raised with the `checkpoint` to continue from. It is raised before a long merge, too,
    so that the merge has the whole time of an invocation. `on_read` is called with the bytes read and the
    bytes in all, of the present reading. Without `digests`, all `sha256` are empty, for callers that keep no
    batches. Several `processes` share the work on a file in which there is something to encode; None: as many
    as processors, four at most, for a large file, and one otherwise; where a process cannot be forked, as on
    Windows, it is always one. Raises `FileRejectedError` where the file cannot be read, and
    `CutShortError` where it ends before its size; what was written then means nothing. Raises
    `DamagedScratchError` where the scratch does not return what was written to it: the split must begin anew.
    """
    keep_freed_memory()
    progress = _progress(checkpoint)
    source = WholeSource(source)
    with closing(TemporaryScratch()) as temporary, closing(Background()) as background:
        digesting = DigestingSource(source, on_read, background, digests=digests)
        while True:
            try:
                with open_source(digesting, feed, progress.names) as reader:
                    progress.names = tuple(reader.names)
                    columns = resolve(reader.names, feed)
                    preparer = RowPreparer(
                        columns,
                        feed,
                        short_rows=reader.short_rows,
                        blank_rows=reader.blank_rows,
                        surplus=reader.surplus,
                    )
                    blocks = PendingBlocks(
                        reader,
                        preparer,
                        progress.start,
                        progress.ordinal,
                        processes=_processes(processes, source.size),
                    )
                    cutter = Cutter(
                        columns.header, limits, output, background, progress.batches, digests=digests
                    )
                    writer = BatchWriter(columns, cutter, done=progress.done, skipped=progress.skipped)
                    job = Job(
                        blocks,
                        preparer,
                        writer,
                        CheckedScratch(scratch or temporary, progress.sums),
                        mendable=reader.mendable,
                        progress=progress,
                        out_of_time=out_of_time,
                    )
                    counts = job.run()
                    rejected_rows = job.log.publish(output)
                break
            except NewColumnError as error:
                progress = Progress(names=tuple(error.all_names()), noted=True)
    if counts.unaccounted:
        raise AccountingError(counts.unaccounted)
    return Split(
        columns.key_column,
        counts,
        dict(sorted(progress.tally.rejects.items())),
        {str(code): count for code, count in sorted((progress.tally.warnings + columns.warnings).items())},
        tuple(cutter.batches),
        (digesting.sha256 or digest(source)) if digests else "",
        Examples(progress.tally.examples, progress.tally.warning_examples, columns.named),
        rejected_rows,
        progress.tally.advice(named=feed.encoding or "", found=reader.encoding) or columns.advice,
    )


def _progress(checkpoint: Json | None) -> Progress:
    """Return how far a split has come. What an earlier version wrote in another form is done anew.

    Raises `DamagedScratchError` for a checkpoint without the form of one.
    """
    try:
        progress = Progress.from_json(checkpoint) if checkpoint else Progress(noted=True)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DamagedScratchError(CHECKPOINT) from error
    if progress.parts and not progress.noted:  # the rejected rows have no notes
        progress = Progress(names=progress.names, noted=True)
    if progress.phase is Phase.GATHER and not progress.by_hash:
        progress.read, progress.start, progress.ordinal = False, None, 0
        progress.merge_runs = progress.merge_rows = 0
    return progress


def _processes(wanted: int | None, size: int) -> int:
    if not hasattr(os, "fork"):  # as on Windows; the helpers are forks
        return 1
    processors = os.process_cpu_count() or 1
    return wanted or (min(processors, _MAX_PROCESSES) if size >= _LARGE_BYTES else 1)
