"""The rows of a source file whose ids are wanted: the file is read again as a split reads it.

Memory holds twelve bytes for each wanted id: its hash of 64 bits, and its number. If another id of the file
has the hash of a wanted one, its rows are selected, too. Of a million wanted ids among a million others, that
happens once in 18 million files.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import batched

import numpy as np
from numpy.typing import NDArray

from bulk_profiles.core.errors import BulkProfilesError
from bulk_profiles.core.feeds import Feed
from bulk_profiles.splitting.batches.cutter import Limits
from bulk_profiles.splitting.batches.merged_rows import bounds
from bulk_profiles.splitting.reading.batch_format import BODY_PREFIX
from bulk_profiles.splitting.reading.blocks import Block, Notes, Reader
from bulk_profiles.splitting.reading.formats import open_source
from bulk_profiles.splitting.reading.json_lines import NewColumnError
from bulk_profiles.splitting.rows.columns import resolve
from bulk_profiles.splitting.rows.grid import Grid
from bulk_profiles.splitting.rows.id_hashes import Hashes, hash_ids
from bulk_profiles.splitting.rows.notes import LINE
from bulk_profiles.splitting.rows.plain import PLUS_MARK, mark
from bulk_profiles.splitting.rows.prepare import PreparedRows, RowPreparer
from bulk_profiles.splitting.rows.row_check import Rules

from .files import Sink, SourceFile
from .pending_blocks import PendingBlocks
from .whole_source import WholeSource

_ALONE = Rules(width=1, key=0, third_party_id=False)  # rows of nothing but ids
_AT_ONCE = 50_000  # ids that are hashed
_MAX_GROWTH = 3  # an encoded byte is three bytes


class SelectionStoppedError(BulkProfilesError):
    """The selection ran out of time."""

    def __init__(self) -> None:
        super().__init__("Reading the file again took longer than there was time.")


class WantedIds:
    """Ids to look for, numbered from 0 in the order in which they are given."""

    def __init__(self, ids: Iterable[str]) -> None:
        hashes, numbers, self.count = list[Hashes](), list[NDArray[np.uint32]](), 0
        for some in batched(ids, _AT_ONCE, strict=False):
            cells = [mark(text.encode()) for text in some]
            places = range(self.count, self.count + len(cells))
            # In a batch= file, a `+` of an id may have been a raw one.
            plus = [
                (cell.replace(b"+", PLUS_MARK), n)
                for cell, n in zip(cells, places, strict=True)
                if b"+" in cell
            ]
            hashes.append(_hashes([*cells, *(cell for cell, _ in plus)]))
            numbers.append(np.array([*places, *(number for _, number in plus)], np.uint32))
            self.count += len(cells)
        found = np.concatenate(hashes) if hashes else np.empty(0, np.uint64)
        order = np.argsort(found)
        self._hashes = found[order]
        self._numbers = (np.concatenate(numbers) if numbers else np.empty(0, np.uint32))[order]

    def find(self, hashes: Hashes) -> tuple[NDArray[np.intp], NDArray[np.uint32]]:
        """Return the places of the hashes that are wanted, and the numbers of their ids."""
        if not self.count:
            return np.empty(0, np.intp), self._numbers
        nearest = np.minimum(np.searchsorted(self._hashes, hashes), len(self._hashes) - 1)
        places = np.flatnonzero(self._hashes[nearest] == hashes)
        return places, self._numbers[nearest[places]]


@dataclass(frozen=True, slots=True)
class Selection:
    """What was found of the wanted ids."""

    rows: int  # that were written
    ids: int  # that have any


@dataclass(frozen=True, slots=True)
class RowSelector:
    """What to select, and what to note of it."""

    feed: Feed
    limits: Limits
    wanted: WantedIds
    titles: Sequence[str]  # of the notes beside the line
    notes: Callable[[int], Notes]  # beside the line, by the number of the id

    def write(
        self,
        source: SourceFile,
        create: Callable[[str], Sink],
        out_of_time: Callable[[], bool] = lambda: False,
    ) -> Selection:
        """Write the rows of the wanted ids to a file of rows to mend, in the order of the source file.

        `create` is given the suffix of the file's name. Rows that no batch could hold are left out: they were
        rejected. Raises `SelectionStoppedError` where `out_of_time` returns true, and `CutShortError` where
        the source file ends before its size; the file is not there then.
        """
        names: Sequence[str] | None = None
        whole = WholeSource(source)
        while True:
            try:
                with open_source(whole, self.feed, names) as reader:
                    sink = create(reader.mendable.suffix)
                    try:
                        selection = self._select(reader, sink, out_of_time)
                    except BaseException:
                        sink.abort()
                        raise
                    sink.commit()
                    return selection
            except NewColumnError as error:
                names = tuple(error.all_names())

    def _select(self, reader: Reader, sink: Sink, out_of_time: Callable[[], bool]) -> Selection:
        columns = resolve(reader.names, self.feed)
        preparer = RowPreparer(
            columns,
            self.feed,
            short_rows=reader.short_rows,
            blank_rows=reader.blank_rows,
            surplus=reader.surplus,
        )
        room = self.limits.max_batch_bytes - len(BODY_PREFIX) - len(columns.header)
        found, rows = np.zeros(self.wanted.count, np.bool_), 0
        sink.write(reader.mendable.head([LINE, *self.titles]))
        blocks = PendingBlocks(reader, preparer, None, 0, processes=1)
        for block, prepared in blocks.read(lambda: (False, False), lambda: _pause(out_of_time)):
            places, numbers = self.wanted.find(prepared.check.hashes)
            if places.size:
                fits = [*_fits(prepared, preparer, places, room)]
                places, numbers = places[fits], numbers[fits]
                sink.write(self._rows(reader, block, prepared.check.records(places.tolist()), numbers))
                found[numbers] = True
                rows += len(numbers)
        return Selection(rows, int(np.count_nonzero(found)))

    def _rows(
        self, reader: Reader, block: Block, records: Sequence[int], numbers: NDArray[np.uint32]
    ) -> bytes:
        return b"".join(
            reader.mendable.row(record.raw, {LINE: str(record.line), **self.notes(number)})
            for record, number in zip(block.find(records), numbers.tolist(), strict=True)
        )


def _hashes(cells: Sequence[bytes]) -> Hashes:
    rows = b"\n".join([*cells, b""])
    grid = Grid.of(rows, _ALONE, unreserved=False)
    if grid is None:
        raise AssertionError  # separators are marked, so each row is one cell
    return hash_ids(rows, grid, _ALONE, unreserved=False).hashes


def _fits(
    prepared: PreparedRows, preparer: RowPreparer, places: NDArray[np.intp], room: int
) -> Iterator[bool]:
    """Yield for the rows in some places whether a batch can hold them."""
    columns = preparer.columns
    for start, end in bounds(prepared.rows, places, places):
        if _MAX_GROWTH * (end - start) + columns.growth <= room:
            yield True
            continue
        encoded = preparer.encoded(dataclasses.replace(prepared, rows=prepared.rows[start:end]))
        yield len(columns.complete(encoded)) <= room


def _pause(out_of_time: Callable[[], bool]) -> None:
    if out_of_time():
        raise SelectionStoppedError
