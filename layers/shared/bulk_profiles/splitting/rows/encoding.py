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

    With `replace_separators`, each comma, quote and line break inside a value is sent as a space.

    A block needs one `replace` for each byte value that must be encoded. The encoder learns these values: one
    `translate` that deletes all known bytes shows whether a block has others. After a block with `é`, it
    replaces the bytes C3 and A9 by `%C3` and `%A9` in every block that is not ASCII.
    """

    def __init__(self, *, replace_separators: bool = False) -> None:
        self._escapes = {byte: b"%%%02X" % byte for byte in range(256) if byte not in UNRESERVED}
        for sign, meaning in zip(MARKS, MEANING, strict=True):
            self._escapes[sign] = b"%%%02X" % meaning
        if replace_separators:
            self._escapes |= dict.fromkeys(SEPARATORS, b"%20")
        self._escapes[PLUS_MARK[0]] = b"+"
        self._known = UNRESERVED + b",\n"
        self._ascii: list[tuple[bytes, bytes]] = []  # bytes to replace, with their escapes
        self._others: list[tuple[bytes, bytes]] = []  # the same, for bytes that are not ASCII

    def __call__(self, rows: bytes) -> bytes:
        """Return rows with every cell encoded."""
        unknown = rows.translate(None, self._known)
        if unknown:
            self._learn(unknown)
        is_ascii = rows.isascii()
        for byte, escape in self._ascii:
            rows = rows.replace(byte, escape)
        if not is_ascii:
            for byte, escape in self._others:
                rows = rows.replace(byte, escape)
        return rows

    def _learn(self, unknown: bytes) -> None:
        """Learn the bytes of a block that are not known yet, the rare ones first: the text grows least."""
        values = sorted(set(unknown), key=lambda byte: (unknown.count(byte), byte))
        self._known += bytes(values)
        for byte in values:
            learned = self._ascii if byte < 0x80 else self._others  # noqa: PLR2004 the end of ASCII
            # The percent sign is replaced first, as the escapes of all others hold one.
            learned.insert(0 if byte == _PERCENT else len(learned), (bytes([byte]), self._escapes[byte]))
