"""The variables of make, as a person has written them."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from local.errors import LocalRunError


def check(goal: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Raise LocalRunError for a variable that a goal of make does not have."""
    known = list(known)
    for name in given:
        if name not in known:
            others = f"make {goal} has {', '.join(known) or 'none'}"
            raise LocalRunError(f"There is no variable {name}{did_you_mean(name, known) or f'; {others}'}")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ` (did you mean FILE?)` for `file`: the closest of some words; empty where none is close."""
    spellings = {each.casefold(): each for each in known}
    close = get_close_matches(word.casefold(), spellings, 1)
    return f" (did you mean {spellings[close[0]]}?)" if close else ""
