"""Numbers of a Parquet file that are none, one block at a time."""

from __future__ import annotations

from bulk_profiles.splitting.reading.blocks import Block, Position
from bulk_profiles.splitting.reading.number_cells import NumberCells
from bulk_profiles.splitting.rows.faults import Reject, Warn
from bulk_profiles.splitting.rows.plain import fault_row


def test_row_with_a_fault_stays_as_it_is_among_numbers() -> None:
    fault = fault_row(Reject.INVALID_UTF8)
    block = Block(Position(0, 2), b"1,nan\n" + fault + b"\n2.5,3.5\n4,inf\n", lambda _: [])

    [checked] = NumberCells(floats=(1,), key=0).checked([block])

    assert checked.rows == b"1,\n" + fault + b"\n" + fault_row(Reject.ID_NUMBER, 0) + b"\n4,\n"
    assert checked.warnings.counts == {Warn.NOT_A_NUMBER: 2}
    assert list(checked.warnings.records[Warn.NOT_A_NUMBER]) == [0, 3]
