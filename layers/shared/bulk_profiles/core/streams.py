"""The base of the raw streams that get their bytes from another stream, one piece at a time."""

from __future__ import annotations

import io
from abc import abstractmethod
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class Closable(Protocol):
    """What a stream closes with itself."""

    def close(self) -> object:
        """Free what it holds."""


class PieceReader(io.RawIOBase):
    """A raw stream of the pieces that `read_piece` returns; its resources are closed with it."""

    def __init__(self, *resources: Closable) -> None:
        self._resources = resources

    @abstractmethod
    def read_piece(self, size: int) -> bytes:
        """Return the next bytes, `size` of them at most; none at the end only."""

    def readable(self) -> bool:  # noqa: D102 as in the base class
        return True

    def read(self, size: int = -1, /) -> bytes:
        """Return the next piece as it is: the base class would copy it twice."""
        return self.readall() if size < 0 else self.read_piece(size)

    def readinto(self, buffer: WriteableBuffer, /) -> int:  # noqa: D102 as in the base class
        view = memoryview(buffer).cast("B")
        piece = self.read_piece(len(view))
        view[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:  # noqa: D102 as in the base class
        if not self.closed:
            for resource in self._resources:
                resource.close()
        super().close()
