"""A source file is read whole or not at all, however its bytes arrive."""

from __future__ import annotations

import bz2
import dataclasses
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import duckdb
import pytest
from backports import zstd

from bulk_profiles.core.errors import CutShortError
from bulk_profiles.core.feeds import Feed
from bulk_profiles.core.streams import PieceReader
from bulk_profiles.splitting.batches.cutter import Limits
from bulk_profiles.splitting.checkpoint import OutOfTimeError
from bulk_profiles.splitting.reading import delimited
from bulk_profiles.splitting.selection import RowSelector, WantedIds
from bulk_profiles.splitting.split import split
from bulk_profiles.splitting.whole_source import WholeSource
from tests.worlds.splitting import MemoryFile, MemoryFolder, run

TEXT = b"pcId;city\n" + b"".join(f"{n};Łódź {n}\n".encode() for n in range(60))


def _zip(data: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("customers.csv", data)
    return packed.getvalue()


def _parquet(folder: Path) -> bytes:
    with duckdb.connect() as connection:
        path = folder / "customers.parquet"
        connection.execute(f"COPY (SELECT i AS pcId, 'x' AS city FROM range(60) t(i)) TO '{path}'")
        return path.read_bytes()


KINDS: dict[str, Callable[[Path], bytes]] = {
    "csv": lambda _: TEXT,
    "json": lambda _: b"".join(b'{"pcId": "%d", "city": "x y"}\n' % n for n in range(60)),
    "batch": lambda _: b"batch=pcId,city\n" + b"".join(b"%d,x%%20y\n" % n for n in range(60)),
    "utf-16": lambda _: TEXT.decode().encode("utf-16"),
    "gzip": lambda _: gzip.compress(TEXT),
    "members": lambda _: gzip.compress(TEXT[:99]) + gzip.compress(TEXT[99:]),
    "zstd": lambda _: zstd.compress(TEXT),
    "xz": lambda _: lzma.compress(TEXT),
    "bzip2": lambda _: bz2.compress(TEXT),
    "zip": lambda _: _zip(TEXT),
    "parquet": _parquet,
}


@dataclass(frozen=True)
class CutFile(MemoryFile):
    """A file of which less arrives than it has."""

    arriving: int = 0

    def open(self, start: int = 0) -> BinaryIO:
        return io.BytesIO(self.data[: self.arriving][start:])


class _Drip(PieceReader):
    """A stream that returns a few bytes at a time, as a socket does."""

    def __init__(self, data: bytes, most: int) -> None:
        super().__init__()
        self._data = io.BytesIO(data)
        self._most = most

    def read_piece(self, size: int) -> bytes:
        return self._data.read(min(size, self._most))


@dataclass(frozen=True)
class DrippingFile(MemoryFile):
    most: int = 1

    def open(self, start: int = 0) -> BinaryIO:
        return cast("BinaryIO", _Drip(self.data[start:], self.most))


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_file_that_ends_before_its_size_is_an_error(
    kind: str, processes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it ends: after a row, as after a member of a gzip file, nothing else tells."""
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 100)
    data = KINDS[kind](tmp_path)
    for arriving in (
        0,
        1,
        len(data) // 2,
        len(gzip.compress(TEXT[:99])),
        data.rfind(b"\n") + 1,
        len(data) - 1,
    ):
        if arriving < len(data):
            with pytest.raises(
                CutShortError, match=f"'customers.csv' ended after .* of its {len(data):,} bytes"
            ):
                split(CutFile(data, arriving=arriving), Feed(), Limits(), MemoryFolder(), processes=processes)
    run(data, processes=processes)


@pytest.mark.parametrize("kind", ["csv", "utf-16", "gzip"])
@pytest.mark.parametrize("rest", [0, 1, 100])
def test_file_that_ends_before_its_size_is_an_error_after_a_resume(
    kind: str, rest: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may end before the place to go on from."""
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 100)
    monkeypatch.setattr("bulk_profiles.splitting.reading.text._SKIP_BYTES", 50)
    data, scratch, limits = KINDS[kind](tmp_path), MemoryFolder(), Limits(max_batch_rows=40)
    with pytest.raises(OutOfTimeError) as stopped:
        split(MemoryFile(data), Feed(), limits, MemoryFolder(), scratch=scratch, out_of_time=lambda: True)
    with pytest.raises(CutShortError):
        split(
            CutFile(data, arriving=min(rest, len(data) - 1)),
            Feed(),
            limits,
            MemoryFolder(),
            scratch=scratch,
            checkpoint=stopped.value.checkpoint,
        )


def test_rows_are_not_selected_from_a_file_that_ends_before_its_size() -> None:
    folder = MemoryFolder()
    selector = RowSelector(Feed(), Limits(), WantedIds(["1"]), ["n"], lambda _: {"n": ""})
    with pytest.raises(CutShortError):
        selector.write(CutFile(TEXT, arriving=TEXT.index(b"40;")), folder.create)
    assert folder.objects == {}


@pytest.mark.parametrize("most", [1, 3, 50])
@pytest.mark.parametrize("kind", KINDS)
def test_file_that_arrives_in_small_pieces_is_the_same_file(kind: str, most: int, tmp_path: Path) -> None:
    data, output = KINDS[kind](tmp_path), MemoryFolder()
    result = split(DrippingFile(data, most=most), Feed(), Limits(), output)
    whole = run(data)
    assert (result, output.objects) == (dataclasses.replace(whole.split), whole.objects)


def test_nothing_asked_for_is_no_end() -> None:
    with WholeSource(MemoryFile(b"abc")).open(1) as stream:
        assert [stream.read(0), stream.read(1), stream.read(5), stream.read(5)] == [b"", b"b", b"c", b""]
