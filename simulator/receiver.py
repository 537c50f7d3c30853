"""Parse a submitted body as Target would, or refuse it for the same reasons.

Rows and cells are split before any cell is decoded, so that an encoded separator stays part of its value.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote_plus, unquote_to_bytes

KEY_COLUMNS = ("pcId", "thirdPartyId")
FORM = "application/x-www-form-urlencoded"
EMPTY = "Batch is empty"
_PREFIX = b"batch="
_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Row:
    """One row."""

    profile_id: str  # decoded
    line: bytes  # as received
    faulty: bool  # whether its update fails


@dataclass(frozen=True, slots=True)
class Body:
    """A parsed body."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    cut: bool  # whether a raw `&` ended it early


class RefusedError(Exception):
    """Target refuses the whole batch. The message is Target's."""


def parse(
    body: bytes,
    content_type: str,
    *,
    max_bytes: int,
    max_rows: int,
    needs_prefix: bool = True,
    crlf: str = "value",
) -> Body:
    """Parse a body; raise RefusedError with Target's message."""
    body = _tolerated(body, needs_prefix=needs_prefix, crlf=crlf)
    if content_type.partition(";")[0].strip().lower() != FORM:
        raise RefusedError(EMPTY)  # Target parses no other type
    if len(body) >= max_bytes:
        raise RefusedError("Batch size exceeds the allowed limit")
    if not body.startswith(_PREFIX):
        raise RefusedError("Parameter batch is missing")
    text, ampersand, _ = body[len(_PREFIX) :].partition(b"&")
    if _BROKEN_ESCAPE.search(text):
        raise RefusedError("Unexpected error")
    header, *lines = text.removesuffix(b"\n").split(b"\n")
    if not header or not lines:
        raise RefusedError(EMPTY)
    if len(lines) > max_rows:
        raise RefusedError("Number of rows exceeds the allowed limit")
    columns = tuple(decode(header.split(b",")))
    if columns[0] not in KEY_COLUMNS:
        raise RefusedError("First column must be pcId or thirdPartyId")
    rows = tuple(_row(line, columns) for line in lines)
    return Body(columns, rows, cut=bool(ampersand))


def attributes(columns: tuple[str, ...], line: bytes, kept: str = "decoded") -> dict[str, str]:
    """Return the attributes that a row sets by name; an empty or missing cell sets none.

    `kept`: how values are kept, see the settings.
    """
    keep = _KEPT[kept]
    if kept == "shifted":
        line = unquote_to_bytes(line.replace(b"+", b" ")).split(b"\n")[0]
    cells = (cell.decode(errors="replace") for cell in line.split(b",")[1:])
    return {name: keep(cell) for name, cell in zip(columns[1:], cells, strict=False) if cell}


def decode(cells: list[bytes]) -> list[str]:
    """Form-decode cells: `+` is a space, each `%XX` a byte of UTF-8."""
    return [unquote_plus(cell.decode(errors="replace"), errors="replace") for cell in cells]


def _decoded(cell: str) -> str:
    return unquote_plus(cell, errors="replace")


_KEPT: dict[str, Callable[[str], str]] = {
    "decoded": _decoded,
    "cut": lambda cell: re.split('[,"\r\n]', _decoded(cell))[0],
    "plus": lambda cell: _decoded(cell).replace(" ", "+"),
    "encoded": lambda cell: cell,
    "twice": lambda cell: _decoded(_decoded(cell)),
    "shifted": _decoded,
}


def _tolerated(body: bytes, *, needs_prefix: bool, crlf: str) -> bytes:
    """Return a body as it should have been, as far as the settings are lenient."""
    if not needs_prefix and not body.startswith(_PREFIX):
        body = _PREFIX + body
    if crlf == "refused" and b"\r\n" in body:
        raise RefusedError("Unexpected error")
    return body.replace(b"\r\n", b"\n") if crlf == "end" else body


def _row(line: bytes, columns: tuple[str, ...]) -> Row:
    profile_id = decode([line.partition(b",")[0]])[0]
    forbidden = columns[0] == "thirdPartyId" and ("/" in profile_id or "+" in profile_id)
    return Row(profile_id, line, faulty=not profile_id or forbidden or line.count(b",") >= len(columns))
