"""A source file whose digest is taken while it is read anyway."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import BinaryIO, cast

from bulk_profiles.core.streams import PieceReader
from bulk_profiles.splitting.parallel.thread import Background

from .files import SourceFile

_PIECE = 1024 * 1024


def digest(source: SourceFile) -> str:
    """Give the SHA-256 of a file's bytes as stored (hex)."""
    found = hashlib.sha256()
    with source.open() as stream:
        while piece := stream.read(_PIECE):
            found.update(piece)
    return found.hexdigest()


class TappedSource:
    """A source file that tells `progress` how far it was read, and knows its digest once read to its end."""

    def __init__(
        self,
        source: SourceFile,
        progress: Callable[[int, int], None] | None,
        background: Background,
        *,
        digests: bool = True,
    ) -> None:
        self.name = source.name
        self.size = source.size
        self.sha256 = ""
        self.digests = digests
        self.background = background
        self._source = source
        self._progress = progress

    def open(self, start: int = 0) -> BinaryIO:
        """Open it from byte `start` on."""
        return cast("BinaryIO", _Tap(self, self._source.open(start), start, self._progress))


class _Tap(PieceReader):
    def __init__(
        self, owner: TappedSource, stream: BinaryIO, start: int, progress: Callable[[int, int], None] | None
    ) -> None:
        super().__init__(stream)
        self._owner = owner
        self._stream = stream
        self._position = start
        self._progress = progress
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
        if self._progress is not None and data:
            self._progress(self._position, self._owner.size)
        return data
