"""Splitting a source file: read, lint, merge and cut, with every row accounted for."""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol

from .cutting import Cutter, Limits, Output, Sink
from .encoding import decode, encode
from .errors import BulkProfilesError, FileRejectedError
from .feeds import Feed
from .identity import REJECTED_ROWS, REJECTS
from .lint import Reject, Rules, Warn, lint_cells
from .models import ApiVersion, Json, KeyColumn, PlannedBatch, RowCounts

__all__ = ["Limits", "OutOfTimeError", "Output", "Scratch", "Sink", "SourceFile", "Split", "split"]


class SourceFile(Protocol):
    """What is split. `name` is the file's name, `size` its bytes as stored."""

    @property
    def name(self) -> str: ...
    @property
    def size(self) -> int: ...

    def open(self, start: int = 0) -> BinaryIO:
        """Open it for reading from byte `start` on; the reader closes it."""
        ...


class Scratch(Protocol):
    """Where a split keeps what it cannot hold in memory, by name; only the split itself reads it."""

    def write(self, name: str) -> Sink:
        """Start an object."""
        ...

    def open(self, name: str, start: int = 0) -> BinaryIO:
        """Open a committed object for reading from byte `start` on; the reader closes it."""
        ...


class OutOfTimeError(BulkProfilesError):
    """The split stopped in time: calling it again with `checkpoint`, which is JSON, goes on."""

    def __init__(self, checkpoint: Json) -> None:
        super().__init__("The split ran out of time and can be continued.")
        self.checkpoint = checkpoint


@dataclass(frozen=True, slots=True)
class Split:
    """What became of a source file. `examples` are the first line numbers of each reject code."""

    key_column: KeyColumn
    rows: RowCounts
    rejects: dict[str, int]
    warnings: dict[str, int]
    batches: tuple[PlannedBatch, ...]
    source_sha256: str
    examples: dict[str, tuple[int, ...]] = field(default_factory=dict)


def split(
    source: SourceFile,
    feed: Feed,
    limits: Limits,
    output: Output,
    *,
    scratch: Scratch | None = None,
    checkpoint: Json | None = None,
    out_of_time: Callable[[], bool] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Split:
    """Split a source file into batches and write them with the rejects to `output`.

    `progress` is told bytes done and bytes in all. Raises `FileRejectedError` where the file cannot be
    read at all, and `OutOfTimeError` where `out_of_time` said so.
    """
    with source.open() as stream:
        data = stream.read()
    if not data.strip():
        raise FileRejectedError("The file is empty.")
    encoded = data.startswith(b"batch=")
    rows = _batch_rows(data) if encoded else _csv_rows(data)
    _, names, _raw = next(rows)
    names = [name.strip().removeprefix("profile.") for name in names]
    key = _key(names, feed)
    order = [key, *(n for n in range(len(names)) if n != key)]
    header = b",".join(encode(names[n].encode()) for n in order)
    rules = Rules(len(names), key, names[key] == KeyColumn.THIRD_PARTY_ID)
    cutter = Cutter(header, limits, output)
    read, rejects, examples, merged_rows = 0, Counter[str](), dict[str, list[int]](), 0
    listing, raws = (
        ["line,column,reason,detail\n"],
        [data[: data.index(b"\n") + 1] if b"\n" in data else data + b"\n"],
    )
    by_id: dict[bytes, list[bytes]] = {}
    for line, texts, raw in rows:
        read += 1
        cells = [
            decode(t.encode("utf-8", "surrogateescape")) if encoded else t.encode("utf-8", "surrogateescape")
            for t in texts
        ]
        fault = lint_cells(cells, rules)
        ready = [encode(cells[n]) if n < len(cells) else b"" for n in order]
        if fault is None and len(b",".join(ready)) + 1 > cutter.room:
            from .lint import Fault

            fault = Fault(Reject.ROW_TOO_LARGE)
        if fault:
            rejects[fault.reason] += 1
            examples.setdefault(fault.reason, []).append(line)
            column = names[fault.column] if fault.column is not None else ""
            listing.append(f'{line},{column},{fault.reason},"{fault.reason.help}"\n')
            raws.append(raw)
            continue
        old = by_id.setdefault(ready[0], ready)
        if old is not ready:
            merged_rows += 1
            old[:] = [b or a for a, b in zip(old, ready, strict=True)]
    skipped = 0
    for ready in by_id.values():
        if any(ready[1:]):
            for _ in cutter.add(b",".join(ready) + b"\n"):
                pass
        else:
            skipped += 1
    cutter.finish()
    for name, body in ((REJECTS, "".join(listing).encode()), (REJECTED_ROWS, b"".join(raws))):
        sink = output.open(name)
        sink.write(body)
        sink.commit()
    warnings = {Warn.NO_VALUES.value: skipped} if skipped else {}
    if feed.api_version is ApiVersion.V1 and rules.third_party_id:
        warnings[Warn.V1_THIRD_PARTY_ID.value] = 1
    sent = sum(batch.rows for batch in cutter.batches)
    return Split(
        KeyColumn(names[key]),
        RowCounts(read, rejects.total(), merged_rows, skipped, sent),
        dict(rejects),
        warnings,
        tuple(cutter.batches),
        hashlib.sha256(data).hexdigest(),
        {code: tuple(lines[:5]) for code, lines in examples.items()},
    )


def _key(names: list[str], feed: Feed) -> int:
    found = [n for n, name in enumerate(names) if name in list(KeyColumn)]
    if feed.key_column:
        found = [n for n in found if names[n] == feed.key_column]
    if not found:
        raise FileRejectedError("The header has no key column: name one pcId or thirdPartyId.")
    if len(found) > 1:
        raise FileRejectedError("The header has pcId and thirdPartyId: choose one as keyColumn in the feed.")
    if len(set(names)) < len(names):
        raise FileRejectedError("The header names a column twice.")
    return found[0]


def _csv_rows(data: bytes) -> Iterator[tuple[int, list[str], bytes]]:
    text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    lines = io.StringIO(text, newline="").readlines()
    reader = csv.reader(lines, strict=False)
    before = 0
    for cells in reader:
        raw = "".join(lines[before : reader.line_num]).encode("utf-8", "surrogateescape")
        if cells:
            yield before + 1, cells, raw
        before = reader.line_num


def _batch_rows(data: bytes) -> Iterator[tuple[int, list[str], bytes]]:
    lines = data.removeprefix(b"batch=").decode("utf-8", "surrogateescape").splitlines()
    for number, line in enumerate(lines, 1):
        if line:
            yield number, line.split(","), line.encode("utf-8", "surrogateescape") + b"\n"
