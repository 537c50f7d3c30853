"""The account of a split: its counts, and the files rejects.csv and rejected-rows.csv.

rejects.csv has line, column and reason of each rejected row, and no values. rejected-rows.csv has the rows
themselves below the header, so that they can be corrected and dropped again.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from bulk_profiles.core.json_object import JsonObject, as_json
from bulk_profiles.core.models import MOST_EXAMPLES
from bulk_profiles.core.names import REJECTED_ROWS, REJECTS
from bulk_profiles.core.text import quantity
from bulk_profiles.splitting.files import Output, Scratch, Sink
from bulk_profiles.splitting.reading.blocks import Block
from bulk_profiles.splitting.rows.faults import Fault, Reject, Warn
from bulk_profiles.splitting.rows.warnings import Warnings

_UTF8 = "utf-8"
_PIECE = 1024 * 1024
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")  # in a cell of a spreadsheet
_TITLES = b"line,column,reason,detail\n"


@dataclass(slots=True)
class Tally(JsonObject):
    """The counts of a split so far."""

    read: int = 0  # records
    rejects: Counter[str] = field(default_factory=Counter)  # by code
    warnings: Counter[str] = field(default_factory=Counter)  # by code
    # The numbers of the first lines, by code.
    examples: dict[str, list[int]] = field(default_factory=dict)  # of rejects
    warning_examples: dict[str, list[int]] = field(default_factory=dict, metadata=as_json(optional=True))
    windows_1252: int = field(
        default=0, metadata=as_json(optional=True)
    )  # rejects that are not UTF-8, but that

    def advice(self, *, named: str, found: str) -> str:
        """Return a sentence that helps with most of the rejected rows; empty where there is none.

        `named` is the encoding that the feed names, if any, `found` the one in which the file was read.
        """
        not_utf8 = self.rejects[Reject.INVALID_UTF8.value]
        if named or found != _UTF8 or not not_utf8 == self.windows_1252 > self.rejects.total() / 2:
            return ""
        are = "is" if not_utf8 == 1 else "are"
        return (
            f"{quantity(not_utf8, 'rejected row')} {are} not UTF-8 but valid Windows-1252: if that is the "
            'encoding of the file, name it in the feed with "encoding": "cp1252".'
        )


class RejectLog:
    """Count rejected rows and write them to the scratch, in parts, and at the end to the output."""

    def __init__(self, scratch: Scratch, names: Sequence[str], tally: Tally, parts: int = 0) -> None:
        self.parts = parts  # that are whole in the scratch
        self._scratch = scratch
        self._names = names
        self._tally = tally
        self._sinks: list[Sink] = []  # of the part that is open, if any

    def add(self, block: Block, faults: dict[int, Fault]) -> None:
        """Reject the records of a block that have these numbers."""
        if not faults:
            return
        listing = io.StringIO()
        writer = csv.writer(listing, lineterminator="\n")
        rows = bytearray()
        numbers = sorted(faults)
        for number, record in zip(numbers, block.find(numbers), strict=True):
            fault = faults[number]
            code = fault.reason.value
            self._tally.windows_1252 += fault.reason is Reject.INVALID_UTF8 and _is_windows_1252(record.raw)
            self._tally.rejects[code] += 1
            lines = self._tally.examples.setdefault(code, [])
            lines += [record.line] * (len(lines) < MOST_EXAMPLES)
            writer.writerow((record.line, self._column_name(fault), fault.reason, fault.reason.help))
            rows += record.raw
        if not self._sinks:
            self._sinks = [self._scratch.create(_part(name, self.parts)) for name in (REJECTS, REJECTED_ROWS)]
        for sink, data in zip(self._sinks, (listing.getvalue().encode(), bytes(rows)), strict=True):
            sink.write(data)

    def count_warnings(self, block: Block, warnings: Warnings) -> None:
        """Count the warnings of a block."""
        for warning, count in warnings.counts.items():
            self._tally.warnings[warning.value] += count
            self.add_examples(block, warning, warnings.records[warning])

    def add_examples(self, block: Block, warning: Warn, numbers: Sequence[int]) -> None:
        """Note the lines of the records of a block that have these ascending numbers, for a warning."""
        lines = self._tally.warning_examples.get(warning.value, [])
        numbers = numbers[: MOST_EXAMPLES - len(lines)]
        if numbers:
            lines = [*lines, *(record.line for record in block.find(numbers))]
            self._tally.warning_examples[warning.value] = lines

    def flush(self) -> None:
        """Finish the part that is open, if any."""
        for sink in self._sinks:
            sink.commit()
        self.parts += bool(self._sinks)
        self._sinks = []

    def abort(self) -> None:
        """Drop the part that is open, if any."""
        for sink in self._sinks:
            sink.abort()
        self._sinks = []

    def publish(self, output: Output, header: bytes) -> None:
        """Write both files to the output; `header` comes before the rejected rows."""
        self.flush()
        for name, start in ((REJECTS, _TITLES), (REJECTED_ROWS, header)):
            sink = output.create(name)
            sink.write(start)
            for number in range(self.parts):
                with self._scratch.open(_part(name, number)) as part:
                    while piece := part.read(_PIECE):
                        sink.write(piece)
            sink.commit()

    def _column_name(self, fault: Fault) -> str:
        """Return the name of the fault's column, which no spreadsheet takes for a formula."""
        if fault.column is None or fault.column >= len(self._names):
            return ""
        name = self._names[fault.column]
        return "'" + name if name.startswith(_FORMULA_STARTS) else name


def _part(name: str, number: int) -> str:
    return f"{name}-{number:05d}"


def _is_windows_1252(raw: bytes) -> bool:
    try:
        raw.decode("cp1252")
    except UnicodeDecodeError:
        return False
    return not raw.isascii()
