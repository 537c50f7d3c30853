"""The account of a split: its counts, and the file of the rejected rows, which can be mended and dropped."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from bulk_profiles.core.json_object import JsonObject, as_json
from bulk_profiles.core.models import MOST_EXAMPLES
from bulk_profiles.core.names import REJECTED_ROWS
from bulk_profiles.core.text import quantity
from bulk_profiles.splitting.files import Output, Scratch, Sink
from bulk_profiles.splitting.reading.blocks import Block, Mendable
from bulk_profiles.splitting.rows.faults import Fault, Reject, Warn
from bulk_profiles.splitting.rows.notes import NO_BATCH, REJECT_NOTES
from bulk_profiles.splitting.rows.warnings import Warnings

_UTF8 = "utf-8"
_PIECE = 1024 * 1024
_WORD_BEYOND_ASCII = re.compile(rb"[\x80-\xff]{4}")


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

    def __init__(
        self, scratch: Scratch, mendable: Mendable, names: Sequence[str], tally: Tally, parts: int = 0
    ) -> None:
        self.parts = parts  # that are whole in the scratch
        self._scratch = scratch
        self._mendable = mendable
        self._names = names
        self._tally = tally
        self._sink: Sink | None = None  # of the part that is open, if any

    def add(self, block: Block, faults: dict[int, Fault]) -> None:
        """Reject the records of a block that have these numbers."""
        if not faults:
            return
        rows = bytearray()
        numbers = sorted(faults)
        for number, record in zip(numbers, block.find(numbers), strict=True):
            fault = faults[number]
            code = fault.reason.value
            self._tally.windows_1252 += fault.reason is Reject.INVALID_UTF8 and _is_windows_1252(record.raw)
            self._tally.rejects[code] += 1
            lines = self._tally.examples.setdefault(code, [])
            lines += [record.line] * (len(lines) < MOST_EXAMPLES)
            notes = (str(record.line), self._reason(fault), fault.reason.help, NO_BATCH)
            rows += self._mendable.row(
                record.raw,
                dict(zip(REJECT_NOTES, notes, strict=True)),
                surplus=fault.reason is Reject.TOO_MANY_CELLS,
            )
        if self._sink is None:
            self._sink = self._scratch.create(_part(self.parts))
        self._sink.write(bytes(rows))

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
        if self._sink is not None:
            self._sink.commit()
            self.parts += 1
            self._sink = None

    def abort(self) -> None:
        """Drop the part that is open, if any."""
        if self._sink is not None:
            self._sink.abort()
            self._sink = None

    def publish(self, output: Output) -> str:
        """Write the file of the rejected rows to the output. Returns its name; "" where there are none."""
        self.flush()
        if not self.parts:
            return ""
        name = REJECTED_ROWS + self._mendable.suffix
        sink = output.create(name)
        try:
            sink.write(self._mendable.head(REJECT_NOTES))
            for number in range(self.parts):
                with self._scratch.open(_part(number)) as part:
                    while piece := part.read(_PIECE):
                        sink.write(piece)
        except BaseException:
            sink.abort()
            raise
        sink.commit()
        return name

    def _reason(self, fault: Fault) -> str:
        """Return a fault's code, with the name of its column if it has one: `empty_id: pcId`."""
        if fault.column is None or fault.column >= len(self._names):
            return fault.reason.value
        return f"{fault.reason.value}: {self._names[fault.column]}"


def _part(number: int) -> str:
    return f"{REJECTED_ROWS}-{number:05d}"


def _is_windows_1252(raw: bytes) -> bool:
    """Whether some text may be Windows-1252, in which words have a few letters beyond ASCII at most."""
    try:
        raw.decode("cp1252")
    except UnicodeDecodeError:
        return False
    return not raw.isascii() and not _WORD_BEYOND_ASCII.search(raw)
