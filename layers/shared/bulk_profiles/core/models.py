"""The nouns of an import, and their only crossing into JSON and back.

Python speaks snake_case, JSON speaks camelCase: `to_json` and `from_json` are where they meet.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from .timestamps import moment, timestamp

type Json = dict[str, Any]


class ApiVersion(StrEnum):
    """Version of Target's Bulk Profile Update API. v1 never creates a profile; v2 does."""

    V1 = "v1"
    V2 = "v2"


class KeyColumn(StrEnum):
    """The two names Target accepts for the first column, spelled exactly so."""

    PC_ID = "pcId"
    THIRD_PARTY_ID = "thirdPartyId"


class ImportStatus(StrEnum):
    """Where an import is. The last four are final."""

    SPLITTING = "splitting"
    UPLOADING = "uploading"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"
    REJECTED = "rejected"

    @property
    def final(self) -> bool:
        """Whether nothing more will happen to the import."""
        return self not in {ImportStatus.SPLITTING, ImportStatus.UPLOADING}


class BatchState(StrEnum):
    """Where a batch is in the ledger.

    planned -> sending -> accepted | refused | unknown; accepted -> complete | stuck | expired;
    and back to planned where it was certainly not sent, is to be sent again, or has a follow-up.
    """

    PLANNED = "planned"
    SENDING = "sending"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    COMPLETE = "complete"
    STUCK = "stuck"
    EXPIRED = "expired"


class ProfileStatus(StrEnum):
    """What became of one profile, as far as Target said."""

    SUCCESS = "success"
    ERROR = "error"
    PENDING = "pending"
    UNKNOWN = "unknown"


class Basis(StrEnum):
    """On whose word a profile has its status."""

    REPORTED = "reported"  # Target named the id
    IMPLIED = "implied"  # the batch is complete and Target named no failure of this id
    COUNTS = "counts"  # Target counted failures without naming them
    DEADLINE = "deadline"  # Target had not finished when we stopped asking
    BATCH = "batch"  # what happened to the batch as a whole


class ProfileResultsPolicy(StrEnum):
    """Which profile results are written to the Profiles table. The files in S3 always hold all."""

    ALL = "all"
    FAILURES = "failures"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Source:
    """One version of one dropped object. `size` in bytes, `sha256` of its bytes as stored (hex).

    `modified_at`: when it was dropped, as S3 says; it orders the versions of one key.
    """

    bucket: str
    key: str
    version_id: str
    size: int = 0
    sha256: str = ""
    modified_at: str = ""

    def to_json(self) -> Json:
        """Give the `source` of summary.json."""
        return {
            "bucket": self.bucket,
            "key": self.key,
            "versionId": self.version_id,
            "bytes": self.size,
            "sha256": self.sha256,
            "modifiedAt": self.modified_at,
        }

    @classmethod
    def from_json(cls, data: Json) -> Self:
        """Read what `to_json` wrote."""
        names = ("bucket", "key", "versionId", "bytes", "sha256", "modifiedAt")
        return cls(*(data[name] for name in names))


@dataclass(frozen=True, slots=True)
class RowCounts:
    """What became of the rows of a source file: read = rejected + merged + skipped + sent."""

    read: int = 0
    rejected: int = 0
    merged: int = 0
    skipped: int = 0
    sent: int = 0

    @property
    def unaccounted(self) -> int:
        """Rows that were read and are in no other count."""
        return self.read - self.rejected - self.merged - self.skipped - self.sent

    def to_json(self) -> Json:
        """Give the `rows` of summary.json."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Json) -> Self:
        """Read what `to_json` wrote."""
        return cls(**{name: int(data[name]) for name in ("read", "rejected", "merged", "skipped", "sent")})


@dataclass(frozen=True, slots=True)
class PlannedBatch:
    """A batch as the splitter wrote it. `size` in bytes, all included; `sha256` of the body (hex)."""

    number: int
    rows: int
    size: int
    sha256: str

    def to_json(self) -> Json:
        """Give one entry of the manifest's `batches`."""
        return {"number": self.number, "rows": self.rows, "bytes": self.size, "sha256": self.sha256}

    @classmethod
    def from_json(cls, data: Json) -> Self:
        """Read what `to_json` wrote."""
        return cls(int(data["number"]), int(data["rows"]), int(data["bytes"]), data["sha256"])


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a split made of a source file: counts and batches. Written last, once, never changed."""

    import_id: str
    feed: str
    client_code: str
    api_version: ApiVersion
    key_column: KeyColumn
    source: Source
    rows: RowCounts
    rejects: dict[str, int] = field(default_factory=dict)
    warnings: dict[str, int] = field(default_factory=dict)
    batches: tuple[PlannedBatch, ...] = ()

    def to_json(self) -> Json:
        """Give manifest.json."""
        return {
            "importId": self.import_id,
            "feed": self.feed,
            "clientCode": self.client_code,
            "apiVersion": self.api_version.value,
            "keyColumn": self.key_column.value,
            "source": self.source.to_json(),
            "rows": self.rows.to_json(),
            "rejects": dict(sorted(self.rejects.items())),
            "warnings": dict(sorted(self.warnings.items())),
            "batches": [batch.to_json() for batch in self.batches],
        }

    @classmethod
    def from_json(cls, data: Json) -> Self:
        """Read manifest.json."""
        return cls(
            import_id=data["importId"],
            feed=data["feed"],
            client_code=data["clientCode"],
            api_version=ApiVersion(data["apiVersion"]),
            key_column=KeyColumn(data["keyColumn"]),
            source=Source.from_json(data["source"]),
            rows=RowCounts.from_json(data["rows"]),
            rejects=data["rejects"],
            warnings=data["warnings"],
            batches=tuple(PlannedBatch.from_json(batch) for batch in data["batches"]),
        )


@dataclass(frozen=True, slots=True)
class ProfileResult:
    """What became of one profile: one line of profiles/NNNNN.csv.gz, one item of the Profiles table.

    `attempt`: which body of the batch the word is about; 1 is the batch, 2 the first follow-up.
    """

    profile_id: str
    status: ProfileStatus
    basis: Basis
    reason: str = ""
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class ProfileCounts:
    """Profiles of a batch or an import by status."""

    success: int = 0
    error: int = 0
    pending: int = 0
    unknown: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.success + self.error + self.pending + self.unknown

    def __add__(self, other: ProfileCounts) -> ProfileCounts:
        return ProfileCounts(
            self.success + other.success,
            self.error + other.error,
            self.pending + other.pending,
            self.unknown + other.unknown,
        )

    def to_json(self) -> Json:
        """Give the `profiles` of summary.json."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Json) -> Self:
        """Read what `to_json` wrote."""
        return cls(**{name: int(data[name]) for name in ("success", "error", "pending", "unknown")})


def write_moment(value: datetime | None) -> str:
    """Write a moment that may be missing: an empty text where it is."""
    return timestamp(value) if value else ""


def read_moment(text: str) -> datetime | None:
    """Read what `write_moment` wrote."""
    return moment(text) if text else None
