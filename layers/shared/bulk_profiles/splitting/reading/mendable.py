"""Files of rows to mend: rows as they were dropped, each with notes, in a form that the same feed reads.

A delimited file stays one, with its own delimiter and quoting, and with a byte order mark, which says UTF-8
whatever encoding the feed names. All others become JSON Lines, which depend on no delimiter and no quoting.
A row that was not mended is rejected again. So one that cannot be taken apart has no id, and its text is one
value; and the notes of one with too few or too many cells stand where its own cells end.
"""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from json.decoder import scanstring  # type: ignore[attr-defined]  # not in its stub

from bulk_profiles.core.errors import FileRejectedError
from bulk_profiles.core.feeds import plain_name
from bulk_profiles.core.text import without_invisible
from bulk_profiles.splitting.rows.notes import OUR_NOTES, ROW
from bulk_profiles.splitting.rows.plain import FAULT_MARK, unmark
from bulk_profiles.splitting.rows.row_check import visible

from .blocks import Notes
from .dialect import Dialect
from .header import DELIMITERS
from .record_parser import parse

_BLANKS = " \t\n\r"
_CACHED_NOTES = 1024
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")  # in JSON, too
_VALUE = json.JSONDecoder()


class MendableTable:
    """Rows of a delimited file, in its own dialect."""

    suffix = ".csv"

    def __init__(
        self, names: Sequence[str], dialect: Dialect, key: int | None, *, named: str | None, recoded: bool
    ) -> None:
        """Make the form of a table; `named` is the delimiter that the feed names, if any."""
        names = list(names)
        while names and not without_invisible(names[-1]):
            names.pop()
        self._dialect = dialect
        self._width = len(names)
        self._kept = [n for n, name in enumerate(names) if plain_name(name) not in OUR_NOTES]
        self._names = [names[number].encode() for number in self._kept]
        self._notes_at_end = len(names) - (self._kept[-1] + 1 if self._kept else 0)
        self._raw_place = next((place for place, number in enumerate(self._kept) if number != key), 0)
        self._recoded = recoded
        odd = (dialect.delimiter, b'"', b"\n", b"\r", codecs.BOM_UTF8)
        self._odd = re.compile(b"|".join(map(re.escape, odd)))
        self._note = lru_cache(_CACHED_NOTES)(self._noted)
        hinted = dialect.delimiter not in DELIMITERS and dialect.delimiter.decode() != named
        self._hint = b"sep=" + dialect.delimiter + b"\n" if hinted else b""

    def head(self, notes: Sequence[str]) -> bytes:
        """Return the header."""
        return codecs.BOM_UTF8 + self._hint + self._line([*self._names, *(note.encode() for note in notes)])

    def row(self, raw: bytes, notes: Notes, *, surplus: bool = False) -> bytes:
        """Return a row and its notes."""
        cells = self._fitted(self._cells(raw), surplus=surplus)
        cells = [cell if cell.isalnum() else self._quoted(cell) for cell in cells]
        return self._dialect.delimiter.join([*cells, *map(self._note, notes.values())]) + b"\n"

    def _fitted(self, cells: list[bytes] | str, *, surplus: bool) -> list[bytes]:
        """Return the cells of a row in the columns that are kept; all of them where they do not fit."""
        if isinstance(cells, str):
            whole = [b""] * len(self._kept)
            whole[self._raw_place] = cells.encode("utf-8", "surrogateescape")
            return whole
        beyond = cells[self._width :]
        if surplus or any(visible(cell.decode(errors="replace")) for cell in beyond):
            return cells[: len(cells) - self._notes_at_end]
        if len(cells) < self._width:
            if not self._dialect.short_rows:
                return cells[: len(cells) - self._notes_at_end]
            cells = [*cells, *[b""] * (self._width - len(cells))]
        return [cells[number] for number in self._kept]

    def _cells(self, raw: bytes) -> list[bytes] | str:
        """Take a record apart; where that is not possible, return its text, and none of one too long."""
        if not raw:
            return ""
        cells = self._simple_cells(raw)
        if cells is not None:
            return cells
        row = plain_row(raw, self._dialect)
        if row is None:
            return restored(raw, recoded=self._recoded).rstrip(b"\r\n").decode("utf-8", "surrogateescape")
        return [restored(unmark(cell), recoded=self._recoded, plain=True) for cell in row.split(b",")]

    def _simple_cells(self, raw: bytes) -> list[bytes] | None:
        """Take an ordinary record apart, ten times as fast as the parser; None where it may not be one."""
        dialect = self._dialect
        if dialect.spaced or self._recoded or raw.startswith(codecs.BOM_UTF8):
            return None
        if b'"' not in raw or not dialect.quoted:
            return raw.rstrip(b"\r\n").split(dialect.delimiter)
        if b' "' in raw or b'\t"' in raw:
            return None
        try:
            [cells] = csv.reader(
                [raw.decode("latin-1")], delimiter=dialect.delimiter.decode("latin-1"), strict=True
            )
        except (csv.Error, ValueError):
            return None
        return [cell.encode("latin-1") for cell in cells]

    def _noted(self, text: str) -> bytes:
        """Return a note as a cell; without the delimiter in it, where quotes do not enclose values."""
        if not self._dialect.quoted:
            text = text.replace(self._dialect.delimiter.decode(), " ")
        return self._quoted(text.encode())

    def _line(self, cells: Sequence[bytes]) -> bytes:
        return self._dialect.delimiter.join(map(self._quoted, cells)) + b"\n"

    def _quoted(self, cell: bytes) -> bytes:
        if not self._dialect.quoted or not self._odd.search(cell):
            return cell
        return b'"' + cell.replace(b'"', b'""') + b'"'


class MendableJson:
    """Rows of JSON Lines as they are, and rows of any other table as JSON Lines."""

    suffix = ".jsonl"

    def __init__(
        self,
        *,
        marked: bool,
        recoded: bool = False,
        key: str = "",
        numbers: bool = False,
        names: Sequence[str] = (),
        cells_of: Callable[[bytes], Sequence[bytes] | None] | None = None,
    ) -> None:
        """Make the form; `marked`: the feed names an encoding, so a byte order mark must say UTF-8.

        `key` is the name of the key column: each object has it, empty where there is no id. Where its ids are
        `numbers`, they stay numbers: `1.5` is rejected again, and `"1.5"` is an id like any other text.
        `cells_of` takes a record of a table with these `names` apart; None where that is not possible.
        """
        self._mark = codecs.BOM_UTF8 if marked else b""
        self._recoded = recoded
        self._key = key
        self._numbers = numbers
        self._names = names
        self._cells_of = cells_of

    def head(self, _notes: Sequence[str]) -> bytes:
        """Return the byte order mark, if there is to be one."""
        return self._mark

    def row(self, raw: bytes, notes: Notes, *, surplus: bool = False) -> bytes:  # noqa: ARG002 of tables
        """Return an object with the fields of a row and its notes."""
        fields = self._members(raw) if self._cells_of is None else self._fields(raw, self._cells_of(raw))
        fields += [f"{_text(name)}: {_text(value)}" for name, value in notes.items()]
        return ("{" + ", ".join(fields) + "}\n").encode("utf-8", "surrogateescape")

    def _fields(self, raw: bytes, cells: Sequence[bytes] | None) -> list[str]:
        if cells is None or any(cell for cell in cells[len(self._names) :]):
            return self._whole(raw.rstrip(b"\r\n").decode("utf-8", "surrogateescape"))
        return [
            f"{_text(name)}: {self._value(name, cell)}"
            for name, cell in zip(self._names, cells, strict=False)
            if name and (cell or name == self._key)
        ]

    def _value(self, name: str, cell: bytes) -> str:
        if self._numbers and name == self._key and _NUMBER.fullmatch(cell):
            return cell.decode()
        return _text(cell.decode("utf-8", "surrogateescape"))

    def _members(self, raw: bytes) -> list[str]:
        text = (
            restored(raw, recoded=self._recoded).decode("utf-8", "surrogateescape").strip(_BLANKS + "\ufeff")
        )
        found = members(text)
        if found is None:
            return self._whole(text)
        return [member for name, member in found if name not in OUR_NOTES]

    def _whole(self, text: str) -> list[str]:
        """Return the fields of a record that cannot be taken apart; of one too long, without a text."""
        fields = [f'{_text(self._key)}: ""'] if self._key else []
        return [*fields, f"{_text(ROW)}: {_text(text)}"] if text else fields


def plain_row(raw: bytes, dialect: Dialect) -> bytes | None:
    """Return one record as a plain row; None where it cannot be taken apart."""
    raw = dialect.end_line(raw)
    try:
        rows = parse(raw, dialect, line=1, final=True, most=1).rows
    except FileRejectedError:
        return None
    return rows[0] if rows and not rows[0].startswith(FAULT_MARK) else None


def restored(text: bytes, *, recoded: bool, plain: bool = False) -> bytes:
    """Return some text with the bytes that could not be decoded, as they were in the file.

    They are lone surrogates in a `plain` cell, and in the text of a file that is `recoded`. What was never a
    byte of the file, such as half a character of UTF-16, stays a lone surrogate.
    """
    for _ in range(plain + recoded):
        if text.isascii():
            break
        try:
            text = text.decode("utf-8", "surrogatepass").encode("utf-8", "surrogateescape")
        except UnicodeError:
            break
    return text


def members(text: str) -> list[tuple[str, str]] | None:
    """Return the members of a JSON object as they are written, each with its name; None of what is none."""
    found: list[tuple[str, str]] = []
    try:
        at = _skip(text, 0, "{")
        if text[at] == "}":
            return found if at + 1 == len(text) else None
        while True:
            start = at
            name, end = scanstring(text, _skip(text, at, '"'))
            _, end = _VALUE.raw_decode(text, _skip(text, _blanks(text, end), ":"))
            found.append((name, text[start:end]))
            at = _blanks(text, end)
            if text[at] == "}":
                return found if at + 1 == len(text) else None
            at = _skip(text, at, ",")
    except (ValueError, IndexError, RecursionError):
        return None


def _blanks(text: str, at: int) -> int:
    while text[at] in _BLANKS:
        at += 1
    return at


def _skip(text: str, at: int, sign: str) -> int:
    """Return the place after a sign, and for other signs than a quote after the blanks that follow it."""
    if text[at] != sign:
        raise ValueError(sign)
    return at + 1 if sign == '"' else _blanks(text, at + 1)


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
