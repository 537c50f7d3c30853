"""What an import of a local file would do: the splitter's own result, and what follows from it."""

from __future__ import annotations

import math
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from bulk_profiles.core.errors import BulkProfilesError, FileRejectedError
from bulk_profiles.core.feeds import Feed
from bulk_profiles.core.json_object import Json
from bulk_profiles.core.models import ApiVersion, Manifest, Source
from bulk_profiles.core.names import DEFAULT_FEED, MANIFEST, REJECTED_ROWS, REJECTS, batch_name, import_id
from bulk_profiles.splitting.batches.cutter import Limits
from bulk_profiles.splitting.files import FileSink, Folder, Output, Sink
from bulk_profiles.splitting.split import Split, split

from .cost import (
    GB_SECONDS_PER_BATCH,
    GB_SECONDS_PER_SPLIT_BYTE,
    OBJECTS_PER_BATCH,
    OBJECTS_PER_IMPORT,
    PER_GB_SECOND,
    PER_PROFILE_WRITE,
    PER_PUT,
    PER_TRANSITION,
    TRANSITIONS_PER_BATCH,
)

_BATCH_FILE = re.compile(r"\d{5}\.batch")


class PlanError(BulkProfilesError):
    """The plan cannot be made: not the file's fault, but that of how it was asked for."""


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A source file on this machine."""

    path: Path
    name: str
    size: int

    @classmethod
    def of(cls, path: Path) -> LocalFile:
        """Describe a file; raises `PlanError` where there is none that can be read more than once."""
        try:
            status = path.stat()
        except OSError as error:
            raise PlanError(f"{path}: {error.strerror}.") from error
        if not stat.S_ISREG(status.st_mode):
            raise PlanError(f"{path} is not a file on a disk: save it as one, as it is read more than once.")
        return cls(path, path.name, status.st_size)

    def open(self, start: int = 0) -> BinaryIO:
        """Open it for reading from byte `start` on."""
        try:
            stream = self.path.open("rb", buffering=0)
        except OSError as error:
            raise PlanError(f"{self.path}: {error.strerror}.") from error
        stream.seek(start)
        return stream


class _FolderOutput:
    """A folder that has the objects of an import, its manifest last; an earlier plan's are removed."""

    def __init__(self, path: Path, source: LocalFile) -> None:
        self._path = path
        batches = (path / batch_name(1)).parent
        found = [path / name for name in (MANIFEST, REJECTS, REJECTED_ROWS)]
        found += [batch for batch in batches.glob("*.batch") if _BATCH_FILE.fullmatch(batch.name)]
        if source.path.resolve() in {old.resolve() for old in found}:
            raise PlanError(f"{source.path} would be overwritten: choose another folder for --out.")
        for old in found:
            old.unlink(missing_ok=True)

    def open(self, name: str) -> FileSink:
        return Folder(self._path).write(name)

    def keep(self, batches: int) -> None:
        """Remove the batches above a number: those of a draft."""
        for path in (self._path / batch_name(1)).parent.glob("*.batch"):
            if _BATCH_FILE.fullmatch(path.name) and int(path.stem) > batches:
                path.unlink()


class _Nowhere:
    """An output for those who only want to know."""

    def open(self, _name: str) -> Sink:
        return self

    def write(self, _data: bytes | bytearray | memoryview, /) -> None:
        pass

    def commit(self) -> None:
        pass

    def abort(self) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Plan:
    """What would become of a file. `reason` says why it is rejected, if it is."""

    file: str
    size: int
    rows_a_day: int
    split: Split | None = None
    reason: str = ""

    @property
    def calls(self) -> int:
        """The fewest calls to Target: a submission and a status check for each batch."""
        return 2 * len(self.split.batches) if self.split else 0

    @property
    def days(self) -> int:
        """The days that the budget of rows a day needs; 0 rows a day means no limit."""
        sent = self.split.rows.sent if self.split else 0
        return math.ceil(sent / self.rows_a_day) if self.rows_a_day else min(sent, 1)

    @property
    def cost(self) -> dict[str, float]:
        """An estimate of what AWS would charge, in US dollars."""
        batches = len(self.split.batches) if self.split else 0
        sent = self.split.rows.sent if self.split else 0
        cost = {
            "profileResults": sent * PER_PROFILE_WRITE,
            "stateMachine": batches * TRANSITIONS_PER_BATCH * PER_TRANSITION,
            "functions": PER_GB_SECOND
            * (batches * GB_SECONDS_PER_BATCH + self.size * GB_SECONDS_PER_SPLIT_BYTE),
            "storage": PER_PUT * (batches * OBJECTS_PER_BATCH + OBJECTS_PER_IMPORT),
        }
        return {name: round(value, 4) for name, value in {**cost, "total": sum(cost.values())}.items()}

    def to_json(self) -> Json:
        """Give the plan for programs."""
        data: Json = {
            "file": self.file,
            "status": "planned" if self.split else "rejected",
            "reason": self.reason,
        }
        if self.split:
            data |= {
                "keyColumn": self.split.key_column.value,
                "source": _known({"bytes": self.size, "sha256": self.split.source_sha256}),
                "rows": self.split.rows.to_json(),
                "rejects": self.split.rejects,
                "examples": self.split.examples,
                "warnings": self.split.warnings,
                "batches": [_known(batch.to_json()) for batch in self.split.batches],
                "calls": self.calls,
                "days": self.days,
                "costUsd": self.cost,
            }
        return data


def _known(data: Json) -> Json:
    """Leave out the digests where none were taken."""
    return {name: value for name, value in data.items() if value or name != "sha256"}


def make_plan(
    source: LocalFile,
    feed: Feed,
    limits: Limits,
    *,
    rows_a_day: int,
    folder: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    processes: int | None = None,
) -> Plan:
    """Split a local file as an import would; with `folder`, keep there what the import would keep.

    `processes` share the work, as `split` says.
    Raises `PlanError` where that cannot be done.
    """
    output = _FolderOutput(folder, source) if folder else None
    target: Output = output or _Nowhere()
    try:
        result = split(
            source,
            feed,
            limits,
            target,
            on_read=progress,
            digests=folder is not None,
            processes=processes,
        )
    except FileRejectedError as error:
        if output:
            output.keep(0)
        return Plan(source.name, source.size, rows_a_day, reason=str(error))
    if output and folder:
        output.keep(len(result.batches))
        _write_manifest(output, source, feed, result)
    return Plan(source.name, source.size, rows_a_day, result)


def _write_manifest(output: _FolderOutput, source: LocalFile, feed: Feed, result: Split) -> None:
    import json  # noqa: PLC0415 small, and most plans are not kept

    manifest = Manifest(
        import_id=import_id("", source.name, result.source_sha256),
        feed=DEFAULT_FEED,
        client_code=feed.client_code or "",
        api_version=feed.api_version or ApiVersion.V2,
        key_column=result.key_column,
        source=Source("", source.name, "", source.size, result.source_sha256),
        rows=result.rows,
        rejects=result.rejects,
        warnings=result.warnings,
        batches=result.batches,
    )
    sink = output.open(MANIFEST)
    sink.write(json.dumps(manifest.to_json(), indent=2).encode() + b"\n")
    sink.commit()
