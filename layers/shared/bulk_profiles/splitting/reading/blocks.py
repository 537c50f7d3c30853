"""Blocks of whole records: what every reader gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Position:
    """A place between two records: bytes of plain UTF-8 text before it, and the line that starts there."""

    offset: int
    line: int


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it stands in the file: the line where it starts, and its bytes."""

    line: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class Block:
    """Some records. `rows` are plain rows, one for each record; `find` gives records by ascending number.

    `spaces` counts the spaces that were taken as part of delimiters. `made` is what helpers made of the
    rows, in place of these.
    """

    start: Position
    rows: bytes
    find: Callable[[Sequence[int]], list[Record]]
    spaces: int = 0
    made: Any = None


class Helpers(Protocol):
    """Processes that take text apart and do with its plain rows what is done with them."""

    @property
    def count(self) -> int:
        """The number of texts that may be out at a time."""
        ...

    def take(self, text: bytes) -> None:
        """Work on a text of whole records."""
        ...

    def result(self) -> tuple[Any, int] | None:
        """Give what the oldest text became, and its spaces; None where its rows are not sure to be right."""
        ...


type TakeApart = Callable[[bytes], tuple[bytes, int] | None]
type FindHelpers = Callable[[TakeApart], Helpers | None]


class Reader(Protocol):
    """A file whose header is known."""

    @property
    def names(self) -> Sequence[str]:
        """The header's cells."""
        ...

    @property
    def header(self) -> bytes:
        """What comes before the rows, as it stands in the file."""
        ...

    @property
    def first(self) -> Position:
        """Where the rows start."""
        ...

    def blocks(self, start: Position, helpers: FindHelpers | None = None) -> Iterator[Block]:
        """Read the rows from a position on; `helpers` gives some once they are worth their while."""
        ...
