"""What the ledger remembers of an import."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bulk_profiles.core.json_object import Json, JsonObject, as_json
from bulk_profiles.core.models import ApiVersion, ImportStatus, KeyColumn, Source


@dataclass(frozen=True, slots=True)
class ImportEntry(JsonObject):
    """One import. `settings` is the feed as it was when the import began: a later deployment changes nothing.

    `owner`: the invocation that has the split to itself until `lease_until`. `after`: imports with some of
    the same ids that have to end first. `duplicate_of`: an earlier import of the very same content.
    `unsettled`: rows in batches that had no end when the import was reported. `active_until`: nothing of it
    is sent later than this without renewing it. `overtaken_by`: a later import that has gone first; nothing
    of this one is sent any more.
    """

    import_id: str
    status: ImportStatus
    source: Source
    feed: str
    client_code: str
    api_version: ApiVersion
    started_at: datetime
    settings: Json = field(default_factory=dict, metadata=as_json(text=True))
    key_column: KeyColumn | None = None
    owner: str = ""
    lease_until: datetime | None = None
    finished_at: datetime | None = None
    reason: str = ""
    after: tuple[str, ...] = ()
    duplicate_of: str = ""
    unsettled: int = field(default=0, metadata=as_json(optional=True))
    active_until: datetime | None = field(default=None, metadata=as_json(optional=True))
    overtaken_by: str = field(default="", metadata=as_json(optional=True))

    @property
    def over(self) -> bool:
        """Whether nothing of the import will be sent any more."""
        return self.overtaken_by != "" or (self.status.final and self.unsettled == 0)

    def abandoned(self, now: datetime, deadline: timedelta) -> bool:
        """Whether nobody has sent anything of the import, or meant to, for so long."""
        return now - (self.active_until or self.started_at) >= deadline
