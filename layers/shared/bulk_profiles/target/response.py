"""A `<response>` of Target as any reader returns it: its texts by element, and its profiles by id."""

from __future__ import annotations

from dataclasses import dataclass, field

from bulk_profiles.core.errors import BulkProfilesError
from bulk_profiles.core.models import ProfileStatus

MAX_PROFILES = 600_000  # a batch has at most 500,000 rows
MAX_TEXT = 8 * 1024  # characters
_STATUS_BY_WORD = {
    "success": ProfileStatus.SUCCESS,
    "error": ProfileStatus.ERROR,
    "failed": ProfileStatus.ERROR,
    "pending": ProfileStatus.PENDING,
}
_BY_CAUTION = (ProfileStatus.SUCCESS, ProfileStatus.UNKNOWN, ProfileStatus.PENDING, ProfileStatus.ERROR)

type Statuses = dict[str, ProfileStatus]  # by id, as Target spelled it


class UnusableAnswerError(BulkProfilesError):
    """An answer is broken, cut short, too long or not one of Target's.

    `fault` follows the words "The answer" and quotes nothing of the answer.
    """

    def __init__(self, fault: str) -> None:
        super().__init__(f"The answer {fault}.")


@dataclass(frozen=True, slots=True)
class Response:
    """What one reader found below `<response>`."""

    fields: dict[str, str] = field(default_factory=dict)  # text by element
    profiles: Statuses = field(default_factory=dict)
    flattened: bool = False  # whether the answer came as text without its tags


def profile_status(word: str) -> ProfileStatus:
    """Return the status that Target's word for a profile stands for; `unknown` for any other word."""
    return _STATUS_BY_WORD.get(word.lower(), ProfileStatus.UNKNOWN)


def record_status(statuses: Statuses, profile_id: str, status: ProfileStatus) -> None:
    """Record the status of an id. Of two statuses for one id, the more cautious one stays."""
    earlier = statuses.setdefault(profile_id, status)
    if earlier is not status:
        statuses[profile_id] = max(earlier, status, key=_BY_CAUTION.index)
