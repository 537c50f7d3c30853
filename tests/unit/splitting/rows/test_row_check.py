"""The faults of single rows."""

from __future__ import annotations

import pytest

from bulk_profiles.core.feeds import Feed, SeparatorInValue
from tests.worlds.splitting import run


@pytest.mark.fault(19, "long row, short row, empty id")
@pytest.mark.fault(17, "invalid UTF-8 in a row")
@pytest.mark.parametrize(
    ("row", "column", "reason"),
    [
        (b",Oslo,1", "thirdPartyId", "empty_id"),
        (b"a+b,Oslo,1", "thirdPartyId", "id_character"),
        (b"abcdefgh/b,Oslo,1", "thirdPartyId", "id_character"),
        (b"x" * 257 + b",Oslo,1", "thirdPartyId", "id_too_long"),
        (b"9,Oslo,1,2", "", "too_many_cells"),
        (b"9,Oslo,1,,x", "", "too_many_cells"),
        (b"9,Oslo", "", "too_few_cells"),
        (b"9", "", "too_few_cells"),
        (b"9,\xe9t\xe9,1", "city", "invalid_utf8"),
        (b'9,"Oslo"x,1', "", "bad_quote"),
    ],
)
@pytest.mark.parametrize("quotes", [b"", b'3,"a, b",5\n'])
def test_bad_row_is_rejected_with_its_line_and_kept(
    row: bytes, column: str, reason: str, quotes: bytes
) -> None:
    """It is kept as it stands in the file, to be corrected and dropped again."""
    data = b"thirdPartyId,city,age\n1,Oslo,40\n" + quotes + row + b"\n2,Rome,50\n"
    outcome = run(data)
    line = 4 if quotes else 3
    assert outcome.rejects == [[str(line), column, reason]]
    assert outcome.split.examples.rejects == {reason: [line]}
    assert outcome.rejected_rows.startswith(b"thirdPartyId,city,age,_line,")
    kept = b',"9,""Oslo""x,1",' if reason == "bad_quote" else row
    told = f"{reason}: {column}" if column else reason
    assert f",{line},{told},".encode() in outcome.rejected_rows.split(b"\n" + kept)[1]
    assert [cells[0] for cells in outcome.received] == (["1", "3", "2"] if quotes else ["1", "2"])


def test_id_of_256_characters_is_sent_and_counted() -> None:
    outcome = run(b"thirdPartyId,city\n" + "é".encode() * 256 + b",Oslo\n")
    assert outcome.split.warnings == {"long_id": 1}
    assert outcome.split.rows.sent == 1


def test_plus_and_slash_in_a_pc_id_are_sent() -> None:
    """Target forbids them in a thirdPartyId only."""
    assert run(b"pcId,city\na+b/c,Oslo\n").received == [("a+b/c", "Oslo")]


def test_id_with_a_separator_to_replace_is_rejected() -> None:
    """It would become another id, perhaps that of another row."""
    feed = Feed(separator_in_value=SeparatorInValue.REPLACE)
    outcome = run(b'thirdPartyId,a\n"x,y",1\nx y,"2,3"\n', feed)
    assert outcome.received == [("x y", "2 3")]
    assert outcome.rejects == [["2", "thirdPartyId", "separator_in_value"]]


def test_row_without_a_separator_is_sent_where_separators_are_rejected() -> None:
    feed = Feed(separator_in_value=SeparatorInValue.REJECT)
    outcome = run(b'thirdPartyId,city\n 1 ,Oslo\n 2 ,"Ulm, Mitte"\n3,Rome\n', feed)
    assert outcome.received == [("1", "Oslo"), ("3", "Rome")]
    assert outcome.rejects == [["3", "city", "separator_in_value"]]
