"""The messages of the steps: the events that invoke a function, checked, and the outcomes that it answers."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from bulk_profiles.core.errors import EventError, ResendError, VerifyError
from bulk_profiles.core.feeds import MOST_SAMPLE
from bulk_profiles.core.json_object import SparseJsonObject, as_json
from bulk_profiles.core.models import BatchState, Resendable, Why
from bulk_profiles.core.text import is_utf8_text
from bulk_profiles.ledger.batch_entry import BatchEntry

_IMPORT_ID = re.compile(r"[a-z0-9-]{1,80}")  # what `names.import_id` returns: no other may name an object
_MOST_BATCHES = 99_999  # as many as the objects' names have digits for


@dataclass(frozen=True, slots=True)
class DroppedObject:
    """S3's `Object Created`, as EventBridge sends it."""

    event_id: str
    bucket: str
    key: str  # not URL-encoded
    version_id: str  # empty where the sender does not know it

    @classmethod
    def from_event(cls, event: Any) -> Self:
        """Read an event of EventBridge, or a dead letter around one. Raises `EventError`.

        A Lambda destination wraps the event that failed in `requestPayload`:
        https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
        """
        if isinstance(event, dict) and "requestPayload" in event:
            event = event["requestPayload"]
        try:
            detail = event["detail"]
            bucket, key = detail["bucket"]["name"], detail["object"]["key"]
            version_id, event_id = detail["object"].get("version-id", ""), event.get("id", "")
        except (TypeError, KeyError, AttributeError) as error:
            raise EventError("The event is not S3's `Object Created` as EventBridge sends it.") from error
        if not (all(map(is_utf8_text, (bucket, key, version_id, event_id))) and bucket and key):
            raise EventError(
                "The event's bucket, key, version and id must be texts, bucket and key not empty."
            )
        return cls(event_id, bucket, key, version_id)

    def to_event(self) -> dict[str, Any]:
        """Return the event that `from_event` reads."""
        dropped = {"key": self.key, "version-id": self.version_id}
        return {"id": self.event_id, "detail": {"bucket": {"name": self.bucket}, "object": dropped}}


@dataclass(frozen=True, slots=True)
class ImportEvent:
    """The event with which the state machine invokes finish_import."""

    import_id: str

    @classmethod
    def from_event(cls, event: Any) -> Self:
        """Read `{"importId": ...}`. Raises `EventError`."""
        return cls(_import_id(event))


@dataclass(frozen=True, slots=True)
class BatchEvent:
    """The event with which the state machine invokes upload_batch and check_status."""

    import_id: str
    number: int

    @classmethod
    def from_event(cls, event: Any) -> Self:
        """Read `{"importId": ..., "batch": ...}`. Raises `EventError`."""
        import_id = _import_id(event)
        number = event.get("batch")
        if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= _MOST_BATCHES:
            raise EventError("The event's `batch` must be a batch's number, 1 or more.")
        return cls(import_id, number)


@dataclass(frozen=True, slots=True)
class ResendEvent:
    """The event with which the state machine invokes resend_import: what a person started it with."""

    import_id: str
    words: frozenset[Resendable]
    execution: str  # the name of the execution, which stands for this resend
    machine: str = ""  # the ARN of its state machine; empty of an execution that an earlier version started

    @classmethod
    def from_event(cls, event: Any) -> Self:
        """Read `{"input": {"importId": ..., "resend": [...]}, "execution": ..., "machine": ...}`.

        Raises `ResendError` for what a person can have mistaken, with what is right.
        """
        given = event["input"]
        try:
            import_id = _import_id(given)
        except EventError as error:
            raise ResendError(str(error)) from error
        return cls(import_id, resendable(given["resend"]), event["execution"], event.get("machine", ""))


@dataclass(frozen=True, slots=True)
class VerifyEvent:
    """The event with which the state machine invokes verify_import."""

    import_id: str
    wanted: int | None  # by a person; None: as the import's own settings say
    execution: str  # the name of the execution, for which the sample is chosen

    @classmethod
    def from_event(cls, event: Any) -> Self:
        """Read `{"input": {"importId": ..., "verify": 300}, "execution": ...}`, or one without `verify`.

        Raises `VerifyError` for what a person can have mistaken, with what is right.
        """
        given = event["input"]
        try:
            import_id = _import_id(given)
        except EventError as error:
            raise VerifyError(str(error)) from error
        wanted = given.get("verify")
        if wanted is None:
            return cls(import_id, None, event["execution"])
        if not isinstance(wanted, int) or isinstance(wanted, bool) or not 1 <= wanted <= MOST_SAMPLE:
            raise VerifyError(
                f"`verify` must be how many profiles are to be read back, 1 to {MOST_SAMPLE:,}."
            )
        return cls(import_id, wanted, event["execution"])


def resendable(words: Any) -> frozenset[Resendable]:
    """Return what is to be sent again. Raises `ResendError` that names the words that there are."""
    known = [word.value for word in Resendable]
    if not isinstance(words, list) or not words or not all(word in known for word in words):
        raise ResendError(
            f"What is to be sent again must be a list of at least one of these words: {', '.join(known)}."
        )
    return frozenset(map(Resendable, words))


def _import_id(event: Any) -> str:
    import_id = event.get("importId") if isinstance(event, dict) else None
    if not isinstance(import_id, str) or not _IMPORT_ID.fullmatch(import_id):
        raise EventError("The event's `importId` must be an import's name.")
    return import_id


class Word(StrEnum):
    """The words by which the state machine chooses the next state."""

    DEFERRED = "deferred"  # the batch waits for a slot
    ACCEPTED = "accepted"  # Target has the batch: check its status
    REFUSED = "refused"  # Target will not take the batch: write its results
    UNKNOWN = "unknown"  # the batch left, nobody answered, and it is not sent again: write its results
    PROCESSING = "processing"  # Target has not finished: check again
    RESUBMIT = "resubmit"  # the batch, or what failed of it, is to be sent again
    SETTLED = "settled"  # every profile of the batch has its result


@dataclass(frozen=True, slots=True)
class Outcome(SparseJsonObject):
    """What a function answers the state machine."""

    word: Word = field(metadata=as_json(name="outcome"))  # the choice is made by it
    resume_at: datetime | None = None  # where the word asks for a wait
    why: Why | None = None  # why the batch waits
    says: str = ""  # the reason in words, fit to be shown
    state: BatchState | None = None  # of a batch that is not sent now
    # Of one that is settled, how many of its profiles are what.
    success: int | None = None
    error: int | None = None
    pending: int | None = None
    unknown: int | None = None
    not_sent: int | None = None
    reason: str = ""

    @classmethod
    def settled(cls, batch: BatchEntry) -> Self:
        """Return the answer for a batch of which every profile has its result."""
        counts = batch.profiles
        return cls(
            Word.SETTLED,
            state=batch.state,
            success=counts.success,
            error=counts.error,
            pending=counts.pending,
            unknown=counts.unknown,
            not_sent=counts.not_sent,
            reason=batch.reason,
        )
