"""Percent-encoding of names and values, as Target reads them (RFC 3986: unreserved bytes stay)."""

from __future__ import annotations

import string
from urllib.parse import quote_from_bytes, unquote_to_bytes

UNRESERVED = (string.ascii_letters + string.digits + "-._~").encode()
_SAFE = frozenset(UNRESERVED)
ESCAPES = tuple(bytes([byte]) if byte in _SAFE else b"%%%02X" % byte for byte in range(256))


def encode(data: bytes) -> bytes:
    """Encode one name or value: UTF-8 bytes in, unreserved ASCII and `%XX` out."""
    return quote_from_bytes(data, safe="").encode()


def decode(data: bytes) -> bytes:
    """Undo `encode`."""
    return unquote_to_bytes(data)
