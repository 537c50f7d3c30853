"""What the ledger remembers of an import."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from bulk_profiles.core.models import (
    ApiVersion,
    ImportStatus,
    Json,
    KeyColumn,
    Source,
    read_moment,
    write_moment,
)
from bulk_profiles.core.timestamps import moment, timestamp


@dataclass(frozen=True, slots=True)
class ImportEntry:
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
    settings: Json = dataclasses.field(default_factory=dict)
    key_column: KeyColumn | None = None
    owner: str = ""
    lease_until: datetime | None = None
    finished_at: datetime | None = None
    reason: str = ""
    after: tuple[str, ...] = ()
    duplicate_of: str = ""
    unsettled: int = 0
    active_until: datetime | None = None
    overtaken_by: str = ""

    @property
    def over(self) -> bool:
        """Whether nothing of the import will be sent any more."""
        return self.overtaken_by != "" or (self.status.final and self.unsettled == 0)

    def abandoned(self, now: datetime, deadline: timedelta) -> bool:
        """Whether nobody has sent anything of the import, or meant to, for so long."""
        return now - (self.active_until or self.started_at) >= deadline

    def to_item(self) -> Json:
        """Give the item's attributes without its keys."""
        return {
            "importId": self.import_id,
            "status": self.status.value,
            "source": self.source.to_json(),
            "feed": self.feed,
            "clientCode": self.client_code,
            "apiVersion": self.api_version.value,
            "startedAt": timestamp(self.started_at),
            "settings": json.dumps(self.settings),
            "keyColumn": self.key_column.value if self.key_column else "",
            "owner": self.owner,
            "leaseUntil": write_moment(self.lease_until),
            "finishedAt": write_moment(self.finished_at),
            "reason": self.reason,
            "after": list(self.after),
            "duplicateOf": self.duplicate_of,
            "unsettled": self.unsettled,
            "activeUntil": write_moment(self.active_until),
            "overtakenBy": self.overtaken_by,
        }

    @classmethod
    def from_item(cls, item: Json) -> Self:
        """Read what `to_item` wrote."""
        source = {**item["source"], "bytes": int(item["source"]["bytes"])}
        return cls(
            import_id=item["importId"],
            status=ImportStatus(item["status"]),
            source=Source.from_json(source),
            feed=item["feed"],
            client_code=item["clientCode"],
            api_version=ApiVersion(item["apiVersion"]),
            started_at=moment(item["startedAt"]),
            settings=json.loads(item["settings"]),
            key_column=KeyColumn(item["keyColumn"]) if item["keyColumn"] else None,
            owner=item["owner"],
            lease_until=read_moment(item["leaseUntil"]),
            finished_at=read_moment(item["finishedAt"]),
            reason=item["reason"],
            after=tuple(item["after"]),
            duplicate_of=item["duplicateOf"],
            # An import that began before these were written goes on.
            unsettled=int(item.get("unsettled", 0)),
            active_until=read_moment(item.get("activeUntil", "")),
            overtaken_by=item.get("overtakenBy", ""),
        )
