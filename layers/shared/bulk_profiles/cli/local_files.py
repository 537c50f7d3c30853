"""Local files: the source file of a plan, and the folder that a plan is written to."""

from __future__ import annotations

import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from bulk_profiles.core.errors import BulkProfilesError
from bulk_profiles.core.names import MANIFEST, REJECTED_ROWS, ROWS_SUFFIXES, batch_name
from bulk_profiles.splitting.files import PARTIAL, FileSink, Folder, Sink

_BATCH_FILE = re.compile(r"\d{5}\.batch(?:\.partial)?")


class UsageError(BulkProfilesError):
    """The command was given something that it cannot use; the content of the source file is not at fault."""


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A source file on this machine."""

    path: Path
    name: str
    size: int
    modified: int  # when, in nanoseconds

    @classmethod
    def of(cls, path: Path) -> LocalFile:
        """Return the file of a path. Raises `UsageError` for one that cannot be read more than once."""
        try:
            status = path.stat()
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror}.") from error
        if not stat.S_ISREG(status.st_mode):
            raise UsageError(f"{path} is not a file on a disk: save it as one, as it is read more than once.")
        return cls(path, path.name, status.st_size, status.st_mtime_ns)

    def open(self, start: int = 0) -> BinaryIO:
        """Open the file for reading from byte `start` on."""
        try:
            stream = self.path.open("rb", buffering=0)
        except OSError as error:
            raise UsageError(f"{self.path}: {error.strerror}.") from error
        stream.seek(start)
        return stream

    def check_unchanged(self) -> None:
        """Raise `UsageError` where the file is not the same any more: it is read more than once."""
        if LocalFile.of(self.path) != self:
            raise UsageError(f"{self.path} changed while it was read: plan it when nothing writes to it.")


@contextmanager
def standard_input() -> Iterator[LocalFile]:
    """Yield the standard input as a file on the disk, because a file is read more than once."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "standard-input")
        with path.open("wb") as copy:
            shutil.copyfileobj(sys.stdin.buffer, copy)
        yield LocalFile.of(path)


class FolderOutput:
    """A folder for the objects of an import. Those of an earlier plan are deleted at first."""

    def __init__(self, path: Path, source: LocalFile) -> None:
        """Raise `UsageError` where the source file would be deleted."""
        self._path = path
        names = [MANIFEST, *(REJECTED_ROWS + suffix for suffix in ROWS_SUFFIXES)]
        names += [name + PARTIAL for name in names]  # of a plan that was killed
        earlier = [*(path / name for name in names), *self._batches()]
        if source.path.resolve() in {file.resolve() for file in earlier}:
            raise UsageError(f"{source.path} would be overwritten: choose another folder for --out.")
        for file in earlier:
            file.unlink(missing_ok=True)

    def create(self, name: str) -> FileSink:
        """Start to write an object."""
        return Folder(self._path).create(name)

    def keep(self, batches: int) -> None:
        """Delete the batches above a number: a draft may have had more of them."""
        for file in self._batches():
            if int(file.name.split(".")[0]) > batches:
                file.unlink()

    def _batches(self) -> list[Path]:
        folder = (self._path / batch_name(1)).parent
        return [file for file in folder.glob("*.batch*") if _BATCH_FILE.fullmatch(file.name)]


class NoOutput:
    """An output that drops everything, for a plan that keeps nothing."""

    def create(self, _name: str) -> Sink:
        """Return itself as the sink of every object."""
        return self

    def write(self, _data: bytes | bytearray | memoryview, /) -> None:
        """Drop bytes."""

    def commit(self) -> None:
        """Do nothing."""

    def abort(self) -> None:
        """Do nothing."""
