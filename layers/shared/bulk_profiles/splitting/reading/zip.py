"""The one file in a zip file as a plain stream."""

from __future__ import annotations

import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Callable
from typing import IO, BinaryIO, cast

from bulk_profiles.core.errors import FileRejectedError
from bulk_profiles.core.streams import Closable, PieceReader

from .signatures import Foreign

_PIECE = 256 * 1024
_END, _END_BYTES = b"PK\x05\x06", 22  # of the record that ends an archive, without its comment
_ENCRYPTED = 0x1
# What archivers and file managers add: hidden files, such as `._name` and `.DS_Store`, and some others.
_CLUTTER = re.compile(
    r"(?:^|/)__MACOSX/|(?:^|/)(?:\.[^/]*|Thumbs\.db|desktop\.ini|Icon\r|_SUCCESS)$", re.IGNORECASE
)
_OFFICE_PARTS = {"[Content_Types].xml", "content.xml", "Index/Document.iwa"}  # Microsoft, OpenDocument, Apple


def open_zip(opener: Callable[[int], BinaryIO], size: int) -> BinaryIO:
    """Open the one file in a zip file; raises `FileRejectedError` where there is not exactly one."""
    try:
        file = io.BufferedReader(_Ranges(opener, size), _PIECE)
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise FileRejectedError("The zip file is damaged or cut short: pack and drop it again.") from error
    if not _is_whole(archive, opener, size):
        raise FileRejectedError(
            "Something else stands before or after the content of the zip file: pack and drop it again."
        )
    members = [
        info for info in archive.infolist() if not info.is_dir() and not _CLUTTER.search(info.filename)
    ]
    if any(info.filename in _OFFICE_PARTS for info in members):
        raise Foreign.OFFICE.rejection()
    if len(members) != 1:
        raise FileRejectedError(f"The zip file holds {len(members)} files: pack exactly one.")
    if members[0].flag_bits & _ENCRYPTED:
        raise FileRejectedError("The zip file is encrypted: pack it without a password.")
    try:
        return cast(
            "BinaryIO", io.BufferedReader(_ZipMember(archive.open(members[0]), archive, file), _PIECE)
        )
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise FileRejectedError(
            "The zip file is damaged, or packed in an unknown way: pack it again."
        ) from error


def _is_whole(archive: zipfile.ZipFile, opener: Callable[[int], BinaryIO], size: int) -> bool:
    """Whether the archive is all of the file: zipfile passes over whatever is before it, or after."""
    end = _END_BYTES + len(archive.comment)
    with opener(max(0, size - end)) as stream:
        ends_file = stream.read(len(_END)) == _END
    return ends_file and min((info.header_offset for info in archive.infolist()), default=0) == 0


class _Ranges(PieceReader):
    """A seekable view of a file that can be opened from any byte on."""

    def __init__(self, opener: Callable[[int], BinaryIO], size: int) -> None:
        super().__init__()
        self._opener = opener
        self._size = size
        self._position = 0
        self._stream: BinaryIO | None = None

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

    def read_piece(self, size: int) -> bytes:
        if self._stream is None:
            self._stream = self._opener(self._position)
        piece = self._stream.read(size)
        self._position += len(piece)
        return piece

    def close(self) -> None:
        self._drop()
        super().close()

    def _drop(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None


class _ZipMember(PieceReader):
    """The one member of a zip file. Raises `FileRejectedError` where it is damaged."""

    def __init__(self, member: IO[bytes], *containers: Closable) -> None:
        super().__init__(member, *containers)
        self._member = member

    def read_piece(self, size: int) -> bytes:
        try:
            return self._member.read(size)
        except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError) as error:
            raise FileRejectedError(
                "The zip file is damaged or cut short: pack and drop it again."
            ) from error
