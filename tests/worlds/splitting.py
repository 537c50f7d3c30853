"""What the tests of a split share: files in memory, the receiver's view of a batch, and a slow oracle."""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO
from urllib.parse import unquote

from bulk_profiles.core.feeds import Feed, Quoting
from bulk_profiles.core.names import batch_name
from bulk_profiles.splitting.batches.cutter import Limits
from bulk_profiles.splitting.checkpoint import OutOfTimeError
from bulk_profiles.splitting.split import Split, split


@dataclass(frozen=True)
class MemoryFile:
    """A source file in memory."""

    data: bytes
    name: str = "customers.csv"

    @property
    def size(self) -> int:
        return len(self.data)

    def open(self, start: int = 0) -> BinaryIO:
        return io.BytesIO(self.data[start:])


class MemoryFolder:
    """An output and scratch in memory. Objects exist once they are committed."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def create(self, name: str) -> MemorySink:
        return MemorySink(self.objects, name)

    def open(self, name: str, start: int = 0) -> BinaryIO:
        if name not in self.objects:
            raise FileNotFoundError(name)
        return io.BytesIO(self.objects[name][start:])


class MemorySink:
    def __init__(self, objects: dict[str, bytes], name: str) -> None:
        self._objects = objects
        self._name = name
        self._data = bytearray()

    def write(self, data: bytes | bytearray | memoryview, /) -> None:
        self._data += data

    def commit(self) -> None:
        self._objects[self._name] = bytes(self._data)

    def abort(self) -> None:
        self._data.clear()


@dataclass
class Outcome:
    """A split and what it wrote."""

    split: Split
    objects: dict[str, bytes] = field(default_factory=dict)
    quoted: bool = True  # quotes enclose values

    @property
    def rejected_rows(self) -> bytes:
        """The file of the rejected rows, without its byte order mark; empty where there is none."""
        return self.objects.get(self.split.rejected_rows, b"").removeprefix(codecs.BOM_UTF8)

    @property
    def bodies(self) -> list[bytes]:
        return [self.objects[batch_name(batch.number)] for batch in self.split.batches]

    @property
    def received(self) -> list[tuple[str, ...]]:
        """The rows of all batches as the receiver decodes them, header left out."""
        return [row for body in self.bodies for row in receive(body)[1:]]

    @property
    def rejects(self) -> list[list[str]]:
        """Line, column and code of each rejected row."""
        if not self.split.rejected_rows:
            return []
        text = self.rejected_rows.decode(errors="replace")
        if self.split.rejected_rows.endswith(".jsonl"):
            notes = [tuple(json.loads(line).values())[-4:] for line in text.removesuffix("\n").split("\n")]
        else:
            head = text[: text.index("_reason")]
            delimiter = head.removesuffix('"')[-1]
            lines = (
                csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
                if self.quoted
                # csv.reader ends a line at every CR, which may be in a value
                else (
                    line.removesuffix("\r").split(delimiter) for line in text.removesuffix("\n").split("\n")
                )
            )
            rows = [row for row in lines if row]
            start = next(number for number, row in enumerate(rows) if "_reason" in row)
            notes = [tuple(row[-4:]) for row in rows[start + 1 :]]
        found = []
        for line, reason, _, _ in notes:
            code, _, column = reason.partition(": ")
            found.append([line, column, code])
        return found


def receive(body: bytes) -> list[tuple[str, ...]]:
    """Read a body as Target does."""
    assert body.startswith(b"batch=")
    rows = body.removeprefix(b"batch=").decode("ascii").split("\n")
    assert set(body.decode("ascii")) <= set(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%,+=\n"
    )
    return [tuple(unquote(cell, errors="strict") for cell in row.split(",")) for row in rows]


def run(
    data: bytes,
    feed: Feed | None = None,
    limits: Limits | None = None,
    name: str = "customers.csv",
    **more: Any,
) -> Outcome:
    """Split a file in memory and check what must hold for every split."""
    output = MemoryFolder()
    result = split(MemoryFile(data, name), feed or Feed(), limits or Limits(), output, **more)
    outcome = Outcome(result, output.objects, (feed or Feed()).quoting is Quoting.DOUBLE)
    check(outcome, limits or Limits())
    return outcome


def check(outcome: Outcome, limits: Limits) -> None:
    """Check the accounting of a split and the limits of its batches."""
    result = outcome.split
    assert result.rows.unaccounted == 0
    assert result.rows.rejected == sum(result.rejects.values())
    assert result.rows.sent == sum(batch.rows for batch in result.batches)
    assert [batch.number for batch in result.batches] == list(range(1, len(result.batches) + 1))
    assert len(outcome.rejects) == result.rows.rejected
    for batch, body in zip(result.batches, outcome.bodies, strict=True):
        assert len(body) == batch.size <= limits.max_batch_bytes
        assert 0 < body.count(b"\n") == batch.rows <= limits.max_batch_rows
        assert not body.endswith(b"\n")
    ids = [row[0] for row in outcome.received]
    assert len(ids) == len(set(ids)) == result.rows.sent


def run_in_slices(
    data: bytes,
    feed: Feed,
    limits: Limits,
    budget: Callable[[], Callable[[], bool]],
    processes: int = 1,
) -> tuple[Outcome, int]:
    """Split a file with a budget of time for each invocation; return the outcome and their number."""
    output, scratch, checkpoint, invocations = MemoryFolder(), MemoryFolder(), None, 1
    while True:
        try:
            result = split(
                MemoryFile(data),
                feed,
                limits,
                output,
                scratch=scratch,
                checkpoint=checkpoint,
                out_of_time=budget(),
                processes=processes,
            )
        except OutOfTimeError as error:
            checkpoint, invocations = error.checkpoint, invocations + 1
            continue
        outcome = Outcome(result, output.objects, feed.quoting is Quoting.DOUBLE)
        check(outcome, limits)
        return outcome, invocations


_BLANKS = " \t\r\n\x85\u2028\ufeff"  # tests write no others


def is_blank(row: Sequence[str]) -> bool:
    """Whether a row is a blank line."""
    return not "".join(row).strip(_BLANKS)


def _is_dashes(row: Sequence[str]) -> bool:
    """Whether a row is a line of dashes."""
    return any("-" in cell or "=" in cell for cell in row) and not "".join(row).strip("-=+|: ,")


def sent_id(text: str) -> str:
    """Return a thirdPartyId as it is sent; nothing if it is none."""
    text = text.strip(_BLANKS)
    if len(text) > 2 and text.startswith('="') and text.endswith('"') and text.count('"') == 2:
        text = text[2:-1].strip(_BLANKS)
    if text == r"\N" or text.lower() in {"null", "nan", "n/a"} or (set(text) == {"#"} and len(text) > 1):
        return ""
    mantissa, _, exponent = text.lower().partition("e")
    is_shortened = exponent.removeprefix("-").isdecimal() and set(".,") & set(mantissa)
    if is_shortened and mantissa.replace(",", ".").replace(".", "", 1).isdecimal():
        return ""
    return "" if any(sign < " " or sign in "+/" for sign in text) else text


def unguarded(text: str) -> str:
    """Return a value without what keeps a spreadsheet from changing it."""
    if len(text) > 2 and text.startswith('="') and text.endswith('"') and text.count('"') == 2:
        return text[2:-1]
    digits = text.removeprefix("=")
    return digits if digits.isascii() and digits.isdigit() else text


def expected(
    names: Sequence[str], rows: Sequence[Sequence[str]], key: str, *, blank_rows: bool = False
) -> list[tuple[str, ...]]:
    """Return what must be received of rows without faults: the slow and obvious way.

    A row of nothing but blanks is a blank line, unless there are `blank_rows`. A row whose id cannot be sent
    is left out.
    """
    place = names.index(key)
    merged: dict[str, list[str]] = {}
    for row in rows:
        if (is_blank(row) or _is_dashes(row)) and not blank_rows:
            continue
        plain = [cell if number == place else unguarded(cell) for number, cell in enumerate(row)]
        padded = ["" if cell.strip(_BLANKS + "\0") in {"", r"\N"} else cell for cell in plain]
        padded += [""] * (len(names) - len(row))
        text = sent_id(padded[place])
        if not text:
            continue
        cells = [text, *padded[:place], *padded[place + 1 :]]
        earlier = merged.setdefault(cells[0], cells)
        if earlier is not cells:
            merged[cells[0]] = [new or old for old, new in zip(earlier, cells, strict=True)]
    return [tuple(cells) for cells in merged.values() if any(cells[1:])]
