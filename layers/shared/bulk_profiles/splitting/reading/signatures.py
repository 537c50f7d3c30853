"""What a file is, by its first bytes: one table for every format.

A file is looked at up to three times: as it is stored, once it is unpacked, and as UTF-8 text without its
byte order mark. No two signatures match the same bytes, so the order matters for byte order marks only.
"""

from __future__ import annotations

import re
from enum import StrEnum

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
    JSON_ARRAY = "json_array"


class Foreign(StrEnum):
    """What cannot be read as rows, by the name that messages give it."""

    PDF = "a PDF document"
    IMAGE = "an image"
    OFFICE = "an Office document"
    SEVEN_ZIP = "a 7z archive"
    RAR = "a RAR archive"
    AVRO = "an Avro file"
    ORC = "an ORC file"
    DATABASE = "a database"

    def rejection(self) -> FileRejectedError:
        """Return the error for a file of this kind."""
        return FileRejectedError(f"The file is {self}: export the table as CSV (UTF-8) and drop that.")


type Signature = Compression | MarkedEncoding | Layout | Foreign

# Where the first bytes are letters, they may be those of a column's name, as in `ORCID,pcId`: then a byte
# that no text has must be near.
_SIGNATURES: tuple[tuple[Signature, re.Pattern[bytes]], ...] = tuple(
    (signature, re.compile(pattern, re.DOTALL))
    for signature, pattern in (
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
        (Layout.JSON_LINES, rb"\s*\{"),
        (Layout.JSON_ARRAY, rb'\s*\[\s*[\[{"]'),
        (Foreign.PDF, rb"%PDF-\d"),
        (Foreign.IMAGE, rb"\x89PNG|\xff\xd8\xff|GIF8[79]a.{,15}[\x00-\x08]"),
        (Foreign.OFFICE, rb"\xd0\xcf\x11\xe0"),
        (Foreign.SEVEN_ZIP, rb"7z\xbc\xaf"),
        (Foreign.RAR, rb"Rar!\x1a"),
        (Foreign.AVRO, rb"Obj\x01"),
        (Foreign.ORC, rb"ORC.{,15}[\x00-\x08]"),
        (Foreign.DATABASE, rb"SQLite format 3\x00"),
    )
)


def signature_of(head: bytes) -> Signature | None:
    """Return what a file is that starts with these bytes; None where they tell nothing."""
    return next((signature for signature, pattern in _SIGNATURES if pattern.match(head)), None)


def compression_of(head: bytes) -> Compression | None:
    """Return how a file is packed that starts with these bytes; None where it is not."""
    signature = signature_of(head)
    return signature if isinstance(signature, Compression) else None
