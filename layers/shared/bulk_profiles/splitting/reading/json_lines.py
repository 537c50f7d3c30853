"""JSON Lines: one object on each line; the names in the objects are the columns.

A block is decoded as one array, which takes little more than half the time of its lines one by one. Between
two lines goes a sentinel that no line can hold: `-Infinity`, which Python's decoder reads and JSON does not
have. The lines `{"a":1}` and `{"a":2}` become `[{"a":1},-Infinity,{"a":2}]`. If every other element is the
sentinel, each line is one value; a line such as `{"a":1},{"a":2}` would put them out of step.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from operator import itemgetter
from typing import Any, NoReturn

from bulk_profiles.core.errors import BulkProfilesError, FileRejectedError
from bulk_profiles.core.feeds import Feed
from bulk_profiles.core.text import is_utf8_text, without_invisible
from bulk_profiles.splitting.rows.faults import MAX_ROW_BYTES, Reject
from bulk_profiles.splitting.rows.key_column import key_number, sent_columns
from bulk_profiles.splitting.rows.plain import fault_row, mark, without_invalid
from bulk_profiles.splitting.rows.row_check import NO_SURPLUS
from bulk_profiles.splitting.rows.warnings import Warnings

from .blocks import (
    BLOCK_BYTES,
    Block,
    FindHelpers,
    HelperResult,
    PlainRows,
    Position,
    RawBlock,
    Record,
    too_long,
)
from .dialect import Dialect
from .header import refuse_endless
from .long_rows import skip_long_row
from .mendable import MendableJson
from .read_ahead import ReadAhead
from .scans import count_lines
from .text import Text

_LINES = Dialect(delimiter=b"\0", quoted=False, returns=True)  # whose rows are lines: JSON text has no NUL
_SENTINEL = b"-Infinity"
_BETWEEN = b",\n" + _SENTINEL + b",\n"
_IS_SENTINEL = object()  # what the decoder reads it as
_ESCAPED_ASCII = re.compile(rb"\\u00(?:3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa])")  # letters and digits
_OPENS_LIST = re.compile(rb'\s*\{\s*"[^"\\]*"\s*:\s*\[\s*(?:\{.*)?')
_CELL_END, _ROW_END = "\U0010fffe", "\U0010ffff"  # noncharacters: Unicode will never use them
_CONSTANTS = {None: "", True: "true", False: "false"}
_TOO_LARGE = 2**53  # from there on, a number with a fraction or an exponent may have lost digits


class _Float(str):
    """A number with a fraction or an exponent, as it is written."""

    __slots__ = ()


class NewColumnError(BulkProfilesError):
    """A row has a name that was not known when the header was written. `all_names` reads the whole file."""

    def __init__(self, all_names: Callable[[], Sequence[str]]) -> None:
        super().__init__("A row has a column of its own.")
        self.all_names = all_names


class JsonLines:
    """A reader of JSON Lines. Its columns are `names`, or else those of the first blocks, up to the key.

    Columns that are not sent may hold anything; their cells are empty.
    """

    first = Position(0, 1)
    short_rows = False
    blank_rows = True
    surplus = NO_SURPLUS

    def __init__(self, text: Text, feed: Feed, names: Sequence[str] | None = None) -> None:
        self.encoding = text.encoding
        self._text = text
        self.names: Sequence[str] = names or self._all_names(up_to_key_of=feed)
        self._known = frozenset(self.names)
        if not self.names:
            raise FileRejectedError(
                "No line of the file is a JSON object: write one object per line, with names and "
                "text in double quotes, without NaN, and without a comma before its last brace."
            )
        self._cells: Callable[[dict[str, Any]], Sequence[Any]] = itemgetter(*self.names)
        self._key = key_number(self.names, feed)
        self.mendable = MendableJson(
            marked=bool(feed.encoding) or text.recoded,
            recoded=text.recoded,
            key="" if self._key is None else self.names[self._key],
        )
        self._not_sent = [n for n, is_sent in enumerate(sent_columns(self.names, feed)) if not is_sent]

    def blocks(self, start: Position, find_helpers: FindHelpers | None = None) -> Iterator[Block]:
        """Read the rows from a position on; raises `NewColumnError` for a name that is no column."""
        raw_blocks = self._raw_blocks(start)
        for raw in raw_blocks:
            yield self._block(raw)
            if find_helpers and (helpers := find_helpers(self._plain_rows)):
                for next_raw, result in ReadAhead(raw_blocks, helpers):
                    yield self._block(next_raw, result)

    def _block(self, raw: RawBlock, result: HelperResult | None = None) -> Block:
        """Make a block of a raw one, or of what a helper made of it."""
        if not raw.data:
            return too_long(raw.start)
        find = partial(_find, raw)
        if result:
            return Block(raw.start, b"", find, prepared=result.prepared)
        lines = _lines(raw.data)
        rows = self._rows_at_once(lines)
        if rows is None:
            rows = b"".join([self._row(line) + b"\n" for line in lines])
        return Block(raw.start, rows, find)

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
        """Read the names in the order in which they come: all, or up to the block with key and value."""
        names: dict[str, None] = {}
        for raw in self._raw_blocks(self.first):
            for number, line in enumerate(_lines(raw.data)):
                fields = (_object(line) if len(line) <= MAX_ROW_BYTES else None) or {}
                begins = raw.start == self.first and not number
                if up_to_key_of and begins and _is_wrapped(line, fields, up_to_key_of):
                    raise FileRejectedError(
                        "The file is one JSON object with a list of objects in it: write the objects of the "
                        "list, one per line, as `jq -c '.data[]'` does where the list is named data."
                    )
                for name in fields:
                    if name not in names and is_utf8_text(name):
                        names[name] = None
                        if not without_invisible(name):
                            raise self._nameless(raw, line)
            refuse_endless([*names])
            if up_to_key_of and _is_table(names, up_to_key_of):
                break
        return tuple(names)

    def _nameless(self, raw: RawBlock, line: bytes) -> FileRejectedError:
        number = raw.start.line + _lines(raw.data).index(line)
        return FileRejectedError(
            f"The object in line {number} has a value with an empty name: name it, or leave it out."
        )

    def _plain_rows(self, data: bytes) -> PlainRows | None:
        """Return the plain rows of some lines; None where they are not sure to be right."""
        rows = self._rows_at_once(_lines(data))
        return None if rows is None else PlainRows(rows, Warnings())

    def _rows_at_once(self, lines: Sequence[bytes]) -> bytes | None:
        """Make the plain rows of some lines at once; None where that is not sure to be right.

        Cells and rows end with noncharacters at first. If there are as many of these as cells and rows, no
        value holds one. Then one pass over the whole text marks the separators inside values, and another
        one puts the real separators.
        """
        text, gaps = _BETWEEN.join(lines), len(lines) - 1
        # With one column, itemgetter returns a cell, not a tuple, and an empty cell looks like a blank line.
        if len(self.names) == 1 or len(text) > MAX_ROW_BYTES or text.count(_SENTINEL) != gaps:
            return None
        values = _decode(_WITH_SENTINELS, b"[" + text + b"]")
        if not isinstance(values, list) or values[1::2] != [_IS_SENTINEL] * gaps:
            return None
        rows = list[str]()
        for fields in values[::2]:
            row = self._joined_cells(fields)
            if row is None:
                return None
            rows.append(row)
        if _most_names(text) != sum(map(len, values[::2])):  # in some object, a name may come twice
            return None
        joined = _ROW_END.join([*rows, ""])
        cell_ends = len(rows) * (len(self.names) - 1)
        if joined.count(_CELL_END) != cell_ends or joined.count(_ROW_END) != len(rows):
            return None
        marked = mark(joined.encode("utf-8", "surrogatepass"))
        return marked.replace(_CELL_END.encode(), b",").replace(_ROW_END.encode(), b"\n")

    def _joined_cells(self, fields: Any) -> str | None:
        """Return the cells of a row in one text; None where one has a fault, or there is a new column."""
        if not isinstance(fields, dict):
            return None
        try:
            cells = self._cells(fields)
            all_known = len(fields) == len(cells)
        except KeyError:
            cells, all_known = [fields.get(name) for name in self.names], False
        if not all_known and not fields.keys() <= self._known:
            return None
        if self._not_sent:
            cells = self._without_others(cells)
        if self._key is not None and type(cells[self._key]) is not str:
            return None
        try:
            return _CELL_END.join(cells)
        except TypeError:  # not all of them are texts
            pass
        try:
            return _CELL_END.join([cell if isinstance(cell, str) else _CONSTANTS[cell] for cell in cells])
        except TypeError:  # one is a list or an object
            return None

    def _row(self, line: bytes) -> bytes:
        """Make the plain row of one line; raises `NewColumnError`."""
        if len(line) > MAX_ROW_BYTES:  # as if a block had not happened to hold it
            return fault_row(Reject.ROW_TOO_LARGE)
        fields = _object(line)
        if fields is None:
            return fault_row(Reject.BAD_JSON)
        if _most_names(line) != len(fields) and _has_name_twice(line):
            return fault_row(Reject.BAD_JSON)
        if not fields.keys() <= self._known:
            if not all(map(is_utf8_text, fields)):
                return fault_row(Reject.INVALID_UTF8)
            raise NewColumnError(self._all_names)
        cells = self._without_others([fields.get(name) for name in self.names])
        for number, value in enumerate(cells):
            cells[number] = cell = self._cell(number, value)
            if isinstance(cell, Reject):
                return fault_row(cell, number)
        row = ",".join(cells)
        if row.count(",") == len(cells) - 1 and "\n" not in row and "\r" not in row:
            plain = row.encode("utf-8", "surrogatepass")  # there is nothing to mark
        else:
            plain = b",".join([mark(cell.encode("utf-8", "surrogatepass")) for cell in cells])
        return plain or fault_row(Reject.EMPTY_ID)

    def _cell(self, number: int, value: Any) -> str | Reject:
        """Return a value of the column with this number as text."""
        if isinstance(value, list | dict):
            return Reject.NESTED_VALUE
        if number == self._key and type(value) is not str:
            return _id_of_number(value) if isinstance(value, _Float) else Reject.EMPTY_ID
        return value if isinstance(value, str) else _CONSTANTS[value]

    def _without_others(self, cells: Sequence[Any]) -> list[Any]:
        """Return the cells of a row, empty where their columns are not sent."""
        cells = list(cells)
        for number in self._not_sent:
            cells[number] = ""
        return cells


def _id_of_number(number: _Float) -> str | Reject:
    """Return an id that is written as a number with a fraction or an exponent: `1001.0` is `1001`."""
    from decimal import Decimal  # noqa: PLC0415 few files have such ids

    try:
        value = Decimal(number)
    except ArithmeticError:  # the exponent is too large
        return Reject.ID_NUMBER
    is_whole = value == value.to_integral_value() and abs(value) < _TOO_LARGE
    return str(int(value)) if is_whole else Reject.ID_NUMBER


def _is_table(names: Iterable[str], feed: Feed) -> bool:
    """Whether there is a key column among the names, and another one that is sent."""
    header = list(names)
    return key_number(header, feed) is not None and sum(sent_columns(header, feed)) > 1


def _last_line_end(data: bytes) -> int:
    """Return where the last whole line ends. A CR that is the last byte does not count: a LF may follow."""
    return max(data.rfind(b"\n"), data.rfind(b"\r", 0, len(data) - 1)) + 1


def _all_lines(data: bytes) -> list[bytes]:
    """Return all lines: JSON has no CR but those that may end a line."""
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return data.split(b"\n")


def _lines(data: bytes) -> list[bytes]:
    """Return the lines that are not blank."""
    return [line for line in _all_lines(data) if line.strip()]


def _find(raw: RawBlock, numbers: Sequence[int]) -> list[Record]:
    """Find records of a block by their numbers; a line that is too long comes without its bytes."""
    lines = [
        (number, line) for number, line in enumerate(_all_lines(raw.data), raw.start.line) if line.strip()
    ]
    return [
        Record(number, line + b"\n" if len(line) <= MAX_ROW_BYTES else b"")
        for number, line in map(lines.__getitem__, numbers)
    ]


def _is_wrapped(line: bytes, fields: dict[str, Any], feed: Feed) -> bool:
    """Whether a first line begins an object around a list of objects, as APIs answer: `{"data": [{...`."""
    if fields:
        lists = [value for value in fields.values() if isinstance(value, list)]
        has_objects = any(isinstance(item, dict) for several in lists for item in several)
        return has_objects and key_number([*fields], feed) is None
    return _OPENS_LIST.fullmatch(line) is not None


def _object(line: bytes) -> dict[str, Any] | None:
    """Decode a line; None where it is not one object. A byte order mark before it is no part of it."""
    value = _decode(_ALONE, line.removeprefix(codecs.BOM_UTF8))
    return value if isinstance(value, dict) else None


def _most_names(text: bytes) -> int:
    """Return how many names the objects of a JSON text have at most; its size if that is not known.

    A value may look like a name, too. Before the colon, any white space may stand.
    """
    if b"\t:" in text or b"  :" in text:
        return len(text)
    return text.count(b'":') + text.count(b'" :')


def _has_name_twice(line: bytes) -> bool:
    """Whether a name comes twice in the object on a line, objects in its values not counted."""
    pairs = _decode(_AS_PAIRS, line.removeprefix(codecs.BOM_UTF8))
    return len({name for name, _ in pairs}) < len(pairs)


def _decode(decoder: json.JSONDecoder, text: bytes) -> Any:
    """Decode a JSON text; None where it is none. Numbers come as they are written."""
    try:
        return decoder.decode(without_invalid(text).decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        return None


def _refuse(_constant: str) -> NoReturn:
    raise ValueError  # NaN and Infinity are not JSON


def _sentinel(constant: str) -> object:
    return _IS_SENTINEL if constant.encode() == _SENTINEL else _refuse(constant)


_ALONE = json.JSONDecoder(parse_float=_Float, parse_int=str, parse_constant=_refuse)
_AS_PAIRS = json.JSONDecoder(
    parse_float=_Float, parse_int=str, parse_constant=_refuse, object_pairs_hook=tuple
)
_WITH_SENTINELS = json.JSONDecoder(parse_float=_Float, parse_int=str, parse_constant=_sentinel)
