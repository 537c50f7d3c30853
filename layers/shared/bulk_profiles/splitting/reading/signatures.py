"""What a file is, by its first bytes: one table for every format.

A file is looked at up to three times: as it is stored, once it is unpacked, and as UTF-8 text without its
byte order mark. No two signatures match the same bytes, but for two: the mark of UTF-32 starts with that of
UTF-16, and a tar archive starts with any name.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Self

from bulk_profiles.core.errors import FileRejectedError


class Compression(StrEnum):
    """How a file is packed, by the name that messages give it."""

    GZIP = "gzip"
    ZSTD = "zstd"
    XZ = "xz"
    BZIP2 = "bzip2"
    ZIP = "zip"


class MarkedEncoding(StrEnum):
    """The encoding that a byte order mark tells, by Python's name for it."""

    UTF_8 = "utf-8"
    UTF_16 = "utf-16"
    UTF_32 = "utf-32"


class Layout(StrEnum):
    """How the rows are written. What has none of these is a delimited file."""

    PARQUET = "parquet"
    TARGET = "target"  # Target's own format
    JSON_LINES = "json_lines"


class Foreign(StrEnum):
    """What cannot be read as rows, by the name that messages give it, and what to do instead."""

    remedy: str

    def __new__(cls, name: str, remedy: str = "export the table as CSV (UTF-8) and drop that") -> Self:
        """Make the member `name`, whose `remedy` ends the sentence of its rejection."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.remedy = remedy
        return member

    PDF = "a PDF document"
    IMAGE = "an image"
    OFFICE = "an Office document"
    RICH_TEXT = "a rich text document"
    HTML = "an HTML page"
    XML = "an XML document"
    TAR = "a tar archive", "unpack it and drop the one file in it"
    SEVEN_ZIP = "a 7z archive", "unpack it and drop the one file in it"
    RAR = "a RAR archive", "unpack it and drop the one file in it"
    LZ4 = "compressed with LZ4", "unpack it, or compress it with gzip, and drop that"
    SNAPPY = "compressed with Snappy", "unpack it, or compress it with gzip, and drop that"
    LZO = "compressed with LZO", "unpack it, or compress it with gzip, and drop that"
    LZMA = "compressed with LZMA", "unpack it, or compress it with gzip or xz, and drop that"
    COMPRESS = "compressed with compress (.Z)", "unpack it, or compress it with gzip, and drop that"
    PGP = "encrypted or signed with PGP", "decrypt it and drop the table"
    ENCRYPTED = "encrypted", "decrypt it and drop the table"
    BASE64 = "text in base64", "decode it and drop the table"
    SQL = "a dump of SQL statements"
    MAIL = "an e-mail", "save the table that is attached to it and drop that"
    GIT_LFS = "a pointer of Git LFS and not the table", "run git lfs pull and drop the table"
    AVRO = "an Avro file", "write it as Parquet or JSON Lines and drop that"
    ORC = "an ORC file", "write it as Parquet or JSON Lines and drop that"
    ARROW = "an Arrow file", "write it as Parquet or JSON Lines and drop that"
    ENCRYPTED_PARQUET = "an encrypted Parquet file", "write it without encryption and drop that"
    HADOOP = "a Hadoop SequenceFile or RCFile", "write it as Parquet or JSON Lines and drop that"
    HDF5 = "an HDF5 file"
    STATISTICS = "a file of SAS, SPSS or Stata"
    DATABASE = "a database"
    DRAWN = "a table that is drawn with lines"
    JSON_ARRAY = "one JSON array", "write one object per line instead (JSON Lines)"

    def rejection(self) -> FileRejectedError:
        """Return the error for a file of this kind."""
        return FileRejectedError(f"The file is {self}: {self.remedy}.")


type Signature = Compression | MarkedEncoding | Layout | Foreign

_HTML = rb"(?i:<(?:!doctype\s+html|html|head|body|table|meta|style|script)\b)"
_PUBLIC_KEYS = rb"\x03.{8}[\x01\x10\x12\x16-\x1b]"  # version, id of the key, algorithm
# After comments, if there are any.
_SQL = (
    rb"\s*(?:(?:--[^\n]*\n|/\*.{,200}?\*/;?)\s*)*"
    rb"(?i:(?:INSERT|REPLACE)\s+INTO|(?:CREATE|DROP|ALTER|LOCK)\s+TABLES?|COPY\s+\S+\s*\(|SET\s+\w+\s*=)"
)
_BASE64 = rb"(?=\S*[0-9])(?=\S*[A-Z])(?=\S*[a-z])[A-Za-z0-9+/]{40,}={,2}(?:\r?\n|\r|\Z)"
# Where the first bytes are letters, they may be those of a column's name, as in `ORCID,pcId`: then a byte
# that no text has must be near.
_SIGNATURES: tuple[tuple[Signature, re.Pattern[bytes]], ...] = tuple(
    (signature, re.compile(pattern, re.DOTALL))
    for signature, pattern in (
        # A tar archive comes first: it starts with the name of a file, whatever that is.
        (Foreign.TAR, rb".{257}ustar(?:\x00|  \x00)"),
        (Compression.GZIP, rb"\x1f\x8b"),
        # The second one is a skippable frame: a decoder passes over it, and it may come first.
        (Compression.ZSTD, rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"),
        (Compression.XZ, rb"\xfd7zXZ\x00"),
        # The second one is that of an empty file.
        (Compression.BZIP2, rb"BZh[1-9](?:1AY&SY|\x17\x72\x45\x38\x50\x90)"),
        # The second one is that of an empty archive.
        (Compression.ZIP, rb"PK(?:\x03\x04|\x05\x06)"),
        # UTF-32 comes first: in little-endian order, its mark starts with that of UTF-16.
        (MarkedEncoding.UTF_32, rb"\xff\xfe\x00\x00|\x00\x00\xfe\xff"),
        (MarkedEncoding.UTF_8, rb"\xef\xbb\xbf"),
        (MarkedEncoding.UTF_16, rb"\xff\xfe|\xfe\xff"),
        (Layout.PARQUET, rb"PAR1(?:\Z|.{,3}[^\t\n\r -~])"),
        (Layout.TARGET, rb"batch="),
        (Layout.JSON_LINES, rb"\s*\{(?!\\rtf)"),
        (Foreign.JSON_ARRAY, rb'\s*\[\s*[\[{"]'),
        (Foreign.PDF, rb"%PDF-\d"),
        (Foreign.IMAGE, rb"\x89PNG|\xff\xd8\xff|GIF8[79]a.{,15}[\x00-\x08]"),
        # The second one is that of Excel before 1997.
        (Foreign.OFFICE, rb"\xd0\xcf\x11\xe0|\x09[\x00\x02\x04\x08][\x04-\x10]\x00"),
        (Foreign.RICH_TEXT, rb"\s*\{\\rtf"),
        (Foreign.HTML, rb"\s*" + _HTML),
        (Foreign.STATISTICS, rb"\x00{12}\xc2\xea\x81\x60|\$FL[23]@\(#\)|<stata_dta>"),
        (Foreign.XML, rb"\s*(?!<stata_dta>)(?!" + _HTML + rb")<[?!a-zA-Z]"),
        (Foreign.SEVEN_ZIP, rb"7z\xbc\xaf"),
        (Foreign.RAR, rb"Rar!\x1a"),
        (Foreign.LZ4, rb"\x04\x22\x4d\x18"),
        (Foreign.COMPRESS, rb"\x1f\x9d"),
        (Foreign.SNAPPY, rb"\xff\x06\x00\x00sNaPpY"),
        (Foreign.LZO, rb"\x89LZO\x00"),
        (Foreign.LZMA, rb"\x5d\x00\x00[\x00-\xff]{2}(?:\xff{8}|.{4}\x00{4})"),
        # The others are binary: a session key for a public key, or for a password.
        (
            Foreign.PGP,
            rb"-----BEGIN PGP |(?:\x84.|\x85[\x00-\x08].|\xc1(?:[\x00-\xbf]|[\xc0-\xdf].))"
            + _PUBLIC_KEYS
            + rb"|[\x8c\xc3].\x04[\x00-\x0d][\x00-\x03]",
        ),
        (Foreign.ENCRYPTED, rb"Salted__|age-encryption\.org/"),
        (Foreign.BASE64, _BASE64),
        (Foreign.SQL, _SQL),
        (Foreign.MAIL, rb"(?:From|Received|Return-Path|MIME-Version|Delivered-To|Message-ID): "),
        (Foreign.HADOOP, rb"SEQ[\x04-\x06]|RCF\x01"),
        (Foreign.HDF5, rb"\x89HDF\r\n"),
        (Foreign.DRAWN, rb"\s*\+[-=]{2,}[-=+]*\+ *(?:\r|\n)"),
        (Foreign.GIT_LFS, rb"version https://git-lfs\."),
        (Foreign.AVRO, rb"Obj\x01"),
        (Foreign.ORC, rb"ORC.{,15}[\x00-\x08]"),
        (Foreign.ARROW, rb"ARROW1\x00|FEA1.{,15}[\x00-\x08]"),
        (Foreign.ENCRYPTED_PARQUET, rb"PARE.{,3}[^\t\n\r -~]"),
        (Foreign.DATABASE, rb"SQLite format 3\x00|\x00\x01\x00\x00Standard (?:Jet|ACE) DB|.{8}DUCK.?\x00"),
    )
)


def signature_of(head: bytes) -> Signature | None:
    """Return what a file is that starts with these bytes; None where they tell nothing."""
    return next((signature for signature, pattern in _SIGNATURES if pattern.match(head)), None)


def compression_of(head: bytes) -> Compression | None:
    """Return how a file is packed that starts with these bytes; None where it is not."""
    signature = signature_of(head)
    return signature if isinstance(signature, Compression) else None
