"""Compressed files as plain streams, unpacked in pieces of bounded size."""

from __future__ import annotations

import bz2
import io
import lzma
from collections.abc import Callable
from typing import BinaryIO, Protocol, cast

from bulk_profiles.core.errors import FileRejectedError
from bulk_profiles.core.streams import PieceReader

from .signatures import Compression, compression_of

_PIECE = 256 * 1024
_WINDOW_BYTES = 64 * 1024 * 1024  # of unpacked data that a decoder may hold; `xz -9` needs as many
_BESIDE_BYTES = 8 * 1024 * 1024  # that an xz decoder needs besides


class _Decompressor(Protocol):
    """A decoder of one member, like those of Python's bz2 and lzma."""

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


_SIGNATURE_BYTES = 10  # of the longest one, that of bzip2
_DECOMPRESSORS: dict[Compression, Callable[[], _Decompressor]] = {
    Compression.GZIP: _gzip,
    Compression.ZSTD: _zstd,
    Compression.XZ: _xz,
    Compression.BZIP2: _bzip2,
}


def decompressed(compression: Compression, opener: Callable[[int], BinaryIO], size: int) -> BinaryIO:
    """Open a compressed file of `size` bytes as a plain stream; `opener` opens it from any byte on.

    Reading raises `FileRejectedError` where the file is damaged.
    """
    if compression is Compression.ZIP:
        from .zip import open_zip  # noqa: PLC0415 only a .zip file needs it

        return open_zip(opener, size)
    return cast("BinaryIO", io.BufferedReader(_Members(opener(0), compression), _PIECE))


class _Members(PieceReader):
    """The members of a gzip, xz or bzip2 file, or the frames of a zstd file, one after the other."""

    def __init__(self, stream: BinaryIO, compression: Compression) -> None:
        super().__init__(stream)
        self._stream = stream
        self._compression = compression
        self._member = _DECOMPRESSORS[compression]()
        self._pending = b""  # read, and not given to the decoder yet

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
                        f"The {self._compression} file is cut short: drop it again, whole."
                    )
            piece = self._unpack(data, size)
            if piece:
                return piece

    def _unpack(self, data: bytes, most: int) -> bytes:
        try:
            return self._member.decompress(data, max_length=most)
        except Exception as error:  # each library has its own errors; all mean damage but that for memory
            raise FileRejectedError(
                f"The {self._compression} file is packed with a window of more than "
                f"{_WINDOW_BYTES >> 20} MiB: pack it again with the defaults."
                if "memory" in str(error).lower()
                else f"The {self._compression} file is damaged: pack and drop it again."
            ) from error

    def _next_member(self) -> bool:
        """Begin with the next member; return whether there is one."""
        rest = self._member.unused_data.lstrip(b"\0")  # NUL bytes may pad a file to the length of a block
        while len(rest) < _SIGNATURE_BYTES and (piece := self._stream.read(_PIECE)):
            rest = (rest + piece).lstrip(b"\0")
        if not rest:
            return False
        if compression_of(rest) is not self._compression:
            raise FileRejectedError(
                f"Something else follows the end of the {self._compression} file: pack and drop it again."
            )
        self._pending = rest
        self._member = _DECOMPRESSORS[self._compression]()
        return True
