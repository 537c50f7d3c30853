"""Charsets: which of several that are named is used, and what comes of its bytes."""

from __future__ import annotations

import codecs

import pytest

from bulk_profiles.target.charset import utf8_pieces
from tests.worlds.answers import reason

DECLARATION = "<?xml version='1.0' encoding = \"{}\" ?>"


@pytest.mark.parametrize(
    ("codec", "mark", "declared", "header"),
    [
        ("utf-8", b"", "", ""),
        ("utf-8", codecs.BOM_UTF8, "latin-1", "latin-1"),
        ("utf-16-le", codecs.BOM_UTF16_LE, "utf-8", "utf-8"),
        ("utf-16-be", codecs.BOM_UTF16_BE, "", "UTF-16LE"),
        ("utf-16-le", b"", "", ""),
        ("utf-16-be", b"", "", ""),
        ("utf-16-le", b"", "", "utf-16"),
        ("utf-16-be", b"", "", "utf-16"),
        ("latin-1", b"", "latin-1", ""),
        ("latin-1", b"", "utf-8", "latin-1"),
        ("utf-8", b"", "latin-1", "UTF8"),
        ("utf-8", b"", "us-ascii", ""),
    ],
)
def test_utf8_pieces_mark_goes_before_header_before_declaration(
    codec: str, mark: bytes, declared: str, header: str
) -> None:
    text = (DECLARATION.format(declared) if declared else "") + "<a>é</a>" + " " * 300 + "ü"
    body = mark + text.encode(codec)
    for size in (1, 3, 256, len(body)):
        pieces = (body[at : at + size] for at in range(0, len(body), size))
        decoded = b"".join(utf8_pieces(pieces, header)).decode()
        assert decoded.lstrip("\ufeff") == text


def test_utf8_pieces_of_flattened_utf_16_without_order_is_big_endian() -> None:
    body = "b1 é failed".encode("utf-16-be")
    assert b"".join(utf8_pieces([body], "utf-16")).decode() == "b1 é failed"


def test_utf8_pieces_in_utf_8_are_not_changed() -> None:
    body = b"<a>\xff</a>"
    assert b"".join(utf8_pieces([body])) == body


def test_utf8_pieces_half_a_character_at_the_end_is_replaced() -> None:
    assert b"".join(utf8_pieces(["<é".encode("utf-16")[:-1]])).decode() == "<\uffff"


@pytest.mark.parametrize("charset", ["klingon", "hex", "utf-7", "shift_jis", "idna", "x\x00", "ü"])
def test_utf8_pieces_of_an_unknown_charset_raise(charset: str) -> None:
    sentence = f"The answer is in a charset that is not known: {charset.replace(chr(0), '')}."
    assert reason(lambda pieces: utf8_pieces(pieces, charset), b"<a/>") == sentence
    body = DECLARATION.format(charset).encode("latin-1")
    assert reason(utf8_pieces, body) == sentence
