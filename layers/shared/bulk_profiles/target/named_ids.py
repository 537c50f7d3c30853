"""The ids that Target named: which ids of a batch the spellings in its answer stand for.

A spelling is decoded, and stands for an id only if no other id of the batch reads like it. `a b`, `a%20b` and
`a+b` read alike, as do `u1` and `u1 `, and `x&y` and `x&amp;y`. Ids that read alike are doubtful if Target
named any of them: only if it spelled each of them exactly, and nothing else that reads so, does each word
apply to the id that it stands beside.

In a flattened answer, whose tags are lost, an id with a word that is not known, or with none, seems to be the
beginning of the next id. Where no id of the batch has two words, such a spelling is taken apart again.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from bulk_profiles.core.models import ProfileStatus

from .answers import StatusAnswer
from .flat_reader import is_ambiguous
from .readings import fold, is_inexact, readings
from .response import Statuses, UnusableAnswerError, record_status, successes, without_successes


@dataclass(frozen=True, slots=True)
class NamedIds:
    """What Target said of the ids of one batch."""

    by_spelling: Statuses = field(default_factory=dict, repr=False)  # as in the answer
    # By id, where Target spelled it in another way that fits no other id of the batch.
    by_reading: Statuses = field(default_factory=dict, repr=False)
    # Ids that a spelling may stand for, as it may for another id.
    doubtful: frozenset[str] = field(default=frozenset(), repr=False)
    # Spellings and ids with a success that something else in the answer overrides.
    contradicted: frozenset[str] = field(default=frozenset(), repr=False)
    # Spellings and ids in profiles that cannot be read.
    unusable: frozenset[str] = field(default=frozenset(), repr=False)
    # How many spellings stand for no id of the batch, by their status.
    foreign: Counter[ProfileStatus] = field(default_factory=Counter)
    # All that those of these with another status than `success` may stand for.
    foreign_readings: frozenset[str] = field(default=frozenset(), repr=False)
    # How many ids of the batch have each status; None: Target did not name them.
    by_status: Counter[ProfileStatus | None] = field(default_factory=Counter)
    # How many ids of the batch at least have each status, where nobody knows which of the doubtful ones.
    ambiguous: Counter[ProfileStatus] = field(default_factory=Counter)
    unreadable: int = 0  # spellings that are taken apart
    unknown_words: str = ""  # Target's words for profiles that are not known, fit to be shown

    def status_of(self, profile_id: str) -> ProfileStatus | None:
        """Return the status of an id (decoded, as in the source file), or None if Target did not name it."""
        return self.by_reading.get(profile_id) or self.by_spelling.get(profile_id)

    def denies(self, profile_id: str) -> bool:
        """Whether Target named an id of an earlier body, which this one does not have, with no success."""
        foreign = self.foreign_readings
        return bool(foreign) and not foreign.isdisjoint(readings(profile_id))

    def count(self, status: ProfileStatus) -> int:
        """Return how many ids of the batch at least Target named with a status."""
        return self.by_status[status] + self.ambiguous[status]

    def without_successes(self) -> NamedIds:
        """Return the same with `unknown`, and as unusable, for each success."""
        by_status = self.by_status.copy()
        by_status[ProfileStatus.UNKNOWN] += by_status.pop(ProfileStatus.SUCCESS, 0)
        return dataclasses.replace(
            self,
            by_spelling=without_successes(self.by_spelling),
            by_reading=without_successes(self.by_reading),
            unusable=self.unusable | successes(self.by_spelling) | successes(self.by_reading),
            by_status=by_status,
        )


@dataclass(frozen=True, slots=True)
class _Candidates:
    """The spellings in an answer, and the ids of the batch, that may stand for one another."""

    spellings: Statuses
    # Spellings that are no id of the batch. Nearly all are one, and a set of those would hold the ids again.
    missing: set[str]
    # The spellings that have other readings than themselves, with all their readings.
    inexact: dict[str, set[str]]
    spelled: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # by reading
    ids: dict[str, set[str]] = field(default_factory=dict)  # that read like a spelling, with their readings
    # Ids that are one word of a spelling of several, in a flattened answer.
    words: set[str] = field(default_factory=set)
    phrases: set[str] = field(default_factory=set)  # then also the ids of several words

    def is_exact(self, profile_id: str) -> bool:
        """Whether an id of the batch is spelled exactly so."""
        return profile_id in self.spellings and profile_id not in self.missing

    def readings(self, spelling: str) -> AbstractSet[str]:
        """Return the readings of a spelling in the answer."""
        return self.inexact.get(spelling) or {spelling}

    def groups(self) -> Iterator[tuple[set[str], set[str]]]:
        """Yield spellings with the ids that they may stand for: with nothing outside the group.

        What has no other reading than itself, and is no reading of anything else, is in no group.
        """
        ids: defaultdict[str, set[str]] = defaultdict(set)
        for profile_id, readings_of_id in self.ids.items():
            for reading in readings_of_id:
                ids[reading].add(profile_id)
        seen: set[str] = set()
        for start in itertools.chain(self.spelled, ids):
            if start in seen:
                continue
            seen.add(start)
            group: tuple[set[str], set[str]] = (set(), set())
            waiting = [start]
            while waiting:
                reading = waiting.pop()
                new_spellings = self.spelled.get(reading, set()) - group[0]
                new_ids = ids.get(reading, set()) - group[1]
                if reading in self.spellings and reading not in self.inexact:
                    new_spellings = new_spellings | {reading}
                    if self.is_exact(reading):
                        new_ids = new_ids | {reading}
                group[0].update(new_spellings)
                group[1].update(new_ids)
                near = [self.inexact.get(spelling, ()) for spelling in new_spellings]
                near += [self.ids.get(profile_id, ()) for profile_id in new_ids]
                for other in itertools.chain(*near):
                    if other not in seen:
                        seen.add(other)
                        waiting.append(other)
            yield group


@dataclass(frozen=True, slots=True)
class _Matches:
    """What the spellings stand for that do not stand for the id of the batch that they spell."""

    statuses: Statuses = field(default_factory=dict)  # by id, of ids that alone fit a spelling
    contradicted: set[str] = field(default_factory=set)  # of these ids, those with a success besides
    unusable: set[str] = field(default_factory=set)  # of these ids, those in profiles that cannot be read
    doubtful: set[str] = field(default_factory=set)  # ids that fit a spelling as others do
    ambiguous: Counter[ProfileStatus] = field(default_factory=Counter)  # see `NamedIds`
    foreign: set[str] = field(default_factory=set)  # spellings that no id fits
    grouped: set[str] = field(default_factory=set)  # spellings that are no ids, and were looked at


def match_ids(answer: StatusAnswer, ids: Iterable[str], rows: int) -> NamedIds:
    """Match the spellings in an answer with the batch's `rows` ids, which are read only if there is any.

    Raises `UnusableAnswerError` where the answer is flattened and can be read in more than one way.
    """
    spellings = answer.profiles
    if not spellings:
        return NamedIds(by_status=Counter({None: rows}))
    candidates = _find_candidates(spellings, ids, flattened=answer.flattened)
    missing = candidates.missing
    matches = _match_inexact(answer, candidates)
    foreign = matches.foreign | (missing - matches.grouped)
    mixed = set(filter(_has_spaces, foreign)) if answer.flattened else set[str]()
    if mixed:
        if candidates.phrases or not (len(missing) < len(spellings) or candidates.words):
            raise UnusableAnswerError("lost its tags, and has words that are no id of the batch")
        _take_apart(mixed, answer, candidates, matches)
        foreign -= mixed
    doubtful = matches.doubtful
    by_reading = {name: status for name, status in matches.statuses.items() if name not in doubtful}
    by_status: Counter[ProfileStatus | None] = Counter(by_reading.values())
    others = doubtful | by_reading.keys()
    by_status.update(
        status for name, status in spellings.items() if name not in missing and name not in others
    )
    by_status[ProfileStatus.UNKNOWN] += len(doubtful)
    by_status[None] = rows - by_status.total()
    denied = (spelling for spelling in foreign if spellings[spelling] is not ProfileStatus.SUCCESS)
    return NamedIds(
        spellings,
        by_reading,
        frozenset(doubtful),
        answer.contradicted | matches.contradicted,
        answer.unusable | matches.unusable,
        Counter(spellings[spelling] for spelling in foreign),
        frozenset(reading for spelling in denied for reading in readings(spelling)),
        by_status,
        matches.ambiguous,
        len(mixed - answer.unusable),
        answer.unknown_words,
    )


def _take_apart(
    spellings: set[str], answer: StatusAnswer, candidates: _Candidates, matches: _Matches
) -> None:
    """Match the ids in spellings such as `u1 odd u2`.

    The word that followed is for the last one alone. If it is `success`, it counts only where the words
    before it are pairs of an id and another word: else an id may be missing, or a word.
    """
    for spelling in spellings:
        words = spelling.split()
        are_ids = [word in candidates.words for word in words]
        in_pairs = len(words) % 2 == 1 and all(are_ids[::2]) and not any(are_ids[1::2])
        for place, word in enumerate(words):
            if not are_ids[place]:
                continue
            status = answer.profiles[spelling] if place == len(words) - 1 else ProfileStatus.UNKNOWN
            if status is ProfileStatus.SUCCESS and not in_pairs:
                status = ProfileStatus.UNKNOWN
            if status is ProfileStatus.UNKNOWN:
                matches.unusable.add(word)
            for each in (status, answer.profiles.get(word, status)):
                if record_status(matches.statuses, word, each):
                    matches.contradicted.add(word)


def _find_candidates(spellings: Statuses, ids: Iterable[str], *, flattened: bool) -> _Candidates:
    """Read the ids of the batch once, and keep those that a spelling may stand for."""
    inexact = {spelling: readings(spelling) for spelling in spellings if is_inexact(spelling)}
    candidates = _Candidates(spellings, set(spellings), inexact)
    words: set[str] = set()
    if flattened:
        words = {word for spelling in filter(_has_spaces, spellings) for word in spelling.split()}
        ids = _unambiguous(ids)
    spelled = candidates.spelled
    for spelling, readings_of_spelling in inexact.items():
        for reading in readings_of_spelling:
            spelled[reading].add(spelling)
    for profile_id in ids:
        candidates.missing.discard(profile_id)
        if profile_id in words:
            candidates.words.add(profile_id)
        elif words and _has_spaces(profile_id):
            candidates.phrases.add(profile_id)
        if not is_inexact(profile_id):
            if profile_id in spelled:
                candidates.ids[profile_id] = {profile_id}
            continue
        near = inexact.get(profile_id) or readings(profile_id)
        if any(reading in spelled or reading in spellings for reading in near):
            candidates.ids[profile_id] = near
    return candidates


def _match_inexact(answer: StatusAnswer, candidates: _Candidates) -> _Matches:
    """Return what the spellings stand for that may stand for other ids than they spell.

    Where each id of a group is spelled exactly, and nothing else is, each spelling stands for its own id. But
    if one is there with a success and another word, or a word is not known, that may be for another id.
    Where a group has several ids otherwise, nobody knows which of them a spelling stands for.
    """
    matches = _Matches()
    for spellings, ids in candidates.groups():
        matches.grouped.update(spellings & candidates.missing)
        is_sure = not (answer.unknown_words or spellings & answer.contradicted)
        if spellings == ids and (is_sure or len(ids) == 1):
            continue
        own = {fold(profile_id) for profile_id in ids}
        strange = {spelling for spelling in spellings if own.isdisjoint(candidates.readings(spelling))}
        matches.foreign.update(strange)
        if len(ids) > 1 or strange:
            matches.doubtful.update(ids)
            # How many ids they are is not known: one at least of each status.
            matches.ambiguous.update({answer.profiles[spelling] for spelling in spellings - strange})
            continue
        [profile_id] = ids
        for spelling in spellings:
            if record_status(matches.statuses, profile_id, answer.profiles[spelling]):
                matches.contradicted.add(profile_id)
        if spellings & answer.contradicted:
            matches.contradicted.add(profile_id)
        if spellings & answer.unusable:
            matches.unusable.add(profile_id)
    return matches


def _unambiguous(ids: Iterable[str]) -> Iterator[str]:
    for profile_id in ids:
        if is_ambiguous(profile_id):
            raise UnusableAnswerError("lost its tags, and the batch has ids that may mislead")
        yield profile_id


def _has_spaces(spelling: str) -> bool:
    return len(spelling.split()) > 1
