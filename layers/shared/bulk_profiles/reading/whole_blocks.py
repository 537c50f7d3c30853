"""Taking whole records of a delimited file apart, all at once, where that is sure to be right.

It is where the quotes stand as they should, which one look at all of them proves.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bulk_profiles.encoding import COMMA_MARK, LINE_FEED_MARK, RETURN_MARK, without_invalid

from .records import Dialect, is_utf8

type Places = NDArray[np.intp]

_QUOTE = ord('"')
_LINE_FEED = ord("\n")
_RETURN = ord("\r")
_COMMA = ord(",")
_FEW = 16  # bytes for each quote
_NONE = np.empty(0, np.intp)
_STAY = b"\xfe"  # a quote that stays; no text has this byte, and no mark is this one
_INSIDE = np.frombuffer(bytes.maketrans(b",\n\r", COMMA_MARK + LINE_FEED_MARK + RETURN_MARK), np.uint8)
_ENDS_LINE = np.zeros(256, np.bool_)
_ENDS_LINE[[_LINE_FEED, _RETURN]] = True


class WholeBlocks:
    """Take apart blocks of whole records that are written in one dialect."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        # Outside quotes, the delimiter becomes the comma and a comma becomes its mark.
        self._outside = bytes.maketrans(b"," + dialect.delimiter, COMMA_MARK + b",")
        self._outer = np.frombuffer(self._outside, np.uint8)
        self._rare = b"\r" + dialect.delimiter.strip(b",")
        self._beside_quotes = np.zeros(256, np.bool_)
        self._beside_quotes[[*dialect.delimiter, _QUOTE, _LINE_FEED, _RETURN]] = True

    def plain_rows(self, text: bytes, quotes: Places | None = None) -> tuple[bytes, int] | None:
        """Give plain rows, and how many spaces were taken as part of delimiters; None where that is not sure.

        `quotes` are the places of the quotes, None if they are not known.
        """
        if not is_utf8(text):
            text, quotes = without_invalid(text), None
        if quotes is None:
            quotes = (
                np.flatnonzero(np.frombuffer(text, np.uint8) == _QUOTE)
                if self._dialect.quoted and b'"' in text
                else _NONE
            )
        spaces = 0
        if quotes.size:
            unquoted = None if self._dialect.spaced else self._unquoted(text, quotes)
            if unquoted is None:
                return None
            text = unquoted
        else:
            if self._dialect.spaced:
                spaced = self._dialect.delimiter + b" "
                spaces = text.count(spaced)
                text = text.replace(spaced, self._dialect.delimiter)
            if self._dialect.delimiter != b",":
                text = text.translate(self._outside)
        if b"\r" in text:
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return text, spaces

    def _unquoted(self, text: bytes, quotes: Places) -> bytes | None:
        """Take the quotes away, if each starts or ends a cell or is doubled inside one; None otherwise."""
        data = np.frombuffer(bytearray(text), np.uint8)
        if quotes.size % 2:
            return None
        opening, closing = quotes[0::2], quotes[1::2]
        # Before the first byte comes the last one, which ends a line, as it should.
        before, after = data[opening - 1], data[closing + 1]
        if not (self._beside_quotes[before].all() and self._beside_quotes[after].all()):
            return None
        empty = closing - opening == 1
        if (empty & _ENDS_LINE[before] & _ENDS_LINE[after]).any():
            return None  # empty quotes on a line of their own are no blank line
        lengths = closing - opening - 1
        if self._dialect.delimiter == b"," and int(lengths.sum()) * _FEW < len(text):
            _mark_each(data, opening + 1, lengths)
        else:
            self._mark_all(text, data, opening, closing)
        doubled = np.flatnonzero(opening[1:] - closing[:-1] == 1)
        if doubled.size:
            data[closing[doubled]] = _STAY[0]
            return _without_quotes(data.tobytes(), len(quotes)).replace(_STAY, b'"')
        return _without_quotes(data.tobytes(), len(quotes))

    def _mark_all(self, text: bytes, data: NDArray[np.uint8], opening: Places, closing: Places) -> None:
        """Put marks for the separators inside quotes, and commas for the delimiters outside."""
        special = (data == _COMMA) | (data == _LINE_FEED)
        for byte in self._rare:
            if byte in text:
                special |= data == byte
        places = np.flatnonzero(special)
        # Between quotes are the places from the first after an opening to the last before its closing.
        first, last = np.searchsorted(places, opening), np.searchsorted(places, closing)
        holding = last > first
        if holding.any() or self._dialect.delimiter != b",":
            steps = np.zeros(len(places) + 1, np.int8)
            steps[first[holding]] += 1
            steps[last[holding]] -= 1
            inside = np.cumsum(steps[:-1], dtype=np.int8).view(np.bool_)
            if self._dialect.delimiter != b",":
                outer = places[~inside]
                data[outer] = self._outer[data[outer]]
            inner = places[inside]
            data[inner] = _INSIDE[data[inner]]


def _mark_each(data: NDArray[np.uint8], starts: Places, lengths: Places) -> None:
    """Put marks for the separators in some pieces of a text, by looking at each byte of these."""
    ends = np.cumsum(lengths)
    places = np.arange(int(ends[-1])) + np.repeat(starts - ends + lengths, lengths)
    data[places] = _INSIDE[data[places]]


def _without_quotes(text: bytes, quotes: int) -> bytes:
    """Delete the quotes, in the way that is faster for so many of them."""
    return text.replace(b'"', b"") if quotes * _FEW < len(text) else text.translate(None, b'"')
