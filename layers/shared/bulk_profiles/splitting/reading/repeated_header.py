"""Lines that are a header once more, as in a file that was put together of several exports."""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from urllib.parse import unquote

import numpy as np

from bulk_profiles.core.feeds import plain_name

from .batch_format import BODY_PREFIX

_SAMPLE_BYTES = 4096
_BLANKS_AND_QUOTES = b' \t\r"'
_DASHES = re.compile(rb'[+|: "]*[-=][-=+|: "]*[\r\n]*')


class Likeness(Enum):
    """What a line is that looks like a header."""

    REPEATED = auto()  # it has the names of the header, in their order
    OTHER = auto()  # what follows has other columns, or another order of columns


@dataclass(frozen=True, slots=True)
class HeaderNames:
    """The names of a header, and how to find them once more in a text."""

    names: tuple[str, ...]  # by `plain_name`, without empty ones at the end
    key: str  # the name of the key column
    number: int  # of the key column
    written: bytes  # the name of the key column as the file has it, without quotes
    encoded: bool  # percent-encoded, as in Target's own format

    @classmethod
    def of(cls, header: Sequence[str], number: int, *, encoded: bool) -> HeaderNames:
        """Return the names of a header as it stands there, whose key column has this number."""
        names = _names(header, encoded=encoded)
        written = header[number].strip() if encoded else names[number]
        return cls(names, names[number], number, written.encode(), encoded)

    def find(self, text: bytes, delimiter: bytes, *, returns: bool) -> int:
        """Return the start of the first line that looks like a header; -1 if there is none.

        A search for one name shows for most texts that there is none. The lines in which it stands are taken
        apart at each delimiter: in a quoted value, a line may look like a header and not be one. With
        `returns`, a CR ends a line.
        """
        if not self._may_occur(text):
            return -1
        line_end = re.compile(rb"[\r\n]" if returns else rb"\n")
        place, after = text.find(self.written), 0
        while place >= 0:
            ends = [text.rfind(end, after, place) for end in ((b"\n", b"\r") if returns else (b"\n",))]
            start = max(after, *(end + 1 for end in ends))
            end = line_end.search(text, place)
            after = end.start() if end else len(text)
            line = text[start:after]
            cells = [cell.strip(_BLANKS_AND_QUOTES) for cell in line.split(delimiter)]
            if self.likeness(cells, marked=is_marked(line)):
                return start
            place = text.find(self.written, after)
        return -1

    def _may_occur(self, text: bytes) -> bool:
        """Whether the name of the key column may be in a text, which ends a line.

        Single bytes are searched for instead of the name, as memchr does that thirty times faster. If all
        occur, the byte before one of them must be right somewhere: before the one that is rarest in the start
        of the text. In `thirdPartyId` that may be `I`, and then `yI` has to occur.
        """
        if not all(byte in text for byte in self.written):
            return False
        rarest = min(self.written[1:], key=text[:_SAMPLE_BYTES].count, default=None)
        if rarest is None:
            return True
        data = np.frombuffer(text, np.uint8)
        before = self.written[self.written.index(rarest, 1) - 1]
        return bool((data[np.flatnonzero(data == rarest) - 1] == before).any())

    def likeness(self, cells: Sequence[bytes], *, marked: bool) -> Likeness | None:
        """Return what a line with these cells is; None for a row.

        `marked`: it starts with a byte order mark or with `batch=`, as a file may. A cell of a row may be the
        name of the key column, as in a column that says what kind an id is. In the key column it cannot be,
        nor together with another name.
        """
        cells = [cells[0].removeprefix(BODY_PREFIX), *cells[1:]]
        if not any(self.written in cell for cell in cells):
            return None
        names = _names([cell.decode(errors="replace") for cell in cells], encoded=self.encoded)
        if names == self.names:
            return Likeness.REPEATED
        if self.key not in names:
            return None
        known = {*self.names} & {*names} - {"", self.key}
        in_place = self.key in names[self.number : self.number + 1]
        return Likeness.OTHER if marked or known or in_place else None


def is_marked(line: bytes, start: int = 0) -> bool:
    """Whether a line that starts here does so with a byte order mark or with `batch=`."""
    return line.startswith((codecs.BOM_UTF8, BODY_PREFIX), start)


def is_dashes(line: bytes, delimiter: bytes) -> bool:
    """Whether a line has only dashes below a header, as sqlcmd writes it, and psql: `---,---`, `---+---`."""
    return _DASHES.fullmatch(line.replace(delimiter, b"|")) is not None


def _names(cells: Sequence[str], *, encoded: bool) -> tuple[str, ...]:
    names = [plain_name(unquote(cell) if encoded else cell) for cell in cells]
    while names and not names[-1]:
        names.pop()
    return tuple(names)
