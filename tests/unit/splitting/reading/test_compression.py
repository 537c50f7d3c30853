"""Compressed files whose members, frames and windows are not the usual ones."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import zipfile
from collections.abc import Callable

import pytest
from backports import zstd

from bulk_profiles.core.errors import FileRejectedError
from bulk_profiles.splitting.reading import compression
from tests.worlds.splitting import run

DATA = b"pcId,a\n1,x\n2,y\n"
SKIPPED = struct.pack("<II", 0x184D2A5E, 300) + b"index" * 60
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstd.compress,
}


@pytest.mark.parametrize("name", PACKERS)
def test_a_member_may_end_anywhere_in_what_is_read_at_once(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = PACKERS[name]
    packed = pack(b"") + pack(DATA[:9]) + pack(DATA[9:])
    for piece in range(1, len(packed) + 1):
        monkeypatch.setattr(compression, "_PIECE", piece)
        assert run(packed).received == [("1", "x"), ("2", "y")]
        assert run(packed + bytes(20)).received == [("1", "x"), ("2", "y")]
        with pytest.raises(FileRejectedError, match="follows the end"):
            run(packed + b"\0\0B")


@pytest.mark.parametrize("piece", [1, 7, 256 * 1024])
def test_skippable_frames_are_passed_over(piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "_PIECE", piece)
    packed = SKIPPED + zstd.compress(DATA[:9]) + SKIPPED * 2 + zstd.compress(DATA[9:]) + SKIPPED
    assert run(packed).received == [("1", "x"), ("2", "y")]


def with_window(log: int) -> bytes:
    packer = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: log})
    return packer.compress(DATA) + packer.flush()


def with_dictionary(size: int) -> bytes:
    return lzma.compress(DATA, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": size}])


def test_a_window_of_64_mib_is_unpacked_and_a_larger_one_is_named() -> None:
    assert len(run(with_window(26)).received) == len(run(with_dictionary(1 << 26)).received) == 2
    for packed in (with_window(27), with_dictionary(1 << 27)):
        with pytest.raises(FileRejectedError, match="window of more than 64 MiB: pack it again with"):
            run(packed)


def zipped(*names: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in names:
            archive.writestr(name, DATA)
    return packed.getvalue()


def test_what_systems_leave_in_a_zip_file_does_not_count() -> None:
    packed = zipped(
        ".DS_Store",
        "a/.DS_Store",
        "a/customers.csv",
        "a/Thumbs.db",
        "__MACOSX/a/._customers.csv",
        "a/__MACOSX/b",
        "a/Desktop.ini",
        "a/Icon\r",
    )
    assert run(packed).received == [("1", "x"), ("2", "y")]
    packed = zipped("customers.csv", "._customers.csv", "a/._b", "desktop.ini", "_SUCCESS", ".part-0.crc")
    assert run(packed).received == [("1", "x"), ("2", "y")]
    with pytest.raises(FileRejectedError, match="holds 2 files"):
        run(zipped("a.csv", "b.csv", "Thumbs.db"))


def test_a_zip_file_must_be_all_of_the_file() -> None:
    packed = zipped("a.csv")
    with_comment = io.BytesIO(packed)
    with zipfile.ZipFile(with_comment, "a") as archive:
        archive.comment = b"from the CRM"
    assert run(packed).received == run(with_comment.getvalue()).received
    for more in (packed + packed, packed + b"junk", packed[:-22] + packed):
        with pytest.raises(FileRejectedError, match="before or after"):
            run(more)


@pytest.mark.parametrize("part", ["[Content_Types].xml", "content.xml", "Index/Document.iwa"])
def test_a_workbook_is_named(part: str) -> None:
    with pytest.raises(FileRejectedError, match="an Office document: export the table as CSV"):
        run(zipped("a.xml", part))
