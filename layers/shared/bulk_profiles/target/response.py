"""A `<response>` of Target as any reader returns it: its texts, its profiles, and what in it is not known."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from bulk_profiles.core.errors import BulkProfilesError
from bulk_profiles.core.models import ProfileStatus
from bulk_profiles.core.text import printable

from .readings import Mentions

MAX_PROFILES = 600_000  # a batch has at most 500,000 rows
BLANKS = " \t\r\n"  # XML's white space: a no-break space, e.g., is a character like any other
MAX_TEXT = 8 * 1024  # characters
_STATUS_BY_WORD = {
    "success": ProfileStatus.SUCCESS,
    "error": ProfileStatus.ERROR,
    "failed": ProfileStatus.ERROR,
    "pending": ProfileStatus.PENDING,
}
KNOWN_WORDS = frozenset(_STATUS_BY_WORD)  # in small letters
_BY_CAUTION = (ProfileStatus.SUCCESS, ProfileStatus.UNKNOWN, ProfileStatus.PENDING, ProfileStatus.ERROR)
_MAX_NAMES = 64  # kept of an answer
_SHOWN_NAMES = 3
_SHOWN_CHARACTERS = 50  # of a name

type Statuses = dict[str, ProfileStatus]  # by id, as Target spelled it
type Names = dict[str, None]  # in their order, each once


class UnusableAnswerError(BulkProfilesError):
    """An answer is broken, cut short, too long or not one of Target's.

    `fault` follows the words "The answer" and quotes no id.
    """

    def __init__(self, fault: str) -> None:
        super().__init__(f"The answer {fault}.")


@dataclass(frozen=True, slots=True)
class Profiles:
    """What an answer says of profiles, as a reader collects it."""

    statuses: Statuses = field(default_factory=dict, repr=False)
    # Spellings with a success that something else in the answer overrides.
    contradicted: set[str] = field(default_factory=set, repr=False)
    # Spellings in profiles that cannot be read, or that something else in the answer contradicts.
    unusable: set[str] = field(default_factory=set, repr=False)
    unknown_words: Names = field(default_factory=dict)  # in place of a status, as they are shown
    mentions: Mentions = field(default_factory=Mentions, repr=False)  # in parts that are not understood

    def record(self, words: Iterable[tuple[str, str]]) -> None:
        """Record ids and Target's words for them."""
        add, known = self.statuses.setdefault, _STATUS_BY_WORD.get
        for profile_id, word in words:
            status = known(word)
            if status and add(profile_id, status) is status:
                continue  # nearly always
            status = profile_status(word)
            if status is ProfileStatus.UNKNOWN:
                add_name(self.unknown_words, word)
                self.mention(word)
            if record_status(self.statuses, profile_id, status):
                self.contradicted.add(profile_id)

    def record_plain(self, ids: list[str], words: list[str]) -> None:
        """Record ids and Target's words for them, of which nearly all are a success, each once."""
        add, success = self.statuses.setdefault, ProfileStatus.SUCCESS
        if {*words} == {success.value}:
            contradicted = [profile_id for profile_id in ids if add(profile_id, success) is not success]
            self.record((profile_id, success.value) for profile_id in contradicted)
        else:
            self.record(zip(ids, words, strict=True))

    def record_unusable(self, profile_id: str) -> None:
        """Record an id in a profile that cannot be read, or has two ids or two words."""
        if record_status(self.statuses, profile_id, ProfileStatus.UNKNOWN):
            self.contradicted.add(profile_id)
        self.unusable.add(profile_id)

    def mention(self, text: str) -> None:
        """Record a text in a part that is not understood. Raises `UnusableAnswerError`."""
        self.mentions.add(text)
        if len(self.mentions.words) > MAX_PROFILES:
            raise UnusableAnswerError("has too many parts that are not known")

    def deny_successes(self) -> None:
        """Record that the answer contradicts each success that it names."""
        self._deny(successes(self.statuses))

    def deny_mentioned(self) -> None:
        """Record that each success is contradicted whose id may be named in a part that is not understood."""
        self._deny(mentioned_successes(self.statuses, self.mentions))

    def _deny(self, ids: AbstractSet[str]) -> None:
        self.unusable.update(ids)
        self.statuses.update(dict.fromkeys(ids, ProfileStatus.UNKNOWN))


@dataclass(frozen=True, slots=True)
class Response:
    """What one reader found below `<response>`."""

    fields: dict[str, str] = field(default_factory=dict)  # text by element
    profiles: Profiles = field(default_factory=Profiles)
    unknown_parts: Names = field(default_factory=dict)  # elements and the like, by name, fit to be shown
    unreadable: int = 0  # profiles that cannot be read, or contradict themselves
    flattened: bool = False  # whether the answer came as text without its tags
    repeated: Names = field(default_factory=dict)  # elements with two texts, which `fields` leaves out


def profile_status(word: str) -> ProfileStatus:
    """Return the status that Target's word for a profile stands for; `unknown` for any other word."""
    return _STATUS_BY_WORD.get(word.lower(), ProfileStatus.UNKNOWN)


def record_status(statuses: Statuses, profile_id: str, status: ProfileStatus) -> bool:
    """Record the status of an id, and return whether it and an earlier one contradict each other.

    Of two statuses for one id, the more cautious one stays. Only a success can be contradicted: two failures
    agree.
    """
    earlier = statuses.setdefault(profile_id, status)
    if earlier is status:
        return False
    statuses[profile_id] = max(earlier, status, key=_BY_CAUTION.index)
    return ProfileStatus.SUCCESS in {earlier, status}


def successes(statuses: Statuses) -> set[str]:
    """Return the ids with a success."""
    return {profile_id for profile_id, status in statuses.items() if status is ProfileStatus.SUCCESS}


def mentioned_successes(statuses: Statuses, mentions: Mentions) -> set[str]:
    """Return the ids with a success that may be named in parts of an answer that are not understood."""
    return set(filter(mentions.may_name, successes(statuses))) if mentions.words else set()


def without_successes(statuses: Statuses) -> Statuses:
    """Return the statuses with `unknown` for each success."""
    return statuses | dict.fromkeys(successes(statuses), ProfileStatus.UNKNOWN)


def add_name(names: Names, name: str) -> None:
    """Add a name that is not known, unless there are many already."""
    if len(names) < _MAX_NAMES:
        names[name[:MAX_TEXT]] = None


def shown(names: Collection[str]) -> str:
    """Return the first names, fit to be shown: `a, b, c and 2 more`."""
    first = ", ".join(printable(name)[:_SHOWN_CHARACTERS] for name in list(names)[:_SHOWN_NAMES])
    others = len(names) - _SHOWN_NAMES
    return f"{first} and {others} more" if others > 0 else first
