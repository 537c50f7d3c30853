"""The messages of the steps: the events that invoke a function, checked, and the outcomes that it answers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from bulk_profiles.core.errors import EventError
from bulk_profiles.core.models import Json, timestamp

_IMPORT_ID = re.compile(r"[a-z0-9-]{1,80}")  # what `identity.import_id` gives: no other may name an object
_MOST_BATCHES = 99_999  # as many as the objects' names have digits for


@dataclass(frozen=True, slots=True)
class DroppedObject:
    """EventBridge's `Object Created`. `version_id` is empty where the sender does not know it."""

    event_id: str
    bucket: str
    key: str
    version_id: str

    @classmethod
    def from_event(cls, event: Any) -> Self:
        """Read an event from EventBridge; its key is not URL-encoded."""
        try:
            detail = event["detail"]
            bucket, key = detail["bucket"]["name"], detail["object"]["key"]
            version_id, event_id = detail["object"].get("version-id", ""), event.get("id", "")
        except (TypeError, KeyError, AttributeError) as error:
            raise EventError("The event is not S3's `Object Created` as EventBridge sends it.") from error
        if not (all(map(_is_text, (bucket, key, version_id, event_id))) and bucket and key):
            raise EventError(
                "The event's bucket, key, version and id must be texts, bucket and key not empty."
            )
        return cls(event_id, bucket, key, version_id)

    def to_event(self) -> dict[str, Any]:
        """Give the event that `from_event` reads."""
        dropped = {"key": self.key, "version-id": self.version_id}
        return {"id": self.event_id, "detail": {"bucket": {"name": self.bucket}, "object": dropped}}


@dataclass(frozen=True, slots=True)
class ImportEvent:
    """What the state machine gives finish_import."""

    import_id: str

    @classmethod
    def from_event(cls, event: Any) -> Self:
        """Read `{"importId": ...}`."""
        return cls(_import_id(event))


@dataclass(frozen=True, slots=True)
class BatchEvent:
    """What the state machine gives upload_batch and check_status."""

    import_id: str
    number: int

    @classmethod
    def from_event(cls, event: Any) -> Self:
        """Read `{"importId": ..., "batch": ...}`."""
        import_id = _import_id(event)
        number = event.get("batch")
        if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= _MOST_BATCHES:
            raise EventError("The event's `batch` must be a batch's number, 1 or more.")
        return cls(import_id, number)


def _import_id(event: Any) -> str:
    import_id = event.get("importId") if isinstance(event, dict) else None
    if not isinstance(import_id, str) or not _IMPORT_ID.fullmatch(import_id):
        raise EventError("The event's `importId` must be an import's name.")
    return import_id


def _is_text(value: Any) -> bool:
    """Say whether a value is text that can be written as UTF-8: JSON may hold half a character."""
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)


class Word(StrEnum):
    """The words that the state machine's choices know."""

    DEFERRED = "deferred"  # the batch waits for a slot
    ACCEPTED = "accepted"  # Target has the batch: ask what became of it
    REFUSED = "refused"  # Target will not have the batch: write that down
    UNKNOWN = "unknown"  # the batch left, nobody answered, and it is not sent again: write that down
    PROCESSING = "processing"  # Target is not done: ask again
    RESUBMIT = "resubmit"  # the batch, or what failed of it, is to be sent again
    SETTLED = "settled"  # every profile of the batch has its result


@dataclass(frozen=True, slots=True)
class Outcome:
    """An answer. `resume_at` where the word asks for a wait."""

    word: Word
    resume_at: datetime | None = None

    def to_json(self) -> Json:
        """Give the function's answer."""
        answer: Json = {"outcome": self.word.value}
        if self.resume_at is not None:
            answer["resumeAt"] = timestamp(self.resume_at)
        return answer
