"""A `<response>` of Target, whichever reader read it: its texts by element and its profiles by id."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NoReturn

from bulk_profiles.core.errors import BulkProfilesError
from bulk_profiles.core.models import ProfileStatus

MAX_PROFILES = 600_000  # a batch has at most 500,000 rows
MAX_TEXT = 8 * 1024
_WORDS = {
    "success": ProfileStatus.SUCCESS,
    "error": ProfileStatus.ERROR,
    "failed": ProfileStatus.ERROR,
    "pending": ProfileStatus.PENDING,
}
_CAUTION = {
    status: rank
    for rank, status in enumerate(
        (ProfileStatus.SUCCESS, ProfileStatus.UNKNOWN, ProfileStatus.PENDING, ProfileStatus.ERROR)
    )
}


class UnusableAnswerError(BulkProfilesError):
    """An answer is broken, cut short, too long or no answer at all; the message says which, and no more."""


@dataclass(frozen=True, slots=True)
class Response:
    """The texts below `<response>` by element, and the profiles by id as Target spelled it."""

    fields: dict[str, str] = field(default_factory=dict)
    profiles: dict[str, ProfileStatus] = field(default_factory=dict)
    flattened: bool = False


def note(profiles: dict[str, ProfileStatus], profile_id: str, status: ProfileStatus) -> None:
    """Enter what was said of an id; where two things were said, the more cautious one stays."""
    before = profiles.setdefault(profile_id, status)
    if before is not status and _CAUTION[status] > _CAUTION[before]:
        profiles[profile_id] = status


def profile_status(word: str) -> ProfileStatus:
    """Read Target's word for a profile: a word that is not known says nothing."""
    return _WORDS.get(word.lower(), ProfileStatus.UNKNOWN)


def refuse(why: str) -> NoReturn:
    """Raise `UnusableAnswerError` with the reason, which follows the words "The answer"."""
    raise UnusableAnswerError(f"The answer {why}.")
