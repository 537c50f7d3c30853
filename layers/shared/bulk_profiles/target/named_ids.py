"""The ids that Target named: which ids of a batch the spellings in its answer stand for.

A spelling that is an id of the batch stands for that id alone. Any other spelling is decoded, and stands for
an id only if no other id of the batch fits. An id that Target did not name is doubtful if it can be read like
a spelling that Target used: Target may have meant it. `a b`, `a%20b` and `a+b` read alike, as do `u1` and
`u1 `, and `x&y` and `x&amp;y`.

In a flattened answer, whose tags are lost, an id with a word that is not known, or with none, seems to be the
beginning of the next id. Where no id of the batch has two words, such a spelling is taken apart again.
"""

from __future__ import annotations

import dataclasses
import html
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote, unquote_plus

from bulk_profiles.core.models import ProfileStatus

from .answers import StatusAnswer
from .flat_reader import is_ambiguous
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
    unreadable: int = 0  # spellings that are taken apart
    unknown_words: str = ""  # Target's words for profiles that are not known, fit to be shown

    def status_of(self, profile_id: str) -> ProfileStatus | None:
        """Return the status of an id (decoded, as in the source file), or None if Target did not name it."""
        return self.by_reading.get(profile_id) or self.by_spelling.get(profile_id)

    def denies(self, profile_id: str) -> bool:
        """Whether Target named an id of an earlier body, which this one does not have, with no success."""
        foreign = self.foreign_readings
        return bool(foreign) and not foreign.isdisjoint(_readings(profile_id))

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
    """The inexact spellings in an answer, and the ids of the batch that any spelling may stand for."""

    spellings: Statuses
    inexact: set[str]  # spellings that may stand for other ids than they spell
    # Spellings that are no id of the batch. Nearly all are one, and a set of those would hold the ids again.
    missing: set[str]
    plain: set[str] = field(default_factory=set)  # ids that are a reading of an inexact spelling
    # Ids with white space that may get lost on the way, by what is left: `a b` -> {`a  b`, ` a b`}.
    spaced: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    # Ids that are one word of a spelling of several, in a flattened answer.
    words: set[str] = field(default_factory=set)
    phrases: set[str] = field(default_factory=set)  # then also the ids of several words
    # Ids that are not spelled exactly so, but have a reading in common with a spelling.
    similar: set[str] = field(default_factory=set)

    def is_exact(self, profile_id: str) -> bool:
        """Whether an id of the batch is spelled exactly so."""
        return profile_id in self.spellings and profile_id not in self.missing

    def others(self, spelling: str) -> set[str]:
        """Return the ids that a spelling may stand for, other than the one that it spells exactly."""
        readings = _readings(spelling)
        ids = {reading for reading in readings if self.is_exact(reading) or reading in self.plain}
        return ids.union(*(self.spaced.get(reading, ()) for reading in readings)) - {spelling}


@dataclass(frozen=True, slots=True)
class _Matches:
    """What the spellings stand for that are no ids of the batch."""

    statuses: Statuses = field(default_factory=dict)  # by id, of ids that alone fit a spelling
    contradicted: set[str] = field(default_factory=set)  # of these ids, those with a success besides
    unusable: set[str] = field(default_factory=set)  # of these ids, those in profiles that cannot be read
    ambiguous: set[str] = field(default_factory=set)  # ids that fit a spelling as others do
    foreign: set[str] = field(default_factory=set)  # spellings that no id fits


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
    foreign = matches.foreign | (missing - candidates.inexact)
    mixed = set(filter(_has_spaces, foreign)) if answer.flattened else set[str]()
    if mixed:
        if candidates.phrases or not (len(missing) < len(spellings) or candidates.words):
            raise UnusableAnswerError("lost its tags, and has words that are no id of the batch")
        _take_apart(mixed, answer, candidates, matches)
        foreign -= mixed
    doubtful = matches.ambiguous | (candidates.similar - matches.statuses.keys())
    doubtful = {name for name in doubtful if not candidates.is_exact(name)}
    by_reading = {name: status for name, status in matches.statuses.items() if name not in doubtful}
    by_status: Counter[ProfileStatus | None] = Counter(by_reading.values())
    by_status.update(
        status for name, status in spellings.items() if name not in missing and name not in by_reading
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
        frozenset(reading for spelling in denied for reading in _readings(spelling)),
        by_status,
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
    candidates = _Candidates(spellings, set(filter(_is_inexact, spellings)), set(spellings))
    words: set[str] = set()
    if flattened:
        spaced = set(filter(_has_spaces, spellings))
        candidates.inexact.update(spaced)
        words = {word for spelling in spaced for word in spelling.split()}
        ids = _unambiguous(ids)
    readings = {reading for spelling in candidates.inexact for reading in _readings(spelling)}
    for profile_id in ids:
        candidates.missing.discard(profile_id)
        if profile_id in words:
            candidates.words.add(profile_id)
        elif words and _has_spaces(profile_id):
            candidates.phrases.add(profile_id)
        if not _is_inexact(profile_id):
            if profile_id in readings:
                candidates.plain.add(profile_id)
                candidates.similar.add(profile_id)
            continue
        folded = _fold(profile_id)
        if folded in spellings or folded in readings:
            (candidates.plain if folded == profile_id else candidates.spaced[folded]).add(profile_id)
        if profile_id not in spellings and _is_read_like(profile_id, spellings, readings):
            candidates.similar.add(profile_id)
    candidates.inexact.update(candidates.spaced.keys() & spellings.keys())
    return candidates


def _match_inexact(answer: StatusAnswer, candidates: _Candidates) -> _Matches:
    """Return what the spellings stand for that are no ids of the batch."""
    spellings = answer.profiles
    matches = _Matches()
    for spelling in candidates.inexact & candidates.missing:
        others = candidates.others(spelling)
        # An id that is spelled exactly has a status of its own; Target has no reason to name it twice.
        ids = {name for name in others if not candidates.is_exact(name)} or others
        if not ids:
            matches.foreign.add(spelling)
        elif len(ids) > 1:
            matches.ambiguous.update(ids)
        else:
            [profile_id] = ids
            statuses = [spellings[name] for name in (profile_id, spelling) if name in spellings]
            contradictions = [record_status(matches.statuses, profile_id, status) for status in statuses]
            if any(contradictions) or spelling in answer.contradicted:
                matches.contradicted.add(profile_id)
            if spelling in answer.unusable:
                matches.unusable.add(profile_id)
    return matches


def _unambiguous(ids: Iterable[str]) -> Iterator[str]:
    for profile_id in ids:
        if is_ambiguous(profile_id):
            raise UnusableAnswerError("lost its tags, and the batch has ids that may mislead")
        yield profile_id


def _is_inexact(spelling: str) -> bool:
    """Whether a spelling may stand for another id: it may be encoded, or it has white space to lose."""
    return "%" in spelling or "+" in spelling or "&" in spelling or spelling != _fold(spelling)


def _has_spaces(spelling: str) -> bool:
    return len(spelling.split()) > 1


def _is_read_like(profile_id: str, spellings: Statuses, readings: set[str]) -> bool:
    """Whether an id can be read like a spelling, whose readings are given as well."""
    return any(reading in spellings or reading in readings for reading in _readings(profile_id))


def _readings(spelling: str) -> set[str]:
    """Return all that a spelling may stand for: as it is, or decoded from a URL, from XML or from both."""
    texts = {spelling, html.unescape(spelling)}
    for text in tuple(texts):
        texts.add(unquote(text))
        if "+" in text:
            texts.add(unquote_plus(text))
    return set(map(_fold, texts))


def _fold(text: str) -> str:
    """Return a text without the white space that may get lost: ` a  b` becomes `a b`."""
    return " ".join(text.split())
