"""The charset of an answer: whatever it is, the readers get UTF-8.

A byte order mark goes before the charset in Content-Type, and that before the one in the XML declaration
(RFC 7303, section 3). Without any of them an answer is in UTF-8, or in UTF-16 if it begins with a `<` of two
bytes.
"""

from __future__ import annotations

import codecs
import itertools
import re
from collections.abc import Iterable, Iterator
from typing import cast

from .own_words import mask
from .response import UnusableAnswerError, shown

_HEAD_BYTES = 256  # a declaration is within these
_DECLARED = re.compile(rb"(?:\xef\xbb\xbf)?\s*<\?xml\s[^>]*?\bencoding\s*=\s*[\"']([^\"'>]*)[\"']")
_BEGINS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),  # Python's codec of that name looks for the mark
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WIDE_BEGINS = ((b"<\x00", "utf-16-le"), (b"\x00<", "utf-16-be"))
_UTF_8 = frozenset({"utf-8", "ascii"})
_KNOWN = _UTF_8 | {"iso8859-1", "iso8859-15", "cp1252", "utf-16", "utf-16-le", "utf-16-be"}

_NO_CHARACTER = "bulk_profiles.no_character"
codecs.register_error(_NO_CHARACTER, lambda error: ("\uffff", cast("UnicodeDecodeError", error).end))


def utf8_pieces(pieces: Iterable[bytes], declared: str = "") -> Iterator[bytes]:
    """Return the pieces of an answer in UTF-8. What is in UTF-8 already is passed on unchecked.

    `declared`: the charset in Content-Type. Raises `UnusableAnswerError` for one that is not known.
    """
    rest = iter(pieces)
    head = b""
    for piece in rest:
        head = (head + piece).lstrip()
        if len(head) >= _HEAD_BYTES:
            break
    charset = _charset(head, declared)
    whole = itertools.chain([head], rest)
    return whole if charset in _UTF_8 else _recoded(whole, charset)


def _charset(head: bytes, declared: str) -> str:
    """Return the charset of an answer by Python's name for it."""
    for begin, charset in _BEGINS:
        if head.startswith(begin):
            return charset
    declaration = _DECLARED.match(head)
    name = declared or (declaration[1].decode("latin-1") if declaration else "")
    try:
        charset = codecs.lookup(name).name if name else ""
    except (LookupError, ValueError):
        charset, name = name, mask(name)
    if charset and charset not in _KNOWN:
        raise UnusableAnswerError(f"is in a charset that is not known: {shown([name])}")
    wide = next((charset for begin, charset in _WIDE_BEGINS if head.startswith(begin)), "")
    if charset == "utf-16":  # the order of its bytes shows in the first character
        return wide or "utf-16-be"
    return charset or wide or "utf-8"


def _recoded(pieces: Iterable[bytes], charset: str) -> Iterator[bytes]:
    """Yield the pieces in UTF-8; bytes that stand for no character become U+FFFF.

    Unlike U+FFFD, that is part of no id: XML does not have it.
    """
    decoder = codecs.getincrementaldecoder(charset)(errors=_NO_CHARACTER)
    for piece in pieces:
        yield decoder.decode(piece).encode()
    yield decoder.decode(b"", final=True).encode()
