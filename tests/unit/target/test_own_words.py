"""Target's own words: what of them is shown, and in which form they may come."""

from __future__ import annotations

import pytest

from bulk_profiles.target.own_words import NOT_READABLE, is_html, is_json, mask, words_of


@pytest.mark.fault(62, "an id that Target repeats")
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Unexpected error", "Unexpected error"),
        ("Error 1042 in row 12: (500)", "Error 1042 in row 12: (500)"),
        ("customer 1234567 of shop4", "customer *** of ***"),
        ("no profile ada@example.com!", "no profile ***"),
        (" two\n lines\x00 ", "two lines"),
        ("x" * 301, "x" * 300),
        ("", ""),
        ("gewählt: naïve\u2026 5 €", "gewählt: naïve\u2026 5 €"),
        ("complete\u00a0", "complete\\u00a0"),
        ("a\u200bb\ufeff", "a\\u200bb\\ufeff"),
        ("no anna.b\uff20c.de ٤٧١١٤٧١١ \uff14\uff17\uff11\uff11\uff14\uff17", NOT_READABLE),
        ("no anna.b\uff20c.de", "no ***"),
        ("no \uff14\uff17\uff11\uff11\uff14\uff17", "no ***"),
        ("no 123\u200b4567 123\u00a04567", "no *** ***"),
        ("\u0430nna", NOT_READABLE),  # the first letter is Cyrillic
        ("anna.b@c.de failed".encode("utf-16-le").decode(), NOT_READABLE),
        ("anna.b@c.de failed".encode("utf-32-be").decode(), NOT_READABLE),
        (b"anna failed 1".ljust(14).decode("utf-16-le"), NOT_READABLE),
        (b"anna failed 1".ljust(14).decode("utf-16-be"), NOT_READABLE),
    ],
)
def test_mask_hides_words_that_may_be_ids(text: str, shown: str) -> None:
    assert mask(text) == shown


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Service Unavailable", "Service Unavailable"),
        ('{"message": "No", "error": "Yes"}', "No"),
        ('{"error": {"code": 7, "message": "No access"}}', "No access"),
        (' {"error_description": "Expired", "detail": ""}', "Expired"),
        ('{"title": "Bad", "detail": "Worse"}', "Worse"),
        ('{"error": {"a": {"message": "deep"}}}', '{"error": {"a": {"message": "deep"}}}'),
        ('{"message": 7}', '{"message": 7}'),
        ('["No"]', '["No"]'),
        ('{"message": "No"', '{"message": "No"'),
        ("{" * 20_000, "{" * 300),
        ('{"a":' * 9_000, ('{"a":' * 60)),
    ],
)
def test_words_of_text_or_json_are_all_kept(text: str, words: str) -> None:
    assert words_of(text) == words


@pytest.mark.parametrize(
    ("text", "html", "json"),
    [
        ("<!DOCTYPE html>", True, False),
        ("\n<HTML lang='en'>", True, False),
        ("<body>", True, False),
        ("<!DOCTYPE response>", False, False),
        ("<htmlx>", False, False),
        ("<response><html/></response>", False, False),
        (' {"a": 1}', False, True),
        ("[]", False, True),
        ("true", False, False),
    ],
)
def test_is_html_and_is_json_look_at_the_begin(text: str, *, html: bool, json: bool) -> None:
    assert (is_html(text), is_json(text)) == (html, json)
