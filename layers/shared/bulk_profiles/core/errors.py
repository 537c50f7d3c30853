"""Everything that can go wrong and is named.

    BulkProfilesError
    ├── SettingsError          the deployment's configuration makes no sense; names every fault at once
    ├── EventError             the event is not one that the function knows
    ├── FeedError              a feed's configuration makes no sense
    ├── FileRejectedError      the source file cannot be read at all; a sentence for who dropped it
    ├── AccountingError        rows of a split are in no count; nothing of it may be sent
    ├── StorageError           S3 did not do what was asked
    │   ├── MissingObjectError     the object is not there, or not any more
    │   └── ExistingObjectError    the object is there already
    ├── LedgerError            DynamoDB did not do what was asked
    │   └── ConflictError          somebody else changed the entry first
    ├── ExecutionError         Step Functions did not do what was asked
    ├── InvocationError        Lambda did not take an event
    ├── NoticeError            SNS did not take a message
    └── TokenError             Target's token could not be had from Secrets Manager

Beside the rules that they belong to: `checkpoints.OutOfTimeError`, `response.UnusableAnswerError`,
`status_url.UnsafeStatusUrlError`, `helping.HelperLostError`, and what `transport` tells `target`.

Messages carry names, numbers and remedies; never a row, an id, a value or a token.
"""

from __future__ import annotations


class BulkProfilesError(Exception):
    """The root: whatever this package raises on purpose."""


class SettingsError(BulkProfilesError):
    """The deployment's configuration makes no sense."""


class EventError(BulkProfilesError):
    """The event is not one that the function knows."""


class FeedError(BulkProfilesError):
    """A feed's configuration makes no sense."""


class FileRejectedError(BulkProfilesError):
    """The source file cannot be read at all: nothing of it is sent."""


class AccountingError(BulkProfilesError):
    """Rows of a split are in no count, or in two: nothing of it may be sent."""

    def __init__(self, unaccounted: int) -> None:
        super().__init__(
            f"{abs(unaccounted)} rows cannot be accounted for: did the file change while it was read?"
        )


class StorageError(BulkProfilesError):
    """S3 did not do what was asked."""


class MissingObjectError(StorageError):
    """The object is not there, or not any more."""


class ExistingObjectError(StorageError):
    """The object is there already."""


class LedgerError(BulkProfilesError):
    """DynamoDB did not do what was asked."""


class ConflictError(LedgerError):
    """A conditional update found that somebody else changed the entry first."""


class ExecutionError(BulkProfilesError):
    """Step Functions did not do what was asked."""


class InvocationError(BulkProfilesError):
    """Lambda did not take an event."""


class NoticeError(BulkProfilesError):
    """SNS did not take a message."""


class TokenError(BulkProfilesError):
    """Target's token could not be had from Secrets Manager."""
