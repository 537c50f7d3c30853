"""HTTP's content codings (RFC 9110, section 8.4.1): bodies that were compressed on their way.

A call asks for none, but a proxy may compress an answer all the same, in gzip or deflate.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

from bulk_profiles.core.errors import BulkProfilesError

_DECODED_BYTES = 64 * 1024  # in one piece, however well it was compressed
_NONE = frozenset({"", "identity"})
_GZIP = frozenset({"gzip", "x-gzip"})
_GZIP_FORMAT, _ZLIB_FORMAT, _RAW_FORMAT = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS
_ZLIB_HEADER_BYTES, _DEFLATED = 2, 8


class ContentCodingError(BulkProfilesError):
    """A body is not in the coding that it names, or in one that was not asked for; the message says which."""


class Decoder:
    """The decoder of one body."""

    def __init__(self, coding: str) -> None:
        """Prepare for a body with this Content-Encoding. Raises `ContentCodingError`."""
        self._coding = coding.strip().lower()
        if self._coding not in _NONE | _GZIP | {"deflate"}:
            raise ContentCodingError("Target's answer is in a content coding that was not asked for.")

    def decode(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the decoded body in pieces. Raises `ContentCodingError`, also if its checksum is missing."""
        if self._coding in _NONE:
            yield from pieces
            return
        try:
            yield from self._inflate(pieces)
        except zlib.error as error:
            raise ContentCodingError("Target's answer is not in the content coding that it names.") from error

    def _inflate(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        stream = None
        data = b""
        ended = False
        for piece in pieces:
            data += piece
            if stream is None:
                if len(data) < _ZLIB_HEADER_BYTES:
                    continue
                stream = zlib.decompressobj(self._format(data))
            full = True
            while data or full:
                if stream.eof:  # gzip may have several members, one after the other
                    stream = zlib.decompressobj(self._format(data))
                inflated = stream.decompress(data, _DECODED_BYTES)
                yield inflated
                data = stream.unconsumed_tail or stream.unused_data
                full = len(inflated) == _DECODED_BYTES and not stream.eof
            ended = stream.eof
        if not ended:
            raise ContentCodingError("Target's answer is cut short in its content coding.")

    def _format(self, data: bytes) -> int:
        """Return zlib's number for a format: deflate has a header of zlib, as it should, or none."""
        if self._coding in _GZIP:
            return _GZIP_FORMAT
        method, check = data[0] & 0x0F, int.from_bytes(data[:_ZLIB_HEADER_BYTES])
        return _ZLIB_FORMAT if method == _DEFLATED and check % 31 == 0 else _RAW_FORMAT
