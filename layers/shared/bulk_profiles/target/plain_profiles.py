"""The fast reader of profiles that an answer lists in Target's plainest form.

    <profile><id>u1</id><status>success</status></profile><profile><id>u2</id><status>error</status></profile>

White space between the tags may be of any kind, if it is the same in every profile. What this reader takes it
proves to be of that form, with a few passes over all bytes; everything else is for the parser. Both say the
same of what both read.
"""

from __future__ import annotations

import re

from .response import KNOWN_WORDS, MAX_TEXT

_FIRST = re.compile(
    rb"([ \t\r\n]*)<profile>([ \t\r\n]*)<id>[^<]*</id>([ \t\r\n]*)<status>[^<]*</status>([ \t\r\n]*)"
    rb"</profile>(?:([ \t\r\n]*)<profile>)?"
)
_ID, _PROFILE = b"\x01", b"\x02"  # end an id and a profile; XML has no such characters
# What the parser reads in another way, or not at all: markup, references, control characters, the end of a
# CDATA section, and the beginning of U+FFFE and U+FFFF.
_SPECIAL_BYTES = b"<&" + bytes({*range(0x20)} - {*_ID, *_PROFILE})
_SPECIAL_PARTS = (b"]]>", b"\xef\xbf")
_SEPARATORS = _ID + _PROFILE
_OTHERS = bytes({*range(256)} - {*_SEPARATORS})


def read_plain(unit: bytes | bytearray) -> tuple[list[str], list[str]] | None:
    """Return the ids of a run of profiles and Target's words for them; None where it is not plain."""
    body = _separated(unit)
    if body is None:
        return None
    try:
        cells = body.replace(_PROFILE, _ID).decode().split(_ID.decode())
    except UnicodeDecodeError:
        return None
    ids, words = cells[::2], cells[1::2]
    lengths = [*map(len, ids)]
    readable = min(lengths) > 0 and max(lengths) <= MAX_TEXT and not any(map(str.isspace, ids))
    return (ids, words) if readable and KNOWN_WORDS.issuperset(words) else None


def _separated(unit: bytes | bytearray) -> bytes | bytearray | None:
    """Return the ids and words of a run of profiles, separated; None where it is not plain."""
    first = _FIRST.match(unit)
    if not first or _ID in unit or _PROFILE in unit:
        return None
    before, to_id, to_status, to_end, between = (group or b"" for group in first.groups())
    start = b"<profile>" + to_id + b"<id>"
    end = b"</status>" + to_end + b"</profile>"
    body = unit[len(before + start) : -len(end)].replace(end + between + start, _PROFILE)
    body = body.replace(b"</id>" + to_status + b"<status>", _ID)
    separators = body.translate(None, _OTHERS)
    in_turn = separators == (_SEPARATORS * len(separators))[: len(separators)] and len(separators) % 2
    special = len(body.translate(None, _SPECIAL_BYTES)) < len(body) or any(
        part in body for part in _SPECIAL_PARTS
    )
    return body if unit.endswith(end) and in_turn and not special else None
