"""Compressed files as plain streams, found by their first bytes and unpacked in bounded pieces."""

from __future__ import annotations

import bz2
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, BinaryIO, Protocol, cast

from bulk_profiles.errors import FileRejectedError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_PIECE = 256 * 1024
_ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
_ENCRYPTED = 0x1
_WORKBOOK = "[Content_Types].xml"


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

    return cast("_Decompressor", zstd.ZstdDecompressor())


def _xz() -> _Decompressor:
    return cast("_Decompressor", lzma.LZMADecompressor(lzma.FORMAT_XZ))


def _bzip2() -> _Decompressor:
    return cast("_Decompressor", bz2.BZ2Decompressor())


_FORMATS: dict[bytes, tuple[str, Callable[[], _Decompressor]]] = {
    b"\x1f\x8b": ("gzip", _gzip),
    b"\x28\xb5\x2f\xfd": ("zstd", _zstd),
    b"\xfd7zXZ\x00": ("xz", _xz),
    b"BZh": ("bzip2", _bzip2),
}


def is_compressed(head: bytes) -> bool:
    """Say whether a file that starts with these bytes is compressed."""
    return head.startswith((*_FORMATS, *_ZIP_MAGIC))


def decompressed(head: bytes, opener: Callable[[int], BinaryIO], size: int) -> BinaryIO:
    """Open a compressed file as a plain stream. `opener` opens it from any byte on.

    Reading raises `FileRejectedError` where the file is damaged.
    """
    if head.startswith(_ZIP_MAGIC):
        return _open_zip(opener, size)
    name, make = next(form for magic, form in _FORMATS.items() if head.startswith(magic))
    return cast("BinaryIO", io.BufferedReader(_Members(opener(0), name, make), _PIECE))


class _Members(io.RawIOBase):
    """The members of a gzip, zstd, xz or bzip2 file, one after the other."""

    def __init__(self, stream: BinaryIO, name: str, make: Callable[[], _Decompressor]) -> None:
        self._stream = stream
        self._name = name
        self._make = make
        self._member = make()
        self._pending = b""

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer).cast("B")
        while True:
            if self._member.eof and not self._next_member():
                return 0
            data = b""
            if self._member.needs_input:
                data = self._pending or self._stream.read(_PIECE)
                self._pending = b""
                if not data:
                    raise FileRejectedError(f"The {self._name} file is cut short: drop it again, whole.")
            piece = self._unpack(data, len(view))
            if piece:
                view[: len(piece)] = piece
                return len(piece)

    def _unpack(self, data: bytes, most: int) -> bytes:
        try:
            return self._member.decompress(data, max_length=most)
        except Exception as error:  # each library has errors of its own, and all mean the same
            raise FileRejectedError(f"The {self._name} file is damaged: pack and drop it again.") from error

    def _next_member(self) -> bool:
        rest = self._member.unused_data or self._stream.read(_PIECE)
        while rest and not rest.strip(b"\0"):  # zeros may pad a file to a block's length
            rest = self._stream.read(_PIECE)
        self._pending = rest.lstrip(b"\0") if rest else b""
        self._member = self._make() if self._pending else self._member
        if self._pending and not self._pending.startswith(tuple(_FORMATS)):
            raise FileRejectedError(
                f"Something else follows the end of the {self._name} file: pack and drop it again."
            )
        return bool(self._pending)


class _Ranges(io.RawIOBase):
    """A seekable view of a file that can be opened from any byte on."""

    def __init__(self, opener: Callable[[int], BinaryIO], size: int) -> None:
        self._opener = opener
        self._size = size
        self._position = 0
        self._stream: BinaryIO | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if base + offset != self._position:
            self._position = max(0, base + offset)
            self._drop()
        return self._position

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        if self._stream is None:
            self._stream = self._opener(self._position)
        view = memoryview(buffer).cast("B")
        data = self._stream.read(len(view))
        view[: len(data)] = data
        self._position += len(data)
        return len(data)

    def close(self) -> None:
        self._drop()
        super().close()

    def _drop(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None


def _open_zip(opener: Callable[[int], BinaryIO], size: int) -> BinaryIO:
    try:
        archive = zipfile.ZipFile(io.BufferedReader(_Ranges(opener, size), _PIECE))
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise FileRejectedError("The zip file is damaged or cut short: pack and drop it again.") from error
    names = [
        info for info in archive.infolist() if not info.is_dir() and not info.filename.startswith("__MACOSX/")
    ]
    if any(info.filename == _WORKBOOK for info in names):
        raise FileRejectedError(
            "The file is an Office document: export the table as CSV (UTF-8) and drop that."
        )
    if len(names) != 1:
        raise FileRejectedError(f"The zip file holds {len(names)} files: pack exactly one.")
    if names[0].flag_bits & _ENCRYPTED:
        raise FileRejectedError("The zip file is encrypted: pack it without a password.")
    try:
        return cast("BinaryIO", io.BufferedReader(_ZipMember(archive, archive.open(names[0])), _PIECE))
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise FileRejectedError(
            "The zip file is damaged, or packed in an unknown way: pack it again."
        ) from error


class _ZipMember(io.RawIOBase):
    """The one member of a zip file; damage is the sender's affair, not ours."""

    def __init__(self, archive: zipfile.ZipFile, member: IO[bytes]) -> None:
        self._archive = archive
        self._member = member

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer).cast("B")
        try:
            data = self._member.read(len(view))
        except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError) as error:
            raise FileRejectedError(
                "The zip file is damaged or cut short: pack and drop it again."
            ) from error
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._member.close()
            self._archive.close()
            if self._archive.fp:
                self._archive.fp.close()
        super().close()
