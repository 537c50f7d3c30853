"""The key column of a file: the one with the ids, by the names in the header and by the feed.

It is spelled exactly as the feed or Target spells it. Where no column is, the only one that means the same in
another spelling is the key, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from bulk_profiles.core.errors import FileRejectedError
from bulk_profiles.core.feeds import Feed, plain_name
from bulk_profiles.core.models import KeyColumn
from bulk_profiles.core.text import quantity, quoted, spelling_key

_KINDS = {spelling_key(kind): kind for kind in KeyColumn} | {
    "mbox3rdpartyid": KeyColumn.THIRD_PARTY_ID  # as Target's pages and its Delivery API name the same id
}
KEY_SPELLINGS = frozenset(_KINDS)  # of the names of key columns that Target knows
_NEAR = 0.6  # of 1: how alike two names must be for one to be suggested
_MOST_NEAR = 1000  # names in which one is looked for that is near
_EXAMPLE = "customer"  # of a column's name, where none is near


@dataclass(frozen=True, slots=True)
class Key:
    """The key column of a file."""

    number: int  # of the column
    kind: KeyColumn  # what its ids are
    respelled: bool  # it is spelled neither as the feed nor as Target spells it


def kind_of(name: str) -> KeyColumn | None:
    """Return the kind of key that a name means, in any spelling."""
    return _KINDS.get(spelling_key(name))


def meaning(name: str) -> str:
    """Return what all names that mean the same have in common: the kind of a key, or the spelling key."""
    return kind_of(name) or spelling_key(name)


def has_key_column(header: Sequence[str], feed: Feed) -> bool:
    """Whether a column can be meant as the key, by the names in a header as they stand there."""
    return bool(_candidates([plain_name(cell) for cell in header], feed))


def key_number(header: Sequence[str], feed: Feed) -> int | None:
    """Return the number of the key column; None where no column, or more than one, can be meant."""
    names = [plain_name(cell) for cell in header]
    candidates = _candidates(names, feed)
    return candidates[0] if len({names[number] for number in candidates}) == 1 else None


def sent_columns(header: Sequence[str], feed: Feed) -> list[bool]:
    """Return for each column whether it is sent, by the names in a header as they stand there."""
    key = key_number(header, feed)
    return [number == key or feed.mapping.sends(plain_name(cell)) for number, cell in enumerate(header)]


def find_key(names: Sequence[str], feed: Feed) -> Key:
    """Return the key column among plain names.

    Raises `FileRejectedError` where no column, or more than one, can be meant.
    """
    candidates = _candidates(names, feed)
    if not candidates:
        raise FileRejectedError(_no_key(names, feed))
    expected, number = _expected(feed), candidates[0]
    respelled = names[number] not in expected
    distinct = list(dict.fromkeys(names[candidate] for candidate in candidates))
    if len(distinct) > 1:
        raise FileRejectedError(
            f"The header has no column {_either(expected)}, and more than one that can be meant "
            f"({quoted(distinct)}): choose one, as in {_remedy(distinct[0])}."
            if respelled
            else "The header has both pcId and thirdPartyId: choose one of them as keyColumn in the feed."
        )
    kind = feed.key_column or kind_of(feed.mapping.key) or kind_of(names[number])
    return Key(number, kind or KeyColumn.THIRD_PARTY_ID, respelled)


def _expected(feed: Feed) -> list[str]:
    """Return the names of a key column: that of the feed, or else `pcId` and `thirdPartyId`."""
    named = feed.mapping.key or feed.key_column
    return [named] if named else list(KeyColumn)


def _candidates(names: Sequence[str], feed: Feed) -> list[int]:
    """Return the numbers of the columns that can be meant: those spelled exactly, if there are any."""
    expected = _expected(feed)
    exact = [number for number, name in enumerate(names) if name in expected]
    if exact:
        return exact
    meant = {meaning(name) for name in expected}
    return [number for number, name in enumerate(names) if meaning(name) in meant]


def _no_key(names: Sequence[str], feed: Feed) -> str:
    """Return the sentence on a header without a key column: what there is, and what to do."""
    expected = _expected(feed)
    other = next((name for name in names if kind_of(name)), "") if not feed.mapping.key else ""
    if other:
        return (
            f"The feed says that the key column is {_either(expected)}, and the header has "
            f'{quoted([other])}: set "keyColumn": "{kind_of(other)}" in the feed if the ids are of that '
            "kind, or correct the file."
        )
    near = _nearest(names, expected)
    nearest = f"; the nearest is {quoted([near])}" if near else ""
    named = ", which the feed names as the key column" if feed.mapping.key or feed.key_column else ""
    return (
        f"The header has no key column {_either(expected)}{named}, but {quantity(len(names), 'column')}"
        f"{': ' if names else ''}{quoted(names)}{nearest}. Rename the one with the ids, or name it, as in "
        f"{_remedy(near or _EXAMPLE)}."
    )


def _nearest(names: Sequence[str], expected: Sequence[str]) -> str:
    """Return the name that is most like an expected one; an empty text if none is like one."""
    likeness = {"": 0.0} | {
        name: max(
            SequenceMatcher(None, spelling_key(name), spelling_key(other)).ratio() for other in expected
        )
        for name in names[:_MOST_NEAR]
    }
    nearest = max(likeness, key=likeness.__getitem__)
    return nearest if likeness[nearest] >= _NEAR else ""


def _either(expected: Sequence[str]) -> str:
    return " or ".join(name if name in list(KeyColumn) else quoted([name]) for name in expected)


def _remedy(name: str) -> str:
    name = quoted([name])
    return f'"mapping": {{"key": {name}}} in the feed, or --key-column {name} for bulk-profiles plan'
