"""What Target would understand of a body."""

from __future__ import annotations

import pytest

from simulator.receiver import FORM, Body, RefusedError, attributes, parse


def _receive(body: bytes, content_type: str = FORM, max_bytes: int = 1000, max_rows: int = 10) -> Body:
    return parse(body, content_type, max_bytes=max_bytes, max_rows=max_rows)


def _values(body: bytes) -> dict[str, dict[str, str]]:
    received = _receive(body)
    return {row.profile_id: attributes(received.columns, row.line) for row in received.rows}


def test_decodes_each_cell_after_the_rows_and_cells_are_split() -> None:
    body = b"batch=thirdPartyId,city,note\na1,Z%C3%BCrich,x%2Cy%0Az\nb2,,100%25%20%26%2B"
    assert _values(body) == {"a1": {"city": "Zürich", "note": "x,y\nz"}, "b2": {"note": "100% &+"}}


def test_a_plus_is_a_space() -> None:
    assert _values(b"batch=pcId,city\n1,New+York\n") == {"1": {"city": "New York"}}


def test_a_short_row_leaves_the_rest_as_it_was() -> None:
    assert _values(b"batch=pcId,a,b\n1,x\n") == {"1": {"a": "x"}}


def test_a_raw_ampersand_cuts_the_batch() -> None:
    received = _receive(b"batch=pcId,city\n1,Bern\n2,A&B\n3,Genf\n")
    assert received.cut
    assert [row.line for row in received.rows] == [b"1,Bern", b"2,A"]


def test_a_carriage_return_stays_part_of_the_value() -> None:
    assert _values(b"batch=pcId,city\n1,Bern\r\n") == {"1": {"city": "Bern\r"}}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"batch=pcId,city\n1,100%\n", "Unexpected error"),
        (b"batch=pcId,city\n1,%zz\n", "Unexpected error"),
        (b"pcId,city\n1,Bern\n", "Parameter batch is missing"),
        (b"batch=", "Batch is empty"),
        (b"batch=pcId,city\n", "Batch is empty"),
        (b"batch=pcId,a&b\n1,x\n", "Batch is empty"),
        (b"batch=email,city\n1,Bern\n", "First column must be pcId or thirdPartyId"),
        (b"batch=\xef\xbb\xbfpcId,city\n1,Bern\n", "First column must be pcId or thirdPartyId"),
        (b"batch=pcId\n" + b"1\n" * 11, "Number of rows exceeds the allowed limit"),
        (b"batch=pcId,city\n1," + b"x" * 1000, "Batch size exceeds the allowed limit"),
    ],
)
def test_refuses_a_whole_batch(body: bytes, message: str) -> None:
    with pytest.raises(RefusedError, match=message):
        _receive(body)


def test_accepts_exactly_the_limits() -> None:
    rows = b"batch=pcId,a\n" + b"1,x\n" * 10
    assert len(_receive(rows, max_bytes=len(rows) + 1).rows) == 10
    with pytest.raises(RefusedError):
        _receive(rows, max_bytes=len(rows))


def test_parses_only_forms() -> None:
    with pytest.raises(RefusedError, match="Batch is empty"):
        _receive(b"batch=pcId,a\n1,x\n", content_type="text/csv")
    assert _receive(b"batch=pcId,a\n1,x\n", content_type=f"{FORM}; charset=UTF-8").rows


@pytest.mark.parametrize("line", [b",x", b"a%2Fb,x", b"a%2Bb,x", b"a,x,y"])
def test_a_row_that_cannot_be_used_is_faulty(line: bytes) -> None:
    rows = _receive(b"batch=thirdPartyId,a\n" + line + b"\nok,x\n").rows
    assert [row.faulty for row in rows] == [True, False]
