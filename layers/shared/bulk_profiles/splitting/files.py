"""The source file, the output and the scratch of a split, as protocols and as folders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

if TYPE_CHECKING:
    import tempfile


PARTIAL = ".partial"  # the end of the name of a file that is being written


class SourceFile(Protocol):
    """The file to split."""

    @property
    def name(self) -> str:
        """The file's own name, without folders."""

    @property
    def size(self) -> int:
        """Bytes as stored."""

    def open(self, start: int = 0) -> BinaryIO:
        """Open the file for reading from byte `start` on; the caller closes it."""


class Sink(Protocol):
    """An object that is being written: it exists once it is committed."""

    def write(self, data: bytes | bytearray | memoryview, /) -> object:
        """Append bytes."""

    def commit(self) -> None:
        """Make the object exist, whole, in place of an older one of the same name."""

    def abort(self) -> None:
        """Drop what was written."""


class Output(Protocol):
    """Where a split writes its objects, by the names of `core.names`."""

    def create(self, name: str) -> Sink:
        """Start to write an object."""


class Scratch(Output, Protocol):
    """Where a split keeps what only it reads again. A name may be written again, with the same bytes."""

    def open(self, name: str, start: int = 0) -> BinaryIO:
        """Open a committed object for reading from byte `start` on; the caller closes it."""


class FileSink:
    """A file that is being written. It gets its name when it is committed."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._partial = path.with_name(path.name + PARTIAL)
        self._file = self._partial.open("wb", buffering=0)

    def write(self, data: bytes | bytearray | memoryview, /) -> None:
        """Append bytes; raises `OSError` with the name of the file."""
        remaining = memoryview(data)
        try:
            while remaining:
                remaining = remaining[self._file.write(remaining) :]
        except OSError as error:
            error.filename = self._path  # the error of a full disk has no name
            raise

    def commit(self) -> None:
        """Rename the file to its name."""
        self._file.close()
        self._partial.replace(self._path)

    def abort(self) -> None:
        """Remove what was written."""
        self._file.close()
        self._partial.unlink(missing_ok=True)


class Folder:
    """A folder as output and scratch."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def create(self, name: str) -> FileSink:
        """Start to write a file."""
        return FileSink(self._path / name)

    def open(self, name: str, start: int = 0) -> BinaryIO:
        """Open a file for reading from byte `start` on."""
        stream = (self._path / name).open("rb")
        stream.seek(start)
        return stream


class TemporaryScratch(Folder):
    """A temporary folder as scratch. It is created for the first object, and removed by `close`."""

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def create(self, name: str) -> FileSink:
        """Start to write a file."""
        if self._folder is None:
            import tempfile  # noqa: PLC0415 few splits need it

            self._folder = tempfile.TemporaryDirectory(prefix="split-")
            super().__init__(Path(self._folder.name))
        return super().create(name)

    def close(self) -> None:
        """Remove the folder with all files."""
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None


def read_end(stream: BinaryIO) -> None:
    """Read the end, which a checked stream proves; raises `EOFError` where something is left."""
    if stream.read(1):
        raise EOFError


def read_exactly(stream: BinaryIO, size: int) -> bytes:
    """Read exactly so many bytes; raises `EOFError` where there are fewer."""
    pieces = []
    while size:
        pieces.append(stream.read(size))
        if not pieces[-1]:
            raise EOFError
        size -= len(pieces[-1])
    return b"".join(pieces)
