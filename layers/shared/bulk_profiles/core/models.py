"""The nouns of an import."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from .json_object import JsonObject, as_json


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
class Source(JsonObject):
    """One version of one dropped object. `size` in bytes, `sha256` of its bytes as stored (hex).

    `modified_at`: when it was dropped, as S3 says; it orders the versions of one key.
    """

    bucket: str
    key: str
    version_id: str
    size: int = field(default=0, metadata=as_json(name="bytes"))
    sha256: str = ""
    modified_at: str = ""


@dataclass(frozen=True, slots=True)
class RowCounts(JsonObject):
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


@dataclass(frozen=True, slots=True)
class PlannedBatch(JsonObject):
    """A batch as the splitter wrote it. `size` in bytes, all included; `sha256` of the body (hex)."""

    number: int
    rows: int
    size: int = field(metadata=as_json(name="bytes"))
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest(JsonObject):
    """What a split made of a source file: counts and batches. Written last, once, never changed."""

    import_id: str
    feed: str
    client_code: str
    api_version: ApiVersion
    key_column: KeyColumn
    source: Source
    rows: RowCounts
    rejects: dict[str, int] = field(default_factory=dict, metadata=as_json(sort_keys=True))
    warnings: dict[str, int] = field(default_factory=dict, metadata=as_json(sort_keys=True))
    batches: tuple[PlannedBatch, ...] = ()


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
class ProfileCounts(JsonObject):
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
