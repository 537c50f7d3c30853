"""Files so large that a merge takes minutes, or that are too large. The thresholds are lowered."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from bulk_profiles.core.errors import FileRejectedError
from bulk_profiles.core.feeds import Feed
from bulk_profiles.splitting import job
from bulk_profiles.splitting.batches import external_sort, merged_rows, repeated_ids
from bulk_profiles.splitting.batches.cutter import Limits
from bulk_profiles.splitting.checkpoint import OutOfTimeError
from bulk_profiles.splitting.reading import parquet
from bulk_profiles.splitting.split import split
from tests.worlds.splitting import MemoryFile, MemoryFolder, run, run_in_slices

UNIQUE = b"thirdPartyId,a\n" + b"".join(b"u%d,x\n" % number for number in range(60))
REPEATED = UNIQUE + b"".join(b"u%d,y\n" % number for number in range(60))


def always_time() -> Callable[[], bool]:
    return lambda: False


@pytest.mark.fault(25, "a long merge has the time of a whole invocation")
@pytest.mark.parametrize(
    ("data", "sort", "rows", "invocations"),
    [
        (UNIQUE, 59, 0, 2),
        (UNIQUE, 60, 0, 1),
        (REPEATED, 119, 119, 3),
        (REPEATED, 119, 120, 2),
        (REPEATED, 120, 119, 2),
        (REPEATED, 120, 120, 1),
    ],
)
def test_split_begins_a_long_merge_in_an_invocation_of_its_own(
    data: bytes, sort: int, rows: int, invocations: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = Limits(max_batch_rows=7)
    whole = run(data, limits=limits)
    monkeypatch.setattr(job, "LONG_SORT", sort)
    monkeypatch.setattr(job, "LONG_MERGE", rows)
    sliced, count = run_in_slices(data, Feed(), limits, always_time)
    assert count == invocations
    assert sliced.split == whole.split
    assert all(sliced.objects[name] == whole.objects[name] for name in whole.objects)


def test_split_that_may_not_stop_merges_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `bulk-profiles plan`, which has all the time that it needs."""
    monkeypatch.setattr(job, "LONG_SORT", 0)
    monkeypatch.setattr(job, "LONG_MERGE", 0)
    assert run(REPEATED).split.rows.merged == 60


def test_merge_says_that_it_is_working(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the lease of the split would end, and another invocation would begin it again."""
    monkeypatch.setattr(repeated_ids, "RUN_HASHES", 9)
    monkeypatch.setattr(merged_rows, "_PIECE", 1)
    asked = {False: 0, True: 0}
    monkeypatch.setattr(job, "LONG_MERGE", 0)

    def out_of_time() -> bool:
        asked[bool(checkpoint)] += 1
        return False

    checkpoint, scratch = None, MemoryFolder()
    with pytest.raises(OutOfTimeError) as stop:
        split(
            MemoryFile(REPEATED), Feed(), Limits(), MemoryFolder(), scratch=scratch, out_of_time=out_of_time
        )
    checkpoint = stop.value.checkpoint
    split(
        MemoryFile(REPEATED),
        Feed(),
        Limits(),
        MemoryFolder(),
        scratch=scratch,
        checkpoint=checkpoint,
        out_of_time=out_of_time,
    )
    assert asked[False] >= 64  # the parts of the sort
    assert asked[True] >= 1024 + 60  # the parts of the merge, and its rows


def test_file_of_too_many_rows_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "MAX_ROWS", 60)
    run(UNIQUE)
    with pytest.raises(FileRejectedError, match="more than 60 rows: drop it in parts"):
        run(UNIQUE + b"u,x\n")


def test_file_of_too_many_repeated_rows_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(external_sort, "MEMORY_BYTES", 1)
    monkeypatch.setattr(external_sort, "MAX_RUNS", 60)
    run(REPEATED)
    monkeypatch.setattr(external_sort, "MAX_RUNS", 9)
    with pytest.raises(FileRejectedError, match="remove repeated rows, or drop the file in parts"):
        run(REPEATED)


@pytest.mark.parametrize("full", ["copy", "convert"])
def test_parquet_file_for_which_the_disk_is_too_small_is_rejected(
    full: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where it is copied, Python fails; where its rows are written, DuckDB does."""
    path = tmp_path / "file.parquet"
    duckdb.execute(f"COPY (SELECT 'u' || i AS thirdPartyId, 'x' AS a FROM range(60) t(i)) TO '{path}'")
    data = path.read_bytes()
    assert run(data).split.rows.sent == 60
    if full == "copy":

        def fail(*_: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(shutil, "copyfileobj", fail)
    else:
        monkeypatch.setattr(parquet, "_prove", _full_disk)
    with pytest.raises(FileRejectedError, match="drop it in parts, or as CSV"):
        run(data)


def _full_disk(*_: object) -> None:
    """Fail as DuckDB does on a full disk."""
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    duckdb.execute("COPY (SELECT i FROM range(9) t(i)) TO '/dev/full' (FORMAT csv)")
