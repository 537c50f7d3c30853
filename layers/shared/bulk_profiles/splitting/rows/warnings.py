"""The warnings of a block, with the records that have them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice

from bulk_profiles.core.models import MOST_EXAMPLES

from .faults import Warn


@dataclass(frozen=True, slots=True)
class Warnings:
    """How often a block has each warning, and the first records that have it."""

    counts: Counter[Warn] = field(default_factory=Counter)
    records: dict[Warn, list[int]] = field(default_factory=dict)  # numbers in the block, ascending

    def add(self, warning: Warn, records: Iterable[int], count: int | None = None) -> None:
        """Count a warning for records, by their ascending numbers in the block.

        `count` is for a warning that a record may have more than once: then the first five records do. All
        warnings of one code come in one call.
        """
        numbers = list(dict.fromkeys(records))
        self.counts[warning] += len(numbers) if count is None else count
        self.records[warning] = numbers[:MOST_EXAMPLES]


def first_records(rows: bytes, sign: bytes) -> list[int]:
    """Return the numbers of the first records with a sign, where blank lines are no records."""
    records = (line for line in rows.split(b"\n") if line)
    return list(islice((number for number, line in enumerate(records) if sign in line), MOST_EXAMPLES))
