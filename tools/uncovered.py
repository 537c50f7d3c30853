"""What no test of `make coverage` reaches, and why."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Uncovered:
    """A function of which a part is not reached."""

    module: str  # e.g. `aws.s3`
    function: str  # e.g. `Sink.abort`; empty: outside of functions
    missing: int  # lines and branches
    reason: str


UNCOVERED = (
    Uncovered(
        "splitting.batches.cutter",
        "Cutter._put",
        1,
        "Bytes are put into a batch that is open: only the type says that there may be none.",
    ),
    Uncovered(
        "splitting.reading.block_parser",
        "BlockParser.spans",
        2,
        "Quotes that do not pair have no plain rows, and without these it is not called.",
    ),
    Uncovered(
        "splitting.selection",
        "_hashes",
        2,
        "Separators in ids are marked, so that each row is one cell and there is a grid.",
    ),
    Uncovered(
        "splitting.rows.block_check",
        "_even_grid",
        2,
        "Rows that were checked have one cell for each column, so that there is a grid.",
    ),
)
