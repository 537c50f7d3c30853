"""Dialects: what the simulated Target answers instead of the usual, batch by batch, as a text file says.

    # The second batch that arrives: eight looks at its profiles, then nothing.
    status 2
      times 8
      generation 1
      profile 1-3 success
      profile 4 failed

    status 2
      code 404

A section is about the submission (`submit`) or the status calls (`status`) of some batches, and names them by
their place among the bodies that arrive (`2`), by an id of theirs (`with u7`), or all others (`*`). Of
several sections about one batch the first is used for its `times`, then the next. docs/dialects.md has all
keys.
"""

from __future__ import annotations

import codecs
import dataclasses
import difflib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from simulator.scripts import ALWAYS, STATUS, SUBMIT

_SECTION = re.compile(rf"({SUBMIT}|{STATUS}) (?:(\*)|([1-9][0-9]{{0,5}})|with (\S.*))")
_HIGHEST_CODE = 599


class Framing(StrEnum):
    """How the end of an answer's body is shown, or not."""

    LENGTH = "length"
    CHUNKED = "chunked"
    CLOSE = "close"  # by the end of the connection alone
    CUT = "cut"  # half of what the length announces
    CUT_CHUNKED = "cut-chunked"  # without the last chunk
    NO_NUMBER = "no-number"  # a length that is no number
    GZIP = "gzip"
    CUT_GZIP = "cut-gzip"  # half of the compressed bytes, with their right length


class DialectError(ValueError):
    """A dialect cannot be read. The message names the line and what may stand there."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one section answers. A field with its default changes nothing."""

    on: str  # the kind of call
    number: int = 0  # of the batch, in the order in which bodies arrive; 0: any
    with_id: str = ""  # an id of the batch; empty: any
    times: int = ALWAYS  # calls about one batch that it answers
    # The usual answer with changes.
    generation: int = 0
    flattened: bool = False
    word: str = ""  # for the batch; `none`: no word
    profiles: tuple[tuple[int, str], ...] = ()  # rows that are named, with their words
    spellings: tuple[tuple[int, str], ...] = ()  # rows whose ids are spelled in another way
    counts: tuple[tuple[str, str], ...] = ()  # by element, such as failedUpdates
    extra: tuple[str, ...] = ()  # XML at the end of the response
    message: str = ""  # of a batch that is refused
    accepted: bool | None = None  # whether Target takes the batch; None: as code and message say
    batch_id: str = ""  # in place of one of its own
    # Another answer.
    code: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: str | None = None  # with {batchId}, {statusUrl}, {size}, {id1}, {id2}, ...
    # On the wire.
    prefix: str = ""  # before the body, such as an XML declaration
    encoding: str = "utf-8"
    framing: Framing = Framing.LENGTH
    interim: tuple[int, ...] = ()  # HTTP statuses of the answers before the final one

    @property
    def accepts(self) -> bool:
        """Whether Target takes a batch that is submitted."""
        return self.code < 300 and not self.message if self.accepted is None else self.accepted  # noqa: PLR2004

    def is_about(self, on: str, number: int, ids: Iterable[str]) -> bool:
        """Whether a call about a batch may be answered by this section."""
        return self.on == on and self.number in {0, number} and (not self.with_id or self.with_id in ids)


def parse(text: str) -> list[Dialect]:
    """Read the sections of a dialect; those that name their batch go first. Raises `DialectError`."""
    sections: list[Dialect] = []
    for number, line in enumerate(map(str.strip, text.splitlines()), 1):
        if line and not line.startswith("#"):
            try:
                _read_line(line, sections)
            except DialectError as error:
                raise DialectError(f"line {number}: {error}") from None
    return sorted(sections, key=lambda section: not (section.number or section.with_id))


def _read_line(line: str, sections: list[Dialect]) -> None:
    if line.split(maxsplit=1)[0] in {SUBMIT, STATUS}:
        sections.append(_section(line))
    elif sections:
        sections[-1] = _with_key(sections[-1], line)
    else:
        raise DialectError("a section comes first, such as `status 2`")


def _section(line: str) -> Dialect:
    match = _SECTION.fullmatch(line)
    if match is None:
        raise DialectError("a section is `submit` or `status` and `2`, `with <id>` or `*`")
    return Dialect(match[1], number=int(match[3] or 0), with_id=match[4] or "")


def _with_key(section: Dialect, line: str) -> Dialect:
    name, _, text = line.partition(" ")
    key = _KEYS.get(name)
    if key is None:
        close = difflib.get_close_matches(name, _KEYS, 1)
        raise DialectError(
            f"there is no key `{name}`; "
            + (f"is it `{close[0]}`?" if close else f"there are {', '.join(_KEYS)}")
        )
    if key.on not in {"", section.on}:
        raise DialectError(f"`{name}` is for a section of `{key.on}`")
    try:
        value = key.read(text.strip())
    except (ValueError, LookupError):
        raise DialectError(f"`{name}` is {key.form}, not `{text.strip()}`") from None
    if isinstance(getattr(section, key.field), tuple):
        value = (*getattr(section, key.field), *value)
    return dataclasses.replace(section, **{key.field: value})


@dataclass(frozen=True, slots=True)
class _Key:
    """A key of a section: the field that it sets, how it is read, and the form for an error."""

    field: str
    read: Callable[[str], Any]
    form: str
    on: str = ""  # the kind of section; empty: both


def _text(text: str) -> str:
    if not text:
        raise ValueError
    return text


def _number(lowest: int, highest: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        number = int(text)
        if not lowest <= number <= highest:
            raise ValueError
        return number

    return read


def _yes(text: str) -> bool:
    return {"yes": True, "no": False}[text]


def _codec(text: str) -> str:
    codecs.lookup(_text(text))
    return text


def _interim(text: str) -> tuple[int, ...]:
    return tuple(map(_number(100, 199), _text(text).split()))


def _pair(separator: str) -> Callable[[str], tuple[tuple[str, str], ...]]:
    def read(text: str) -> tuple[tuple[str, str], ...]:
        name, found, value = text.partition(separator)
        if not (name and found):
            raise ValueError
        return ((name, value.strip()),)

    return read


def _rows(text: str) -> tuple[tuple[int, str], ...]:
    """Read rows and a text: `4 failed` or `1-3 success`."""
    rows, _, value = text.partition(" ")
    first, _, last = rows.partition("-")
    numbers = range(int(first), int(last or first) + 1)
    if not numbers or numbers[0] < 1:
        raise ValueError
    return tuple((number, _text(value.strip())) for number in numbers)


_KEYS = {
    "times": _Key("times", _number(1, 1_000_000), "a number of calls"),
    "code": _Key("code", _number(200, _HIGHEST_CODE), "a final HTTP status"),
    "header": _Key("headers", _pair(": "), "a header such as `Content-Type: text/xml`"),
    "body": _Key("body", str, "a text"),
    "prefix": _Key("prefix", _text, "a text"),
    "extra": _Key("extra", lambda text: (_text(text),), "XML"),
    "encoding": _Key("encoding", _codec, "an encoding such as utf-16"),
    "framing": _Key("framing", Framing, "one of " + ", ".join(Framing)),
    "interim": _Key("interim", _interim, "HTTP statuses from 100 to 199"),
    "message": _Key("message", _text, "a text", SUBMIT),
    "accepted": _Key("accepted", _yes, "yes or no", SUBMIT),
    "batch-id": _Key("batch_id", _text, "a text", SUBMIT),
    "generation": _Key("generation", _number(1, 4), "a number from 1 to 4", STATUS),
    "flattened": _Key("flattened", _yes, "yes or no"),
    "word": _Key("word", _text, "a word for the batch, or none", STATUS),
    "profile": _Key("profiles", _rows, "rows and a word, such as `1-3 success`", STATUS),
    "spelling": _Key("spellings", _rows, "rows and a text, such as `4 U4`", STATUS),
    "count": _Key("counts", _pair(" "), "an element and a text, such as `failedUpdates 3`", STATUS),
}
