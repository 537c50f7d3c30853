"""The errors that the package raises on purpose.

    BulkProfilesError
    ├── SettingsError          the deployment's configuration is invalid; names every fault at once
    ├── EventError             the event is not one that the function knows
    ├── FeedError              a feed's configuration is invalid; names every fault at once
    ├── FileRejectedError      the source file cannot be read at all; a sentence for whoever dropped it
    ├── CutShortError          the source file ended before its size; reading it again may help
    ├── DamagedScratchError    what a split has kept is not what it wrote; it has to begin anew
    ├── AccountingError        rows of a split are in no count, or in two; nothing of it may be sent
    ├── StorageError           a call to S3 failed
    │   ├── MissingObjectError     the object does not exist, or not any more
    │   ├── DeniedObjectError      S3 refuses the object, and will refuse it again
    │   ├── InvalidJsonError       the object is not JSON
    │   └── ExistingObjectError    the object exists already
    ├── StackError             there is no such stack, or CloudFormation does not describe it
    ├── ResendError            nothing of an import can be sent again; a sentence for whoever asked
    ├── PauseError             a pause has a scope that is none, or ends before it begins
    ├── LedgerError            a call to DynamoDB failed, or an item is missing or unreadable
    │   ├── UnreadableEntryError   an item does not have the form of its kind
    │   └── ConflictError          another writer changed the item first
    ├── ExecutionError         a call to Step Functions failed
    ├── InvocationError        Lambda did not accept an event
    ├── NoticeError            SNS did not accept a message, or EventBridge an event
    └── TokenError             Secrets Manager did not return a token that can be sent

An error that only one module raises is defined in that module: `aws.signed_puts.ThrottledError`,
`aws.signed_puts.UnavailableError`, `cli.local_files.UsageError`, `splitting.selection.SelectionStoppedError`,
`splitting.checkpoint.OutOfTimeError`, `splitting.parallel.processes.HelperLostError`,
`splitting.reading.json_lines.NewColumnError`, `target.addresses.UnsafeStatusUrlError`,
`target.http.BodyError`, `target.http.TransportError`, `target.response.UnusableAnswerError`.

A message has names, numbers and remedies, and never a row, an id, a value or a token.
"""

from __future__ import annotations


class BulkProfilesError(Exception):
    """The base of all errors that the package raises on purpose."""


class SettingsError(BulkProfilesError):
    """The deployment's configuration is invalid."""


class EventError(BulkProfilesError):
    """The event is not one that the function knows."""


class FeedError(BulkProfilesError):
    """A feed's configuration is invalid."""


class FileRejectedError(BulkProfilesError):
    """The source file cannot be read at all: nothing of it is sent."""


class CutShortError(BulkProfilesError):
    """The source file ended before its size: its last rows are missing. Reading it again may help."""

    def __init__(self, name: str, read: int, size: int) -> None:
        super().__init__(
            f"Reading {name!r} ended after {read:,} of its {size:,} bytes. Try again; if it ends there "
            "again, the file was cut short: write or drop it again, whole."
        )


class DamagedScratchError(BulkProfilesError):
    """What a split has kept in its scratch is not what it wrote: it has to begin anew."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The object {name!r} in the scratch of the split is missing, damaged or of another attempt: "
            "split the file again from its start."
        )


class AccountingError(BulkProfilesError):
    """Rows of a split are in no count, or in two: nothing of it may be sent."""

    def __init__(self, unaccounted: int) -> None:
        super().__init__(
            f"{abs(unaccounted)} rows cannot be accounted for: did the file change while it was read?"
        )


class StorageError(BulkProfilesError):
    """A call to S3 failed."""


class MissingObjectError(StorageError):
    """The object does not exist, or not any more."""


class DeniedObjectError(StorageError):
    """S3 refuses the object, and will refuse it again: a permission is missing, or the object is archived."""


class InvalidJsonError(StorageError):
    """The object is not JSON."""


class ExistingObjectError(StorageError):
    """The object exists already."""


class StackError(BulkProfilesError):
    """There is no such stack, or CloudFormation does not describe it."""


class ResendError(BulkProfilesError):
    """What somebody wants to send again cannot be sent again; the sentence says why."""


class VerifyError(BulkProfilesError):
    """An import cannot be verified; the sentence says why."""


class PauseError(BulkProfilesError):
    """What somebody wants to pause cannot be paused."""


class LedgerError(BulkProfilesError):
    """A call to DynamoDB failed, or an item is missing or unreadable."""


class UnreadableEntryError(LedgerError):
    """An item of the ledger does not have the form of its kind."""


class ConflictError(LedgerError):
    """Another writer changed the item first: the condition of the write does not hold."""


class ExecutionError(BulkProfilesError):
    """A call to Step Functions failed."""


class InvocationError(BulkProfilesError):
    """Lambda did not accept an event."""


class NoticeError(BulkProfilesError):
    """SNS did not accept a message."""


class TokenError(BulkProfilesError):
    """Secrets Manager did not return a token that can be sent."""
