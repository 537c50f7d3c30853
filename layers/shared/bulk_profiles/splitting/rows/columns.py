"""The columns of a file and those that are sent, resolved from its header and the feed's mapping."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

import numpy as np

from bulk_profiles.core.errors import FileRejectedError
from bulk_profiles.core.feeds import Feed, Mapping, plain_name
from bulk_profiles.core.models import MOST_EXAMPLES, ApiVersion, KeyColumn
from bulk_profiles.core.text import quoted, short_name, spelling_key, without_invisible

from .encoding import encode
from .faults import Warn
from .header_names import HeaderNames
from .key_column import Key, find_key, kind_of
from .notes import OUR_COLUMNS
from .row_check import Rules

_MOST_NAMED = 100  # characters of a column's name with the nearest ones
# What pandas, R and AWS DMS (`Op`: whether a row was inserted, updated or deleted) add to tables. What other
# programs add begins with `_`, as in `_airbyte_ab_id`: it is not sent.
# So do the names that databases give to columns without one, and Snowflake's streams to the kind of a change.
_ADDED = re.compile(
    r"Unnamed: \d+(?:_level_\d+)?|level_\d+|row\.names|\.\.\.\d+|Op"
    r"|\(No column name\)|\?column\?|f\d+_|METADATA\$(?:ACTION|ISUPDATE|ROW_ID)"
)
# What programs put after a name that comes again: `city.1` of pandas and R, `city_duplicated_0` of polars,
# `city:1` of DBeaver. And `city...2` of readr, which renames the first one, too.
_COPY = re.compile(r"(.+)(?:\.\d{1,2}|_duplicated_\d+|:\d{1,2})", re.DOTALL)
_NUMBERED = re.compile(r"(.+)\.\.\.\d+", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a file, and what is sent of each row."""

    key_column: KeyColumn
    names: tuple[str, ...]  # of the file's columns, by `plain_name`
    rules: Rules
    sent: tuple[int, ...]  # numbers of the file's columns that are sent, the key column first
    header: bytes  # of the rows that are sent, encoded
    constants: bytes = b""  # what ends every row, encoded
    fills: dict[int, bytes] = field(default_factory=dict)  # encoded values for empty cells, by their place
    warnings: Counter[str] = field(default_factory=Counter)  # by code
    named: dict[str, list[str]] = field(default_factory=dict)  # the first columns of the warnings, by code

    @property
    def width(self) -> int:
        """The number of cells in a row that is sent."""
        return self.header.count(b",") + 1

    @property
    def advice(self) -> str:
        """A sentence where no row can have a value; an empty text otherwise."""
        if self.width > 1:
            return ""
        return "No column but the key is sent: check the delimiter of the file and the mapping of the feed."

    @property
    def growth(self) -> int:
        """The most bytes that `complete` adds to a row."""
        return len(self.constants) + sum(map(len, self.fills.values()))

    @property
    def all_sent(self) -> bool:
        """Whether every column of the file is sent."""
        return len(self.sent) == self.rules.width

    def arrange(self, rows: bytes) -> bytes:
        """Return plain rows with their cells in the order sent; each row must have one for each column."""
        width = self.rules.width
        if not rows or self.sent == tuple(range(width)):
            return rows
        if self.sent == (self.rules.key, *(n for n in range(width) if n != self.rules.key)):
            return _key_first(rows, width, self.rules.key)
        cells = _cells(rows)
        arranged = [b""] * (len(cells) // width * len(self.sent))
        for place, column in enumerate(self.sent):
            arranged[place :: len(self.sent)] = cells[column::width]
        return _rows(arranged, len(self.sent))

    def complete(self, rows: bytes) -> bytes:
        """Return encoded rows with their empty cells filled and the constants added."""
        if self.fills and rows:
            cells, width = _cells(rows), len(self.sent)
            for place, fill in self.fills.items():
                cells[place::width] = [cell or fill for cell in cells[place::width]]
            rows = _rows(cells, width)
        return rows.replace(b"\n", self.constants + b"\n") if self.constants else rows


def _cells(rows: bytes) -> list[bytes]:
    return rows[:-1].replace(b"\n", b",").split(b",")


def _rows(cells: list[bytes], width: int) -> bytes:
    cells[width - 1 :: width] = [cell + b"\n" for cell in cells[width - 1 :: width]]
    return b",".join(cells).replace(b"\n,", b"\n")


def _key_first(rows: bytes, width: int, key: int) -> bytes:
    """Move the key column of plain rows to the front: `a,b,KEY,c` becomes `KEY,a,b,c`.

    This is a gather by prefix sums: an array says for each byte of the output where it stands in the input,
    and numpy takes all bytes at once. Within a piece that moves, each place is one after the last; so the
    array is the running sum of steps, which are 1 except at the starts of the four pieces of a row. The line
    `a,b,KEY,c` takes its bytes from the places 4 5 6, 3, 0 1 2 and 7 8 9: the steps are 4 1 1, -3, -3 1 1 and
    5 1 1.
    """
    data = np.frombuffer(rows, np.uint8)
    separators = np.flatnonzero((data == ord(",")) | (data == ord("\n"))).astype(np.int32)
    row_starts = np.concatenate(([np.int32(0)], separators[width - 1 :: width][:-1] + 1))
    key_starts, key_ends = separators[key - 1 :: width] + 1, separators[key::width]
    steps = np.ones(len(rows), np.int32)
    steps[0] = 0
    commas = row_starts + (key_ends - key_starts)
    steps[row_starts] += key_starts - row_starts
    steps[commas] += key_starts - 1 - key_ends
    steps[commas + 1] += row_starts - key_starts
    steps[key_ends] += key_ends - key_starts + 1
    return data.take(np.cumsum(steps, dtype=np.int32)).tobytes()


def resolve(header: Sequence[str], feed: Feed) -> Columns:
    """Find the key column of a header and apply the feed's mapping.

    Raises `FileRejectedError` where there is no key column, a column comes twice, or the mapping names one in
    another spelling.
    """
    cells = [without_invisible(cell) for cell in header]
    while cells and not cells[-1]:
        cells.pop()
    names = [plain_name(cell) for cell in cells]
    mapping = feed.mapping
    key = find_key(names, feed)  # first: without one this may be no header but values
    _refuse_repeated(names)
    _refuse_other_spellings(names, key, mapping)
    others = [n for n, name in enumerate(names) if n != key.number and name and mapping.sends(name)]
    sent_names = [mapping.rename.get(names[number], names[number]) for number in others]
    _refuse_clashes([key.kind.value, *sent_names, *mapping.constants])
    named = {
        Warn.KEY_SPELLING: [names[key.number]] if key.respelled else [],
        Warn.PREFIX_STRIPPED: [cell for name, cell in zip(names, cells, strict=True) if name != cell],
        Warn.LOOK_ALIKE: [names[number] for number in others if kind_of(names[number])],
        Warn.TWO_SPELLINGS: _other_spellings([*sent_names, *mapping.constants]),
        Warn.CONTROL_IN_NAME: [cell for cell in header[: len(names)] if _has_control(cell)],
        Warn.UNKNOWN_COLUMN: _unknown(names, _listed(mapping)) + _unknown(sent_names, mapping.defaults),
        Warn.WRITER_COLUMN: _added_by_writers(names, others, mapping),
        Warn.NOTE_COLUMN: [
            name
            for number, name in enumerate(names)
            if number != key.number and mapping.passes_over(name) and name not in OUR_COLUMNS
        ],
    }
    warnings = Counter[str]({code: len(found) for code, found in named.items() if found})
    if feed.api_version is ApiVersion.V1 and key.kind is KeyColumn.THIRD_PARTY_ID:
        warnings[Warn.V1_THIRD_PARTY_ID] = 1
    return Columns(
        key_column=key.kind,
        names=tuple(names),
        rules=Rules(
            width=len(names),
            key=key.number,
            third_party_id=key.kind is KeyColumn.THIRD_PARTY_ID,
            header=HeaderNames.of(names, key.number, frozenset(range(len(names))) - {key.number, *others}),
        ),
        sent=(key.number, *others),
        header=b",".join(encode(name.encode()) for name in (key.kind, *sent_names, *mapping.constants)),
        constants=b"".join(b"," + encode(value.encode()) for value in mapping.constants.values()),
        fills={
            place: encode(fill.encode())
            for place, name in enumerate(sent_names, 1)
            if (fill := mapping.defaults.get(name, mapping.tombstone))
        },
        warnings=warnings,
        named={
            code.value: [short_name(name, _MOST_NAMED) for name in found[:MOST_EXAMPLES]]
            for code, found in named.items()
            if found
        },
    )


def _refuse_repeated(names: Sequence[str]) -> None:
    for number, name in enumerate(names, 1):
        first = names.index(name) + 1
        if name and first < number:
            raise FileRejectedError(
                f"Columns {first} and {number} of the file have one name, {quoted([name])}: rename or remove "
                "one of the two."
            )


def _refuse_clashes(sent: Sequence[str]) -> None:
    clashes = sorted(name for name, count in Counter(sent).items() if count > 1)
    if clashes:
        raise FileRejectedError(
            f"After the feed's mapping, there is a column twice ({quoted(clashes)}): rename one of the two, "
            'or add it to "drop".'
        )


def _refuse_other_spellings(names: Sequence[str], key: Key, mapping: Mapping) -> None:
    """Raise `FileRejectedError` where a column has another spelling of a name in the mapping.

    It would be sent although it is to be dropped, or under another name than is wanted. That holds also where
    the name is there as the mapping spells it.
    """
    listed = _listed(mapping)
    meant = {spelling_key(name): name for name in listed}
    for number, name in enumerate(names):
        other = meant.get(spelling_key(name), "")
        if not other or number == key.number or name in listed:
            continue
        says = f"The feed's mapping says {quoted([other])}"
        raise FileRejectedError(
            f"{says}, and the header has that and {quoted([name])}: rename or remove one of the two in the "
            "file, or name both in the mapping."
            if other in names
            else f"{says} where the header says {quoted([name])}: spell it in the feed as in the file."
        )


def _other_spellings(sent: Sequence[str]) -> list[str]:
    """Return the names that are sent together with another spelling of them, side by side."""
    groups: dict[str, list[str]] = {}
    for name in sent:
        groups.setdefault(spelling_key(name), []).append(name)
    return [name for group in groups.values() if len(group) > 1 for name in group]


def _unknown(names: Sequence[str], listed: Iterable[str]) -> list[str]:
    """Return the names listed in the mapping that no column has, each with the columns nearest to it."""
    by_spelling = {spelling_key(name): name for name in names}
    unknown: list[str] = []
    for name in dict.fromkeys(listed):
        if name and name not in names:
            near = [by_spelling[match] for match in get_close_matches(spelling_key(name), by_spelling)]
            unknown.append(short_name(name) + f" (nearest: {', '.join(near)})" if near else name)
    return unknown


def _has_control(cell: str) -> bool:
    """Whether a name in the header has a control character, which is no part of it; a blank is none."""
    return any(unicodedata.category(sign) == "Cc" and not sign.isspace() for sign in cell)


def _listed(mapping: Mapping) -> list[str]:
    """Return the names by which the mapping means columns of the file, the key column aside."""
    return [*mapping.rename, *mapping.drop, *mapping.keep]


def _added_by_writers(names: Sequence[str], sent: Container[int], mapping: Mapping) -> list[str]:
    """Return the columns that programs add to a table, and that the mapping does not drop."""
    nameless = [f"column {number} without a name" for number, name in enumerate(names, 1) if not name]
    known = {*names}
    added = [
        name
        for number, name in enumerate(names)
        if number in sent and (_ADDED.fullmatch(name) or _is_copy(name, known))
    ]
    return [*(nameless if mapping.sends("") else []), *added]


def _is_copy(name: str, names: Container[str]) -> bool:
    """Whether a program has put a number after the name of a column, as another one has that name."""
    copy = _COPY.fullmatch(name)
    return _NUMBERED.fullmatch(name) is not None or (copy is not None and copy[1] in names)
