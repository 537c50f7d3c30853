"""What profiles that were read back show: how values differ from those sent, and what that says of all."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import quote, unquote, unquote_plus

from bulk_profiles.core.json_object import JsonObject, as_json
from bulk_profiles.core.text import quantity
from bulk_profiles.target.stored_profile import StoredProfile

CONFIDENCE = 0.95
_CLOCK_ERROR = timedelta(minutes=5)  # between Target's clock and ours
_SEPARATORS = ',"\r\n'
_STEPS = 60  # of the bisection: more than a float has digits
_SHOWN_ATTRIBUTES = 3


class Difference(StrEnum):
    """How a value that was read back differs from the one that was sent."""

    NO_PROFILE = "noProfile"  # Target has no such profile
    MISSING = "missing"  # the profile has no such attribute
    CUT = "cut"  # what was sent, up to a comma, a quote or a line break
    PLUS = "plus"  # `+` where a space was sent, or the reverse
    ENCODED = "encoded"  # percent-encoded once more than it should be
    OLDER = "older"  # written before the batch was sent
    OTHER = "other"  # another value
    NEWER = "newer"  # changed since, by a later import or on the site: nothing is known of the import's value

    @property
    def words(self) -> str:
        """The difference in words, after the name of an attribute."""
        return _WORDS[self]


_WORDS = {
    Difference.NO_PROFILE: "the profile is not there",
    Difference.MISSING: "is missing",
    Difference.CUT: "is cut at a separator",
    Difference.PLUS: "has + for a space",
    Difference.ENCODED: "is encoded twice",
    Difference.OLDER: "has an older value",
    Difference.OTHER: "has another value",
    Difference.NEWER: "was changed since",
}
_REMEDIES = {
    Difference.CUT: "set SeparatorInValue to replace or reject, and drop the file again",
    Difference.PLUS: "report it: Target does not decode values as its documentation says",
    Difference.ENCODED: "look whether the file has encoded values; if not, report it",
    Difference.OTHER: "compare the file with the profiles that verification.csv names",
}
_DROP_AGAIN = "drop the file again: Target has not kept all that it said it took"


def differences(
    sent: Mapping[str, str],
    profile: StoredProfile | None,
    *,
    sent_at: datetime | None = None,
    changed_after: datetime | None = None,
    replaced_after: datetime | None = None,
) -> dict[str, Difference]:
    """Return how a profile differs from what was sent, by attribute; None is a profile that is not there.

    `sent_at`: what was written clearly before is older. `changed_after`: what was written about then or later
    may be somebody else's. `replaced_after`: a later import began, and may have removed attributes, too.
    """
    if profile is None:
        return {"": Difference.NO_PROFILE} if sent else {}
    found: dict[str, Difference] = {}
    for name, value in sent.items():
        stored = profile.values.get(name)
        if stored is None:
            replaced = replaced_after is not None and _may_be_since(profile.modified_at, replaced_after)
            found[name] = Difference.NEWER if replaced else Difference.MISSING
        elif stored.value != value:
            written = stored.modified_at or profile.modified_at
            if _may_be_since(written, replaced_after if written is None else changed_after):
                found[name] = Difference.NEWER
            else:
                found[name] = _difference(value, stored.value, written, sent_at)
    return found


def _may_be_since(written: datetime | None, moment: datetime | None) -> bool:
    """Whether something may have been written at a moment or later, by Target's clock."""
    return moment is not None and (written is None or written >= moment - _CLOCK_ERROR)


def _difference(value: str, text: str, written: datetime | None, sent_at: datetime | None) -> Difference:
    if written and sent_at and written < sent_at - _CLOCK_ERROR:
        return Difference.OLDER
    if text.replace("+", " ") == value or value.replace("+", " ") == text:
        return Difference.PLUS
    if value in {unquote(text), unquote_plus(text)} or text == quote(value, safe=""):
        return Difference.ENCODED
    if value.startswith(text) and value[len(text)] in _SEPARATORS:
        return Difference.CUT
    return Difference.OTHER if written else Difference.NEWER  # without its time, it may be anybody's


@dataclass(frozen=True, slots=True)
class Verification(JsonObject):
    """What a sample of an import's successes has shown."""

    wanted: int  # profiles to be read
    successes: int  # of the import, of which the sample was chosen
    as_sent: int = 0  # profiles of which every value is as it was sent
    different: int = 0
    newer: int = 0  # profiles that were changed since: they say nothing
    not_read: int = 0
    # Profiles by the kind of difference and by attribute; one profile can be in several.
    kinds: dict[str, dict[str, int]] = field(default_factory=dict, metadata=as_json(sort_keys=True))
    reason: str = ""  # why some were not read, as a sentence

    @property
    def read(self) -> int:
        """The profiles that say something."""
        return self.as_sent + self.different

    @property
    def at_least(self) -> float:
        """The share of all successes that are as sent, at least, with 95 % confidence."""
        return lower_bound(self.as_sent, self.read)

    @property
    def says(self) -> list[str]:
        """The same as sentences."""
        if not self.read and not self.newer:
            return [f"No profile could be read back. {self.reason}".strip()]
        sentences: list[str] = []
        if self.different:
            first = f"{self.different:,} of {self.read:,} profiles that were read back are not as sent"
            sentences.append(f"{first}: {self._kinds()}.")
            sentences += [f"{step[:1].upper()}{step[1:]}." for step in self._steps()]
        elif self.read:
            percent = math.floor(self.at_least * 1000) / 10
            sentences.append(
                f"{self.as_sent:,} of {self.read:,} profiles that were read back are as sent: with "
                f"{CONFIDENCE * 100:g} % confidence at least {percent:g} % are."
            )
        if self.newer:
            changed = quantity(self.newer, "profile")
            sentences.append(f"{changed} had been changed since and {_say(self.newer)} nothing.")
        if self.not_read:
            sentences.append(f"{quantity(self.not_read, 'profile')} could not be read. {self.reason}".strip())
        return sentences

    def to_summary(self) -> dict[str, object]:
        """Return the section of summary.json."""
        return self.to_json() | {"atLeast": round(self.at_least, 6), "confidence": CONFIDENCE}

    def _kinds(self) -> str:
        phrases = []
        for kind in Difference:
            names = Counter(self.kinds.get(kind.value, {}))
            if not names or kind is Difference.NEWER:
                continue
            if kind is Difference.NO_PROFILE:
                phrases.append(f"{kind.words} ({names.total():,})")
                continue
            phrases += [f"{name} {kind.words} ({n:,})" for name, n in names.most_common(_SHOWN_ATTRIBUTES)]
            if len(names) > _SHOWN_ATTRIBUTES:
                phrases.append(f"{len(names) - _SHOWN_ATTRIBUTES} more like that")
        return ", ".join(phrases)

    def _steps(self) -> list[str]:
        present = [kind for kind in Difference if kind.value in self.kinds and kind is not Difference.NEWER]
        return list(dict.fromkeys(_REMEDIES.get(kind, _DROP_AGAIN) for kind in present))


def with_verification(said: str, verification: Verification | None) -> str:
    """Return what is said of an import with what a sample has shown, unless that is part of it."""
    shown = " ".join(verification.says) if verification else ""
    return said if shown in said else f"{said} {shown}"


def _say(number: int) -> str:
    return "says" if number == 1 else "say"


def lower_bound(hits: int, tries: int, confidence: float = CONFIDENCE) -> float:
    """Return the one-sided lower bound of Clopper and Pearson for the share of hits.

    It is the share with which so many hits or more come about with a probability of 1 - `confidence`.
    C. J. Clopper and E. S. Pearson, Biometrika 26 (1934).
    """
    if not hits:
        return 0.0
    low, high = 0.0, hits / tries
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if _at_least(hits, tries, middle) < 1 - confidence:
            low = middle
        else:
            high = middle
    return low


def _at_least(hits: int, tries: int, share: float) -> float:
    """Return the probability of so many hits or more, where each try is a hit with probability `share`."""
    hit, miss = math.log(share), math.log1p(-share)
    ways = math.lgamma(tries + 1)
    return math.fsum(
        math.exp(ways - math.lgamma(n + 1) - math.lgamma(tries - n + 1) + n * hit + (tries - n) * miss)
        for n in range(hits, tries + 1)
    )
