"""Everything that can go wrong and is named.

    BulkProfilesError
    ├── SettingsError          the deployment's configuration makes no sense; names every fault at once
    ├── FeedError              a feed's configuration makes no sense
    ├── FileRejectedError      the source file cannot be read at all; one sentence for the person who dropped it
    ├── StorageError           S3 did not do what was asked
    ├── LedgerError            DynamoDB did not do what was asked
    │   └── ConflictError      somebody else changed the entry first
    └── TokenError             Target's token could not be had from Secrets Manager

Messages carry names, numbers and remedies; never a row, an id, a value or a token.
"""

from __future__ import annotations


class BulkProfilesError(Exception):
    """The root: whatever this package raises on purpose."""


class SettingsError(BulkProfilesError):
    """The deployment's configuration makes no sense."""


class FeedError(BulkProfilesError):
    """A feed's configuration makes no sense."""


class FileRejectedError(BulkProfilesError):
    """The source file cannot be read at all: nothing of it is sent."""


class StorageError(BulkProfilesError):
    """S3 did not do what was asked."""


class LedgerError(BulkProfilesError):
    """DynamoDB did not do what was asked."""


class ConflictError(LedgerError):
    """A conditional update found that somebody else changed the entry first."""


class TokenError(BulkProfilesError):
    """Target's token could not be had from Secrets Manager."""
