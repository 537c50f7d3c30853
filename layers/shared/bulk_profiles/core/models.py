"""The nouns of an import."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
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
    """How far an import has come. The last four are final."""

    SPLITTING = "splitting"
    UPLOADING = "uploading"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"
    REJECTED = "rejected"

    @property
    def final(self) -> bool:
        """Whether the status is a final one."""
        return self not in {ImportStatus.SPLITTING, ImportStatus.UPLOADING}


class BatchState(StrEnum):
    """How far a batch has come.

    planned -> sending -> accepted | refused | unknown; accepted -> complete | stuck | expired | unknown;
    and back to planned if it certainly was not sent, is sent again, or has a follow-up.
    """

    PLANNED = "planned"
    SENDING = "sending"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    COMPLETE = "complete"
    STUCK = "stuck"
    EXPIRED = "expired"


class Why(StrEnum):
    """Why a batch waits, in the answers of the steps, in the ledger, in logs and to people."""

    CALLS = "calls_a_minute"  # the client's calls to Target are used up for the moment
    PLACES = "in_flight"  # as many batches as may be at once are with Target
    ROWS = "rows_a_day"  # the rows of the day are used up
    WINDOW = "upload_window"  # the upload window is closed
    CONTENTION = "contention"  # too many batches ask the budget at once
    EARLIER_IMPORT = "earlier_import"  # an earlier import with some of the same ids goes first
    TURNED_AWAY = "turned_away"  # Target did not take the batch, or could not be reached
    RETRY_AFTER = "retry_after"  # the same, and Target has said when to come back
    UNANSWERED = "unanswered"  # the batch was lost, and is sent again
    ALIVE = "alive"  # an earlier invocation may still be sending the batch
    TOKEN = "token"  # noqa: S105  # a word: Target does not accept the client's token
    PAUSED = "paused"  # somebody has paused the import, its feed, its client or all
    STATUS = "status"  # Target's last answer about the batch was not usable


class ProfileStatus(StrEnum):
    """What became of one profile, as far as Target said; the values are the keys of counts in JSON."""

    SUCCESS = "success"
    ERROR = "error"
    PENDING = "pending"
    UNKNOWN = "unknown"
    NOT_SENT = "notSent"  # nothing of its batch has left


class Resendable(StrEnum):
    """What can be sent again of an import that has ended: profiles, by what became of them."""

    REFUSED = "refused"  # Target refused their body
    ERROR = "error"  # Target named them as failed, or gave their batch up
    UNKNOWN = "unknown"
    PENDING = "pending"
    NOT_SENT = "notSent"


class Basis(StrEnum):
    """The evidence for a profile's status."""

    REPORTED = "reported"  # Target named the id
    IMPLIED = "implied"  # the batch is complete and Target named no failure of this id
    ISOLATED = "isolated"  # Target counted no failure, or a failure for each row, when it was sent in a part
    COUNTS = "counts"  # Target counted failures and did not name them
    DEADLINE = "deadline"  # Target had not finished when the deadline ended the checks
    BATCH = "batch"  # what became of the batch as a whole


# How many profiles have each status, by the evidence for it.
type Bases = dict[ProfileStatus, Counter[Basis]]


SUCCESS_BASES = (Basis.REPORTED, Basis.IMPLIED, Basis.ISOLATED)  # of all profiles that are a success


class ProfileResultsPolicy(StrEnum):
    """Which profile results are written to the Profiles table. The files in S3 always have all."""

    ALL = "all"
    FAILURES = "failures"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Source(JsonObject):
    """One version of one dropped object."""

    bucket: str
    key: str
    version_id: str
    size: int = field(default=0, metadata=as_json(name="bytes"))
    sha256: str = ""  # of the bytes as stored (hex)
    modified_at: str = ""  # when it was dropped, as S3 says: the order of the versions of one key


@dataclass(frozen=True, slots=True)
class RowCounts(JsonObject):
    """The rows of a source file by what became of them: read = rejected + merged + skipped + sent."""

    read: int = 0
    rejected: int = 0
    merged: int = 0  # became part of an earlier row with the same id
    skipped: int = 0  # have an id and no values
    sent: int = 0

    @property
    def unaccounted(self) -> int:
        """The rows that were read and are in no other count."""
        return self.read - self.rejected - self.merged - self.skipped - self.sent


@dataclass(frozen=True, slots=True)
class PlannedBatch(JsonObject):
    """A batch as the split wrote it."""

    number: int
    rows: int
    size: int = field(metadata=as_json(name="bytes"))  # of the whole body
    sha256: str  # of the body (hex)


MOST_EXAMPLES = 5  # lines, or columns, of each code


@dataclass(frozen=True, slots=True)
class Examples(JsonObject):
    """The first places of each code, each once. A code that is at no place is missing."""

    # Numbers of lines.

    rejects: dict[str, list[int]] = field(default_factory=dict, metadata=as_json(sort_keys=True))
    warnings: dict[str, list[int]] = field(default_factory=dict, metadata=as_json(sort_keys=True))
    # Names of columns, for warnings that are about columns.
    columns: dict[str, list[str]] = field(
        default_factory=dict, metadata=as_json(sort_keys=True, optional=True)
    )


@dataclass(frozen=True, slots=True)
class Manifest(JsonObject):
    """The result of a split: counts and batches. It is written last, and once."""

    import_id: str
    feed: str
    client_code: str
    api_version: ApiVersion
    key_column: KeyColumn
    source: Source
    rows: RowCounts
    # By code.
    rejects: dict[str, int] = field(default_factory=dict, metadata=as_json(sort_keys=True))
    warnings: dict[str, int] = field(default_factory=dict, metadata=as_json(sort_keys=True))
    examples: Examples = field(default_factory=Examples, metadata=as_json(optional=True))
    batches: tuple[PlannedBatch, ...] = ()
    advice: str = field(default="", metadata=as_json(optional=True))  # a sentence on the rejects, if any
    # The name of the file of the rejected rows, if there are any; release 0.1.0 did not write it.
    rejected_rows: str = field(default="", metadata=as_json(optional=True))


@dataclass(frozen=True, slots=True)
class ProfileResult:
    """What became of one profile: a line of profiles/NNNNN.csv.gz, and an item of the Profiles table."""

    profile_id: str
    status: ProfileStatus
    basis: Basis
    reason: str = ""
    attempt: int = 1  # the body that the status is about: 1 is the batch, 2 the first follow-up


@dataclass(frozen=True, slots=True)
class ProfileCounts(JsonObject):
    """The profiles of a batch or an import by status."""

    success: int = 0
    error: int = 0
    pending: int = 0
    unknown: int = 0
    not_sent: int = field(default=0, metadata=as_json(optional=True))

    @classmethod
    def of(cls, bases: Bases) -> ProfileCounts:
        """Return the counts of profiles without the evidence."""
        return cls.from_json(
            cls().to_json() | {status.value: counter.total() for status, counter in bases.items()}
        )

    @property
    def total(self) -> int:
        """The number of all profiles."""
        return self.success + self.error + self.pending + self.unknown + self.not_sent

    def __add__(self, other: ProfileCounts) -> ProfileCounts:
        return ProfileCounts(
            self.success + other.success,
            self.error + other.error,
            self.pending + other.pending,
            self.unknown + other.unknown,
            self.not_sent + other.not_sent,
        )


def resend_word(status: ProfileStatus, basis: Basis, state: BatchState) -> Resendable | None:
    """Return the word by which a profile of a settled batch is sent again; None for a success."""
    if status is ProfileStatus.SUCCESS:
        return None
    refused = status is ProfileStatus.ERROR and state is BatchState.REFUSED and basis is Basis.BATCH
    return Resendable.REFUSED if refused else Resendable(status.value)


def without_bases(bases: Bases, others: Bases) -> Bases:
    """Return counts without others that are part of them."""
    rest = {status: counter - others.get(status, Counter()) for status, counter in bases.items()}
    return {status: counter for status, counter in rest.items() if counter}


def add_bases(several: Iterable[Bases]) -> Bases:
    """Return the sums of several counts."""
    sums: Bases = {}
    for bases in several:
        for status, counter in bases.items():
            sums[status] = sums.get(status, Counter()) + counter
    return sums
