"""The verdict on a split, the status with which its import ends if Target takes every row, and its words.

Imports and `bulk-profiles plan` share these functions, so that they say the same of the same file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bulk_profiles.core.models import MOST_EXAMPLES, ImportStatus, RowCounts
from bulk_profiles.core.names import REJECTED_ROWS
from bulk_profiles.core.text import quantity

DEFAULT_MAX_REJECTED_PERCENT = 10
_WHERE = "{} has them with line and reason: mend it, and drop it as it is."


@dataclass(frozen=True, slots=True)
class SplitVerdict:
    """What the counts of a split mean for its import."""

    status: ImportStatus  # succeeded, partial or rejected
    reason: str  # a sentence for people; empty where no row was rejected and there is something to send


def judge_split(
    rows: RowCounts, max_rejected_percent: int | None, advice: str = "", rejected_file: str = ""
) -> SplitVerdict:
    """Return the verdict on the rows of a split, with its advice. A limit of None is the default.

    `rejected_file` is the name of the file of the rejected rows.

    A file of which no row can be sent is rejected. One of whose rows more than `max_rejected_percent` were
    rejected is partial.
    """
    limit = DEFAULT_MAX_REJECTED_PERCENT if max_rejected_percent is None else max_rejected_percent
    too_many = 100 * rows.rejected > limit * rows.read
    advice = f" {advice}" if advice else ""
    where = _WHERE.format(rejected_file or f"{REJECTED_ROWS}.csv")
    if rows.sent == 0:
        return SplitVerdict(ImportStatus.REJECTED, _nothing_to_send(rows, where) + advice)
    if not rows.rejected:
        return SplitVerdict(ImportStatus.SUCCEEDED, "")
    above = f", which is above the limit of {limit} %" if too_many else ""
    return SplitVerdict(
        ImportStatus.PARTIAL if too_many else ImportStatus.SUCCEEDED,
        f"{rejected_rows(rows.rejected)} of {rows.read:,} read{above}: {where}{advice}",
    )


def too_long_to_send(
    sent: int, rows_per_day: int, deadline_hours: int, retention_days: int, limit: str = "RowsPerDay"
) -> str:
    """Return a sentence for a file whose batches would expire before Target has settled them; else empty.

    With 1,000,000 rows a day, 30,000,001 rows take 31 days, and Target may take `deadline_hours` for the last
    of them. A `rows_per_day` of 0 is no limit. `limit` is what to raise.
    """
    sending = -(-sent // rows_per_day) if rows_per_day else 1
    needed = sending + -(-deadline_hours // 24)
    if needed <= retention_days:
        return ""
    return (
        f"The import would take {needed} days, and its batches are kept for {retention_days}: {sent} rows at "
        f"{rows_per_day} a day, and {deadline_hours} hours for Target to finish. Drop the file in parts, or "
        f"raise {limit} or RetentionDays."
    )


def status_line(status: str, rejected: int) -> str:
    """Return an import's status with the number of rejected rows, as in `succeeded, 3 rows rejected`."""
    return f"{status}, {rejected_rows(rejected)}" if rejected and status != ImportStatus.REJECTED else status


def rejected_rows(count: int) -> str:
    """Return a number of rejected rows in words."""
    return f"{quantity(count, 'row')} rejected"


def first_examples(examples: Sequence[int | str], count: int) -> str:
    """Return the first lines or columns of a code that was counted `count` times, as in `3, 4, 7, 8, 9, ...`.

    A line may have been counted more than once, for several of its values.
    """
    more = ["..."] if MOST_EXAMPLES <= len(examples) < count else []
    return ", ".join([*map(str, examples), *more])


def _nothing_to_send(rows: RowCounts, where: str) -> str:
    if rows.read == 0:
        return "Nothing can be sent: the file has a header and no rows."
    if rows.rejected == 0:
        return f"Nothing can be sent: no row of the {rows.read:,} read has a value beside its id."
    others = "" if rows.rejected == rows.read else ", and the others have no value beside their id"
    return f"Nothing can be sent: {rejected_rows(rows.rejected)} of {rows.read:,} read{others}; {where}"
