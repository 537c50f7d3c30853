"""What first bytes tell, and that no two signatures claim the same ones."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import struct
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


SAMPLES: list[tuple[bytes, Signature | None]] = [
    (gzip.compress(b"a"), Compression.GZIP),
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
    (b'\t[ {"a"', Layout.JSON_ARRAY),
    (b"[[1", Layout.JSON_ARRAY),
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


@pytest.mark.parametrize("kind", Foreign)
def test_rejection_names_the_kind_and_the_remedy(kind: Foreign) -> None:
    assert (
        str(kind.rejection()) == f"The file is {kind.value}: export the table as CSV (UTF-8) and drop that."
    )
