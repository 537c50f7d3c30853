"""The account of a split: counts, and the list of rejected rows with the rows themselves.

The list names line, column and reason, never what a row says.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from bulk_profiles.core.json_object import JsonObject
from bulk_profiles.core.names import REJECTED_ROWS, REJECTS
from bulk_profiles.splitting.files import Output, Scratch, Sink
from bulk_profiles.splitting.reading.blocks import Record
from bulk_profiles.splitting.rows.faults import Fault

_EXAMPLES = 5
_PIECE = 1024 * 1024
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_TITLES = b"line,column,reason,detail\n"


@dataclass(slots=True)
class Tally(JsonObject):
    """What was counted so far. `examples` are the first line numbers of each reject code."""

    read: int = 0
    rejects: Counter[str] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[int]] = field(default_factory=dict)


class RejectLog:
    """Write rejected rows down in the scratch, and at the end to the output.

    `parts` is the number of parts that are written; the next rows go into a part of their own.
    """

    def __init__(self, scratch: Scratch, names: Sequence[str], tally: Tally, parts: int = 0) -> None:
        self.parts = parts
        self._scratch = scratch
        self._names = names
        self._tally = tally
        self._sinks: tuple[Sink, Sink] | None = None

    def add(self, found: Iterable[tuple[Record, Fault]]) -> None:
        """Take the rejected rows of a block, in the order of the file."""
        listing = io.StringIO()
        writer = csv.writer(listing, lineterminator="\n")
        rows = bytearray()
        for record, fault in found:
            self._count(record, fault)
            writer.writerow((record.line, self._name(fault), fault.reason, fault.reason.help))
            rows += record.raw
            if record.raw and not record.raw.endswith((b"\n", b"\r")):
                rows += b"\n"
        if not listing.tell():
            return
        if self._sinks is None:
            self._sinks = (
                self._scratch.write(_part(REJECTS, self.parts)),
                self._scratch.write(_part(REJECTED_ROWS, self.parts)),
            )
        self._sinks[0].write(listing.getvalue().encode())
        self._sinks[1].write(rows)

    def flush(self) -> None:
        """Finish the part that is open, if any."""
        if self._sinks is not None:
            for sink in self._sinks:
                sink.commit()
            self.parts += 1
            self._sinks = None

    def abort(self) -> None:
        """Forget the part that is open, if any."""
        for sink in self._sinks or ():
            sink.abort()
        self._sinks = None

    def publish(self, output: Output, header: bytes) -> None:
        """Write both files to the output."""
        self.flush()
        for name, start in ((REJECTS, _TITLES), (REJECTED_ROWS, header)):
            sink = output.open(name)
            sink.write(start)
            for number in range(self.parts):
                with self._scratch.open(_part(name, number)) as part:
                    while piece := part.read(_PIECE):
                        sink.write(piece)
            sink.commit()

    def _count(self, record: Record, fault: Fault) -> None:
        self._tally.rejects[fault.reason.value] += 1
        lines = self._tally.examples.setdefault(fault.reason.value, [])
        if len(lines) < _EXAMPLES:
            lines.append(record.line)

    def _name(self, fault: Fault) -> str:
        """Name the fault's column, harmless in a spreadsheet."""
        if fault.column is None or fault.column >= len(self._names):
            return ""
        name = self._names[fault.column]
        return "'" + name if name.startswith(_FORMULA) else name


def _part(name: str, number: int) -> str:
    return f"{name}-{number:05d}"
