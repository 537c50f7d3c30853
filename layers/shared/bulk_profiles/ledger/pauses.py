"""Pauses: for which imports nothing is sent for the time being, until when, by whom, and why.

A scope is `all`, `client:<client code>`, `feed:<feed>` or `import:<import id>`. A pause stops submissions
only: what is with Target is followed to its end.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bulk_profiles.core.errors import PauseError
from bulk_profiles.core.json_object import JsonObject, as_json

from .import_entry import ImportEntry

ALL = "all"
_KINDS = ("client", "feed", "import")
_FAR = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Pause(JsonObject):
    """One pause. Raises `PauseError` for a scope that is none, and for one that ends before it begins."""

    scope: str
    since: datetime
    until: datetime | None = field(default=None, metadata=as_json(optional=True))  # None: until it is ended
    by: str = ""
    why: str = ""

    def __post_init__(self) -> None:
        kind, colon, name = self.scope.partition(":")
        if self.scope != ALL and not (colon and kind in _KINDS and name):
            raise PauseError(
                f"{self.scope} cannot be paused: it must be {ALL}, client:CODE, feed:NAME or import:ID."
            )
        if self.until is not None and self.until <= self.since:
            raise PauseError("A pause must end after it begins.")

    def over(self, now: datetime) -> bool:
        """Whether the pause has ended by itself."""
        return self.until is not None and self.until <= now

    def covers(self, entry: ImportEntry) -> bool:
        """Whether an import is in the scope."""
        return self.scope in {
            ALL,
            f"client:{entry.client_code}",
            f"feed:{entry.feed}",
            f"import:{entry.import_id}",
        }

    @property
    def says(self) -> str:
        """The pause as a sentence: what, until when, by whom, why."""
        until = f" until {self.until:%Y-%m-%d %H:%M} UTC" if self.until else ""
        by = f" by {self.by}" if self.by else ""
        return f"Paused ({self.scope}){by}{until}" + (f": {self.why}" if self.why else ".")


def longest(pauses: Iterable[Pause], entry: ImportEntry) -> Pause | None:
    """Return the pause of an import that ends last, None where there is none."""
    covering = [pause for pause in pauses if pause.covers(entry)]
    return max(covering, key=lambda pause: pause.until or _FAR, default=None)
