"""Floating-point and decimal numbers of a Parquet file, once they are text in plain rows.

A number may be no number, NaN, or an infinity: such a cell is empty. As an id, only a whole number is exact.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bulk_profiles.splitting.rows.faults import Reject, Warn
from bulk_profiles.splitting.rows.plain import FAULT_MARK, fault_row

from .blocks import Block

_NO_NUMBERS = frozenset({b"nan", b"inf", b"-inf"})
_MAY_BE_NO_NUMBER = re.compile(rb"(?:nan|inf)(?=[,\n])")
_WHOLE = re.compile(rb"-?\d*")


@dataclass(frozen=True, slots=True)
class NumberCells:
    """The columns of a Parquet file whose numbers may not be fit to be sent."""

    floats: tuple[int, ...]  # numbers of the columns with floating-point numbers, the key column aside
    key: int | None  # number of the key column, if its ids are numbers that need not be whole

    def without_none(self, cells: list[bytes]) -> list[bytes]:
        """Return the cells of a row, those empty that are no numbers."""
        return [
            b"" if number in self.floats and cell in _NO_NUMBERS else cell
            for number, cell in enumerate(cells)
        ]

    def checked(self, blocks: Iterable[Block]) -> Iterator[Block]:
        """Empty the cells that are no numbers, with a warning, and reject the rows whose id is not whole."""
        for block in blocks:
            suspect = self.floats and _MAY_BE_NO_NUMBER.search(block.rows)
            yield self._checked(block) if suspect or self.key is not None else block

    def _checked(self, block: Block) -> Block:
        rows = [row for row in block.rows.split(b"\n") if row]
        emptied: list[int] = []  # the numbers of the records, one for each cell
        for number, row in enumerate(rows):
            if row.startswith(FAULT_MARK):
                continue
            found = row.split(b",")
            cells = self.without_none(found)
            emptied += [number] * (cells.count(b"") - found.count(b""))
            if self.key is not None and not _WHOLE.fullmatch(cells[self.key]):
                rows[number] = fault_row(Reject.ID_NUMBER, self.key)
            else:
                rows[number] = b",".join(cells)
        if emptied:
            block.warnings.add(Warn.NOT_A_NUMBER, emptied, len(emptied))
        return dataclasses.replace(block, rows=b"".join([row + b"\n" for row in rows]))
