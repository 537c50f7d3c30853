"""Fields: typed values out of a JSON object that people write; every fault, and what may be meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from enum import StrEnum
from typing import Any

from .json_object import Json
from .text import is_utf8_text, spelling_key


class JsonFields:
    """Takes typed fields out of a JSON object and collects the faults."""

    def __init__(self, data: Any, name: str, faults: list[str]) -> None:
        self.faults = faults
        self._name = name
        self._known: list[str] = []  # the fields that there are
        self._fields: Json = {}
        if isinstance(data, dict) and all(isinstance(key, str) for key in data):
            self._fields = dict(data)
        else:
            faults.append(f"{name} must be an object")

    def take(self, key: str, default: Any = None) -> Any:
        """Take a field; null is no value."""
        self._known.append(key)
        value = self._fields.pop(key, None)
        return default if value is None else value

    def text(self, key: str) -> str | None:
        """Take a text; an empty one is no value."""
        value = self.take(key)
        if value is None or is_utf8_text(value):
            return value or None
        self.faults.append(f"{key} must be text")
        return None

    def word[Word: StrEnum](self, key: str, words: type[Word]) -> Word | None:
        """Take one of some words."""
        value = self.take(key)
        if value is None:
            return None
        if value in list(words):
            return words(value)
        self.faults.append(f"{key} must be one of {', '.join(words)}{suggestion(value, words)}")
        return None

    def number(self, key: str, least: int, most: int) -> int | None:
        """Take a whole number, which JSON may also write as `10.0`."""
        value = self.take(key)
        if value is None:
            return None
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if number and value % 1 == 0 and least <= value <= most:
            return int(value)
        self.faults.append(f"{key} must be a whole number from {least} to {most}")
        return None

    def texts(self, key: str) -> tuple[str, ...]:
        """Take a list of texts."""
        texts = self.take(key, [])
        if isinstance(texts, list) and all(map(is_utf8_text, texts)):
            return tuple(texts)
        self.faults.append(f"{key} must be a list of texts")
        return ()

    def refuse_others(self) -> None:
        """Note the fields that were not taken: a misspelled one is not ignored."""
        if self._fields:
            unknown = [name + suggestion(name, self._known) for name in sorted(self._fields)]
            self.faults.append(f"{self._name} has unknown fields: {', '.join(unknown)}")


def suggestion(word: Any, words: Iterable[str]) -> str:
    """Return ` (did you mean shortRows?)` for `short_rows`: the closest of some words; else an empty text."""
    if not isinstance(word, str):
        return ""
    by_spelling = {spelling_key(known): known for known in words}
    close = get_close_matches(spelling_key(word), by_spelling, 1)
    return f" (did you mean {by_spelling[close[0]]}?)" if close else ""
