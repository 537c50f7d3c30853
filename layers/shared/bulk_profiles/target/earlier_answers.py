"""Earlier answers about a batch: what of them still counts beside a later one, and how one is kept.

| An earlier answer named a profile, and the later one  | what counts                              |
|--------------------------------------------------------|------------------------------------------|
| names it, after a failure                              | the failure; a success contradicts it    |
| names it, after anything else                          | the later word                           |
| does not name it: a failure or a word not known        | the earlier word                         |
| does not name it: a success                            | the earlier word, unless now `complete`  |
| names it in a part that is not known, after a success  | `unknown`                                |
| does not name it: pending                              | the earlier word, unless now final       |
| does not name it: flattened, several words             | the earlier word                         |

Final is `complete` or `stuck`. `complete` says more than an earlier `pending`, and lists failures or all
profiles. Counts of failures last as well. So does what is not understood, such as a word for the batch that
is not known, or a count that contradicts the rows sent: it may be a failure.
Nothing else of an earlier answer lasts.
"""

from __future__ import annotations

import dataclasses
import gzip
import json
from collections import defaultdict
from typing import Any

from bulk_profiles.core.models import ProfileStatus

from .answers import StatusAnswer, TargetState
from .response import MAX_PROFILES, Statuses, mentioned_successes
from .verdict import add_details

_FAILURES = frozenset({ProfileStatus.ERROR, ProfileStatus.UNKNOWN})
_ALL = _FAILURES | {ProfileStatus.SUCCESS, ProfileStatus.PENDING}
# Of a profile that the later answer does not name, by what it calls the batch.
_LASTING: dict[TargetState | None, frozenset[ProfileStatus]] = {
    TargetState.COMPLETE: _FAILURES,
    TargetState.STUCK: _FAILURES | {ProfileStatus.SUCCESS},
}
_MOST_DOUBTS = 8  # sentences kept of earlier answers: they go into the entry of the batch
_CALLED = 'Target called the batch "{}" in an earlier answer, a word that is not known.'
_TOO_MANY = "Target has named more profiles than a batch can have."


def combine(
    first: StatusAnswer | None, answer: StatusAnswer | None, earlier: StatusAnswer | None
) -> StatusAnswer | None:
    """Return all that Target has said of a body and that still counts.

    `first` is the first terminal answer, which stands, whatever came after it; only details are added.
    `answer` is the newest one, or None if it was not usable; `earlier` is what the one before came to.
    """
    newest = earlier is not None and earlier.state is TargetState.COMPLETE
    if first is not None and not (answer is None and newest):
        answer = add_details(first, answer)
    return earlier if answer is None else add_earlier(answer, earlier)


def add_earlier(answer: StatusAnswer, earlier: StatusAnswer | None) -> StatusAnswer:
    """Return an answer with what an earlier one said and still counts."""
    if earlier is None:
        return answer
    answer = dataclasses.replace(answer, unclear=_doubts(answer, earlier))
    statuses = _lasting(earlier, answer)
    mentioned = mentioned_successes(statuses, answer.mentions)
    statuses |= dict.fromkeys(mentioned, ProfileStatus.UNKNOWN)
    if len(statuses.keys() | answer.profiles.keys()) > MAX_PROFILES:
        return dataclasses.replace(answer, unclear=(*answer.unclear, _TOO_MANY))
    overruled = {spelling for spelling in statuses if answer.profiles.get(spelling) is ProfileStatus.SUCCESS}
    return dataclasses.replace(
        answer,
        not_found=_highest(answer.not_found, earlier.not_found),
        failed=_highest(answer.failed, earlier.failed),
        profiles=answer.profiles | statuses,
        contradicted=answer.contradicted | overruled | (earlier.contradicted & statuses.keys()),
        unusable=answer.unusable | mentioned | (earlier.unusable & statuses.keys()),
        flattened=answer.flattened or (earlier.flattened and bool(statuses)),
        unknown_words=answer.unknown_words or earlier.unknown_words,
    )


def to_bytes(answer: StatusAnswer) -> bytes:
    """Return a whole answer, its profiles included, as gzipped JSON."""
    spellings: dict[str, list[str]] = defaultdict(list)
    for spelling, status in answer.profiles.items():
        spellings[status.value].append(spelling)
    whole = {
        "answer": answer.to_json(),
        "profiles": spellings,
        "contradicted": sorted(answer.contradicted),
        "unusable": sorted(answer.unusable),
        "flattened": answer.flattened,
        "unknownWords": answer.unknown_words,
    }
    return gzip.compress(json.dumps(whole).encode(), compresslevel=5, mtime=0)


def from_bytes(data: bytes) -> StatusAnswer:
    """Read what `to_bytes` returned."""
    whole: dict[str, Any] = json.loads(gzip.decompress(data))
    return dataclasses.replace(
        StatusAnswer.from_json(whole["answer"]),
        profiles={
            spelling: ProfileStatus(status)
            for status, spellings in whole["profiles"].items()
            for spelling in spellings
        },
        contradicted=frozenset(whole["contradicted"]),
        unusable=frozenset(whole["unusable"]),
        flattened=whole["flattened"],
        unknown_words=whole["unknownWords"],
    )


def _lasting(earlier: StatusAnswer, answer: StatusAnswer) -> Statuses:
    """Return the profiles of which an earlier word counts."""
    lasting = _LASTING.get(answer.state, _ALL)
    return {
        spelling: status
        for spelling, status in earlier.profiles.items()
        if status is ProfileStatus.ERROR
        or ((status in lasting or _may_hide(spelling, earlier)) and spelling not in answer.profiles)
    }


def _may_hide(spelling: str, answer: StatusAnswer) -> bool:
    """Whether another id, with a word that is not known, may be a part of a spelling: `u1 odd u2`."""
    return answer.flattened and len(spelling.split()) > 1


def _doubts(answer: StatusAnswer, earlier: StatusAnswer) -> tuple[str, ...]:
    """Return what is not understood in either answer, each sentence once."""
    other = earlier.state is TargetState.OTHER and earlier.word != answer.word
    words = [_CALLED.format(earlier.word)] if other else []
    return tuple(dict.fromkeys((*answer.unclear, *words, *earlier.unclear[:_MOST_DOUBTS])))


def _highest(count: int | None, earlier: int | None) -> int | None:
    """Return the higher of two counts of failures. An earlier 0 is no evidence beside a later answer."""
    return max(count or 0, earlier) if earlier else count
