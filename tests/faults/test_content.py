"""Faults 21, 24 and 25: the limits in their real size, bombs, and memory."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import pytest

from bulk_profiles.core.feeds import Feed
from bulk_profiles.splitting.batches.cutter import Limits
from bulk_profiles.splitting.split import Split, split
from tests.worlds.splitting import MemoryFile, MemoryFolder

HEADER = b"thirdPartyId,a\n"
ROOT = Path(__file__).parents[2]


def _split(data: bytes, limits: Limits) -> tuple[Split, dict[str, bytes]]:
    output = MemoryFolder()
    return split(MemoryFile(data), Feed(), limits, output), output.objects


@pytest.mark.fault(21, "499,999, 500,000 and 500,001 rows")
@pytest.mark.parametrize(
    ("rows", "batches"), [(499_999, [499_999]), (500_000, [500_000]), (500_001, [500_000, 1])]
)
def test_split_at_the_limit_of_rows_cuts_full_batches(rows: int, batches: list[int]) -> None:
    data = HEADER + b"".join(b"%d,x\n" % number for number in range(rows))

    result, _ = _split(data, Limits(max_batch_rows=500_000, max_batch_bytes=49_999_999))

    assert [batch.rows for batch in result.batches] == batches
    assert result.rows.sent == rows


@pytest.mark.fault(21, "50 MB after encoding, and one byte less or more")
@pytest.mark.parametrize(("size", "sizes"), [(49_999_998, 1), (49_999_999, 1), (50_000_000, 2)])
def test_split_at_the_limit_of_bytes_cuts_full_batches(size: int, sizes: int) -> None:
    value = "é" * 1000  # six bytes each when encoded
    row = len("123456,") + 6 * len(value) + 1
    room = size - len("batch=thirdPartyId,a\n") + 1  # the last row has no line feed
    count, rest = divmod(room, row)
    rows = [f"{number:06d},{value}\n" for number in range(100_000, 100_000 + count - 1)]
    last = f"{'9' * 6},{value}{'x' * rest}\n"

    result, objects = _split((HEADER.decode() + "".join(rows) + last).encode(), Limits())

    assert len(result.batches) == sizes
    assert all(batch.size <= 49_999_999 for batch in result.batches)
    if sizes == 1:
        assert result.batches[0].size == len(objects["batches/00001.batch"]) == size


BOMB = """
import gzip, io, resource, sys
from bulk_profiles.core.feeds import Feed
from bulk_profiles.splitting.batches.cutter import Limits
from bulk_profiles.splitting.split import split

class File:
    name, data = "bomb.csv.gz", sys.stdin.buffer.read()
    size = len(data)
    def open(self, start=0):
        return io.BytesIO(self.data[start:])

class Nothing:
    def create(self, name): return self
    def write(self, data): return len(data)
    def commit(self): pass
    def abort(self): pass

before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    outcome = str(split(File(), Feed(), Limits(), Nothing()).rows)
except Exception as error:
    outcome = f"{type(error).__name__}: {error}"
grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
print(grown, outcome)
"""


@pytest.mark.fault(24, "a gzip bomb: memory stays small; a row or the file is rejected")
@pytest.mark.fault(25, "memory does not grow with the file")
@pytest.mark.parametrize(
    ("filling", "unpacked"), [(b"y", 200_000_000), (b"\0", 200_000_000), (b"u1,x\n", 5_000_000)]
)
def test_split_gzip_bomb_takes_little_memory(filling: bytes, unpacked: int) -> None:
    bomb = gzip.compress(HEADER + b"u0,x\n" + filling * (unpacked // len(filling)), 1)
    assert len(bomb) < unpacked / 100

    process = subprocess.run(
        [sys.executable, "-c", BOMB], input=bomb, capture_output=True, check=True, cwd=ROOT
    )

    megabytes, _, outcome = process.stdout.decode().partition(" ")
    assert int(megabytes) < 150, outcome
    assert "RowCounts" in outcome or "FileRejectedError" in outcome


@pytest.mark.fault(18, "a quote that is never closed, 200 MB before the end: memory stays small")
def test_split_unclosed_quote_takes_little_memory() -> None:
    file = gzip.compress(HEADER + b'u1,"x\n' + b"u2,yyyyyyyyyyyyyyyyyy\n" * 9_000_000, 1)

    process = subprocess.run(
        [sys.executable, "-c", BOMB], input=file, capture_output=True, check=True, cwd=ROOT
    )

    megabytes, _, outcome = process.stdout.decode().partition(" ")
    assert "FileRejectedError" in outcome
    assert "line 2 is not closed" in outcome
    assert int(megabytes) < 150
