"""Percent-encoding of names and values, as Target reads them (RFC 3986: unreserved bytes stay).

Between reading and encoding, rows are *plain rows*: UTF-8 cells parted by `,`, each row ended by a
line feed. What would be taken for a separator inside a value is a mark there: a byte that no UTF-8 text has.
"""

from __future__ import annotations

import string
from urllib.parse import quote_from_bytes

UNRESERVED = (string.ascii_letters + string.digits + "-._~").encode()
COMMA_MARK, LINE_FEED_MARK, RETURN_MARK, PLUS_MARK = (bytes([byte]) for byte in range(0xF8, 0xFC))
FAULT_MARK = b"\xff"  # starts a row that its reader could not take apart
MARKS = COMMA_MARK + LINE_FEED_MARK + RETURN_MARK + PLUS_MARK
SEPARATORS = COMMA_MARK + LINE_FEED_MARK + RETURN_MARK + b'"'  # inside values
_MEANING = b",\n\r+"
_TO_MARKS = bytes.maketrans(b",\n\r", COMMA_MARK + LINE_FEED_MARK + RETURN_MARK)
_FROM_MARKS = bytes.maketrans(MARKS, _MEANING)
_PERCENT = ord("%")


def encode(data: bytes) -> bytes:
    """Encode one name or value: UTF-8 bytes in, unreserved ASCII and `%XX` out."""
    return quote_from_bytes(data, safe="").encode()


def mark(cell: bytes) -> bytes:
    """Make a value a cell of a plain row."""
    return cell.translate(_TO_MARKS)


def unmark(cell: bytes) -> bytes:
    """Undo `mark`."""
    return cell.translate(_FROM_MARKS)


def without_invalid(text: bytes) -> bytes:
    """Put a lone surrogate, which UTF-8 forbids as well, for every byte that is not UTF-8."""
    if text.isascii():
        return text
    try:
        text.decode()
    except UnicodeDecodeError:
        return text.decode("utf-8", "surrogateescape").encode("utf-8", "surrogatepass")
    return text


class Encoder:
    """Encode plain rows as they are sent, a whole block of them at once.

    With `replace_separators`, each comma, quote and line break inside a value is sent as a space. It
    remembers which bytes have needed encoding, so that one look at a block shows whether there are others.
    """

    def __init__(self, *, replace_separators: bool = False) -> None:
        self._escapes = {byte: b"%%%02X" % byte for byte in range(256) if byte not in UNRESERVED}
        for sign, meaning in zip(MARKS, _MEANING, strict=True):
            self._escapes[sign] = b"%%%02X" % meaning
        if replace_separators:
            self._escapes |= dict.fromkeys(SEPARATORS, b"%20")
        self._escapes[PLUS_MARK[0]] = b"+"
        self._known = UNRESERVED + b",\n"
        self._ascii: list[tuple[bytes, bytes]] = []
        self._others: list[tuple[bytes, bytes]] = []

    def __call__(self, rows: bytes) -> bytes:
        """Encode every cell of these rows."""
        unknown = rows.translate(None, self._known)
        if unknown:
            self._learn(set(unknown))
        is_ascii = rows.isascii()
        for byte, escape in self._ascii:
            rows = rows.replace(byte, escape)
        if not is_ascii:
            for byte, escape in self._others:
                rows = rows.replace(byte, escape)
        return rows

    def _learn(self, unknown: set[int]) -> None:
        self._known += bytes(unknown)
        for byte in sorted(unknown):
            learned = self._ascii if byte < 0x80 else self._others  # noqa: PLR2004 the end of ASCII
            # The percent sign goes first: later ones bring percent signs of their own.
            learned.insert(0 if byte == _PERCENT else len(learned), (bytes([byte]), self._escapes[byte]))
