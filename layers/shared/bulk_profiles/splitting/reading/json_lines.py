"""JSON Lines: one object per line; the names in it are the columns."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from operator import itemgetter
from typing import Any, NoReturn

from bulk_profiles.core.errors import BulkProfilesError, FileRejectedError
from bulk_profiles.core.feeds import Feed
from bulk_profiles.core.text import is_utf8_text
from bulk_profiles.splitting.rows.columns import has_key_column
from bulk_profiles.splitting.rows.faults import MAX_ROW_BYTES, Reject
from bulk_profiles.splitting.rows.plain import fault_row, mark, without_invalid

from .blocks import BLOCK_BYTES, Block, FindHelpers, HelperResult, Position, RawBlock, Record, too_long
from .long_rows import skip_long_row
from .read_ahead import ReadAhead
from .record_parser import Dialect, count_lines
from .text import Text

_LINES = Dialect(delimiter=b"\0", quoted=False)  # JSON text has no NUL
_MAX_COLUMNS = 10_000
_GAP = b"-Infinity"  # what Python's json reads and JSON does not have
_BETWEEN = b",\n" + _GAP + b",\n"
_IS_GAP = object()
_CELL, _ROW = "\U0010fffe", "\U0010ffff"  # no characters, for good
_CONSTANTS = {None: "", True: "true", False: "false"}


class NewColumnError(BulkProfilesError):
    """A row has a name that was not known when the header was written. `all_names` reads the whole file."""

    def __init__(self, all_names: Callable[[], Sequence[str]]) -> None:
        super().__init__("A row has a column of its own.")
        self.all_names = all_names


class JsonLines:
    """Read JSON Lines. The columns are `names`, or else those of the first blocks, up to a key column."""

    first = Position(0, 1)

    def __init__(self, text: Text, feed: Feed, names: Sequence[str] | None = None) -> None:
        self.header = text.header_mark
        self._text = text
        self.names: Sequence[str] = names or self._all_names(up_to_key_of=feed)
        self._known = frozenset(self.names)
        self._cells: Callable[[dict[str, Any]], Sequence[Any]] = itemgetter(*self.names or ("",))
        if not self.names:
            raise FileRejectedError("The file does not start with a JSON object: write one object per line.")

    def blocks(self, start: Position, find_helpers: FindHelpers | None = None) -> Iterator[Block]:
        """Read the rows from a position on; raises `NewColumnError` for a name that is no column."""
        raw_blocks = self._raw_blocks(start)
        for raw in raw_blocks:
            yield self._block(raw)
            if find_helpers and (helpers := find_helpers(self._plain_rows)):
                for next_raw, result in ReadAhead(raw_blocks, helpers):
                    yield self._block(next_raw, result)

    def _block(self, raw: RawBlock, result: HelperResult | None = None) -> Block:
        if not raw.data:
            return too_long(raw.start)
        find = partial(_find, raw)
        if result:
            return Block(raw.start, b"", find, prepared=result.prepared)
        whole = self._plain_rows(raw.data)
        rows = whole[0] if whole else b"".join([self._row(line) + b"\n" for line in _lines(raw.data)])
        return Block(raw.start, rows, find)

    def _plain_rows(self, data: bytes) -> tuple[bytes, int] | None:
        """Give plain rows and no spaces, as there are no delimiters; None where that is not sure."""
        rows = self._whole_rows(_lines(data))
        return None if rows is None else (rows, 0)

    def _raw_blocks(self, start: Position) -> Iterator[RawBlock]:
        """Cut whole lines off. A line that is too long to be held is a raw block by itself."""
        with self._text.open(start.offset) as stream:
            data, position = b"", start
            while True:
                piece = stream.read(BLOCK_BYTES)
                data += piece
                end = _last_line_end(data) if piece else len(data)
                if end:
                    yield RawBlock(position, data[:end])
                    position = Position(position.offset + end, position.line + count_lines(data, 0, end))
                    data = data[end:]
                if not piece:
                    return
                if len(data) > MAX_ROW_BYTES:
                    yield RawBlock(position, b"")
                    data, size, _ = skip_long_row(data, stream, _LINES, position.line)
                    position = Position(position.offset + size, position.line + 1)

    def _all_names(self, *, up_to_key_of: Feed | None = None) -> Sequence[str]:
        """Read the names, in the order in which they come; if wanted, only up to a key column."""
        names: dict[str, None] = {}
        for raw in self._raw_blocks(self.first):
            for line in _lines(raw.data):
                fields = (self._object(line) if len(line) <= MAX_ROW_BYTES else None) or {}
                names.update(
                    dict.fromkeys(name for name in fields if name not in names and is_utf8_text(name))
                )
            if len(names) > _MAX_COLUMNS:
                raise FileRejectedError(
                    f"The objects have more than {_MAX_COLUMNS} names: names must be columns, not values."
                )
            if any(not name.strip() for name in names):
                raise FileRejectedError("An object has a value with an empty name: name it, or leave it out.")
            if up_to_key_of and has_key_column(names, up_to_key_of):
                break
        return tuple(names)

    def _object(self, line: bytes) -> dict[str, Any] | None:
        value = _value(_ALONE, line)
        return value if isinstance(value, dict) else None

    def _whole_rows(self, lines: Sequence[bytes]) -> bytes | None:
        """Make plain rows of some lines at once; None where that is not sure to be right.

        They are read as one array with something between two lines that stands in none of them, however it is
        spelled: where every other element is that, each line is one value.
        """
        text, gaps = _BETWEEN.join(lines), len(lines) - 1
        if len(self.names) == 1 or len(text) > MAX_ROW_BYTES or text.count(_GAP) != gaps:
            return None
        values = _value(_WITH_GAPS, b"[" + text + b"]")
        if not isinstance(values, list) or values[1::2] != [_IS_GAP] * gaps:
            return None
        rows = list[str]()
        for fields in values[::2]:
            row = self._joined_cells(fields)
            if row is None:
                return None
            rows.append(row)
        whole = _ROW.join([*rows, ""])
        if whole.count(_CELL) != len(rows) * (len(self.names) - 1) or whole.count(_ROW) != len(rows):
            return None
        plain = mark(whole.encode("utf-8", "surrogatepass"))
        return plain.replace(_CELL.encode(), b",").replace(_ROW.encode(), b"\n")

    def _joined_cells(self, fields: Any) -> str | None:
        """Give the cells of a row in one text; None where that is a fault, or there is a new column."""
        if not isinstance(fields, dict):
            return None
        try:
            cells = self._cells(fields)
            known = len(fields) == len(cells)
        except KeyError:
            cells, known = [fields.get(name) for name in self.names], False
        if not known and not fields.keys() <= self._known:
            return None
        try:
            return _CELL.join(cells)
        except TypeError:  # not all are texts
            pass
        try:
            return _CELL.join([cell if type(cell) is str else _CONSTANTS[cell] for cell in cells])
        except TypeError:  # one has values in it
            return None

    def _row(self, line: bytes) -> bytes:
        if len(line) > MAX_ROW_BYTES:  # as if a block had not happened to hold it
            return fault_row(Reject.ROW_TOO_LARGE)
        fields = self._object(line)
        if fields is None:
            return fault_row(Reject.BAD_JSON)
        if not fields.keys() <= self._known:
            if not all(map(is_utf8_text, fields)):
                return fault_row(Reject.INVALID_UTF8)
            raise NewColumnError(self._all_names)
        values: list[Any] = [fields.get(name) for name in self.names]
        for number, value in enumerate(values):
            if type(value) is not str:
                if isinstance(value, list | dict):
                    return fault_row(Reject.NESTED_VALUE, number)
                values[number] = _CONSTANTS[value]
        row = ",".join(values)
        if row.count(",") == len(values) - 1 and "\n" not in row and "\r" not in row and row:
            return row.encode("utf-8", "surrogatepass")
        cells = [mark(value.encode("utf-8", "surrogatepass")) for value in values]
        return b",".join(cells) or fault_row(Reject.EMPTY_ID)


def _last_line_end(data: bytes) -> int:
    """Find where the last whole line ends; after a return that is the last byte, a line feed may follow."""
    return max(data.rfind(b"\n"), data.rfind(b"\r", 0, len(data) - 1)) + 1


def _lines(data: bytes) -> list[bytes]:
    """Return the lines that are not blank."""
    return [line for line in _all_lines(data) if line.strip()]


def _all_lines(data: bytes) -> list[bytes]:
    """Give the lines of a text: JSON has no returns but those that may be line ends."""
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return data.split(b"\n")


def _find(raw: RawBlock, numbers: Sequence[int]) -> list[Record]:
    rows = [
        (raw.start.line + number, line) for number, line in enumerate(_all_lines(raw.data)) if line.strip()
    ]
    found = [rows[number] for number in numbers]
    return [Record(number, line + b"\n" if len(line) <= MAX_ROW_BYTES else b"") for number, line in found]


def _value(decoder: json.JSONDecoder, text: bytes) -> Any:
    """Read a JSON text; None if it is none."""
    try:
        return decoder.decode(without_invalid(text).decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        return None


def _refuse(_constant: str) -> NoReturn:
    raise ValueError  # NaN and Infinity are no JSON


def _gap(constant: str) -> object:
    return _IS_GAP if constant.encode() == _GAP else _refuse(constant)


_ALONE = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=_refuse)
_WITH_GAPS = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=_gap)
