"""The empty cells beyond the columns of a delimited file: those of its header, and those of its rows."""

from __future__ import annotations

from collections.abc import Sequence

from bulk_profiles.core.text import without_invisible
from bulk_profiles.splitting.rows.row_check import Surplus, no_row

from .header import Header


def find_surplus(header: Header, rows: Sequence[bytes]) -> Surplus:
    """Return the surplus cells of the header, and those that all of the first rows, which are plain, have."""
    cells = [without_invisible(name) for name in header.names]
    while cells and not cells[-1]:
        cells.pop()
    widths = {row.count(b",") + 1 for row in rows if _is_row(row)}
    return Surplus(
        header=len(header.names) - len(cells),
        rows=max(0, widths.pop() - len(cells)) if len(widths) == 1 else 0,
    )


def _is_row(row: bytes) -> bool:
    try:
        return no_row(row, row.split(b",", 1)[0]) is None
    except UnicodeDecodeError:
        return True
