"""Which ids of a batch Target means by the ids that it spells.

A spelling that is an id of the batch speaks for that id alone; any other is read decoded, and believed where
it can mean one id of the batch only.
"""

from __future__ import annotations

import dataclasses
import html
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote, unquote_plus

from bulk_profiles.core.models import ProfileStatus

from .flat_reader import may_mislead
from .response import UnusableAnswerError, note


@dataclass(frozen=True, slots=True)
class Named:
    """What Target said of the ids of one batch.

    `spelled`: by id as Target spelled it. `read`: ids that Target spelled in another way, which can mean no
    other id of the batch. `doubtful`: ids that a spelling may mean, as it may another. `foreign`: how many
    spellings mean no id of the batch; `foreign_errors`: how many of these failed. `said`: how many of the ids
    have which word; None: they have none.
    """

    spelled: dict[str, ProfileStatus] = field(default_factory=dict, repr=False)
    read: dict[str, ProfileStatus] = field(default_factory=dict, repr=False)
    doubtful: frozenset[str] = field(default=frozenset(), repr=False)
    foreign: int = 0
    foreign_errors: int = 0
    said: Counter[ProfileStatus | None] = field(default_factory=Counter)

    def status_of(self, profile_id: str) -> ProfileStatus | None:
        """Give what Target said of an id (decoded, as in the source file), or None where it did not name it.

        `unknown`: named with a word that is not known.
        """
        return self.read.get(profile_id) or self.spelled.get(profile_id)


@dataclass(frozen=True, slots=True)
class _Ours:
    """The ids of a batch that Target's spellings may mean.

    `exact`: those that are spelled so. `plain`: those that one may read as. `bent`: the same, by what they
    are without the white space that may get lost on the way.
    """

    exact: set[str]
    plain: set[str]
    bent: dict[str, set[str]]

    def meant_by(self, spelling: str) -> set[str]:
        """Give the ids that a spelling may mean if it is not taken as it is."""
        readings = _readings(spelling)
        meant = {reading for reading in readings if reading in self.exact or reading in self.plain}
        return meant.union(*(self.bent.get(reading, ()) for reading in readings)) - {spelling}


def find_named(spelled: dict[str, ProfileStatus], ids: Iterable[str], rows: int, *, flattened: bool) -> Named:
    """Find the batch's `rows` ids among Target's spellings; without any, no id is read.

    `flattened`: the answer lost its tags. Raises `UnusableAnswerError` where such an answer can be read in
    more than one way.
    """
    if not spelled:
        return Named(said=Counter({None: rows}))
    odd = {spelling for spelling in spelled if _is_odd(spelling)}
    several = [spelling for spelling in spelled if len(spelling.split()) > 1] if flattened else []
    odd.update(several)
    ours = _find(spelled, odd, _unmistakable(ids) if flattened else ids)
    if any(spelling not in ours.exact and not ours.meant_by(spelling) for spelling in several):
        raise UnusableAnswerError("The answer lost its tags, and has words that are no id of the batch.")
    read, doubtful, meaning = _read(spelled, odd, ours)
    foreign = [word for spelling, word in spelled.items() if spelling not in meaning]
    named = Named(spelled, read, frozenset(doubtful), len(foreign), foreign.count(ProfileStatus.ERROR))
    said = Counter(map(named.status_of, ours.exact | read.keys()))
    said[ProfileStatus.UNKNOWN] += len(doubtful)
    said[None] = rows - said.total()
    return dataclasses.replace(named, said=said)


def _unmistakable(ids: Iterable[str]) -> Iterator[str]:
    for profile_id in ids:
        if may_mislead(profile_id):
            raise UnusableAnswerError("The answer lost its tags, and the batch has ids that may mislead.")
        yield profile_id


def _find(spelled: Container[str], odd: set[str], ids: Iterable[str]) -> _Ours:
    """Read the ids once and keep those that matter; a spelling that may have lost white space is odd too."""
    readings = {reading for spelling in odd for reading in _readings(spelling)}
    ours = _Ours(set(), set(), defaultdict(set))
    for profile_id in ids:
        if profile_id in spelled:
            ours.exact.add(profile_id)
        folded = _fold(profile_id)
        if folded == profile_id:
            if profile_id in readings:
                ours.plain.add(profile_id)
        elif folded in spelled or folded in readings:
            if folded in spelled:
                odd.add(folded)
            ours.bent[folded].add(profile_id)
    return ours


def _read(
    spelled: dict[str, ProfileStatus], odd: set[str], ours: _Ours
) -> tuple[dict[str, ProfileStatus], set[str], set[str]]:
    """Give what odd spellings mean, what they may mean, and which of all spellings mean some id."""
    read: dict[str, ProfileStatus] = {}
    doubtful: set[str] = set()
    meaning = set(ours.exact)
    for spelling in odd - ours.exact:
        meant = ours.meant_by(spelling)
        if meant:
            meaning.add(spelling)
        # What is spelled exactly has its own word; Target has no reason to name it twice.
        meant = meant - ours.exact or meant
        if len(meant) > 1:
            doubtful |= meant
        for profile_id in meant if len(meant) == 1 else ():
            note(read, profile_id, spelled.get(profile_id, spelled[spelling]))
            note(read, profile_id, spelled[spelling])
    for spelling in read.keys() & odd & ours.exact:
        # Target spells this id in another way as well: its exact spelling may be another id's, encoded.
        doubtful |= ours.meant_by(spelling) - read.keys()
    doubtful -= ours.exact
    return {name: word for name, word in read.items() if name not in doubtful}, doubtful, meaning


def _is_odd(spelling: str) -> bool:
    """Tell whether a spelling may be that of another id: encoded, or with white space to lose."""
    return "%" in spelling or "+" in spelling or "&" in spelling or spelling != _fold(spelling)


def _readings(spelling: str) -> set[str]:
    """Give all that a spelling may mean: as it is, or encoded for the URL, for XML, or for both."""
    texts = {spelling, html.unescape(spelling)}
    for text in tuple(texts):
        texts.add(unquote(text))
        if "+" in text:
            texts.add(unquote_plus(text))
    return set(map(_fold, texts))


def _fold(text: str) -> str:
    return " ".join(text.split())
