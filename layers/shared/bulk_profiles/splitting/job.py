"""The three phases of a split.

The file is read once where no id repeats, which is the usual case. Where some do, it is read twice more: to
merge the rows of those ids, and to write the batches again with the merged rows in their places.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np

from bulk_profiles.core.errors import BulkProfilesError, DamagedScratchError, FileRejectedError
from bulk_profiles.core.json_object import Json
from bulk_profiles.core.models import RowCounts
from bulk_profiles.splitting.batches.cutter import TooManyBatchesError
from bulk_profiles.splitting.batches.merged_rows import MERGED_ROWS, MergedRowReader, RowMerger, rows_at
from bulk_profiles.splitting.batches.rejects import RejectLog
from bulk_profiles.splitting.batches.repeated_ids import PARTS, RepeatFilter, RepeatFinder
from bulk_profiles.splitting.batches.writer import BatchWriter
from bulk_profiles.splitting.checked_scratch import CheckedScratch, Sum
from bulk_profiles.splitting.reading.blocks import Block, Mendable
from bulk_profiles.splitting.rows.block_check import BlockCheck
from bulk_profiles.splitting.rows.faults import Reject, Warn
from bulk_profiles.splitting.rows.prepare import PreparedRows, RowPreparer

from .checkpoint import OutOfTimeError, Phase, Progress
from .pending_blocks import PendingBlocks

_MAX_GROWTH = 3  # an encoded byte is three bytes
MAX_ROWS = 400_000_000  # of a file: hashes of so many ids are 763 runs, each an open stream of 1,024 at most
# A sort of more hashes, or a merge of more rows, may take longer than what is left of an invocation.
LONG_SORT = 50_000_000
LONG_MERGE = 2_000_000


class Job:
    """The split of a file whose columns are known, from `progress` on.

    `progress` changes only where a block is done. If a block is interrupted, after one of the batches that it
    fills, the checkpoint is that of its start, with the number of its rows that are in finished batches.
    """

    def __init__(
        self,
        blocks: PendingBlocks,
        preparer: RowPreparer,
        writer: BatchWriter,
        scratch: CheckedScratch,
        *,
        mendable: Mendable,
        progress: Progress,
        out_of_time: Callable[[], bool] | None,
    ) -> None:
        self.log = RejectLog(scratch, mendable, preparer.columns.names, progress.tally, progress.parts)
        self._blocks = blocks
        self._preparer = preparer
        self._writer = writer
        self._scratch = scratch
        self._progress = progress
        self._may_stop = out_of_time is not None
        self._out_of_time = out_of_time or (lambda: False)
        self._repeats = RepeatFinder(
            scratch,
            progress.hash_runs,
            found=progress.repeats_found,
            parts=progress.hash_parts if progress.hash_runs else PARTS,
        )
        self._merger = RowMerger(scratch, progress.merge_runs, progress.merge_rows)

    def run(self) -> RowCounts:
        """Go through the phases that are left; raises `OutOfTimeError` where the time is up."""
        progress, cutter = self._progress, self._writer.cutter
        try:
            if progress.phase is Phase.DRAFT:
                self._draft()
            if progress.phase is Phase.GATHER:
                self._gather()
            if progress.phase is Phase.FINAL:
                self._finalize()
            cutter.finish()
        except BaseException as error:
            cutter.abort()
            self.log.abort()
            if isinstance(error, Exception) and not isinstance(error, (BulkProfilesError, OSError)):
                self._scratch.check()  # damage may lead to any error
            raise
        finally:
            self._blocks.close()
        if self._writer.skipped:
            progress.tally.warnings[Warn.NO_VALUES.value] = self._writer.skipped
        return RowCounts(
            read=progress.tally.read,
            rejected=progress.tally.rejects.total(),
            merged=progress.merged,
            skipped=self._writer.skipped,
            sent=sum(batch.rows for batch in cutter.batches),
        )

    def _draft(self) -> None:
        """Write batches as if no id came twice, until one does; check and count all rows.

        Batches beyond the limit are none of the file's if ids repeat: it is known at the end.
        """
        for block, prepared in self._unread():
            if not self._repeats.found:
                try:
                    too_large = self._write_draft(block, prepared)
                except TooManyBatchesError:
                    self._repeats.found = True  # or else the file is rejected
            if self._repeats.found:
                self._writer.cutter.abort()
                too_large = self._too_large(prepared)
            self._count(block, prepared.check)
            too_large_faults = prepared.check.reject(too_large, Reject.ROW_TOO_LARGE)
            self.log.add(block, prepared.check.faults | too_large_faults)
            self._repeats.add(prepared.check.hashes)
        self._rest_before_merge(self._repeats.total > LONG_SORT)
        repeated = self._repeats.finish(self._out_of_time)
        if repeated:
            repeated.save(self._scratch)
            self._enter(Phase.GATHER)
        elif self._repeats.found:
            raise TooManyBatchesError(self._writer.cutter.limits.max_batches)

    def _write_draft(self, block: Block, prepared: PreparedRows) -> list[int]:
        """Write the rows of a block; return the places of those that no batch can hold."""
        rows = self._preparer.encoded(prepared)
        too_large, valueless = self._writer.write([rows], self._pause, valueless=prepared.check.valueless)
        self.log.add_examples(block, Warn.NO_VALUES, prepared.check.records(valueless))
        return too_large

    def _gather(self) -> None:
        """Merge the rows whose ids come more than once."""
        repeated = RepeatFilter.load(self._scratch)
        for _, prepared in self._unread():
            places = repeated.matches(prepared.check.hashes)
            if not places.size:
                continue
            chosen = rows_at(prepared.rows, places)
            encoded = self._preparer.encoded(dataclasses.replace(prepared, rows=chosen))
            too_large = self._writer.too_large(encoded)
            if too_large:
                fitting = np.delete(np.arange(len(places)), too_large)
                places, encoded = places[fitting], rows_at(encoded, fitting)
            ordinals = (places + self._blocks.ordinal).astype(np.uint64)
            self._merger.add(prepared.check.hashes[places], ordinals, encoded)
        self._rest_before_merge(self._merger.rows > LONG_MERGE)
        self._progress.merged = self._merger.rows - self._merger.finish(
            self._out_of_time, self._progress.tally.read
        )
        self._enter(Phase.FINAL)

    def _finalize(self) -> None:
        """Write the batches with the merged rows in their places."""
        progress = self._progress
        repeated = RepeatFilter.load(self._scratch)
        with self._scratch.open(MERGED_ROWS, progress.merged_at) as stream:
            taken = Sum(progress.merged_at, progress.merged_crc)
            reader = MergedRowReader(stream, taken, progress.oversized, self._writer.too_large)
            for block, prepared in self._pending():
                rows = self._preparer.encoded(prepared)
                places = repeated.matches(prepared.check.hashes)
                merged = reader.put_into(rows, places, self._blocks.ordinal)
                _, valueless = self._writer.write(
                    merged.pieces, self._pause, valueless=prepared.check.valueless
                )
                if valueless:
                    remaining = np.delete(np.arange(len(prepared.check.hashes)), merged.left_out)
                    valueless = prepared.check.records(remaining[valueless].tolist())
                    self.log.add_examples(block, Warn.NO_VALUES, valueless)
                self.log.add(block, prepared.check.reject(merged.too_large, Reject.ROW_TOO_LARGE))
                progress.merged -= merged.unmerged
                progress.merged_at, progress.merged_crc = reader.taken
                progress.oversized = tuple(sorted(reader.oversized))
        if reader.taken != self._scratch.sums.get(MERGED_ROWS, reader.taken):
            raise DamagedScratchError(MERGED_ROWS)

    def _unread(self) -> Iterator[tuple[Block, PreparedRows]]:
        if not self._progress.read:
            yield from self._pending()

    def _rest_before_merge(self, long: bool) -> None:
        """Leave a long merge to another invocation, which can spend all its time on it."""
        if not self._progress.read:
            self._progress.read = True
            if long and self._may_stop:
                self._writer.cutter.finish()  # no batch is open at a checkpoint
                raise OutOfTimeError(self._checkpoint())

    def _pending(self) -> Iterator[tuple[Block, PreparedRows]]:
        return self._blocks.read(self._task, self._pause)

    def _task(self) -> tuple[bool, bool]:
        """Whether warnings are counted at present, and whether rows are encoded."""
        draft = self._progress.phase is Phase.DRAFT
        return draft, not self._repeats.found if draft else self._progress.phase is Phase.FINAL

    def _too_large(self, prepared: PreparedRows) -> list[int]:
        """Return the places of the rows that no batch can hold, which may be known without encoding."""
        longest = _MAX_GROWTH * len(prepared.rows) + self._preparer.columns.growth
        if longest <= self._writer.cutter.room:
            return []
        return self._writer.too_large(self._preparer.encoded(prepared))

    def _count(self, block: Block, check: BlockCheck) -> None:
        tally = self._progress.tally
        tally.read += len(check.hashes) + len(check.faults)
        if tally.read > MAX_ROWS:
            raise FileRejectedError(f"The file has more than {MAX_ROWS:,} rows: drop it in parts.")
        for warnings in (block.warnings, check.warnings):
            self.log.count_warnings(block, warnings)

    def _enter(self, phase: Phase) -> None:
        """Begin a phase, with the first block of the file."""
        self._progress.phase, self._progress.read = phase, False
        self._progress.tally.warning_examples.pop(Warn.NO_VALUES.value, None)  # counted anew in each phase
        self._blocks.restart()
        self._writer.restart()

    def _pause(self) -> None:
        """Raise `OutOfTimeError` where the time is up and no batch is open."""
        if not self._writer.cutter.is_open and self._out_of_time():
            raise OutOfTimeError(self._checkpoint())

    def _checkpoint(self) -> Json:
        """Write what is in memory to the scratch; return how far the split has come."""
        self.log.flush()
        self._repeats.flush()
        self._merger.flush()
        progress = self._progress
        progress.start, progress.ordinal = self._blocks.start, self._blocks.ordinal
        progress.done, progress.skipped = self._writer.done, self._writer.skipped
        progress.batches = tuple(self._writer.cutter.batches)
        progress.parts = self.log.parts
        progress.hash_runs, progress.hash_parts = tuple(self._repeats.runs), self._repeats.parts
        progress.repeats_found = self._repeats.found
        progress.merge_runs, progress.merge_rows = self._merger.runs, self._merger.rows
        progress.by_hash = True
        return progress.to_json()
