"""A file of invented customers that looks like a real export, the same one every time.

python -m local.sample --customers 1000000 > customers.csv
"""

from __future__ import annotations

import argparse
import csv
import io
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass

CUSTOMERS = 10_000
_COLUMNS = ("customerName", "city", "thirdPartyId", "segment", "loyaltyPoints", "favourite", "note")
_KEY = _COLUMNS.index("thirdPartyId")
_FIRST = (
    "Aino",
    "Björn",
    "Chloé",
    "Dvořák",
    "Émile",
    "Fatma",
    "Gül",
    "Håkon",
    "Ines",
    "José",
    "Kwame",
    "Łucja",
)
_LAST = (
    "Abendroth",
    "Bäcker",
    "Castañeda",
    "D'Arcy",
    "Eßer",
    "Fernández",
    "Grünwald",
    "Øster",
    "Петрова",
    "李",
)
_CITIES = ("Zürich", "São Paulo", "Kraków", "München", "東京", "New York", "Saint-Étienne", "Αθήνα", "İzmir")
_SEGMENTS = ("new", "loyal", "at risk", "R&D", "50% club", "a+b", "k=v")
_FAVOURITES = (
    "tea & biscuits",
    "100% cotton",
    "🚲 cycling",
    "jazz, blues and soul",
    'the "Blue" room',
    "",
    "C++ books",
)
_NOTES = (
    "",
    "called twice",
    "prefers e-mail,\nnever the phone",
    "👩‍🚀 fan",
    "discount: 5 % + 2 %",
    "см. письмо",
)
_EVERY_REPEATED = 83
_EVERY_BAD = 199


@dataclass(frozen=True, slots=True)
class Sample:
    """The file, and what must become of its rows."""

    content: bytes
    read: int
    merged: int
    rejected: int
    skipped: int
    ids: tuple[str, ...]  # those that reach Target, in order


def make(customers: int = CUSTOMERS) -> Sample:
    """Invent a file of so many customers, some of them twice, with bad rows of several kinds in between."""
    dice = random.Random(2_026)  # noqa: S311 - a sample must be the same each time, not unguessable
    lines = [_line(_COLUMNS)]
    bad = list(_bad_rows())
    merged = rejected = 0
    ids = [f"crm-{number:06d}" for number in range(1, customers + 1)]
    for number, customer_id in enumerate(ids, 1):
        lines.append(_line(_customer(customer_id, dice)))
        if number % _EVERY_REPEATED == 0:
            lines.append(_line(_customer(dice.choice(ids[:number]), dice)))
            merged += 1
        if number % _EVERY_BAD == 0:
            lines.append(bad[rejected % len(bad)])
            rejected += 1
    lines.append(_line(("", "", f"crm-{customers + 1:06d}", *[""] * 4)))  # an id and nothing else
    read = customers + merged + rejected + 1
    return Sample(b"".join(lines), read, merged, rejected, skipped=1, ids=tuple(ids))


def _customer(customer_id: str, dice: random.Random) -> tuple[str, ...]:
    return (
        f"{dice.choice(_FIRST)} {dice.choice(_LAST)}",
        dice.choice(_CITIES),
        customer_id,
        dice.choice(_SEGMENTS),
        str(dice.randrange(100_000)),
        dice.choice(_FAVOURITES),
        dice.choice(_NOTES),
    )


def _bad_rows() -> Iterator[bytes]:
    good = ("Nobody", "Nowhere", "bad", "new", "0", "", "")
    yield _line(_with_id(good, ""))
    yield _line(_with_id(good, "north/south"))
    yield _line(_with_id(good, "one+one"))
    yield _line(_with_id(good, "x" * 300))
    yield _line((*good, "one cell too many"))
    yield _line(_with_id(good, "latin-1")).replace(b"Nowhere", "Genève".encode("latin-1"))


def _with_id(row: tuple[str, ...], customer_id: str) -> tuple[str, ...]:
    return (*row[:_KEY], customer_id, *row[_KEY + 1 :])


def _line(cells: tuple[str, ...]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode()


def main() -> int:
    """Write the sample to the standard output."""
    parser = argparse.ArgumentParser(prog="python -m local.sample", description=__doc__)
    parser.add_argument("--customers", type=int, default=CUSTOMERS)
    sys.stdout.buffer.write(make(parser.parse_args().customers).content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
