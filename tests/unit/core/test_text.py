"""Texts from outside, and numbers with nouns."""

from __future__ import annotations

import pytest

from bulk_profiles.core.text import (
    is_utf8_text,
    printable,
    printable_name,
    quantity,
    quoted,
    spelling_key,
    without_invisible,
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", True),
        ("é\U0010ffff", True),
        ("\ud7ff\ue000", True),
        ("\ud800", False),
        ("a\udfffb", False),
        (b"a", False),
        (None, False),
        (["a"], False),
    ],
)
def test_is_utf8_text_is_false_for_surrogates_and_other_types(value: object, expected: bool) -> None:
    assert is_utf8_text(value) is expected


def test_printable_is_one_short_line_without_control_characters() -> None:
    assert printable("a\r\n\x1b b" + "c" * 400) == "a b" + "c" * 297


def test_printable_text_has_no_invisible_characters() -> None:
    assert printable(" a\r\nb\x00\x1b[31m\u2028c\u200b ") == "a b [31m c"
    assert printable("é €") == "é €"


def test_quantity_of_one_is_in_the_singular() -> None:
    assert [quantity(number, "row") for number in (0, 1, 2)] == ["0 rows", "1 row", "2 rows"]
    assert [quantity(number, "batch") for number in (1, 2)] == ["1 batch", "2 batches"]


@pytest.mark.parametrize("sign", [*"\ufeff\u200b\u200c\u200d\u2060\u00ad\u200e\u180e\x00\x7f\u3164\u2800"])
def test_character_that_shows_nothing_is_no_part_of_a_name(sign: str) -> None:
    assert without_invisible(f"{sign} internal{sign}Note{sign}{sign}") == "internalNote"


@pytest.mark.parametrize("blank", [*"\u00a0\u2007\u202f\u3000\u2028\u0085"])
def test_blank_that_is_not_ascii_is_a_space_in_a_name(blank: str) -> None:
    assert without_invisible(f"{blank} internal{blank}note{blank}") == "internal note"


def test_name_keeps_what_can_be_seen() -> None:
    assert without_invisible("\tGröße  (m²)\n#1 \r\n") == "Größe  (m²)\n#1"


@pytest.mark.parametrize(
    "name",
    [
        "Third-Party ID",
        "third_party_id",
        "THIRDPARTYID",
        "third\nParty\tId",
        "third.party\u00a0id",
        "\ufeffthirdPartyId",
    ],
)
def test_spellings_of_a_name_have_one_key(name: str) -> None:
    assert spelling_key(name) == "thirdpartyid"
    assert spelling_key(name + "2") != "thirdpartyid"


@pytest.mark.parametrize("name", ["Q1_1", "q1 1", "Q1 - 1", "q_1.1", "Q\uff11\u00b7\uff11"])
def test_spelling_key_keeps_two_numbers_apart(name: str) -> None:
    assert spelling_key(name) == "q1_1"
    assert spelling_key("Q11") == "q11"


def test_spelling_key_is_that_of_all_unicode_forms() -> None:
    assert spelling_key("Gro\u0308\u00dfe") == spelling_key("gr\u00f6sse") == spelling_key("\uff27\uff32ÖẞE")


def test_quoted_names_are_few_short_and_printable() -> None:
    assert quoted(["a\nb", "c" * 50]) == '"a?b", "' + "c" * 40 + '"'
    assert quoted(["a"] * 10) == ", ".join(['"a"'] * 10)
    assert quoted(["a"] * 11) == ", ".join(['"a"'] * 10) + ", ..."


@pytest.mark.parametrize(
    ("name", "text"), [("größe.csv", "größe.csv"), ("a\nb\t\x1b[31m.csv", "a?b??[31m.csv"), ("\udcff", "?")]
)
def test_printable_name_replaces_what_cannot_be_printed(name: str, text: str) -> None:
    assert printable_name(name) == text
