"""The sample of invented customers."""

from __future__ import annotations

import csv

from local.sample import make


def test_sample_is_the_same_every_time() -> None:
    assert make(300) == make(300)


def test_sample_counts_its_rows() -> None:
    sample = make(2_000)
    rows = list(csv.reader(sample.content.decode(errors="surrogateescape").splitlines(keepends=True)))
    assert len(rows) - 1 == sample.read
    header, *records = rows
    key = header.index("thirdPartyId")
    good = [row for row in records if row[key] in set(sample.ids) and len(row) == len(header)]
    assert len(good) == len(sample.ids) + sample.merged
    assert sample.read == len(sample.ids) + sample.merged + sample.rejected + sample.skipped


def test_sample_has_characters_that_need_care() -> None:
    content = make(2_000).content
    for piece in (b"&", b"%", b"+", b"=", b'""', b",\nnever", "🚲".encode(), "ü".encode(), b"Gen\xe8ve"):
        assert piece in content
