"""The format of a source file, found out from its content, and a reader for it."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from bulk_profiles.core.errors import FileRejectedError
from bulk_profiles.core.feeds import Feed
from bulk_profiles.core.text import is_blank
from bulk_profiles.splitting.files import SourceFile
from bulk_profiles.splitting.rows.key_column import key_number
from bulk_profiles.splitting.rows.plain import FAULT_MARK, PLUS_MARK, unmark
from bulk_profiles.splitting.rows.row_check import NO_SURPLUS, Surplus

from .batch_format import decode, decoded
from .blocks import Block, FindHelpers, Mendable, Position, Reader
from .delimited import DelimitedBlocks
from .diagnosis import diagnose, refuse_long_delimiter
from .header import Header, first_rows, read_header
from .json_lines import JsonLines
from .mendable import MendableJson, MendableTable, plain_row, restored
from .signatures import Foreign, Layout, signature_of
from .surplus import find_surplus
from .text import HEAD_BYTES, Text


@contextmanager
def open_source(source: SourceFile, feed: Feed, names: Sequence[str] | None = None) -> Iterator[Reader]:
    """Find out the format of a file and read its header. The reader is of use inside the context.

    `names` are the columns of a JSON Lines file, where they are known already.
    Raises `FileRejectedError` where the file cannot be read.
    """
    with source.open() as stream:
        head = stream.read(HEAD_BYTES)
    if not head:
        raise FileRejectedError("The file is empty.")
    if signature_of(head) is Layout.PARQUET:
        from tempfile import TemporaryDirectory  # noqa: PLC0415 only a Parquet file needs it

        from .parquet import ParquetAsCsv  # noqa: PLC0415 the same

        with TemporaryDirectory(prefix="parquet-") as folder:
            csv = ParquetAsCsv(source, feed, Path(folder))
            # In a table of one column, the plain row of an empty cell has two: it is no blank line.
            surplus = Surplus(header=1)
            yield Table(
                Text(csv), csv.header, csv.mendable, csv.numbers.checked, by_record=True, surplus=surplus
            )
    else:
        yield _text_reader(Text.of(source, head, feed.encoding), feed, names)


def _text_reader(text: Text, feed: Feed, names: Sequence[str] | None) -> Reader:
    with text.open() as stream:
        start = stream.read(HEAD_BYTES)
    signature = signature_of(start)
    if isinstance(signature, Foreign):  # told only by its text, as that is not UTF-8
        raise signature.rejection()
    match signature:
        case Layout.TARGET:
            header = read_header(text, feed, encoded=True)
            surplus = find_surplus(header, first_rows(text, header))
            return Table(
                text, header, _as_objects(text, header, feed), decoded, encoded=True, surplus=surplus
            )
        case Layout.JSON_LINES:
            return JsonLines(text, feed, names)
    if is_blank(codecs.getincrementaldecoder("utf-8")("replace").decode(start)):  # the last sign may be cut
        raise FileRejectedError("The file is empty: it has no header.")
    refuse_long_delimiter(start, feed)
    header = read_header(text, feed)
    rows = first_rows(text, header)
    diagnose(text, header, rows, feed)
    mendable = MendableTable(
        header.names,
        header.dialect,
        key_number(header.names, feed),
        named=feed.delimiter,
        recoded=text.recoded,
    )
    return Table(text, header, mendable, surplus=find_surplus(header, rows))


def _as_objects(text: Text, header: Header, feed: Feed) -> Mendable:
    """Return the form in which rows of a file in Target's own format are kept: decoded.

    Target stores a raw `+` as a space. An id with one is kept as it is, as it may be forbidden.
    """
    names = [_decoded_name(name) for name in header.names]
    key = key_number(names, feed)

    def cells_of(raw: bytes) -> list[bytes] | None:
        row = plain_row(raw, header.dialect)
        row = None if row is None else decode(row)
        if row is None or row.startswith(FAULT_MARK):
            return None
        return [
            restored(
                unmark(cell if number == key else cell.replace(PLUS_MARK, b" ")), recoded=False, plain=True
            )
            for number, cell in enumerate(row.split(b","))
        ]

    return MendableJson(
        marked=bool(feed.encoding) or text.recoded,
        key="" if key is None else names[key],
        names=names,
        cells_of=cells_of,
    )


@dataclass(frozen=True, slots=True)
class Table:
    """A reader of a delimited file, Target's own format included."""

    text: Text
    head: Header
    mendable: Mendable
    finish: Callable[[Iterable[Block]], Iterator[Block]] | None = None  # what remains to be done with blocks
    encoded: bool = False  # percent-encoded, as in Target's own format
    by_record: bool = False  # records are numbered instead of lines
    surplus: Surplus = NO_SURPLUS  # cells that rows may have beyond the columns

    @property
    def names(self) -> Sequence[str]:
        """The header's cells."""
        return [_decoded_name(name) for name in self.head.names] if self.encoded else self.head.names

    @property
    def encoding(self) -> str:
        """The encoding of the file's text; empty where that is only made of it."""
        return "" if self.by_record else self.text.encoding

    @property
    def first(self) -> Position:
        """Where the rows start."""
        return Position(self.head.end.offset, 1) if self.by_record else self.head.end

    @property
    def short_rows(self) -> bool:
        """Whether a row may have fewer cells than there are columns."""
        return self.head.dialect.short_rows

    @property
    def blank_rows(self) -> bool:
        """Whether a row of blank cells is a row, as in a database; if not, it is a blank line."""
        return self.by_record

    def blocks(self, start: Position, find_helpers: FindHelpers | None = None) -> Iterator[Block]:
        """Read the rows from a position on.

        Helpers are of no use where something remains to be done, or records are numbered by their rows.
        """
        with self.text.open(start.offset) as stream:
            blocks = DelimitedBlocks(
                stream,
                self.head.dialect,
                start,
                by_record=self.by_record,
                find_helpers=None if self.finish or self.by_record else find_helpers,
            )
            yield from self.finish(blocks) if self.finish else blocks


def _decoded_name(name: str) -> str:
    try:
        return unquote(name, errors="strict")
    except UnicodeDecodeError as error:
        raise FileRejectedError(
            "A name in the header is not UTF-8 once it is decoded: encode it as UTF-8."
        ) from error
