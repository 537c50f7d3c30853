"""Lines that are a header once more, as in a file that was put together of several exports."""

from __future__ import annotations

import codecs
import re
import string
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from bulk_profiles.core.feeds import plain_name
from bulk_profiles.core.models import KeyColumn
from bulk_profiles.splitting.rows.key_column import meaning

from .batch_format import BODY_PREFIX
from .scans import Places

_SAMPLE_BYTES = 4096
_BLANKS_AND_QUOTES = b' \t\r"'
_DASHES = re.compile(rb'[+|: "]*[-=][-=+|: "]*[\r\n]*')
_MARK = re.compile(rb"(?:\xef\xbb\xbf)*" + BODY_PREFIX, re.IGNORECASE)
# Of all names that mean the same: mbox3rdPartyId and thirdPartyId.
_ENDS_OF_KINDS: dict[str, bytes] = {KeyColumn.THIRD_PARTY_ID: b"rdpartyid", KeyColumn.PC_ID: b"pcid"}
_ALPHANUMERIC = (string.ascii_letters + string.digits).encode()
_OTHERS = bytes(sorted({*range(256)} - {*_ALPHANUMERIC}))
_LOWER = bytes(range(256)).lower()


class Likeness(Enum):
    """What a line is that looks like a header."""

    REPEATED = auto()  # it has the names of the header, in their order
    OTHER = auto()  # what follows has other columns, or another order of columns


@dataclass(frozen=True, slots=True)
class HeaderNames:
    """The names of a header, and how to find them once more in a text, in any spelling."""

    names: tuple[str, ...]  # by `meaning`, without empty ones at the end
    number: int  # of the key column
    folded: bytes  # the end of the key column's name in all spellings, as `_folded`; empty: as `written` only
    written: bytes  # the name of the key column as the file has it, without quotes
    encoded: bool  # percent-encoded, as in Target's own format

    @classmethod
    def of(cls, header: Sequence[str], number: int, *, encoded: bool) -> HeaderNames:
        """Return the names of a header as it stands there, whose key column has this number."""
        names = _names(header, encoded=encoded)
        key = names[number]
        written = header[number].strip() if encoded else plain_name(header[number])
        folded = _ENDS_OF_KINDS.get(key, _folded(key.encode()))
        if not key.isascii() or (encoded and "%" in written):
            folded = b""
        return cls(names, number, folded, written.encode(), encoded)

    def find(self, text: bytes, delimiter: bytes, *, returns: bool) -> int:
        """Return the start of the first line that looks like a header; -1 if there is none.

        A search for one name shows for most texts that there is none. The lines in which it stands are taken
        apart at each delimiter: in a quoted value, a line may look like a header and not be one. With
        `returns`, a CR ends a line.
        """
        line_end = re.compile(rb"[\r\n]" if returns else rb"\n")
        after = 0
        for place in self._places(text).tolist():
            if place < after:
                continue
            ends = [text.rfind(end, after, place) for end in ((b"\n", b"\r") if returns else (b"\n",))]
            start = max(after, *(end + 1 for end in ends))
            end = line_end.search(text, place)
            after = end.start() if end else len(text)
            line = text[start:after]
            if self.may_be_in(line):
                cells = [cell.strip(_BLANKS_AND_QUOTES) for cell in line.split(delimiter)]
                if self.likeness(cells, marked=is_marked(line)):
                    return start
        return -1

    def _places(self, text: bytes) -> Places:
        """Return places in a text, at least one in each line that has the name of a key column.

        One letter is searched for instead of the name, in both cases, as that is one comparison of all bytes
        with numpy: the one that is rarest in the start of the text. The bytes beside it then show for nearly
        all its places that the name is not there: before the `y` of `third_party_id` there must be a `t`, or
        what is neither a letter nor a digit, and two bytes before it an `r`, a `t`, or such a sign.
        """
        if not self.folded:
            return np.array([match.start() for match in re.finditer(re.escape(self.written), text)], np.intp)
        sample = text[:_SAMPLE_BYTES].lower()
        counts = [sample.count(letter) for letter in self.folded]
        number = counts.index(min(counts))
        letter = self.folded[number]
        cases = [case for case in {letter, ord(chr(letter).upper())} if case in text]
        if not cases:
            return np.empty(0, np.intp)
        data = np.frombuffer(text, np.uint8)
        hits = data == cases[0]
        for case in cases[1:]:
            hits |= data == case
        places = np.flatnonzero(hits)
        for offset in sorted(range(-number, len(self.folded) - number + 1), key=abs):
            if offset and places.size:
                table = _beside(self.folded, number, offset)
                places = places[table[data.take(places + offset, mode="clip")]]
        return places

    def may_be_in(self, line: bytes) -> bool:
        """Whether the name of a key column may be in a line, in any spelling."""
        return self.folded in _folded(line) if self.folded else self.written in line

    def likeness(self, cells: Sequence[bytes], *, marked: bool) -> Likeness | None:
        """Return what a line with these cells is; None for a row.

        `marked`: it starts with a byte order mark or with `batch=`, as a file may. A cell of a row may be the
        name of the key column, as in a column that says what kind an id is. In the key column it cannot be,
        nor together with another name.
        """
        cells = [_MARK.sub(b"", cells[0], 1) if _MARK.match(cells[0]) else cells[0], *cells[1:]]
        names = _names([cell.decode(errors="replace") for cell in cells], encoded=self.encoded)
        if names == self.names:
            return Likeness.REPEATED
        key = self.names[self.number]
        if key not in names:
            return None
        known = {*self.names} & {*names} - {"", key}
        in_place = key in names[self.number : self.number + 1]
        return Likeness.OTHER if marked or known or in_place else None


def is_marked(line: bytes, start: int = 0) -> bool:
    """Whether a line that starts here does so with a byte order mark or with `batch=`."""
    return line.startswith(codecs.BOM_UTF8, start) or _MARK.match(line, start) is not None


def is_dashes(line: bytes, delimiter: bytes) -> bool:
    """Whether a line has only dashes below a header, as sqlcmd writes it, and psql: `---,---`, `---+---`."""
    return _DASHES.fullmatch(line.replace(delimiter, b"|")) is not None


def _names(cells: Sequence[str], *, encoded: bool) -> tuple[str, ...]:
    names = [meaning(plain_name(unquote(cell) if encoded else cell)) for cell in cells]
    while names and not names[-1]:
        names.pop()
    return tuple(names)


def _folded(text: bytes) -> bytes:
    """Return the ASCII letters, in lower case, and the digits of a text."""
    return text.translate(_LOWER, _OTHERS)


@lru_cache
def _beside(name: bytes, number: int, offset: int) -> NDArray[np.bool_]:
    """Return for each byte whether it may be beside a letter of a name, which is `_folded`.

    `number` says which letter, and `offset` where the byte is. Signs between the letters only move the
    letters away, and such a sign, or the end of a line, follows the name.
    """
    place = number + offset
    letters = name[number + 1 : place + 1] if offset > 0 else name[place:number]
    table = np.zeros(256, np.bool_)
    table[[*_OTHERS, *letters, *letters.upper()]] = True
    return table
