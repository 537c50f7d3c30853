"""Target's own format: `batch=`, then rows that are percent-encoded already."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

from bulk_profiles.splitting.rows.faults import Reject
from bulk_profiles.splitting.rows.plain import (
    COMMA_MARK,
    FAULT_MARK,
    LINE_FEED_MARK,
    PLUS_MARK,
    RETURN_MARK,
    fault_row,
    without_invalid,
)

from .blocks import Block

_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_ESCAPE = re.compile(rb"%..")
# These would be taken for something else, or for the start of an escape, before all others are undone.
_LATE = {"2C": COMMA_MARK, "0A": LINE_FEED_MARK, "0D": RETURN_MARK, "2B": b"+", "25": b"%"}


def unescaped(blocks: Iterator[Block]) -> Iterator[Block]:
    """Undo the encoding of plain rows. A raw `+` keeps being one, apart from an encoded one."""
    for block in blocks:
        yield dataclasses.replace(block, rows=unescape(block.rows))


def unescape(rows: bytes) -> bytes:
    """Undo the encoding of some plain rows; a row with a bad escape becomes a fault."""
    if rows.startswith(FAULT_MARK) or (b"%" not in rows and b"+" not in rows):
        return rows
    faults: dict[int, bytes] = {}
    if _BAD_ESCAPE.search(rows):
        lines = rows.split(b"\n")
        for number, line in enumerate(lines):
            bad = _BAD_ESCAPE.search(line)
            if bad:
                faults[number] = fault_row(Reject.BAD_ESCAPE, line.count(b",", 0, bad.start()))
                lines[number] = b"-"
        rows = b"\n".join(lines)
    rows = _undo_escapes(rows)
    if not faults:
        return rows
    return b"\n".join([faults.get(number, line) for number, line in enumerate(rows.split(b"\n"))])


def _undo_escapes(rows: bytes) -> bytes:
    escapes = {escape: escape[1:].decode().upper() for escape in set(_ESCAPE.findall(rows))}
    for escape, digits in escapes.items():
        if digits not in _LATE:
            rows = rows.replace(escape, bytes.fromhex(digits))
    rows = without_invalid(rows).replace(b"+", PLUS_MARK)
    for escape, digits in sorted(escapes.items(), key=lambda pair: pair[1] == "25"):
        if digits in _LATE:
            rows = rows.replace(escape, _LATE[digits])
    return rows
