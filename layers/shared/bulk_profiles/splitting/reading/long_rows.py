"""Passing over a record that is too long to be held in memory."""

from __future__ import annotations

import re
from typing import BinaryIO

from .dialect import Dialect
from .record_parser import unclosed

_PIECE = 256 * 1024
_QUOTE = b'"'


class _Window:
    """A sliding window over a stream."""

    def __init__(self, data: bytes, stream: BinaryIO, dialect: Dialect) -> None:
        self.data = data
        self.at = 0  # the place in it that is looked at
        self.size = 0  # bytes before the window
        self.lines = 0  # line ends before the window
        self._stream = stream
        self._dialect = dialect

    def fill(self) -> bool:
        """Drop what was passed and add the next bytes. Return whether there were any."""
        piece = self._stream.read(_PIECE)
        # A CR stays: if a LF follows it, both are one line end.
        passed = self.at - self.data.endswith(b"\r", 0, self.at)
        self.lines += self._dialect.count_lines(self.data, 0, passed)
        self.size += passed
        self.data = self.data[passed:] + piece
        self.at -= passed
        return bool(piece)

    def fill_all(self) -> bool:
        """Pass over all that is here and add the next bytes. Return whether there were any."""
        self.at = len(self.data)
        return self.fill()

    def all_lines(self) -> int:
        """Return the number of line ends that were passed."""
        return self.lines + self._dialect.count_lines(self.data, 0, self.at)

    def starts(self, sign: bytes) -> bool:
        """Whether `sign` comes next."""
        return self.data.startswith(sign, self.at)


def skip_long_row(data: bytes, stream: BinaryIO, dialect: Dialect, line: int) -> tuple[bytes, int, int]:
    """Pass over the record at the start of `data`, which goes on in `stream`.

    Returns the bytes that were read past its end, its size, and its number of line ends. Where text follows
    a closing quote, the record is its one line, as it is for a short one.
    Raises `FileRejectedError`, with the number of the `line`, where a quoted value in it is not closed, or
    spans lines and is closed in the wrong place.
    """
    window = _Window(data, stream, dialect)
    line_end = re.compile(rb"\r\n?|\n" if dialect.returns else rb"\n")
    cell_end = re.compile(re.escape(dialect.delimiter) + b"|" + line_end.pattern)
    separator: bytes = dialect.delimiter
    while separator == dialect.delimiter:
        if window.at == len(window.data):
            window.fill()
        if dialect.spaced and window.starts(b" "):
            window.at += 1
        if dialect.quoted and window.starts(_QUOTE):
            _pass_quoted(window, line)
            next_end = cell_end if dialect.returns or not _pass_returns(window) else line_end
            if window.at < len(window.data) and not next_end.match(window.data, window.at):
                if window.all_lines():
                    raise unclosed(line)
                _pass_separator(window, line_end)
                break
        separator = _pass_separator(window, cell_end)
    return window.data[window.at :], window.size + window.at, window.all_lines()


def _pass_quoted(window: _Window, line: int) -> None:
    """Go past the closing quote of the value that the quote here opens."""
    window.at += 1
    while True:
        close = window.data.find(_QUOTE, window.at)
        if close < 0:
            if not window.fill_all():
                raise unclosed(line)
            continue
        window.at = close + 1
        if window.at == len(window.data):
            window.fill()
        if not window.starts(_QUOTE):
            return
        window.at += 1


def _pass_returns(window: _Window) -> bool:
    """Go past the CR that come next. Return whether there are any."""
    passed = False
    while window.starts(b"\r"):
        window.at += 1
        passed = True
        if window.at == len(window.data):
            window.fill()
    return passed


def _pass_separator(window: _Window, cell_end: re.Pattern[bytes]) -> bytes:
    """Go past the next match of `cell_end` and return it; nothing at the end of the file."""
    while True:
        separator = cell_end.search(window.data, window.at)
        if separator is None:
            if not window.fill_all():
                return b""
            continue
        window.at = separator.start()
        if separator[0] == b"\r" and separator.end() == len(window.data) and window.fill():
            continue  # a LF may follow the CR
        window.at += len(separator[0])
        return separator[0]
