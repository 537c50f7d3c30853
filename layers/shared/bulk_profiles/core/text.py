"""Texts: whether UTF-8 can encode one from outside, what of it is fit to be shown, and numbers with nouns."""

from __future__ import annotations

import unicodedata
from typing import TypeGuard

_MAX_MESSAGE = 300


def is_utf8_text(value: object) -> TypeGuard[str]:
    r"""Whether a value is a text that UTF-8 can encode.

    It cannot encode a lone surrogate, half a character, which JSON can spell: `"\ud800"`.
    """
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def printable(text: str) -> str:
    """Return a text as one line without control characters, cut to 300 characters."""
    line = "".join(" " if unicodedata.category(character)[0] in "CZ" else character for character in text)
    return " ".join(line.split())[:_MAX_MESSAGE]


def quantity(number: int, noun: str) -> str:
    """Return a number with its noun: `1 row`, `2 rows`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
