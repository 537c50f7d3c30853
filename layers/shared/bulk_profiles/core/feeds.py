"""What a feed says about its files: client, key column, format hints and the mapping of columns.

A feed is `<name>.json`; everything in it is optional, and an empty one suits an ordinary file.
"""

from __future__ import annotations

import codecs
import dataclasses
import re
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

from .errors import FeedError
from .json_object import Json, SparseJsonObject
from .models import ApiVersion, KeyColumn
from .text import is_utf8_text

PREFIX = "profile."
CLIENT_CODE = re.compile(r"[A-Za-z0-9_-]{1,64}")
DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}


class Quoting(StrEnum):
    """Whether a quote at the start of a cell opens a quoted value."""

    DOUBLE = "double"
    NONE = "none"


class SeparatorInValue(StrEnum):
    """What becomes of a comma, a quote or a line break inside a value."""

    ENCODE = "encode"  # sent percent-encoded, as documented
    REPLACE = "replace"  # each is sent as a space
    REJECT = "reject"  # the row is rejected


def plain_name(name: str) -> str:
    """Give a column's name as Target takes it: trimmed, without the prefix that Target adds itself."""
    name = name.strip()
    return name.removeprefix(PREFIX) or name


@dataclass(frozen=True, slots=True)
class Mapping(SparseJsonObject):
    """How the columns of a file become the attributes that are sent. Names are the file's own, plain ones.

    `keep` names all that are sent, `drop` those that are not; `constants` are added to every row;
    `defaults` fill empty cells (by the name that is sent), `tombstone` fills those that have no default.
    """

    key: str = ""
    rename: MappingOf[str, str] = field(default_factory=dict)
    drop: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    constants: MappingOf[str, str] = field(default_factory=dict)
    defaults: MappingOf[str, str] = field(default_factory=dict)
    tombstone: str = ""

    def sends(self, name: str) -> bool:
        """Say whether a column that is not the key column is sent."""
        return name in self.keep if self.keep else name not in self.drop


@dataclass(frozen=True, slots=True)
class Feed(SparseJsonObject):
    """A named configuration. What is None is found out from the file or set by the deployment."""

    client_code: str | None = None
    api_version: ApiVersion | None = None
    key_column: KeyColumn | None = None
    encoding: str | None = None
    delimiter: str | None = None
    quoting: Quoting = Quoting.DOUBLE
    separator_in_value: SeparatorInValue | None = None
    mapping: Mapping = Mapping()

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """Read a feed; raises `FeedError`, which names every fault at once."""
        reader = _Reader()
        fields = reader.object(data, "the feed")
        feed = cls(
            client_code=reader.text(fields, "clientCode"),
            api_version=reader.word(fields, "apiVersion", ApiVersion),
            key_column=reader.word(fields, "keyColumn", KeyColumn),
            encoding=reader.text(fields, "encoding"),
            delimiter=reader.text(fields, "delimiter"),
            quoting=reader.word(fields, "quoting", Quoting) or Quoting.DOUBLE,
            separator_in_value=reader.word(fields, "separatorInValue", SeparatorInValue),
            mapping=_mapping(reader, reader.object(_given(fields, "mapping", {}), "mapping")),
        )
        reader.unknown(fields, "the feed")
        feed = dataclasses.replace(feed, delimiter=DELIMITERS.get(feed.delimiter or "", feed.delimiter))
        _check(feed, reader.faults)
        if reader.faults:
            raise FeedError(f"The feed makes no sense: {'; '.join(reader.faults)}.")
        return feed


class _Reader:
    """Take typed fields out of JSON objects and gather the faults. What is taken is removed."""

    def __init__(self) -> None:
        self.faults: list[str] = []

    def object(self, data: Any, where: str) -> Json:
        if isinstance(data, dict) and all(isinstance(name, str) for name in data):
            return dict(data)
        self.faults.append(f"{where} must be an object")
        return {}

    def text(self, fields: Json, name: str) -> str | None:
        value = fields.pop(name, None)
        if value is None or is_utf8_text(value):
            return value or None
        self.faults.append(f"{name} must be text")
        return None

    def word[Word: StrEnum](self, fields: Json, name: str, words: type[Word]) -> Word | None:
        value = fields.pop(name, None)
        if value is None:
            return None
        if value in list(words):
            return words(value)
        self.faults.append(f"{name} must be one of {', '.join(words)}")
        return None

    def names(self, fields: Json, name: str) -> tuple[str, ...]:
        value = _given(fields, name, [])
        if isinstance(value, list) and all(map(is_utf8_text, value)):
            return tuple(map(plain_name, value))
        self.faults.append(f"{name} must be a list of texts")
        return ()

    def values(self, fields: Json, name: str) -> dict[str, str]:
        pairs = _given(fields, name, {})
        if isinstance(pairs, dict) and all(map(is_utf8_text, (*pairs, *pairs.values()))):
            return {plain_name(column): value for column, value in pairs.items()}
        self.faults.append(f"{name} must be an object of texts")
        return {}

    def renames(self, fields: Json, name: str) -> dict[str, str]:
        return {column: plain_name(other) for column, other in self.values(fields, name).items()}

    def unknown(self, fields: Json, where: str) -> None:
        if fields:
            self.faults.append(f"{where} has unknown fields: {', '.join(sorted(fields))}")


def _given(fields: Json, name: str, otherwise: Any) -> Any:
    value = fields.pop(name, None)
    return otherwise if value is None else value


def _mapping(reader: _Reader, fields: Json) -> Mapping:
    mapping = Mapping(
        key=plain_name(reader.text(fields, "key") or ""),
        rename=reader.renames(fields, "rename"),
        drop=reader.names(fields, "drop"),
        keep=reader.names(fields, "keep"),
        constants=reader.values(fields, "constants"),
        defaults=reader.values(fields, "defaults"),
        tombstone=reader.text(fields, "tombstone") or "",
    )
    reader.unknown(fields, "mapping")
    return mapping


def _check(feed: Feed, faults: list[str]) -> None:
    """Gather what is well-formed and still makes no sense."""
    if feed.client_code and not CLIENT_CODE.fullmatch(feed.client_code):
        faults.append("clientCode may hold letters, digits, _ and - only")
    if feed.delimiter and (
        len(feed.delimiter) > 1 or not feed.delimiter.isascii() or feed.delimiter in '"\r\n\0'
    ):
        faults.append("delimiter must be one ASCII character, or comma, semicolon, tab or pipe")
    if feed.encoding and not _is_text_encoding(feed.encoding):
        faults.append("encoding must be the name of a text encoding, such as cp1252")
    mapping = feed.mapping
    if mapping.keep and mapping.drop:
        faults.append("mapping may have keep or drop, not both")
    sent = [*mapping.rename.values(), *mapping.constants]
    if "" in sent or len(set(sent)) < len(sent):
        faults.append("mapping gives two columns one name, or a column no name")
    if mapping.key and mapping.key in mapping.drop:
        faults.append("mapping drops the key column")


def _is_text_encoding(name: str) -> bool:
    try:
        codec = codecs.lookup(name)
        return bool(getattr(codec, "_is_text_encoding", True)) and "a".encode(name) is not None
    except (LookupError, ValueError, UnicodeError):
        return False
