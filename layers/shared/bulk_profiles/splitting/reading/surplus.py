"""The empty cells beyond the columns of a delimited file: those of its header, and those of its rows."""

from __future__ import annotations

from dataclasses import replace

from bulk_profiles.core.errors import FileRejectedError
from bulk_profiles.core.text import without_invisible
from bulk_profiles.splitting.rows.plain import FAULT_MARK
from bulk_profiles.splitting.rows.row_check import Surplus, is_blank

from .header import Header
from .record_parser import parse
from .repeated_header import is_dashes
from .text import HEAD_BYTES, Text

_MOST_ROWS = 1000  # that are looked at


def find_surplus(text: Text, header: Header) -> Surplus:
    """Return the surplus cells of the header, and those that all of the first rows have."""
    cells = [without_invisible(name) for name in header.names]
    while cells and not cells[-1]:
        cells.pop()
    named = len(header.names) - len(cells)
    with text.open(header.end.offset) as stream:
        data = stream.read(HEAD_BYTES)
        data = data[: data.rfind(b"\n") + 1] if stream.read(1) else data + b"\n"
    try:
        rows = parse(data, replace(header.dialect, header=None), line=1, final=False, most=_MOST_ROWS).rows
    except FileRejectedError:
        return Surplus(named)
    widths = {
        row.count(b",") + 1
        for row in rows
        if not (row.startswith(FAULT_MARK) or is_dashes(row, b",") or _is_blank(row))
    }
    return Surplus(named, max(0, widths.pop() - len(cells)) if len(widths) == 1 else 0)


def _is_blank(row: bytes) -> bool:
    try:
        return is_blank(row)
    except UnicodeDecodeError:
        return False
