"""Rows that are a header once more, as in a file that was put together of several exports."""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import lru_cache

from bulk_profiles.core.feeds import plain_name
from bulk_profiles.core.models import KeyColumn

from .key_column import KEY_SPELLINGS, meaning
from .plain import mark, unmark

TAIL = 4  # bytes
_LEAST_OTHERS = 2
_BATCH = "batch="  # with which a file in Target's own format starts
_ALPHANUMERIC = (string.ascii_letters + string.digits).encode()
_OTHERS = bytes(sorted({*range(256)} - {*_ALPHANUMERIC}))
_LOWER = bytes(range(256)).lower()
# What all names of one kind of key end in: mbox3rdPartyId and thirdPartyId.
_ENDS: dict[str, bytes] = {KeyColumn.THIRD_PARTY_ID: b"rdpartyid", KeyColumn.PC_ID: b"pcid"}


class Likeness(Enum):
    """What a row is that looks like a header."""

    REPEATED = auto()  # it has the names of the header, in their order
    OTHER = auto()  # what follows has other columns, or another order of columns
    PAGE = auto()  # an HTML page follows, which a server sent instead of the other rows
    JOINED = auto()  # a row with values ends in one: two files were joined without a line end between them


@dataclass(frozen=True, slots=True)
class HeaderNames:
    """The names of a header, and how to find a row of names in any spelling."""

    names: tuple[str, ...]  # by `meaning`, without empty ones at the end
    number: int  # of the key column
    not_sent: frozenset[int]  # numbers of the columns that are not sent: some readers leave their cells empty
    keys: frozenset[str]  # names of key columns, by `meaning`: that of this file, and those of Target
    spellings: frozenset[str]  # the same, by `spelling_key`
    tail: bytes  # the last bytes of the name of the key column, as it stands there
    # The column beside the key with the longest name, and that name as it stands there; -1: there is none.
    long_number: int
    long_name: bytes
    _folded: frozenset[bytes] = field(repr=False)  # the names, by `_fold`
    _ends: tuple[bytes, ...] = field(repr=False)  # of the names in `keys`, by `_fold`; one may be empty

    @classmethod
    def of(cls, header: Sequence[str], number: int, not_sent: frozenset[int] = frozenset()) -> HeaderNames:
        """Return the names of a header as it stands there, whose key column has this number."""
        names = [meaning(plain_name(name)) for name in header]
        key = names[number]
        while not names[-1]:
            names.pop()
        folded = frozenset(_fold(name.encode()) for name in (*names, *header)) - {b""}
        ends = {**_ENDS, key: _ENDS.get(key, _fold(key.encode()) if key.isascii() else b"")}
        spellings = KEY_SPELLINGS | ({key} - {*KeyColumn})
        tail = header[number].encode()[-TAIL:]
        others = [other for other, name in enumerate(header[: len(names)]) if name and other != number]
        long_number = max(others, key=lambda other: len(header[other]), default=-1)
        return cls(
            tuple(names),
            number,
            not_sent,
            frozenset(ends),
            spellings,
            tail,
            long_number,
            mark(header[long_number].encode()) if others else b"",
            folded,
            tuple(ends.values()),
        )

    def may_have_key(self, cells: bytes) -> bool:
        """Whether some cells may hold the name of a key column; where that is not ASCII, all may."""
        folded = _fold(cells)
        return any(end in folded for end in self._ends)

    def has_long_name(self, cells: Sequence[bytes]) -> bool:
        """Whether the cell of the column with the longest name is that name."""
        return 0 <= self.long_number < len(cells) and cells[self.long_number] == self.long_name

    def likeness(self, cells: Sequence[bytes], *, marked: bool = False) -> Likeness | None:
        """Return what a row of these plain cells is; None for one with values.

        `marked`: it starts with a byte order mark, as a file may. A cell may be the name of a key column, as
        in a column that says what kind an id is. Where an id should be it cannot be, nor where most of the
        cells are names, or the id is one.
        """
        marked = marked or cells[0][: len(_BATCH)].lower() == _BATCH.encode()
        key_cell = cells[self.number] if self.number < len(cells) else b""
        named = self.may_have_key(key_cell) or self._is_known(key_cell)
        if not (marked or named or self.has_long_name(cells)):
            known = sum(map(self._is_known, cells))
            if 2 * known <= len([cell for cell in cells if cell]):
                return None
        names = [_meaning(cell) for cell in cells]
        names += [""] * (len(self.names) - len(names))
        if self._is_repeated(names):
            return Likeness.REPEATED
        keys = self.keys.intersection(names)
        if self._has_all_others(names):
            return Likeness.JOINED if not keys and self.joined(cells) else Likeness.OTHER
        if not keys:
            return None
        known = len(set(self.names).intersection(names) - {""} - keys)
        in_place = names[self.number]
        likely = in_place in self.keys or (known and in_place in self.names)
        most = 2 * (known + 1) > len(list(filter(None, names))) and known
        return Likeness.OTHER if marked or likely or most else None

    def joined(self, cells: Sequence[bytes]) -> bool:
        """Whether a row ends in a header that begins within a cell, as `Oslo,4thirdPartyId,city,age`."""
        known = 0
        while known < len(cells) and self._is_known(cells[-1 - known]):
            known += 1
        if not 0 < known < len(cells):
            return False
        keys = tuple(end for end in self._ends if end)
        before = _fold(cells[-1 - known])
        has_key = any(_fold(cell).endswith(keys) for cell in cells[-known:])
        return before.endswith(keys) or (has_key and before.endswith(tuple(self._folded)))

    def _is_known(self, cell: bytes) -> bool:
        return _fold(cell) in self._folded

    def _has_all_others(self, names: Sequence[str]) -> bool:
        """Whether all columns but the key have their names: at least two, as one may be a value."""
        others = [number for number, name in enumerate(self.names) if name and number != self.number]
        in_place = all(names[number] == self.names[number] for number in others)
        return in_place and len(others) >= _LEAST_OTHERS and not any(names[len(self.names) :])

    def _is_repeated(self, names: Sequence[str]) -> bool:
        width = len(self.names)
        return not any(names[width:]) and all(
            name == expected or (not name and number in self.not_sent)
            for number, (name, expected) in enumerate(zip(names, self.names, strict=False))
        )


def _fold(text: bytes) -> bytes:
    """Return the ASCII letters, in lower case, and the digits of a text."""
    return text.translate(_LOWER, _OTHERS)


@lru_cache
def _meaning(cell: bytes) -> str:
    name = plain_name(unmark(cell).decode(errors="replace"))
    if name[: len(_BATCH)].lower() == _BATCH:
        name = plain_name(name[len(_BATCH) :])
    return meaning(name)
