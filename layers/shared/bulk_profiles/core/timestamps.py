"""Timestamps: a moment as text that sorts as moments do, and back."""

from __future__ import annotations

from datetime import UTC, datetime


def timestamp(moment: datetime) -> str:
    """Return a moment as ISO 8601 in UTC with milliseconds, as Step Functions' TimestampPath reads it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(text: str) -> datetime:
    """Return the moment (UTC) of a timestamp. Raises `ValueError` where its time zone is missing."""
    value = datetime.fromisoformat(text)
    if value.tzinfo is None:
        raise ValueError("a timestamp without a time zone")
    return value.astimezone(UTC)
