"""Target's own format: `batch=`, then a header and rows that are percent-encoded already."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator

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

BODY_PREFIX = b"batch="
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_ESCAPE = re.compile(rb"%..")
# Decoded with the others, these could be taken for separators, for a raw `+`, or for the start of an escape:
# `%2541` is `%41`, not `A`.
_DECODED_LAST = {"2C": COMMA_MARK, "0A": LINE_FEED_MARK, "0D": RETURN_MARK, "2B": b"+", "25": b"%"}


def decoded(blocks: Iterable[Block]) -> Iterator[Block]:
    """Decode the plain rows of blocks. A raw `+` becomes a mark, which sets it apart from an encoded one."""
    for block in blocks:
        yield dataclasses.replace(block, rows=decode(block.rows))


def decode(rows: bytes) -> bytes:
    """Decode some plain rows; a row with a bad escape becomes a fault."""
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
    rows = _decode_escapes(rows)
    if not faults:
        return rows
    return b"\n".join([faults.get(number, line) for number, line in enumerate(rows.split(b"\n"))])


def _decode_escapes(rows: bytes) -> bytes:
    """Replace each kind of escape in all rows at once: there are few kinds, and many of each."""
    escapes = {escape: escape[1:].decode().upper() for escape in set(_ESCAPE.findall(rows))}
    for escape, digits in escapes.items():
        if digits not in _DECODED_LAST:
            rows = rows.replace(escape, bytes.fromhex(digits))
    rows = without_invalid(rows).replace(b"+", PLUS_MARK)
    for escape, digits in sorted(escapes.items(), key=lambda pair: pair[1] == "25"):  # the percent sign last
        if digits in _DECODED_LAST:
            rows = rows.replace(escape, _DECODED_LAST[digits])
    return rows
