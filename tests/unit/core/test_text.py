"""Texts from outside, made fit to be shown."""

from __future__ import annotations

from bulk_profiles.core.text import printable


def test_printable_text_is_one_line_without_control_characters() -> None:
    assert printable(" a\r\nb\x00\x1b[31m\u2028c\u200b ") == "a b [31m c"
    assert printable("é €") == "é €"
