"""A submitted body as Target would read it: what it understood, or why it refused.

Rows and cells are split before any cell is decoded, so that an encoded separator stays part of its value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote_plus

KEY_COLUMNS = ("pcId", "thirdPartyId")
FORM = "application/x-www-form-urlencoded"
EMPTY = "Batch is empty"
_PREFIX = b"batch="
_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Row:
    """One row with a usable id: the id decoded, the row as it came. `faulty`: its update fails."""

    profile_id: str
    line: bytes
    faulty: bool


@dataclass(frozen=True, slots=True)
class Received:
    """A batch that was understood. `cut` says that a raw `&` ended it early."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    cut: bool


class RefusedError(Exception):
    """Target refuses the whole batch, with this message."""


def receive(body: bytes, content_type: str, *, max_bytes: int, max_rows: int) -> Received:
    """Read a body, or raise RefusedError with Target's message."""
    if content_type.partition(";")[0].strip().lower() != FORM:
        raise RefusedError(EMPTY)  # parameters of any other type are not parsed
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
    columns = tuple(decoded(header.split(b",")))
    if columns[0] not in KEY_COLUMNS:
        raise RefusedError("First column must be pcId or thirdPartyId")
    rows = tuple(_row(line, columns) for line in lines)
    return Received(columns, rows, cut=bool(ampersand))


def attributes(columns: tuple[str, ...], line: bytes) -> dict[str, str]:
    """Give what a row sets: empty values set nothing, missing cells are empty."""
    names = columns[1:]
    return {name: value for name, value in zip(names, decoded(line.split(b",")[1:]), strict=False) if value}


def decoded(cells: list[bytes]) -> list[str]:
    """Form-decode cells: `+` is a space, each `%XX` a byte of UTF-8."""
    return [unquote_plus(cell.decode(errors="replace"), errors="replace") for cell in cells]


def _row(line: bytes, columns: tuple[str, ...]) -> Row:
    profile_id = decoded([line.partition(b",")[0]])[0]
    forbidden = columns[0] == "thirdPartyId" and ("/" in profile_id or "+" in profile_id)
    return Row(profile_id, line, faulty=not profile_id or forbidden or line.count(b",") >= len(columns))
