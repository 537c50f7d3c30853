"""How a delimited file is written, and where its lines end."""

from __future__ import annotations

import codecs
from dataclasses import dataclass

import numpy as np

from bulk_profiles.splitting.rows.header_names import HeaderNames

from .scans import Places, count, count_lines, line_ends

_LINE_FEED = ord("\n")
_END_OF_FILE = b"\x1a"


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a delimited file is written.

    A LF ends a line, with all CR right before it. Any other CR is part of a value, unless one ends the
    header. A byte order mark at the start of a line is no part of it.
    """

    delimiter: bytes = b","
    quoted: bool = True  # a quote at the start of a cell opens a quoted value
    spaced: bool = False  # one space after each delimiter is a part of it
    returns: bool = False  # a CR that no LF follows ends a line, too
    encoded: bool = False  # Target's own format, in which no cell starts with a quote
    header: HeaderNames | None = None  # that may come again, after a byte order mark
    width: int = 0  # cells of a row; 0: not known
    short_rows: bool = False  # a row may have fewer cells

    @property
    def blanks(self) -> bytes:
        """What is blank between a delimiter and a quote."""
        return b" \t".replace(self.delimiter, b"")

    @property
    def ends(self) -> tuple[bytes, ...]:
        """The bytes that end a line."""
        return (b"\n", b"\r") if self.returns else (b"\n",)

    def count_lines(self, data: bytes, start: int = 0, end: int | None = None) -> int:
        """Count line ends."""
        return count_lines(data, start, end) if self.returns else count(data, _LINE_FEED, start, end)

    def line_ends(self, data: bytes) -> Places:
        """Return the places of the last bytes of all line ends."""
        return (
            line_ends(data) if self.returns else np.flatnonzero(np.frombuffer(data, np.uint8) == _LINE_FEED)
        )

    def last_line_end(self, data: bytes, *, final: bool) -> int:
        """Return where the last whole line ends; 0 where there is none."""
        end_of_line = self.end_of_line(data)
        end = len(data) if final else data.rfind(end_of_line) + 1
        if end_of_line == b"\r" and end == len(data) and not final:
            end = data.rfind(end_of_line, 0, end - 1) + 1  # a LF may follow the CR
        return end

    def end_of_line(self, data: bytes) -> bytes:
        """Return the byte that ends lines in some data: CR only where there is no LF."""
        return b"\r" if self.returns and b"\n" not in data else b"\n"

    def end_line(self, data: bytes) -> bytes:
        """Return the last data of a file with a line end, also where it has none.

        The mark with which DOS ended a file (U+001A) is a line of its own, also right after a value.
        """
        if data.endswith(_END_OF_FILE):
            data = data.rstrip(_END_OF_FILE) + self.ends[0] + _END_OF_FILE
        return data + b"\n" if data and not data.endswith(self.ends) else data

    def marked_line(self, text: bytes) -> int:
        """Return the place of the first line that starts with a byte order mark; -1 if there is none."""
        if text.startswith(codecs.BOM_UTF8):
            return 0
        places = [text.find(end + codecs.BOM_UTF8) for end in self.ends]
        return min((place + 1 for place in places if place >= 0), default=-1)
