"""One look at a block tells what need not be looked at."""

from __future__ import annotations

import pytest

from bulk_profiles.core.feeds import Feed, SeparatorInValue
from bulk_profiles.splitting.rows.block_check import is_unreserved
from bulk_profiles.splitting.rows.encoding import UNRESERVED
from tests.worlds.splitting import run


@pytest.mark.parametrize("byte", range(256))
def test_is_unreserved_knows_each_byte_to_encode(byte: int) -> None:
    sent_as_they_are = UNRESERVED.replace(b"~", b"") + b",\n"  # it need not know the tilde
    assert is_unreserved(b"abc,%c\n" % byte) == (byte in sent_as_they_are)


@pytest.mark.fault(20, "a field of 200,000 characters")
def test_value_of_200000_characters_is_sent_and_counted() -> None:
    outcome = run(b'thirdPartyId,a\n1,"' + b"y" * 200_000 + b'"\n')
    assert outcome.received == [("1", "y" * 200_000)]
    assert outcome.split.warnings == {"long_value": 1}


@pytest.mark.fault(16, "NUL, control characters, U+2028, U+0085")
def test_control_characters_are_sent_and_counted() -> None:
    """So are characters that end a line elsewhere."""
    value = "a\0b\x1f\x7f\u2028\x85c"
    outcome = run(f"thirdPartyId,a\n1,{value}\n".encode())
    assert outcome.received == [("1", value)]
    assert outcome.split.warnings == {"control_character": 1}


@pytest.mark.parametrize("value", ["it\x92s", "\x80 5", "\x9f", "it\xe2\x80\x99s"])
def test_quotes_of_windows_1252_that_was_read_as_iso_8859_1_are_counted(value: str) -> None:
    outcome = run(f"thirdPartyId,a,b\n1,{value},\xbb\n2,\xa0x,{value}\n".encode())
    assert outcome.received == [("1", value, "\xbb"), ("2", "\xa0x", value)]
    assert outcome.split.warnings == {"control_character": 2}
    assert outcome.split.examples.warnings == {"control_character": [2, 3]}


def test_separators_in_values_are_rejected_if_the_feed_says_so() -> None:
    outcome = run(
        b'pcId,a,b\n1,x,"a,b"\n2,"y",z\n3,p"q,r\n', Feed(separator_in_value=SeparatorInValue.REJECT)
    )
    assert outcome.rejects == [["2", "b", "separator_in_value"], ["4", "a", "separator_in_value"]]
    assert outcome.received == [("2", "y", "z")]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ('="00123"', "00123"),
        ('"=""00123"""', "00123"),
        ('=T("00123")', "00123"),
        ('"=T(""00123"")"', "00123"),
        ("=00123", "00123"),
        ('"=""a,b"""', "a,b"),
        ('=""', ""),
        ('"=""NULL"""', "NULL"),
    ],
)
@pytest.mark.parametrize("rows", [1, 30_000])
def test_what_keeps_a_spreadsheet_from_changing_a_value_is_removed(
    written: str, value: str, rows: int
) -> None:
    filler = "".join(f"A{number},x y\n" for number in range(rows))
    outcome = run(f"pcId,a,b\n{filler}B1,{written},z\n\nB2,z,{written}\n".replace(",x y", ",x y,=x").encode())
    assert outcome.received[rows:] == [("B1", value, "z"), ("B2", "z", value)]
    assert outcome.received[0] == ("A0", "x y", "=x")
    assert outcome.split.warnings["value_guarded"] == 2
    assert outcome.split.examples.warnings["value_guarded"] == [rows + 2, rows + 4]


def test_guarded_values_of_rejected_rows_are_not_counted() -> None:
    outcome = run(b'pcId,a\n,="1"\nA2,x\n1,="1"\n="2",="="\n')
    assert outcome.received == [("A2", "x"), ("1", "1"), ("2", "=")]
    assert outcome.split.warnings["value_guarded"] == 2
    assert outcome.split.examples.warnings["value_guarded"] == [4, 5]


@pytest.mark.parametrize("value", ["'=1+2", "'+49 170", "'-5", "'@home"])
def test_apostrophe_before_the_sign_of_a_formula_is_sent_and_counted(value: str) -> None:
    outcome = run(f"a|pcId|b\n{value}|1|'tis\nx|'-2|{value}\n".encode())
    assert outcome.received == [("1", value, "'tis"), ("'-2", "x", value)]
    assert outcome.split.warnings == {"value_apostrophe": 2, "id_apostrophe": 1}
    assert outcome.split.examples.warnings["value_apostrophe"] == [2, 3]


@pytest.mark.parametrize(
    "value",
    [
        "{{city}}",
        "{% x %}",
        "${city}",
        "#{city}",
        "%%city%%",
        "*|CITY|*",
        "<%= city %>",
        "{{a,b}}",
        "System.String[]",
    ],
)
def test_placeholder_that_was_not_filled_in_is_sent_and_counted(value: str) -> None:
    rows = f'a,pcId,b\n"{value}",1,"{value}x"\n{value[:2]},2,"{value}"\n'
    outcome = run(rows.encode())
    assert outcome.received == [("1", value, f"{value}x"), ("2", value[:2], value)]
    assert outcome.split.warnings["placeholder"] == 2
    assert outcome.split.examples.warnings["placeholder"] == [2, 3]


def test_space_at_the_start_of_a_value_is_sent_and_counted() -> None:
    outcome = run("a|pcId|b\n x| 1|\u201cy\u201d\n   |2| y \n\u00a0z|3|z \n".encode())
    assert outcome.received == [("1", " x", "\u201cy\u201d"), ("2", "", " y "), ("3", "\u00a0z", "z ")]
    assert outcome.split.warnings == {"id_trimmed": 1, "leading_space": 2}
    assert outcome.split.examples.warnings["leading_space"] == [2, 3]
