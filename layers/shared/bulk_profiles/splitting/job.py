"""The phases of a split, and how it is interrupted and continued.

The file is read once where no id repeats, which is the usual case. Where some do, it is read twice more:
to merge the rows of those ids, and to write the batches anew with the merged rows in their places.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from bulk_profiles.core.feeds import Feed, SeparatorInValue
from bulk_profiles.core.models import PlannedBatch, RowCounts
from bulk_profiles.splitting.batches.cutter import Cutter, Limits
from bulk_profiles.splitting.batches.merged_rows import MergedRowReader, Merger
from bulk_profiles.splitting.batches.rejects import RejectLog, Tally
from bulk_profiles.splitting.batches.repeated_ids import Repeated, Repeats
from bulk_profiles.splitting.parallel.thread import Background
from bulk_profiles.splitting.reading.blocks import Block, Helpers, Reader, TakeApart
from bulk_profiles.splitting.rows.block_check import BlockCheck
from bulk_profiles.splitting.rows.columns import resolve
from bulk_profiles.splitting.rows.faults import Fault, Reject, Warn
from bulk_profiles.splitting.rows.prepare import PreparedRows, RowPreparer

from .checkpoint import OutOfTimeError, Phase, State
from .files import Output, Scratch
from .helpers import ReaderHelpers, help_with

if TYPE_CHECKING:
    from bulk_profiles.splitting.parallel.processes import HelperProcesses

_MERGED = "merged"
_REPEATED = "repeated"
_LINE_FEED = ord("\n")
_MOST_GROWTH = 3  # an encoded byte is three bytes


class Job:
    """One go at splitting a file whose header is known. `tally` and `columns` are for the caller to read."""

    def __init__(
        self,
        reader: Reader,
        feed: Feed,
        limits: Limits,
        output: Output,
        scratch: Scratch,
        *,
        background: Background,
        state: State,
        out_of_time: Callable[[], bool],
        digests: bool,
        processes: int = 1,
    ) -> None:
        self.columns = resolve(reader.names, feed)
        self.tally = Tally.from_json(state.tally)
        self._reader = reader
        self._limits = limits
        self._output = output
        self._scratch = scratch
        self._background = background
        self._state = dataclasses.replace(state, names=tuple(reader.names))
        self._out_of_time = out_of_time
        self._preparer = RowPreparer(self.columns, feed.separator_in_value or SeparatorInValue.ENCODE)
        self._processes = processes
        self._helpers: HelperProcesses | None = None
        self._log = RejectLog(scratch, self.columns.names, self.tally, state.parts)
        self._repeats = Repeats(scratch, state.hash_runs, found=state.repeats_found)
        self._merger = Merger(scratch, state.merge_runs, state.merge_rows)
        self._digests = digests
        self._cutter = self._new_cutter(state.batches)

    def run(self) -> tuple[RowCounts, Sequence[PlannedBatch]]:
        """Go through the phases that are left; raises `OutOfTimeError` where the time is up."""
        try:
            if self._state.phase is Phase.DRAFT:
                self._draft()
            if self._state.phase is Phase.GATHER:
                self._gather()
            if self._state.phase is Phase.FINAL:
                self._finalize()
            self._cutter.finish()
        except BaseException:
            self._cutter.abort()
            self._log.abort()
            raise
        finally:
            if self._helpers:
                self._helpers.close()
        self._log.publish(self._output, self._reader.header)
        if self._state.skipped:
            self.tally.warnings[Warn.NO_VALUES.value] = self._state.skipped
        batches = self._cutter.batches
        counts = RowCounts(
            read=self.tally.read,
            rejected=self.tally.rejects.total(),
            merged=self._state.merged,
            skipped=self._state.skipped,
            sent=sum(batch.rows for batch in batches),
        )
        return counts, batches

    def _draft(self) -> None:
        """Write batches as if no id came twice, but for the case that one is seen to."""
        for block, prepared in self._blocks():
            rows, too_large = b"", list[int]()
            longest = _MOST_GROWTH * len(prepared.rows) + self.columns.growth
            if not self._repeats.found or longest > self._cutter.room:
                rows, too_large = self._fitting(self._preparer.encoded(prepared))
            if self._repeats.found:
                self._cutter.abort()
            else:
                self._write(rows, valueless=prepared.check.valueless)
            self._account(block, prepared.check, too_large)
            self._repeats.add(prepared.check.hashes)
        repeated = self._repeats.rows()
        if repeated:
            self._keep(_REPEATED, repeated.to_bytes())
            self._enter(Phase.GATHER)

    def _gather(self) -> None:
        """Merge the rows whose ids come more than once."""
        repeated = self._repeated()
        for _, prepared in self._blocks():
            base = self._state.ordinal
            places = repeated.among(prepared.check.hashes)
            if not places:
                continue
            bounds = _bounds(prepared.rows, places)
            chosen = b"".join([prepared.rows[start:end] for start, end in bounds])
            encoded = self._preparer.encoded(dataclasses.replace(prepared, rows=chosen))
            for place, row in zip(places, encoded.split(b"\n"), strict=False):
                if self._fits(row):
                    self._merger.add(base + place, row)
        left = self._merger.finish(_MERGED)
        self._state = dataclasses.replace(self._state, merged=self._merger.rows - left)
        self._enter(Phase.FINAL)

    def _finalize(self) -> None:
        """Write the batches with the merged rows in their places."""
        repeated = self._repeated()
        with self._scratch.open(_MERGED, self._state.merged_at) as stream:
            merged = MergedRowReader(stream, self._state.merged_at)
            for block, prepared in self._blocks():
                rows = self._preparer.encoded(prepared)
                places = repeated.among(prepared.check.hashes)
                if not places:
                    self._write(self._fitting(rows)[0], valueless=prepared.check.valueless)
                    continue
                oversized, too_large = set(self._state.oversized), list[int]()
                pieces, done = list[bytes](), 0
                for place, (start, end) in zip(places, _bounds(rows, places), strict=True):
                    own, row = rows[start : end - 1], merged.take(self._state.ordinal + place)
                    pieces.append(rows[done:start])
                    done = end
                    if not row:  # merged into an earlier row
                        if oversized and self._fits(own) and _digest_of_id(own) in oversized:
                            too_large.append(place)
                    elif self._fits(row):
                        pieces.append(row + b"\n")
                    else:
                        oversized.add(_digest_of_id(own))
                        too_large.append(place)
                self._write(self._fitting(b"".join([*pieces, rows[done:]]))[0])
                self._reject(block, _too_large(prepared.check, too_large))
                self._state = dataclasses.replace(
                    self._state,
                    merged_at=merged.position,
                    merged=self._state.merged - len(too_large) + len(oversized) - len(self._state.oversized),
                    oversized=tuple(sorted(oversized)),
                )

    def _blocks(self) -> Iterator[tuple[Block, PreparedRows]]:
        """Give the blocks that are left, and keep account of where they are."""
        moved = False  # however little time there is, every go gets somewhere
        for block in self._reader.blocks(self._state.start or self._reader.first, self._find_helpers):
            self._state = dataclasses.replace(self._state, start=block.start)
            if moved and not self._cutter.is_open and self._out_of_time():
                self._stop(self._state.done)
            moved = True
            warn, encode = self._what_to_do()
            prepared = block.made or self._preparer.prepare(block.rows, warn=warn, encode=encode)
            yield block, prepared
            ordinal = self._state.ordinal + len(prepared.check.hashes)
            self._state = dataclasses.replace(self._state, ordinal=ordinal)

    def _find_helpers(self, take_apart: TakeApart) -> Helpers | None:
        """Start helpers once there is something to encode: without, handing out is most of the work."""
        if self._processes > 1 and not self._preparer.all_unreserved and not self._helpers:
            from bulk_profiles.splitting.parallel.processes import HelperProcesses  # noqa: PLC0415 most splits need none

            self._helpers = HelperProcesses(
                self._processes - 1, partial(help_with, take_apart, self._preparer)
            )
        return ReaderHelpers(self._helpers, self._what_to_do) if self._helpers else None

    def _what_to_do(self) -> tuple[bool, bool]:
        """Say whether warnings are counted at this moment, and whether rows are encoded."""
        draft = self._state.phase is Phase.DRAFT
        return draft, not self._repeats.found if draft else self._state.phase is Phase.FINAL

    def _fits(self, row: bytes) -> bool:
        """Say whether an encoded row fits in a batch by itself."""
        return len(self.columns.complete(row + b"\n")) <= self._cutter.room

    def _fitting(self, rows: bytes) -> tuple[bytes, list[int]]:
        """Complete encoded rows, leave out those that alone do not fit in a batch, and give their numbers."""
        rows, room = self.columns.complete(rows), self._cutter.room
        if len(rows) <= room:
            return rows, []
        lines = rows.split(b"\n")
        del lines[-1]
        too_large = [number for number, line in enumerate(lines) if len(line) >= room]
        return b"".join([line + b"\n" for line in lines if len(line) < room]), too_large

    def _write(self, rows: bytes, *, valueless: bool = True) -> None:
        """Write complete rows into batches, but for those without any value, which Target ignores."""
        skipped = 0
        if valueless or not self.columns.all_sent:
            rows, skipped = _with_values(rows, self.columns.width)
        # Read from another place on, blocks end in other places: what is done may span several of them.
        done = min(self._state.done, rows.count(b"\n")) if self._state.done else 0
        if done:
            rows = rows.split(b"\n", done)[-1]
        for finished in self._cutter.add(rows):
            if self._out_of_time():
                self._stop(done + finished)
        if done or skipped:
            self._state = dataclasses.replace(
                self._state, done=self._state.done - done, skipped=self._state.skipped + skipped
            )

    def _account(self, block: Block, check: BlockCheck, too_large: list[int]) -> None:
        """Count a block's rows and write down its rejects."""
        self.tally.read += len(check.hashes) + len(check.faults)
        self.tally.warnings += check.warnings
        if block.spaces:
            self.tally.warnings[Warn.SPACE_AFTER_DELIMITER.value] += block.spaces
        self._reject(block, check.faults | _too_large(check, too_large))

    def _reject(self, block: Block, faults: dict[int, Fault]) -> None:
        """Write down rejects, by the numbers of their records."""
        if faults:
            numbers = sorted(faults)
            self._log.add(zip(block.find(numbers), [faults[number] for number in numbers], strict=True))

    def _keep(self, name: str, data: bytes) -> None:
        sink = self._scratch.write(name)
        sink.write(data)
        sink.commit()

    def _repeated(self) -> Repeated:
        with self._scratch.open(_REPEATED) as stream:
            return Repeated.from_bytes(stream.read())

    def _new_cutter(self, batches: tuple[PlannedBatch, ...] = ()) -> Cutter:
        return Cutter(
            self.columns.header,
            self._limits,
            self._output,
            self._background,
            batches,
            digests=self._digests,
        )

    def _enter(self, phase: Phase) -> None:
        """Start reading the file anew."""
        self._cutter.abort()
        self._cutter = self._new_cutter()
        self._state = dataclasses.replace(
            self._state, phase=phase, start=None, done=0, ordinal=0, skipped=0, batches=()
        )

    def _stop(self, done: int) -> None:
        """Write down what is in memory and give the checkpoint, as of the start of the block."""
        self._log.flush()
        self._repeats.flush()
        self._merger.flush()
        state = dataclasses.replace(
            self._state,
            done=done,
            batches=tuple(self._cutter.batches),
            tally=self.tally.to_json(),
            parts=self._log.parts,
            hash_runs=tuple(self._repeats.runs),
            repeats_found=self._repeats.found,
            merge_runs=self._merger.runs,
            merge_rows=self._merger.rows,
        )
        raise OutOfTimeError(state.to_json())


def _too_large(check: BlockCheck, places: list[int]) -> dict[int, Fault]:
    """Return the faults of rows that do not fit, by the numbers of their records in the block."""
    return dict.fromkeys(check.records(places), Fault(Reject.ROW_TOO_LARGE))


def _bounds(rows: bytes, places: Sequence[int]) -> list[tuple[int, int]]:
    """Give where some rows start and end, by their ascending numbers."""
    starts = np.append(0, np.flatnonzero(np.frombuffer(rows, np.uint8) == _LINE_FEED) + 1)
    return list(zip(starts[places].tolist(), starts[np.add(places, 1)].tolist(), strict=True))


def _digest_of_id(row: bytes) -> str:
    """Give the SHA-256 of an encoded row's id (hex): in a checkpoint, an id does not say whose it is."""
    return hashlib.sha256(row.partition(b",")[0]).hexdigest()


def _with_values(rows: bytes, width: int) -> tuple[bytes, int]:
    """Leave out the rows that have an id and nothing else, and count them."""
    empty = b"," * (width - 1)
    if width > 1 and empty + b"\n" not in rows:
        return rows, 0
    lines = rows.split(b"\n")
    del lines[-1]
    kept = [line + b"\n" for line in lines if width > 1 and not line.endswith(empty)]
    return b"".join(kept), len(lines) - len(kept)
