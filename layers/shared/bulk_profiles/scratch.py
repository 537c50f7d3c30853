"""What a split keeps outside of memory while it works."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from .cutting import Sink

if TYPE_CHECKING:
    import tempfile


class Scratch(Protocol):
    """Objects that only the split itself reads. A name may be written again, with the same bytes."""

    def write(self, name: str) -> Sink:
        """Start an object."""
        ...

    def open(self, name: str, start: int = 0) -> BinaryIO:
        """Open a committed object for reading from byte `start` on; the reader closes it."""
        ...


class FileSink:
    """A file being written: it has its name only once it is whole."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._partial = path.with_name(path.name + ".partial")
        self._file = self._partial.open("wb", buffering=0)

    def write(self, data: bytes | bytearray | memoryview, /) -> None:
        """Take some more bytes."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            error.filename = self._path  # a full disk does not say where
            raise

    def commit(self) -> None:
        """Give the file its name."""
        self._file.close()
        self._partial.replace(self._path)

    def abort(self) -> None:
        """Remove what was written."""
        self._file.close()
        self._partial.unlink(missing_ok=True)


class Folder:
    """A folder as scratch, and as output."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, name: str) -> FileSink:
        """Start a file."""
        return FileSink(self._path / name)

    def open(self, name: str, start: int = 0) -> BinaryIO:
        """Open a file for reading from byte `start` on."""
        stream = (self._path / name).open("rb")
        stream.seek(start)
        return stream


class TemporaryScratch(Folder):
    """A folder of its own that goes with `close`; it is made when the first object is written."""

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def write(self, name: str) -> FileSink:
        """Start a file."""
        if self._folder is None:
            import tempfile  # noqa: PLC0415 few splits need it

            self._folder = tempfile.TemporaryDirectory(prefix="split-")
            super().__init__(Path(self._folder.name))
        return super().write(name)

    def close(self) -> None:
        """Remove the folder and all that is in it."""
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
