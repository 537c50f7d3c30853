"""The ids that Target named: which ids of a batch the spellings in its answer stand for.

A spelling that is an id of the batch stands for that id alone. Any other spelling is decoded, and stands for
an id only if no other id of the batch fits. So `x%20y` stands for `x%20y` if the batch has it, and otherwise
for `x y`; but if the batch has both `x y` and ` x y`, both are doubtful.
"""

from __future__ import annotations

import html
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote, unquote_plus

from bulk_profiles.core.models import ProfileStatus

from .flat_reader import is_ambiguous
from .response import Statuses, UnusableAnswerError, record_status


@dataclass(frozen=True, slots=True)
class NamedIds:
    """What Target said of the ids of one batch."""

    by_spelling: Statuses = field(default_factory=dict, repr=False)  # as in the answer
    # By id, where Target spelled it in another way that fits no other id of the batch.
    by_reading: Statuses = field(default_factory=dict, repr=False)
    # Ids that a spelling may stand for, as it may for another id.
    doubtful: frozenset[str] = field(default=frozenset(), repr=False)
    # How many spellings stand for no id of the batch, by their status.
    foreign: Counter[ProfileStatus] = field(default_factory=Counter)
    # How many ids of the batch have each status; None: Target did not name them.
    by_status: Counter[ProfileStatus | None] = field(default_factory=Counter)

    def status_of(self, profile_id: str) -> ProfileStatus | None:
        """Return the status of an id (decoded, as in the source file), or None if Target did not name it.

        `unknown`: Target named it with a word that is not known.
        """
        return self.by_reading.get(profile_id) or self.by_spelling.get(profile_id)


@dataclass(frozen=True, slots=True)
class _Candidates:
    """The inexact spellings in an answer, and the ids of the batch that any spelling may stand for."""

    inexact: set[str]  # spellings that may stand for other ids than they spell
    exact: set[str] = field(default_factory=set)  # ids that are spelled exactly so
    plain: set[str] = field(default_factory=set)  # ids that are a reading of an inexact spelling
    # Ids with white space that may get lost on the way, by what is left: `a b` -> {`a  b`, ` a b`}.
    spaced: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def others(self, spelling: str) -> set[str]:
        """Return the ids that a spelling may stand for, other than the one that it spells exactly."""
        readings = _readings(spelling)
        ids = {reading for reading in readings if reading in self.exact or reading in self.plain}
        return ids.union(*(self.spaced.get(reading, ()) for reading in readings)) - {spelling}


def match_ids(spellings: Statuses, ids: Iterable[str], rows: int, *, flattened: bool) -> NamedIds:
    """Match the spellings in an answer with the batch's `rows` ids, which are read only if there are any.

    Raises `UnusableAnswerError` where the answer is `flattened` and can be read in more than one way.
    """
    if not spellings:
        return NamedIds(by_status=Counter({None: rows}))
    candidates = _find_candidates(spellings, ids, flattened=flattened)
    by_reading, doubtful, foreign = _match_inexact(spellings, candidates)
    foreign |= spellings.keys() - candidates.exact - candidates.inexact
    if flattened and any(map(_has_spaces, foreign)):
        raise UnusableAnswerError("lost its tags, and has words that are no id of the batch")
    by_status: Counter[ProfileStatus | None] = Counter(by_reading.values())
    by_status.update(spellings[profile_id] for profile_id in candidates.exact - by_reading.keys())
    by_status[ProfileStatus.UNKNOWN] += len(doubtful)
    by_status[None] = rows - by_status.total()
    foreign_by_status = Counter(spellings[spelling] for spelling in foreign)
    return NamedIds(spellings, by_reading, frozenset(doubtful), foreign_by_status, by_status)


def _find_candidates(spellings: Statuses, ids: Iterable[str], *, flattened: bool) -> _Candidates:
    """Read the ids of the batch once, and keep those that a spelling may stand for."""
    candidates = _Candidates(set(filter(_is_inexact, spellings)))
    if flattened:
        candidates.inexact.update(filter(_has_spaces, spellings))
        ids = _unambiguous(ids)
    readings = {reading for spelling in candidates.inexact for reading in _readings(spelling)}
    for profile_id in ids:
        if profile_id in spellings:
            candidates.exact.add(profile_id)
        folded = _fold(profile_id)
        if folded == profile_id:
            if profile_id in readings:
                candidates.plain.add(profile_id)
        elif folded in spellings or folded in readings:
            candidates.spaced[folded].add(profile_id)
    candidates.inexact.update(candidates.spaced.keys() & spellings.keys())
    return candidates


def _match_inexact(spellings: Statuses, candidates: _Candidates) -> tuple[Statuses, set[str], set[str]]:
    """Return the statuses of ids that alone fit a spelling, the doubtful ids, and the foreign spellings."""
    by_reading: Statuses = {}
    doubtful: set[str] = set()
    foreign: set[str] = set()
    for spelling in candidates.inexact - candidates.exact:
        others = candidates.others(spelling)
        # An id that is spelled exactly has a status of its own; Target has no reason to name it twice.
        ids = others - candidates.exact or others
        if not ids:
            foreign.add(spelling)
        elif len(ids) > 1:
            doubtful |= ids
        else:
            [profile_id] = ids
            record_status(by_reading, profile_id, spellings[spelling])
            if profile_id in spellings:
                record_status(by_reading, profile_id, spellings[profile_id])
    for spelling in by_reading.keys() & candidates.inexact & candidates.exact:
        # Target spells this id in another way as well: the exact spelling may be another id's, encoded.
        doubtful |= candidates.others(spelling) - by_reading.keys()
    doubtful -= candidates.exact
    return {name: status for name, status in by_reading.items() if name not in doubtful}, doubtful, foreign


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
