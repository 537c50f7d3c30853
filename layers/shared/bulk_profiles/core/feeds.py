"""Feeds: named configurations with client code, key column, format hints and the mapping of columns.

A feed is the JSON object `feeds/<name>.json`. Every field is optional; an empty feed suits an ordinary file.
"""

from __future__ import annotations

import codecs
import dataclasses
import re
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self, override

from .errors import FeedError
from .json_fields import JsonFields, suggestion
from .json_object import SparseJsonObject
from .models import ApiVersion, KeyColumn
from .text import is_utf8_text, without_invisible

_PREFIX = re.compile(r"\Aprofile\.", re.IGNORECASE | re.ASCII)
CLIENT_CODE = re.compile(r"[A-Za-z0-9_-]{1,64}")
DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
MOST_SAMPLE = 10_000  # profiles to be read back: with 50 calls a minute that takes four hours
NOTE_PREFIX = "_"  # begins the names of columns that are not sent


class Quoting(StrEnum):
    """Whether a quote at the start of a cell opens a quoted value."""

    DOUBLE = "double"
    NONE = "none"


class ShortRows(StrEnum):
    """What becomes of a row that has fewer cells than the header."""

    REJECT = "reject"  # half a record is not sent
    FILL = "fill"  # the missing cells are empty


class SeparatorInValue(StrEnum):
    """What becomes of a comma, a quote or a line break inside a value."""

    ENCODE = "encode"  # sent percent-encoded, as documented
    REPLACE = "replace"  # each is sent as a space
    REJECT = "reject"  # the row is rejected


class CountsOnly(StrEnum):
    """What is done where Target counts failures of a batch and names no profile."""

    ISOLATE = "isolate"  # parts of the batch are sent again, until the failing rows stand alone
    REPORT = "report"  # all profiles of the batch are unknown


def plain_name(name: str) -> str:
    """Return a column's name as it looks, without `profile.`, which Target adds itself."""
    name = without_invisible(name)
    return without_invisible(_PREFIX.sub("", name)) or name


@dataclass(frozen=True, slots=True)
class Mapping(SparseJsonObject):
    """How the columns of a file become the attributes that are sent.

    Columns are named as in the file, by `plain_name`.
    """

    key: str = ""  # the column with the ids; empty: the one that is called pcId or thirdPartyId
    rename: MappingOf[str, str] = field(default_factory=dict)  # column to the name that is sent
    drop: tuple[str, ...] = ()  # columns that are not sent
    keep: tuple[str, ...] = ()  # the only columns that are sent; empty: all that are not dropped
    constants: MappingOf[str, str] = field(default_factory=dict)  # attributes that are added to every row
    defaults: MappingOf[str, str] = field(default_factory=dict)  # by the name that is sent, for empty cells
    tombstone: str = ""  # for empty cells that have no default

    def sends(self, name: str) -> bool:
        """Whether a column is sent. The key column is always sent, and so is one that gets another name.

        Other columns whose names begin with `_` are not: those are notes about a row, as in a file of
        rejected rows.
        """
        return self._keeps(name) and not self.passes_over(name)

    def passes_over(self, name: str) -> bool:
        """Whether a column is not sent only for its name, which begins with `_`."""
        return name.startswith(NOTE_PREFIX) and name not in self.rename and self._keeps(name)

    def _keeps(self, name: str) -> bool:
        return name in self.keep if self.keep else name not in self.drop


@dataclass(frozen=True, slots=True)
class Feed(SparseJsonObject):
    """A named configuration of files. What is None is detected in the file or set by the deployment."""

    client_code: str | None = None
    api_version: ApiVersion | None = None
    key_column: KeyColumn | None = None
    encoding: str | None = None
    delimiter: str | None = None
    quoting: Quoting = Quoting.DOUBLE
    short_rows: ShortRows = ShortRows.REJECT
    null_values: tuple[str, ...] = ()  # cells that say so are empty, besides `\N`, which always is
    separator_in_value: SeparatorInValue | None = None
    counts_only: CountsOnly | None = None
    verify_sample: int | None = None  # profiles that are read back once the import's batches have settled
    max_rejected_percent: int | None = None  # of the rows read; an import with more of them is partial
    mapping: Mapping = Mapping()

    @classmethod
    @override
    def from_json(cls, data: Any) -> Self:
        """Read a feed. Raises `FeedError`, which names every fault at once."""
        faults: list[str] = []
        reader = _FeedFields(data, "the feed", faults)
        feed = cls(
            client_code=reader.text("clientCode"),
            api_version=reader.word("apiVersion", ApiVersion),
            key_column=reader.word("keyColumn", KeyColumn),
            encoding=reader.text("encoding"),
            delimiter=reader.text("delimiter"),
            quoting=reader.word("quoting", Quoting) or Quoting.DOUBLE,
            short_rows=reader.word("shortRows", ShortRows) or ShortRows.REJECT,
            null_values=reader.texts("nullValues"),
            separator_in_value=reader.word("separatorInValue", SeparatorInValue),
            counts_only=reader.word("countsOnly", CountsOnly),
            verify_sample=reader.number("verifySample", 0, MOST_SAMPLE),
            max_rejected_percent=reader.number("maxRejectedPercent", 0, 100),
            mapping=_mapping(_FeedFields(reader.take("mapping", {}), "mapping", faults)),
        )
        reader.refuse_others()
        feed = dataclasses.replace(feed, delimiter=DELIMITERS.get(feed.delimiter or "", feed.delimiter))
        _check(feed, faults)
        if faults:
            raise FeedError(f"The feed makes no sense: {'; '.join(faults)}.")
        return feed


class _FeedFields(JsonFields):
    """The fields of a feed, which names columns."""

    def columns(self, key: str) -> tuple[str, ...]:
        return tuple(map(plain_name, self.texts(key)))

    def values(self, key: str) -> dict[str, str]:
        """Take an object of texts by column."""
        pairs = self.take(key, {})
        if isinstance(pairs, dict) and all(map(is_utf8_text, (*pairs, *pairs.values()))):
            values = {plain_name(column): value for column, value in pairs.items()}
            if len(values) < len(pairs):
                self.faults.append(f"{key} names a column twice")
            return values
        self.faults.append(f"{key} must be an object of texts")
        return {}


def _mapping(reader: _FeedFields) -> Mapping:
    mapping = Mapping(
        key=plain_name(reader.text("key") or ""),
        rename={column: plain_name(name) for column, name in reader.values("rename").items()},
        drop=reader.columns("drop"),
        keep=reader.columns("keep"),
        constants=reader.values("constants"),
        defaults=reader.values("defaults"),
        tombstone=reader.text("tombstone") or "",
    )
    reader.refuse_others()
    return mapping


def _check(feed: Feed, faults: list[str]) -> None:
    """Collect the faults of a feed whose fields all have the right type."""
    if feed.client_code and not CLIENT_CODE.fullmatch(feed.client_code):
        faults.append("clientCode may hold letters, digits, _ and - only")
    if feed.delimiter and (
        len(feed.delimiter) > 1 or not feed.delimiter.isascii() or feed.delimiter in '"\r\n\0'
    ):
        faults.append(
            "delimiter must be one ASCII character, or comma, semicolon, tab or pipe"
            + suggestion(feed.delimiter, DELIMITERS)
        )
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
