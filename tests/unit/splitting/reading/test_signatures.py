"""What first bytes tell, and that no two signatures claim the same ones."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import struct
import tarfile
import zipfile

import pytest
from backports import zstd

from bulk_profiles.splitting.reading.signatures import (
    _SIGNATURES,
    Compression,
    Foreign,
    Layout,
    MarkedEncoding,
    Signature,
    compression_of,
    signature_of,
)


def _empty_zip() -> bytes:
    packed = io.BytesIO()
    zipfile.ZipFile(packed, "w").close()
    return packed.getvalue()


def _tar(data: bytes, name: str = "customers.csv") -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return packed.getvalue()


SAMPLES: list[tuple[bytes, Signature | None]] = [
    (gzip.compress(b"a", mtime=0), Compression.GZIP),
    (zstd.compress(b"a"), Compression.ZSTD),
    (struct.pack("<II", 0x184D2A5E, 4) + b"skip", Compression.ZSTD),
    (lzma.compress(b"a"), Compression.XZ),
    (bz2.compress(b"a"), Compression.BZIP2),
    (bz2.compress(b""), Compression.BZIP2),
    (b"PK\x03\x04", Compression.ZIP),
    (_empty_zip(), Compression.ZIP),
    (codecs.BOM_UTF8 + b"{", MarkedEncoding.UTF_8),
    (codecs.BOM_UTF16_BE + b"\0a", MarkedEncoding.UTF_16),
    (codecs.BOM_UTF16_LE + b"a\0", MarkedEncoding.UTF_16),
    (codecs.BOM_UTF32_BE, MarkedEncoding.UTF_32),
    (b"PAR1", Layout.PARQUET),
    (b"PAR1\x15\x04", Layout.PARQUET),
    (b"batch=pcId", Layout.TARGET),
    (b" \r\n{", Layout.JSON_LINES),
    (b"\x04\x22\x4d\x18\x64\x40", Foreign.LZ4),
    (b"\x1f\x9d\x90t", Foreign.COMPRESS),
    (b"-----BEGIN PGP MESSAGE-----\n", Foreign.PGP),
    (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", Foreign.GIT_LFS),
    (b'\t[ {"a"', Foreign.JSON_ARRAY),
    (b"[[1", Foreign.JSON_ARRAY),
    (rb"{\rtf1\ansi", Foreign.RICH_TEXT),
    (b"\r\n<!DOCTYPE html>", Foreign.HTML),
    (b"<table border=1><tr>", Foreign.HTML),
    (b"<?xml version='1.0'?>", Foreign.XML),
    (b"<Workbook>", Foreign.XML),
    (_tar(b"pcId,a\n"), Foreign.TAR),
    (b"ARROW1\0\0", Foreign.ARROW),
    (b"PARE\x15\x04", Foreign.ENCRYPTED_PARQUET),
    (b"PARENT,pcId", None),
    (b"%PDF-1.7", Foreign.PDF),
    (b"\xff\xd8\xff\xe0", Foreign.IMAGE),
    (b"GIF89a\x80\x02\xe0\x01\xf7\x00", Foreign.IMAGE),
    (b"ORC\x11\x00", Foreign.ORC),
    (b"", None),
    (b"[a],pcId", None),
    (b"pcId,a", None),
]


@pytest.mark.parametrize(("head", "signature"), SAMPLES)
def test_signature_of_first_bytes_is_the_only_one_that_matches(
    head: bytes, signature: Signature | None
) -> None:
    assert signature_of(head) is signature
    assert [found for found, pattern in _SIGNATURES if pattern.match(head)] == [signature] * bool(signature)
    assert compression_of(head) is (signature if isinstance(signature, Compression) else None)


def test_signature_of_a_utf32_mark_wins_over_that_of_utf16() -> None:
    assert signature_of(codecs.BOM_UTF32_LE) is MarkedEncoding.UTF_32


def test_signature_of_a_tar_archive_wins_over_that_of_its_first_file_name() -> None:
    assert signature_of(_tar(b"", "batch=1")) is Foreign.TAR


@pytest.mark.parametrize("kind", Foreign)
def test_rejection_names_the_kind_and_the_remedy(kind: Foreign) -> None:
    assert str(kind.rejection()) == f"The file is {kind.value}: {kind.remedy}."
    assert kind.remedy.startswith(
        ("export the table as CSV (UTF-8)", "unpack it", "write ", "decrypt it", "run git lfs")
    )
