"""One person searched in a file of rejected rows, whose ids nobody may have been able to read.

A cell is the person's if it is the id, perhaps with signs around it. A row that could not be taken apart is
one text: it is the person's if the id is a word of it. The notes about a row are
not looked at: the number of a line is nobody's id.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO
from urllib.parse import quote

from bulk_profiles.splitting.rows.notes import LINE, OUR_NOTES, REASON, REJECT_NOTES

_HEAD_END = re.compile(f'"?{LINE}"?(.)"?{REASON}')
_MOST_HEAD_LINES = 1_000  # with a hint such as `sep=~`, and names that have line breaks
_LONGEST_CELL = 2**31 - 1  # of a row of 4 MiB, and what its quotes add; csv's own limit is less


@dataclass(frozen=True, slots=True)
class RejectedRows:
    """A file of rejected rows; `quoted`: in a delimited file, double quotes enclose values."""

    name: str
    quoted: bool

    def have(self, profile_id: str, stream: BinaryIO) -> bool:
        """Whether one of the rows is a person's."""
        spellings = {profile_id, json.dumps(profile_id)[1:-1], quote(profile_id, safe="")}
        spellings.add(profile_id.replace('"', '""'))
        one_of = "|".join(map(re.escape, spellings))
        alone, inside = re.compile(rf"\W*(?:{one_of})\W*"), re.compile(rf"(?<!\w)(?:{one_of})(?!\w)")
        with io.TextIOWrapper(stream, "utf-8-sig", "surrogateescape", newline="\n") as text:
            for cells in self._rows(text):
                filled = [form for cell in cells if cell for form in _forms(cell)]
                whole = sum(map(bool, cells)) == 1
                if any(alone.fullmatch(cell) or (whole and inside.search(cell)) for cell in filled):
                    return True
        return False

    def _rows(self, text: Iterable[str]) -> Iterator[list[str]]:
        """Yield the cells of each row, without the notes."""
        if self.name.endswith(".jsonl"):
            for line in text:
                yield [
                    value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
                    for name, value in json.loads(line).items()
                    if name not in OUR_NOTES
                ]
            return
        lines = iter(text)
        head, found = list[str](), None
        while not found and len(head) < _MOST_HEAD_LINES and (line := next(lines, "")):
            head.append(line)
            found = _HEAD_END.search(line)
        if found is None:  # release 0.1.0 wrote no notes
            yield from ([line] for line in itertools.chain(head, lines))
            return
        delimiter = found[1]
        csv.field_size_limit(_LONGEST_CELL)
        rows = csv.reader(lines, delimiter=delimiter) if self.quoted else _split(lines, delimiter)
        for row in rows:
            yield row[: -len(REJECT_NOTES)]


def _split(lines: Iterable[str], delimiter: str) -> Iterator[list[str]]:
    return (line.rstrip("\n").split(delimiter) for line in lines)


def _forms(cell: str) -> list[str]:
    """Return a cell as it may be read: a row that is not UTF-8 has kept its bytes."""
    try:
        return [cell, cell.encode("utf-8", "surrogateescape").decode("cp1252", "replace")]
    except UnicodeEncodeError:  # half a character of JSON
        return [cell]
