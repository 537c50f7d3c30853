"""What the ledger remembers of an import."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bulk_profiles.core.json_object import Json, JsonObject, as_json
from bulk_profiles.core.models import ApiVersion, ImportStatus, KeyColumn, Source


@dataclass(frozen=True, slots=True)
class GivenUp(JsonObject):
    """Who has given up an import, when and why: no more of it is sent."""

    by: str
    at: datetime
    why: str = ""

    @property
    def says(self) -> str:
        """The same as a sentence, the reason of what is not sent."""
        by = f" by {self.by}" if self.by else ""
        why = f": {self.why.rstrip('.')}." if self.why else "."
        return f"The import was given up{by} at {self.at:%Y-%m-%d %H:%M} UTC{why}"


@dataclass(frozen=True, slots=True)
class ImportEntry(JsonObject):
    """One import, from the claim of its file to its report."""

    import_id: str
    status: ImportStatus
    source: Source
    feed: str
    client_code: str
    api_version: ApiVersion
    started_at: datetime
    # The feed and the limits as they were when the import began: a later deployment changes nothing.
    settings: Json = field(default_factory=dict, metadata=as_json(text=True))
    key_column: KeyColumn | None = None
    owner: str = ""  # the invocation that holds the lease of the split
    lease_until: datetime | None = None  # the end of that lease
    tries: int = field(
        default=0, metadata=as_json(optional=True)
    )  # invocations that began or went on with the split
    last_error: str = field(default="", metadata=as_json(optional=True))  # of the last of them that failed
    finished_at: datetime | None = None
    reason: str = ""
    rejected: int = field(default=0, metadata=as_json(optional=True))  # rows, once the import was reported
    after: tuple[str, ...] = ()  # imports with some of the same ids, which go first
    # Its number among the imports that entered the client's queue: the order in which they send.
    place: int = field(default=0, metadata=as_json(optional=True))
    duplicate_of: str = ""  # an earlier import of the same content
    # Rows of the batches that had not settled when the import was reported.
    unsettled: int = field(default=0, metadata=as_json(optional=True))
    notice: str = field(default="", metadata=as_json(optional=True))  # has yet to be sent: subject, then text
    reconciled: bool = field(default=False, metadata=as_json(optional=True))  # by a sweep, once it was over
    # Nothing of the import is sent later than this, unless it is renewed.
    active_until: datetime | None = field(default=None, metadata=as_json(optional=True))
    # When an event was last put because it waits.
    wait_told_at: datetime | None = field(default=None, metadata=as_json(optional=True))
    # A later import that has gone first: nothing of this one is sent any more.
    overtaken_by: str = field(default="", metadata=as_json(optional=True))
    # Nothing of it is sent any more, and what was sent is followed: it is over when that has settled.
    given_up: GivenUp | None = field(default=None, metadata=as_json(optional=True))
    # The execution that sends parts of it again, or was the last to do so.
    resend: str = field(default="", metadata=as_json(optional=True))
    # The name of the stack, for the commands that people are told to use.
    stack: str = field(default="", metadata=as_json(optional=True))
    # When a person was forgotten: file, batches and rows to mend have been deleted since.
    forgotten_at: datetime | None = field(default=None, metadata=as_json(optional=True))
    # What a sample that was read back has shown, as sentences.
    verified: str = field(default="", metadata=as_json(optional=True))

    @property
    def sends_nothing(self) -> str:
        """Why nothing of the import may be sent any more, as a sentence; empty where something may."""
        if self.overtaken_by:
            return f"A newer import, {self.overtaken_by}, with some of the same ids has gone first."
        return self.given_up.says if self.given_up else ""

    @property
    def verify_sample(self) -> int:
        """How many of its profiles are read back, as was settled when it began."""
        return int(self.settings.get("feed", {}).get("verifySample", 0))

    @property
    def over(self) -> bool:
        """Whether nothing of the import will be sent any more."""
        return self.overtaken_by != "" or self.ended

    @property
    def ended(self) -> bool:
        """Whether it was reported with the results of all of its batches."""
        return self.status.final and self.unsettled == 0

    def abandoned(self, now: datetime, deadline: timedelta) -> bool:
        """Whether the import has not been active for as long as `deadline`."""
        return now - (self.active_until or self.started_at) >= deadline
