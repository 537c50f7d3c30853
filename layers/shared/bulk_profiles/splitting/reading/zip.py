"""The one file in a zip file as a plain stream."""

from __future__ import annotations

import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, BinaryIO, cast

from bulk_profiles.core.errors import FileRejectedError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_PIECE = 256 * 1024
_END, _END_BYTES = b"PK\x05\x06", 22  # of the record that ends an archive, but for its comment
_ENCRYPTED = 0x1
_CLUTTER = re.compile(r"^__MACOSX/|(?:^|/)(?:\.DS_Store|Thumbs\.db)$")  # what file managers leave behind
_WORKBOOK = "[Content_Types].xml"


def open_zip(opener: Callable[[int], BinaryIO], size: int) -> BinaryIO:
    """Open the one file in a zip file; raises `FileRejectedError` where there is not exactly one."""
    try:
        archive = zipfile.ZipFile(io.BufferedReader(_Ranges(opener, size), _PIECE))
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise FileRejectedError("The zip file is damaged or cut short: pack and drop it again.") from error
    if not _is_whole(archive, opener, size):
        raise FileRejectedError(
            "Something else stands before or after the content of the zip file: pack and drop it again."
        )
    names = [info for info in archive.infolist() if not info.is_dir() and not _CLUTTER.search(info.filename)]
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


def _is_whole(archive: zipfile.ZipFile, opener: Callable[[int], BinaryIO], size: int) -> bool:
    """Say whether the archive is all of the file: zipfile passes over whatever is before it, or after."""
    end = _END_BYTES + len(archive.comment)
    with opener(max(0, size - end)) as stream:
        ends = stream.read(len(_END)) == _END
    return ends and min((info.header_offset for info in archive.infolist()), default=0) == 0


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
