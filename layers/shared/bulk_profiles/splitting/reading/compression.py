"""Compressed files as plain streams, found by their first bytes and unpacked in bounded pieces."""

from __future__ import annotations

import bz2
import io
import lzma
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, Protocol, cast

from bulk_profiles.core.errors import FileRejectedError
from bulk_profiles.core.streams import PieceReader

_PIECE = 256 * 1024
_ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
_WINDOW_BYTES = 64 * 1024 * 1024  # what unpacking may hold of a file; xz -9 takes as much
_BESIDE_BYTES = 8 * 1024 * 1024  # what xz needs besides


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /, max_length: int = -1) -> bytes: ...


def _gzip() -> _Decompressor:
    from isal import igzip_lib, isal_zlib  # noqa: F401, PLC0415 only a .gz file needs it

    return cast("_Decompressor", igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP))


def _zstd() -> _Decompressor:
    from backports import zstd  # noqa: PLC0415 only a .zst file needs it

    options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: _WINDOW_BYTES.bit_length() - 1}
    return cast("_Decompressor", zstd.ZstdDecompressor(options=options))


def _xz() -> _Decompressor:
    return cast(
        "_Decompressor", lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_WINDOW_BYTES + _BESIDE_BYTES)
    )


def _bzip2() -> _Decompressor:
    return cast("_Decompressor", bz2.BZ2Decompressor())


@dataclass(frozen=True, slots=True)
class _Format:
    name: str
    magic: re.Pattern[bytes]
    make: Callable[[], _Decompressor]


_MAGIC_BYTES = 10  # of the longest one
_FORMATS = (
    _Format("gzip", re.compile(rb"\x1f\x8b"), _gzip),
    # A skippable frame, which a reader passes over, is a frame as well, and may be the first one.
    _Format("zstd", re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"), _zstd),
    _Format("xz", re.compile(rb"\xfd7zXZ\x00"), _xz),
    # The second one is that of an empty file.
    _Format("bzip2", re.compile(rb"BZh[1-9](?:1AY&SY|\x17\x72\x45\x38\x50\x90)"), _bzip2),
)


def is_compressed(head: bytes) -> bool:
    """Say whether a file that starts with these bytes is compressed."""
    return head.startswith(_ZIP_MAGIC) or any(form.magic.match(head) for form in _FORMATS)


def decompressed(head: bytes, opener: Callable[[int], BinaryIO], size: int) -> BinaryIO:
    """Open a compressed file as a plain stream. `opener` opens it from any byte on.

    Reading raises `FileRejectedError` where the file is damaged.
    """
    if head.startswith(_ZIP_MAGIC):
        from .zip import open_zip  # noqa: PLC0415 only a .zip file needs it

        return open_zip(opener, size)
    form = next(form for form in _FORMATS if form.magic.match(head))
    return cast("BinaryIO", io.BufferedReader(_Members(opener(0), form), _PIECE))


class _Members(PieceReader):
    """The members of a gzip, zstd, xz or bzip2 file, one after the other."""

    def __init__(self, stream: BinaryIO, form: _Format) -> None:
        super().__init__(stream)
        self._stream = stream
        self._format = form
        self._member = form.make()
        self._pending = b""

    def read_piece(self, size: int) -> bytes:
        while True:
            if self._member.eof and not self._next_member():
                return b""
            data = b""
            if self._member.needs_input:
                data = self._pending or self._stream.read(_PIECE)
                self._pending = b""
                if not data:
                    raise FileRejectedError(
                        f"The {self._format.name} file is cut short: drop it again, whole."
                    )
            piece = self._unpack(data, size)
            if piece:
                return piece

    def _unpack(self, data: bytes, most: int) -> bytes:
        try:
            return self._member.decompress(data, max_length=most)
        except Exception as error:  # each library has errors of its own, and all but one mean the same
            raise FileRejectedError(
                f"The {self._format.name} file is packed with a window of more than "
                f"{_WINDOW_BYTES >> 20} MiB: pack it again with the defaults."
                if "memory" in str(error).lower()
                else f"The {self._format.name} file is damaged: pack and drop it again."
            ) from error

    def _next_member(self) -> bool:
        rest = self._member.unused_data.lstrip(b"\0")  # zeros may pad a file to a block's length
        while len(rest) < _MAGIC_BYTES and (piece := self._stream.read(_PIECE)):
            rest = (rest + piece).lstrip(b"\0")
        if not rest:
            return False
        if not self._format.magic.match(rest):
            raise FileRejectedError(
                f"Something else follows the end of the {self._format.name} file: pack and drop it again."
            )
        self._pending = rest
        self._member = self._format.make()
        return True
