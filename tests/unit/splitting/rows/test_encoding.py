"""Percent-encoding: one value at a time, and whole blocks."""

from __future__ import annotations

from urllib.parse import quote, unquote

from hypothesis import given
from hypothesis import strategies as st

from bulk_profiles.splitting.rows.encoding import Encoder, encode
from bulk_profiles.splitting.rows.plain import mark, unmark, without_invalid


def test_only_unreserved_characters_stay() -> None:
    every = bytes(range(128))
    assert encode(every) == b"".join(
        bytes([byte]) if chr(byte).isalnum() or byte in b"-._~" else b"%%%02X" % byte for byte in every
    )


@given(st.lists(st.lists(st.text(), min_size=2, max_size=2), min_size=1))
def test_a_block_is_encoded_as_its_values_are(rows: list[list[str]]) -> None:
    plain = b"".join(b",".join(mark(cell.encode()) for cell in row) + b"\n" for row in rows)
    encoded = Encoder()(plain)
    assert encoded.decode("ascii") == "".join(
        ",".join(quote(cell, safe="") for cell in row) + "\n" for row in rows
    )


@given(st.lists(st.text(), min_size=1, max_size=4))
def test_an_encoder_that_has_learned_encodes_the_same(values: list[str]) -> None:
    encoder = Encoder()
    for value in values:
        assert encoder(mark(value.encode())) == Encoder()(mark(value.encode())) == encode(value.encode())


def test_separators_can_become_spaces() -> None:
    encoder = Encoder(replace_separators=True)
    assert encoder(mark(b'a,b\nc\rd"e%f')) == b"a%20b%20c%20d%20e%25f"


@given(st.text())
def test_marks_are_undone(value: str) -> None:
    assert unmark(mark(value.encode())).decode() == value


@given(st.binary())
def test_no_mark_is_left_where_text_is_invalid(data: bytes) -> None:
    cleaned = without_invalid(data)
    assert not set(cleaned) & set(range(0xF8, 0x100))
    try:
        assert data.decode() == cleaned.decode()
    except UnicodeDecodeError:
        assert max(cleaned.decode("utf-8", "surrogatepass")) >= "\udc80"
        assert cleaned != data


def test_what_the_receiver_decodes_is_what_was_said() -> None:
    value = "Zoë & 'x'=1+1 100% \"q\", 😀\r\n"
    assert unquote(encode(value.encode()).decode()) == value
