"""A file of invented customers that looks like a real export, and is the same every time.

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
_REPEATED_EVERY = 83  # customers
_BAD_EVERY = 199


@dataclass(frozen=True, slots=True)
class Sample:
    """The file, and how many of its rows an import must count as what."""

    content: bytes
    read: int
    merged: int
    rejected: int
    skipped: int
    ids: tuple[str, ...]  # those that reach Target, in order


def make(customers: int = CUSTOMERS) -> Sample:
    """Make a file of so many customers, some of them twice, with bad rows of several kinds in between."""
    generator = random.Random(2_026)  # noqa: S311 - a sample must be the same each time, not unguessable
    lines = [_line(_COLUMNS)]
    bad = list(_bad_rows())
    merged = rejected = 0
    ids = [f"crm-{number:06d}" for number in range(1, customers + 1)]
    for number, customer_id in enumerate(ids, 1):
        lines.append(_line(_customer(customer_id, generator)))
        if number % _REPEATED_EVERY == 0:
            lines.append(_line(_customer(generator.choice(ids[:number]), generator)))
            merged += 1
        if number % _BAD_EVERY == 0:
            lines.append(bad[rejected % len(bad)])
            rejected += 1
    lines.append(_line(("", "", f"crm-{customers + 1:06d}", *[""] * 4)))  # an id and nothing else
    read = customers + merged + rejected + 1
    return Sample(b"".join(lines), read, merged, rejected, skipped=1, ids=tuple(ids))


def _customer(customer_id: str, generator: random.Random) -> tuple[str, ...]:
    return (
        f"{generator.choice(_FIRST)} {generator.choice(_LAST)}",
        generator.choice(_CITIES),
        customer_id,
        generator.choice(_SEGMENTS),
        str(generator.randrange(100_000)),
        generator.choice(_FAVOURITES),
        generator.choice(_NOTES),
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
