"""What first bytes tell, and that no two signatures claim the same ones."""

from __future__ import annotations

import base64
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
    (b"\x85\x02\x0c\x03" + b"12345678" + b"\x10", Foreign.PGP),
    (b"\x84\x5e\x03" + b"12345678" + b"\x12", Foreign.PGP),
    (b"\xc1\xc0\x4c\x03" + b"12345678" + b"\x01", Foreign.PGP),
    (b"\x8c\x0d\x04\x09\x03\x02", Foreign.PGP),
    ("Árbol,pcId\n".encode("cp1252"), None),
    ("Ãrbol,pcId\n".encode("cp1252"), None),
    (b"Salted__12345678", Foreign.ENCRYPTED),
    (b"age-encryption.org/v1\n", Foreign.ENCRYPTED),
    (base64.encodebytes(bytes(range(60))), Foreign.BASE64),
    (base64.b64encode(bytes(range(40))), Foreign.BASE64),
    (b"thirdPartyIdentifierOfTheCustomerInTheSystem\nA1\n", None),
    (b"INSERT INTO customers (pcId) VALUES (1);", Foreign.SQL),
    (b"-- a dump\n--\n/*!40101 SET NAMES utf8 */;\nDROP TABLE IF EXISTS `c`;", Foreign.SQL),
    (b"--\n\nSET statement_timeout = 0;\nCOPY c (pcId) FROM stdin;", Foreign.SQL),
    (b"--,pcId\n", None),
    (b"From: a@example.com\nSubject: x\n", Foreign.MAIL),
    (b"From,pcId", None),
    (b"\xff\x06\x00\x00sNaPpY", Foreign.SNAPPY),
    (b"\x89LZO\x00\r\n", Foreign.LZO),
    (lzma.compress(b"pcId", lzma.FORMAT_ALONE), Foreign.LZMA),
    (b"\x09\x08\x10\x00\x00\x06\x05\x00", Foreign.OFFICE),
    (b"\xd0\xcf\x11\xe0\xa1\xb1", Foreign.OFFICE),
    (b"\tpcId\ta\n", None),
    (bytes(12) + b"\xc2\xea\x81\x60\xb3\x14", Foreign.STATISTICS),
    (b"$FL2@(#) SPSS DATA FILE", Foreign.STATISTICS),
    (b"<stata_dta><header>", Foreign.STATISTICS),
    (b"SEQ\x06\x19org.apache.hadoop", Foreign.HADOOP),
    (b"RCF\x01\x00", Foreign.HADOOP),
    (b"SEQUENCE,pcId", None),
    (b"\x89HDF\r\n\x1a\n", Foreign.HDF5),
    (b"FEA1\x00\x00", Foreign.ARROW),
    (b"SQLite format 3\x00", Foreign.DATABASE),
    (b"\x00\x01\x00\x00Standard Jet DB\x00", Foreign.DATABASE),
    (bytes(8) + b"DUCK\x40\x00", Foreign.DATABASE),
    (b"Obj\x01\x04", Foreign.AVRO),
    (b"7z\xbc\xaf\x27\x1c", Foreign.SEVEN_ZIP),
    (b"+----+------+\n| pcId | a |\n", Foreign.DRAWN),
    (b"+pcId+,a\n", None),
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
        (
            "export the table as CSV (UTF-8)",
            "unpack it",
            "write ",
            "decrypt it",
            "run git lfs",
            "decode it",
            "save the table",
        )
    )
