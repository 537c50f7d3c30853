"""What a split reads from and writes to: source file, output and scratch, as protocols and as folders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

if TYPE_CHECKING:
    import tempfile


class SourceFile(Protocol):
    """What is split. `name` is the file's name, `size` its bytes as stored."""

    @property
    def name(self) -> str:
        """The file's own name, without folders."""

    @property
    def size(self) -> int:
        """Bytes as stored."""

    def open(self, start: int = 0) -> BinaryIO:
        """Open it for reading from byte `start` on; the reader closes it."""


class Sink(Protocol):
    """One object being written."""

    def write(self, data: bytes | bytearray | memoryview, /) -> object:
        """Take some more bytes."""

    def commit(self) -> None:
        """Make the object exist, whole, in the place of an older one of the same name."""

    def abort(self) -> None:
        """Forget what was written."""


class Output(Protocol):
    """Where a split writes its objects, by the names of `identity`."""

    def open(self, name: str) -> Sink:
        """Start an object."""


class Scratch(Protocol):
    """Objects that only the split itself reads. A name may be written again, with the same bytes."""

    def write(self, name: str) -> Sink:
        """Start an object."""

    def open(self, name: str, start: int = 0) -> BinaryIO:
        """Open a committed object for reading from byte `start` on; the reader closes it."""


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
