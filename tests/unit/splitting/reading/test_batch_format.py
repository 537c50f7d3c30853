"""Files in Target's own format, already encoded."""

from __future__ import annotations

import pytest

from bulk_profiles.core.errors import FileRejectedError
from bulk_profiles.splitting.batches.cutter import Limits
from bulk_profiles.splitting.reading.dialect import Dialect
from bulk_profiles.splitting.reading.record_parser import parse
from bulk_profiles.splitting.rows.faults import Reject
from bulk_profiles.splitting.rows.plain import read_fault
from tests.worlds.splitting import run


@pytest.mark.fault(26, "Target's own format, valid and with bad escapes")
def test_encoded_rows_are_checked_and_passed_on() -> None:
    data = b"batch=thirdPartyId,a%20b,c\n1,x%2Cy%2c,p+q\n%32,%C3%A9&=,z\n3,%4,z\n4,50%,z\n5,%E9,z\n"
    outcome = run(data)
    assert outcome.bodies == [b"batch=thirdPartyId,a%20b,c\n1,x%2Cy%2C,p+q\n2,%C3%A9%26%3D,z"]
    assert outcome.rejects == [
        ["4", "a b", "bad_escape"],
        ["5", "a b", "bad_escape"],
        ["6", "a b", "invalid_utf8"],
    ]
    assert outcome.split.warnings["plus_sign"] == 1
    first, second, third = outcome.rejected_rows.splitlines()
    assert first.startswith(
        b'{"thirdPartyId": "", "_row": "3,%4,z", "_line": "4", "_reason": "bad_escape: a b", '
    )
    assert second.startswith(b'{"thirdPartyId": "", "_row": "4,50%,z", ')
    assert third.startswith(b'{"thirdPartyId": "5", "a b": "\xe9", "c": "z", "_line": "6", ')


def test_encoded_ids_are_compared_decoded() -> None:
    outcome = run(b"batch=pcId,a,b\nA%2D1,x,\nA-1,,y\n%41-1,z,\n")
    assert outcome.bodies == [b"batch=pcId,a,b\nA-1,z,y"]


def test_documented_sample_with_spaces_and_short_rows_is_read() -> None:
    outcome = run(
        b"batch=pcId, param1, param2, param3, param4\n123, value1\n124, value1,,, value4\n125,, value2\n"
    )
    assert outcome.received == [
        ("123", "value1", "", "", ""),
        ("124", "value1", "", "", "value4"),
        ("125", "", "value2", "", ""),
    ]


def test_encoded_percent_signs_are_decoded_once() -> None:
    outcome = run(b"batch=pcId,a\n1,%2541%252C%25\n")
    assert outcome.bodies == [b"batch=pcId,a\n1,%2541%252C%25"]


@pytest.mark.fault(26, "Target's own format, over the limits: cut anew")
@pytest.mark.parametrize(
    "limits", [Limits(max_batch_rows=2), Limits(max_batch_bytes=len(b"batch=pcId,a\n1,x\n2,y"))]
)
def test_encoded_rows_over_the_limits_are_cut_anew(limits: Limits) -> None:
    outcome = run(b"batch=pcId,a\n1,x\n2,y\n3,z\n", limits=limits)
    assert outcome.bodies == [b"batch=pcId,a\n1,x\n2,y", b"batch=pcId,a\n3,z"]


def test_name_that_is_not_utf8_once_decoded_rejects_the_file() -> None:
    with pytest.raises(FileRejectedError, match="A name in the header is not UTF-8 once it is decoded"):
        run(b"batch=pcId,%FF\n1,x\n")


@pytest.mark.parametrize("rows", [b'1,"x"\n', b'1, "x"\n', b'1,"x\n'])
def test_quote_at_the_start_of_a_value_rejects_its_row(rows: bytes) -> None:
    outcome = run(b"batch=pcId,a\n" + rows + b"2,y\n")
    assert outcome.rejects == [["2", "", "bad_quote"]]
    assert outcome.received == [("2", "y")]


def test_quote_at_the_end_of_what_was_read_waits_for_more() -> None:
    dialect = Dialect(quoted=False, encoded=True, width=2)
    assert parse(b'1,x\n2,"', dialect, line=1, final=False).rows == [b"1,x"]
    [_, rejected] = parse(b'1,x\n2,"\n', dialect, line=1, final=True).rows
    assert read_fault(rejected) == (Reject.BAD_QUOTE, None)
