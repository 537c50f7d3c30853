"""Texts from outside: whether UTF-8 can encode one, what of it can be seen, and how it is shown to people."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import TypeGuard

_MAX_MESSAGE = 300
_MAX_NAME = 40
_MAX_NAMES = 10
# Letters, marks and a symbol of Unicode that show nothing: Hangul fillers, the braille blank and others.
_EMPTY_SIGNS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_DECIMAL = "Nd"


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


def without_invisible(name: str) -> str:
    """Return a name as it looks: without characters that show nothing, and without blanks at its ends.

    U+FEFF, which is the byte order mark, and U+200B are such characters. A blank that is not ASCII, such as
    U+00A0, becomes a space.
    """
    return "".join(map(_visible, name)).strip()


def is_blank(text: str) -> bool:
    """Whether a text shows nothing: see `without_invisible`."""
    return not any(_visible(sign).strip() for sign in text)


def _visible(sign: str) -> str:
    if sign.isspace():
        return sign if sign.isascii() else " "
    return "" if sign in _EMPTY_SIGNS or unicodedata.category(sign) in {"Cc", "Cf"} else sign


def spelling_key(name: str) -> str:
    """Return what all spellings of a name have in common: `Third-Party ID` becomes `thirdpartyid`.

    Only letters, marks and digits count. What is between two digits is one `_`, as `Q1_1` and `Q11` are two
    names. A name without any letter or digit stays as it is.
    """
    text = without_invisible(unicodedata.normalize("NFKC", name))
    key, between = "", False
    for sign in text:
        category = unicodedata.category(sign)
        if category[0] not in "LMN":
            between = True
            continue
        if between and category == _DECIMAL and key and unicodedata.category(key[-1]) == _DECIMAL:
            key += "_"
        key += sign
        between = False
    return unicodedata.normalize("NFKC", (key or text).casefold())


def printable_name(name: str) -> str:
    """Return a name with a question mark for each character that cannot be printed."""
    return "".join(sign if sign.isprintable() else "?" for sign in name)


def short_name(name: str, longest: int = _MAX_NAME) -> str:
    """Return a name of an unknown file for people: cut, and with a `?` for what cannot be printed."""
    return printable_name(name[:longest])


def quoted(names: Sequence[str]) -> str:
    """Return names of an unknown file in quotes: the first ten, each short."""
    more = ", ..." if len(names) > _MAX_NAMES else ""
    return ", ".join(f'"{short_name(name)}"' for name in names[:_MAX_NAMES]) + more


def printable(text: str) -> str:
    """Return a text as one line without control characters, cut to 300 characters."""
    line = "".join(" " if unicodedata.category(character)[0] in "CZ" else character for character in text)
    return " ".join(line.split())[:_MAX_MESSAGE]


def quantity(number: int, noun: str) -> str:
    """Return a number with its noun: `1 row`, `2 rows`, `2 batches`."""
    plural = "es" if noun.endswith("ch") else "s"
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}{plural}"
