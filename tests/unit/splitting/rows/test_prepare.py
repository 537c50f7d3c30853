"""Rows are prepared block by block, and no block's result depends on the others."""

from __future__ import annotations

import dataclasses

import pytest

from bulk_profiles.core.feeds import Feed
from bulk_profiles.splitting.rows.columns import resolve
from bulk_profiles.splitting.rows.prepare import RowPreparer
from tests.worlds.splitting import run

ACCENTED = "a,1,é\n".encode()
UNRESERVED = b"b,2,c\n"


@pytest.fixture
def preparer() -> RowPreparer:
    return RowPreparer(resolve(["city", "pcId", "x"], Feed()), Feed())


def test_prepare_with_encoding_puts_the_id_first(preparer: RowPreparer) -> None:
    prepared = preparer.prepare(ACCENTED, warn=True, encode=True)
    assert prepared.rows == b"1,a,%C3%A9\n"
    assert preparer.encoded(prepared) == prepared.rows


def test_prepare_without_encoding_keeps_plain_rows(preparer: RowPreparer) -> None:
    prepared = preparer.prepare(ACCENTED, warn=True, encode=False)
    assert (prepared.rows, prepared.encoded) == (ACCENTED, False)


@pytest.mark.parametrize("blocks", [[UNRESERVED, ACCENTED], [ACCENTED, UNRESERVED]])
def test_encoded_gives_the_same_in_any_order_of_blocks(preparer: RowPreparer, blocks: list[bytes]) -> None:
    """A block may be encoded after others were prepared, which need more or less encoding."""
    prepared = [preparer.prepare(rows, warn=True, encode=False) for rows in blocks]
    expected = {ACCENTED: b"1,a,%C3%A9\n", UNRESERVED: b"2,b,c\n"}
    for rows, block in reversed(list(zip(blocks, prepared, strict=True))):
        assert preparer.encoded(block) == expected[rows]
        assert preparer.prepare(rows, warn=True, encode=True).rows == expected[rows]


def test_encoded_takes_some_rows_of_a_block(preparer: RowPreparer) -> None:
    prepared = preparer.prepare(UNRESERVED + ACCENTED, warn=True, encode=False)
    assert preparer.encoded(dataclasses.replace(prepared, rows=ACCENTED)) == b"1,a,%C3%A9\n"


def test_preparer_remembers_a_byte_to_encode(preparer: RowPreparer) -> None:
    preparer.prepare(UNRESERVED, warn=True, encode=True)
    assert preparer.all_unreserved
    preparer.prepare(ACCENTED, warn=True, encode=True)
    preparer.prepare(UNRESERVED, warn=True, encode=True)
    assert not preparer.all_unreserved


def test_prepare_counts_warnings_only_on_request(preparer: RowPreparer) -> None:
    rows = b'a,1,"\n'
    assert preparer.prepare(rows, warn=True, encode=True).check.warnings.counts == {"separator_in_value": 1}
    assert not preparer.prepare(rows, warn=False, encode=True).check.warnings.counts


def test_rows_start_with_the_id_and_are_encoded_once() -> None:
    data = 'Lieblingsstadt,a b,pcId,x\n"São, ""Paulo""",%41&+=,7,😀\n'.encode()
    outcome = run(data)
    assert outcome.bodies == [
        b"batch=pcId,Lieblingsstadt,a%20b,x\n7,S%C3%A3o%2C%20%22Paulo%22,%2541%26%2B%3D,%F0%9F%98%80"
    ]
    assert outcome.split.warnings["separator_in_value"] == 1
