"""What a text in an answer may stand for: an id as it is, or one that was encoded on its way.

Target may percent-encode an id, escape it for XML, do either more than once or both, lose white space, or
take bytes in UTF-8 for another charset. Two texts *read alike* if they have a reading in common: then either
may stand for the other. Bytes that stand for no character have no reading: U+FFFD, by which they are often
replaced, may be part of an id.
"""

from __future__ import annotations

import contextlib
import html
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import unquote

_MOST_STEPS = 4  # from a text to a reading of it: `%25252541` takes four to become `A`
_MOST_READINGS = 64  # of one text
_CHARSETS = ("utf-8", "cp1252", "latin-1")
# What a character of two bytes or more in UTF-8 looks like in another charset: `Ã©` for `é`.
_OTHER_CHARSET = re.compile(r"[\u00c2-\u00f4][^\x00-\x7f]")
_WORD = re.compile(r"[^\W_]+|\S")
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def fold(text: str) -> str:
    """Return a text without the white space that may get lost: ` a  b` becomes `a b`."""
    return " ".join(text.split())


def is_inexact(text: str) -> bool:
    """Whether a text has other readings than itself."""
    if "%" in text or "+" in text or "&" in text or text != " ".join(text.split()):
        return True
    return not text.isascii() and bool(_OTHER_CHARSET.search(text))


def readings(text: str) -> set[str]:
    """Return all that a text may stand for, without the white space that may get lost."""
    found = {text}
    newest = found
    for _ in range(_MOST_STEPS):
        newest = {reading for each in newest if is_inexact(each) for reading in _decoded(each)} - found
        found |= newest
        if not newest or len(found) > _MOST_READINGS:
            break
    return {fold(each) for each in found}


def _decoded(text: str) -> Iterable[str]:
    """Yield a text decoded once, in each way."""
    if "&" in text:
        with contextlib.suppress(ValueError):  # a reference to a number of thousands of digits
            unescaped = html.unescape(text)
            # What stands for no character, such as `&#0;`, became one that an id may have.
            if unescaped.count(_REPLACEMENT) == text.count(_REPLACEMENT):
                yield unescaped
    if "%" in text:
        yield from _in_charsets(text)
    if "+" in text:
        yield text.replace("+", " ")
    if not text.isascii():
        for charset in _CHARSETS[1:]:
            with contextlib.suppress(UnicodeError):
                yield text.encode(charset).decode()


def _in_charsets(text: str) -> Iterable[str]:
    """Yield a text with its percent-encoding decoded, in each charset that has all the characters."""
    for charset in _CHARSETS:
        with contextlib.suppress(UnicodeDecodeError):
            decoded = unquote(text, charset, "strict")
            yield decoded
            if decoded.isascii():
                return


@dataclass(slots=True)
class Mentions:
    """The words in the parts of an answer that are not understood: an id may be there because it failed."""

    words: set[str] = field(default_factory=set)

    def add(self, text: str) -> None:
        """Add the words of a text, in all readings of each."""
        for word in set(text.split()):
            for reading in readings(word) if is_inexact(word) else (word,):
                self.words |= _words(reading)

    def may_name(self, profile_id: str) -> bool:
        """Whether all words of an id, in one of its readings, are there, in whatever order.

        U+FFFD stands there for a character that was lost. That may be any but those of ASCII.
        """
        if _REPLACEMENT in self.words and not profile_id.isascii():
            return True
        ids = readings(profile_id) if is_inexact(profile_id) else (profile_id,)
        for words in map(_words, ids):
            if self.words.issuperset({word for word in words if word.isalnum()} or words):
                return True
        return False


def _words(text: str) -> set[str]:
    """Return the words of a text, whatever their case, and all other signs."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return set(_WORD.findall(text.casefold()))
