"""The SHA-256 of a source file, computed while the file is read anyway."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import BinaryIO, cast

from bulk_profiles.core.streams import PieceReader
from bulk_profiles.splitting.parallel.thread import Background

from .files import SourceFile

_PIECE = 1024 * 1024


def digest(source: SourceFile) -> str:
    """Return the SHA-256 of a file's bytes as stored (hex)."""
    sha256 = hashlib.sha256()
    with source.open() as stream:
        while piece := stream.read(_PIECE):
            sha256.update(piece)
    return sha256.hexdigest()


class DigestingSource:
    """A source file that computes its digest, and calls `on_read` with the bytes read and those in all."""

    def __init__(
        self,
        source: SourceFile,
        on_read: Callable[[int, int], None] | None,
        background: Background,
        *,
        digests: bool = True,
    ) -> None:
        self.name = source.name
        self.size = source.size
        self.sha256 = ""  # until it was read from its start to its end; without `digests` for good
        self.digests = digests
        self.background = background
        self.on_read = on_read
        self._source = source

    def open(self, start: int = 0) -> BinaryIO:
        """Open the file for reading from byte `start` on; the caller closes it."""
        return cast("BinaryIO", _DigestingStream(self, self._source.open(start), start))


class _DigestingStream(PieceReader):
    def __init__(self, owner: DigestingSource, stream: BinaryIO, start: int) -> None:
        super().__init__(stream)
        self._owner = owner
        self._stream = stream
        self._position = start
        self._digest = hashlib.sha256() if owner.digests and start == 0 and not owner.sha256 else None

    def read_piece(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._position += len(data)
        if self._digest is not None:
            self._owner.background.call(self._digest.update, data)
            if not data and size:
                self._owner.background.finish()
                self._owner.sha256 = self._digest.hexdigest()
                self._digest = None
        if self._owner.on_read is not None and data:
            self._owner.on_read(self._position, self._owner.size)
        return data
