"""Values that are encoded for another place are sent as they are, and counted."""

from __future__ import annotations

import pytest

from bulk_profiles.core.feeds import Feed, Mapping
from bulk_profiles.core.models import Examples
from tests.worlds.splitting import run

ENTITIES = ["Smith &amp; Co", "M&uuml;nchen", "&Uacute;", "a&#252;", "&#xfc;", "a &lt;b&gt;"]
PERCENT_ENCODED = ["New%20York", "%C3%A3", "a%2fb", "100%25"]
PLAIN = ["a&b;", "R&D; x", "a & b; c", "?x=1&y=2;", "100%", "5% of", "%zz", "https://x.example/a%20b"]
PLAIN += ["C:\\dir", r"\s", "&", "%", "/", "&;", "&12;"]
ESCAPED = [r"a\nb", r"\t", r"C:\\dir", r"say \"hi", r"O\'Neil", "ends\\", r"\u00e9", r"a\0b", r"x\ry"]


@pytest.mark.parametrize("text", [*ENTITIES, *PERCENT_ENCODED])
def test_text_that_is_encoded_is_sent_as_it_is_and_counted(text: str) -> None:
    outcome = run(f"pcId,a,b\n1,x,y\n2,{text},y\n3{text},x,{text}\n4,x,é\n".encode())
    assert outcome.received == [("1", "x", "y"), ("2", text, "y"), (f"3{text}", "x", text), ("4", "x", "é")]
    assert outcome.split.warnings == {"encoded_text": 3}
    assert outcome.split.examples == Examples(warnings={"encoded_text": [3, 4]})


@pytest.mark.parametrize("text", ESCAPED)
def test_backslash_that_may_be_an_escape_is_sent_as_it_is_and_counted(text: str) -> None:
    outcome = run(f"pcId,a,b\n1,x,y\n2,{text},y\n3{text},x,{text}\n4,x,é\n".encode())
    assert outcome.received == [("1", "x", "y"), ("2", text, "y"), (f"3{text}", "x", text), ("4", "x", "é")]
    assert outcome.split.warnings["backslash"] == 3
    assert outcome.split.examples.warnings["backslash"] == [3, 4]


def test_line_break_after_a_backslash_is_counted() -> None:
    """As `COPY` and csv writers without quotes have it; the delimiter after the other one hides it."""
    outcome = run(b"pcId,a,b\n1,x\\,y\\\nz,w\n")
    assert outcome.received == [("1", "x\\", "y\\")]
    assert outcome.split.warnings == {"backslash": 2}
    assert outcome.rejects == [["3", "", "too_few_cells"]]


@pytest.mark.parametrize("text", PLAIN)
@pytest.mark.parametrize("last", ["y", "2", "amp;"])
def test_other_text_is_not_counted(text: str, last: str) -> None:
    outcome = run(f"pcId,a,b\n1,{text},{last}\n2,x,{text}\n".encode())
    assert outcome.received == [("1", text, last), ("2", "x", text)]
    assert not outcome.split.warnings


def test_encoding_of_a_batch_file_is_not_counted_unless_it_is_double() -> None:
    outcome = run(b"batch=pcId,a\n1,New%20York\n2,New%2520York\n")
    assert outcome.received == [("1", "New York"), ("2", "New%20York")]
    assert outcome.split.examples == Examples(warnings={"encoded_text": [3]})


def test_column_that_is_not_sent_is_not_counted() -> None:
    feed = Feed(mapping=Mapping(drop=("b",)))
    assert not run(b"pcId,a,b\n1,x,a%20b\n2,y,&amp;\n", feed).split.warnings
