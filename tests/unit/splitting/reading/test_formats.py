"""What a file is taken for, by its first bytes."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable

import pytest
from backports import zstd

from bulk_profiles.core.errors import FileRejectedError
from bulk_profiles.core.feeds import Feed
from bulk_profiles.splitting.reading import zip as zip_reader
from tests.worlds.splitting import run


def _zip(data: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("customers", data)
    return packed.getvalue()


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstd.compress,
    "zip": _zip,
}


@pytest.mark.parametrize(
    "name",
    ["ORC", "ORCID", "BZh", "BZhang", "BZh9", "GIF8", "GIF89a", "PAR1", "Rar!", "%PDF", "SQLite format 3"],
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_letters_that_start_other_files_may_start_a_name(name: str, delimiter: str) -> None:
    data = f"{name}{delimiter}pcId\nx{delimiter}1\n".encode()
    assert run(data).received == run(gzip.compress(data)).received == [("1", "x")]


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "a PDF document"),
        (b"GIF89a\x80\x02\xe0\x01\xf7\x00\x00", "an image"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "an image"),
        (b"ORC\n\x06\x12\x04\x082P\x00\n\x15\n\x03\x00", "an ORC file"),
        (b"ORC\x11\x00\x00\n\x06\x12\x04\x082P\x000\x00", "an ORC file"),
        (b"Rar!\x1a\x07\x01\x00", "a RAR archive"),
        (b"Obj\x01\x04\x14avro.codec", "an Avro file"),
        (b"SQLite format 3\x00\x10\x00", "a database"),
        (b"<!doctype html><html>", "an HTML page"),
        ("\ufeff<html><body>".encode("utf-16-le") + b"p", "an HTML page"),
        (b"\xef\xbb\xbf<?xml version='1.0'?>", "an XML document"),
    ],
)
def test_other_files_are_named(head: bytes, kind: str) -> None:
    for feed in (Feed(), Feed(encoding="cp1252")):
        with pytest.raises(FileRejectedError, match=f"The file is {kind}"):
            run(head + b"pcId,a\n", feed)


def test_a_compressed_parquet_file_is_named() -> None:
    with pytest.raises(FileRejectedError, match="compressed Parquet file"):
        run(gzip.compress(b"PAR1\x15\x04\x15\x1e\x00\x00\x00"))


@pytest.mark.parametrize("outer", PACKERS)
@pytest.mark.parametrize("inner", PACKERS)
def test_a_file_that_is_compressed_twice_is_named(outer: str, inner: str) -> None:
    with pytest.raises(
        FileRejectedError, match=f"compressed twice \\({inner} in {outer}\\): compress the table"
    ):
        run(PACKERS[outer](PACKERS[inner](b"pcId,a\n1,x\n")))


@pytest.mark.parametrize("outer", PACKERS)
def test_a_compressed_tar_archive_is_named(outer: str) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("pcId,a"))
    with pytest.raises(FileRejectedError, match="a tar archive: unpack it"):
        run(PACKERS[outer](packed.getvalue()))
    with pytest.raises(FileRejectedError, match="a tar archive: unpack it"):
        run(packed.getvalue())


def test_zip_file_with_a_password_is_rejected() -> None:
    packed = bytearray(_zip(b"pcId,a\n1,x\n"))
    packed[packed.index(b"PK\x01\x02") + 8] |= 1  # the flag, in the directory
    with pytest.raises(FileRejectedError, match=r"^The zip file is encrypted: pack it without a password\.$"):
        run(bytes(packed))


def test_zip_file_packed_in_an_unknown_way_is_rejected() -> None:
    packed = bytearray(_zip(b"pcId,a\n1,x\n"))
    for place in (packed.index(b"PK\x03\x04") + 8, packed.index(b"PK\x01\x02") + 10):
        packed[place] = 99  # the method
    with pytest.raises(FileRejectedError, match="damaged, or packed in an unknown way: pack it again"):
        run(bytes(packed))


def test_zip_file_is_opened_anew_only_where_it_is_read_elsewhere() -> None:
    opened: list[int] = []

    def opener(start: int) -> io.BytesIO:
        opened.append(start)
        return io.BytesIO(b"abcdef"[start:])

    file = zip_reader._Ranges(opener, 6)
    assert (file.read(2), file.seek(2), file.read(2)) == (b"ab", 2, b"cd")
    assert (file.seek(-1, io.SEEK_END), file.read(1)) == (5, b"f")
    assert opened == [0, 5]
