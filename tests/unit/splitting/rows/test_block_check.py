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
