"""Texts from outside, and numbers with nouns."""

from __future__ import annotations

import pytest

from bulk_profiles.core.text import is_utf8_text, printable, quantity


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
