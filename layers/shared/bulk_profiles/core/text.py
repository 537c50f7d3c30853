"""Texts from outside, made fit to be shown."""

from __future__ import annotations

import unicodedata

_MAX_MESSAGE = 300


def printable(text: str) -> str:
    """Make a text from outside fit to be shown: one line without control characters, not too long."""
    line = "".join(" " if unicodedata.category(character)[0] in "CZ" else character for character in text)
    return " ".join(line.split())[:_MAX_MESSAGE]
