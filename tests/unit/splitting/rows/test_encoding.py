"""Percent-encoding: one value at a time, and whole blocks."""

from __future__ import annotations

from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_profiles.core.feeds import Feed, SeparatorInValue
from bulk_profiles.splitting.rows.encoding import Encoder, encode
from bulk_profiles.splitting.rows.plain import mark
from tests.worlds.splitting import run


def test_encode_keeps_only_unreserved_characters() -> None:
    every = bytes(range(128))
    assert encode(every) == b"".join(
        bytes([byte]) if chr(byte).isalnum() or byte in b"-._~" else b"%%%02X" % byte for byte in every
    )


@given(st.lists(st.lists(st.text(), min_size=2, max_size=2), min_size=1))
def test_encoder_encodes_a_block_like_its_values(rows: list[list[str]]) -> None:
    plain = b"".join(b",".join(mark(cell.encode()) for cell in row) + b"\n" for row in rows)
    encoded = Encoder()(plain)
    assert encoded.decode("ascii") == "".join(
        ",".join(quote(cell, safe="") for cell in row) + "\n" for row in rows
    )


@given(st.lists(st.text(), min_size=1, max_size=4))
def test_encoder_that_has_learned_encodes_the_same(values: list[str]) -> None:
    encoder = Encoder()
    for value in values:
        assert encoder(mark(value.encode())) == Encoder()(mark(value.encode())) == encode(value.encode())


def test_encoder_may_replace_separators_by_spaces() -> None:
    encoder = Encoder(replace_separators=True)
    assert encoder(mark(b'a,b\nc\rd"e%f')) == b"a%20b%20c%20d%20e%25f"


def test_encoded_value_is_decoded_to_the_same() -> None:
    value = "Zoë & 'x'=1+1 100% \"q\", 😀\r\n"
    assert unquote(encode(value.encode()).decode()) == value


@pytest.mark.parametrize(
    ("what", "sent"), [(SeparatorInValue.ENCODE, 'a,b"c\nd'), (SeparatorInValue.REPLACE, "a b c d")]
)
def test_separators_in_values_are_encoded_or_replaced(what: SeparatorInValue, sent: str) -> None:
    outcome = run(b'pcId,a\n1,"a,b""c\nd"\n', Feed(separator_in_value=what))
    assert outcome.received == [("1", sent)]
