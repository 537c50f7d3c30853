"""Percent-encoding of names and values, as Target reads them (RFC 3986: unreserved bytes stay)."""

from __future__ import annotations

import string
from urllib.parse import quote_from_bytes

from .plain import MARKS, MEANING, PLUS_MARK, SEPARATORS

UNRESERVED = (string.ascii_letters + string.digits + "-._~").encode()
_PERCENT = ord("%")


def encode(data: bytes) -> bytes:
    """Encode one name or value: UTF-8 bytes in, unreserved ASCII and `%XX` out."""
    return quote_from_bytes(data, safe="").encode()


class Encoder:
    """Encode plain rows as they are sent, a whole block of them at once.

    With `replace_separators`, each comma, quote and line break inside a value is sent as a space. It
    remembers which bytes have needed encoding, so that one look at a block shows whether there are others.
    """

    def __init__(self, *, replace_separators: bool = False) -> None:
        self._escapes = {byte: b"%%%02X" % byte for byte in range(256) if byte not in UNRESERVED}
        for sign, meaning in zip(MARKS, MEANING, strict=True):
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
