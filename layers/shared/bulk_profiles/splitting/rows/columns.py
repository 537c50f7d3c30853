"""The columns of a file and those that are sent, resolved from its header and the feed's mapping."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from bulk_profiles.core.errors import FileRejectedError
from bulk_profiles.core.feeds import Feed, plain_name
from bulk_profiles.core.models import ApiVersion, KeyColumn
from bulk_profiles.core.text import quoted, without_invisible

from .encoding import encode
from .faults import Warn
from .row_check import Rules

_KEY_NAMES = {name.lower(): name for name in KeyColumn}


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

    @property
    def width(self) -> int:
        """The number of cells in a row that is sent."""
        return self.header.count(b",") + 1

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

    Raises `FileRejectedError` where there is no key column, or a column comes twice.
    """
    warnings = Counter[str]()
    cells = [without_invisible(cell) for cell in header]
    while cells and not cells[-1]:
        cells.pop()
    if "" in cells:
        raise FileRejectedError(f"Column {cells.index('') + 1} has no name in the header: name it.")
    names = [plain_name(cell) for cell in cells]
    warnings[Warn.PREFIX_STRIPPED] = sum(name != cell for name, cell in zip(names, cells, strict=True))
    mapping = feed.mapping
    key, key_column = _find_key(names, feed)  # first: without one this may be no header but values
    _refuse_repeated(names)
    warnings[Warn.LOOK_ALIKE] = sum(
        name.lower() in _KEY_NAMES for number, name in enumerate(names) if number != key
    )
    if feed.api_version is ApiVersion.V1 and key_column is KeyColumn.THIRD_PARTY_ID:
        warnings[Warn.V1_THIRD_PARTY_ID] = 1
    named = {*mapping.rename, *mapping.drop, *mapping.keep}
    warnings[Warn.UNKNOWN_COLUMN] = len(named.difference(names))
    others = [number for number, name in enumerate(names) if number != key and mapping.sends(name)]
    sent_names = [mapping.rename.get(names[number], names[number]) for number in others]
    _refuse_clashes([key_column.value, *sent_names, *mapping.constants])
    return Columns(
        key_column=key_column,
        names=tuple(names),
        rules=Rules(
            width=len(names),
            key=key,
            third_party_id=key_column is KeyColumn.THIRD_PARTY_ID,
            spare=len(header) - len(names),
        ),
        sent=(key, *others),
        header=b",".join(encode(name.encode()) for name in (key_column, *sent_names, *mapping.constants)),
        constants=b"".join(b"," + encode(value.encode()) for value in mapping.constants.values()),
        fills={
            place: encode(fill.encode())
            for place, name in enumerate(sent_names, 1)
            if (fill := mapping.defaults.get(name, mapping.tombstone))
        },
        warnings=+warnings,
    )


def _refuse_repeated(names: Sequence[str]) -> None:
    for number, name in enumerate(names, 1):
        first = names.index(name) + 1
        if first < number:
            raise FileRejectedError(
                f"Columns {first} and {number} of the file have one name, {quoted([name])}: rename or remove "
                "one of the two."
            )


def _refuse_clashes(sent: Sequence[str]) -> None:
    clashes = sorted(name for name, count in Counter(sent).items() if count > 1)
    if clashes:
        raise FileRejectedError(
            f"After the feed's mapping, there is a column twice ({quoted(clashes)}): rename or drop one of "
            "the two."
        )


def has_key_column(header: Iterable[str], feed: Feed) -> bool:
    """Whether one of the names of a header, as they stand there, is that of a key column."""
    return bool(_key_columns({plain_name(cell) for cell in header}, feed))


def is_sent(name: str, feed: Feed) -> bool:
    """Whether a column is sent, by its name as it stands in the header."""
    return has_key_column((name,), feed) or feed.mapping.sends(plain_name(name))


def _key_columns(names: Container[str], feed: Feed) -> list[str]:
    """Return the key columns among plain names: that of the feed, or else `pcId` and `thirdPartyId`."""
    named = feed.mapping.key or feed.key_column
    return [name for name in ([named] if named else KeyColumn) if name in names]


def _find_key(names: Sequence[str], feed: Feed) -> tuple[int, KeyColumn]:
    keys = _key_columns(names, feed)
    if len(keys) > 1:
        raise FileRejectedError(
            "The header has both pcId and thirdPartyId: choose one of them as keyColumn in the feed."
        )
    if keys:
        return names.index(keys[0]), feed.key_column or _kind(keys[0])
    if feed.mapping.key:
        raise FileRejectedError(
            f"The header has no column {quoted([feed.mapping.key])}, which the feed names as the key column."
        )
    expected = [feed.key_column] if feed.key_column else list(KeyColumn)
    for name in names:
        spelling = _KEY_NAMES.get(name.lower().replace("_", "").replace(" ", ""))
        if spelling:
            raise FileRejectedError(
                f"The header has no key column: {quoted([name])} looks like it, but Target takes only "
                f"the exact spelling {spelling}."
                if spelling in expected
                else f"The header has no column {expected[0]}, which the feed names as the key column."
            )
    raise FileRejectedError(
        f"The header has no key column: name one column {' or '.join(expected)}, or name the key column in "
        "the feed's mapping."
    )


def _kind(name: str) -> KeyColumn:
    return KeyColumn(name) if name in list(KeyColumn) else KeyColumn.THIRD_PARTY_ID
