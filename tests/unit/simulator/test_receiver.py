"""Bodies parsed as Target would parse them."""

from __future__ import annotations

import pytest

from simulator.receiver import FORM, Body, RefusedError, attributes, parse


def _parse(body: bytes, content_type: str = FORM, max_bytes: int = 1000, max_rows: int = 10) -> Body:
    return parse(body, content_type, max_bytes=max_bytes, max_rows=max_rows)


def _values(body: bytes) -> dict[str, dict[str, str]]:
    received = _parse(body)
    return {row.profile_id: attributes(received.columns, row.line) for row in received.rows}


def test_parse_decodes_cells_after_splitting_them() -> None:
    body = b"batch=thirdPartyId,city,note\na1,Z%C3%BCrich,x%2Cy%0Az\nb2,,100%25%20%26%2B"
    assert _values(body) == {"a1": {"city": "Zürich", "note": "x,y\nz"}, "b2": {"note": "100% &+"}}


def test_parse_decodes_a_plus_as_a_space() -> None:
    assert _values(b"batch=pcId,city\n1,New+York\n") == {"1": {"city": "New York"}}


def test_attributes_of_a_short_row_are_those_it_has() -> None:
    assert _values(b"batch=pcId,a,b\n1,x\n") == {"1": {"a": "x"}}


def test_parse_ends_the_batch_at_a_raw_ampersand() -> None:
    received = _parse(b"batch=pcId,city\n1,Bern\n2,A&B\n3,Genf\n")
    assert received.cut
    assert [row.line for row in received.rows] == [b"1,Bern", b"2,A"]


def test_parse_keeps_a_carriage_return_in_the_value() -> None:
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
def test_parse_of_an_invalid_body_is_refused_with_a_message(body: bytes, message: str) -> None:
    with pytest.raises(RefusedError, match=message):
        _parse(body)


def test_parse_accepts_a_body_just_within_the_limits() -> None:
    rows = b"batch=pcId,a\n" + b"1,x\n" * 10
    assert len(_parse(rows, max_bytes=len(rows) + 1).rows) == 10
    with pytest.raises(RefusedError):
        _parse(rows, max_bytes=len(rows))


def test_parse_of_another_content_type_is_refused() -> None:
    with pytest.raises(RefusedError, match="Batch is empty"):
        _parse(b"batch=pcId,a\n1,x\n", content_type="text/csv")
    assert _parse(b"batch=pcId,a\n1,x\n", content_type=f"{FORM}; charset=UTF-8").rows


@pytest.mark.parametrize("line", [b",x", b"a%2Fb,x", b"a%2Bb,x", b"a,x,y"])
def test_row_with_a_wrong_id_or_too_many_cells_is_faulty(line: bytes) -> None:
    rows = _parse(b"batch=thirdPartyId,a\n" + line + b"\nok,x\n").rows
    assert [row.faulty for row in rows] == [True, False]
