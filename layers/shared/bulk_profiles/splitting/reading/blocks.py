"""Blocks of whole records: what every reader yields, and who may help it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from bulk_profiles.splitting.rows.faults import Reject
from bulk_profiles.splitting.rows.plain import fault_row
from bulk_profiles.splitting.rows.prepare import PreparedRows
from bulk_profiles.splitting.rows.row_check import Surplus
from bulk_profiles.splitting.rows.warnings import Warnings

BLOCK_BYTES = 512 * 1024


class Position(NamedTuple):
    """A place between two records."""

    offset: int  # bytes of UTF-8 text before it, a byte order mark not counted
    line: int  # the line that starts there; the record, where records are numbered


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it stands in the file."""

    line: int  # where it starts
    raw: bytes  # with a line end; empty where it is too long to be held


@dataclass(frozen=True, slots=True)
class RawBlock:
    """Some whole records as they stand in the file."""

    start: Position
    data: bytes  # empty for one record that is too long to be held


@dataclass(frozen=True, slots=True)
class Block:
    """Some records as plain rows."""

    start: Position
    rows: bytes  # one plain row for each record; empty where helpers have prepared them
    find: Callable[[Sequence[int]], list[Record]]  # records by their ascending numbers in the block
    warnings: Warnings = field(default_factory=Warnings)  # of the reader
    prepared: PreparedRows | None = None  # the rows as helpers have prepared them


def too_long(start: Position) -> Block:
    """Return the block of one record that is too long to be held."""
    return Block(start, fault_row(Reject.ROW_TOO_LARGE) + b"\n", lambda _: [Record(start.line, b"")])


class PlainRows(NamedTuple):
    """The plain rows of some whole records, with the warnings of their reader."""

    rows: bytes
    warnings: Warnings


class HelperResult(NamedTuple):
    """What a helper made of a raw block: see `Block`."""

    prepared: PreparedRows
    warnings: Warnings


class Helpers(Protocol):
    """Processes that take raw blocks apart and prepare their rows, in the order in which they get them."""

    @property
    def count(self) -> int:
        """The number of raw blocks that may be with them at a time."""
        ...

    def take(self, data: bytes) -> None:
        """Begin to work on the data of a raw block."""

    def result(self) -> HelperResult | None:
        """Wait for the result of the oldest raw block; None where its rows are not sure to be right."""
        ...


type TakeApart = Callable[[bytes], PlainRows | None]  # None where the rows are not sure to be right
type FindHelpers = Callable[[TakeApart], Helpers | None]  # None while they are not worth their cost


type Notes = Mapping[str, str]  # about a row, by the names of their columns


class Mendable(Protocol):
    """The form of a file of rows to mend."""

    @property
    def suffix(self) -> str:
        """What the name of the file ends in."""
        ...

    def head(self, notes: Sequence[str]) -> bytes:
        """Return what comes before the rows, if each has these notes."""
        ...

    def row(self, raw: bytes, notes: Notes, *, surplus: bool = False) -> bytes:
        """Return a record with its notes. `raw` is empty where the record is too long to be held.

        `surplus`: what is wrong with it are empty cells beyond the columns.
        """
        ...


class Reader(Protocol):
    """A file whose header is known."""

    @property
    def names(self) -> Sequence[str]:
        """The header's cells."""
        ...

    @property
    def mendable(self) -> Mendable:
        """The form in which rows of the file are kept to be mended."""
        ...

    @property
    def encoding(self) -> str:
        """The encoding of the file's text; empty where the file is no text."""
        ...

    @property
    def first(self) -> Position:
        """Where the rows start."""
        ...

    @property
    def short_rows(self) -> bool:
        """Whether a row may have fewer cells than there are columns."""
        ...

    @property
    def blank_rows(self) -> bool:
        """Whether a row of blank cells is a row; if not, it is a blank line."""
        ...

    @property
    def surplus(self) -> Surplus:
        """The empty cells that rows may have beyond the columns."""
        ...

    def blocks(self, start: Position, find_helpers: FindHelpers | None = None) -> Iterator[Block]:
        """Read the rows from a position on. Helpers are asked for after each block until there are some."""
        ...
