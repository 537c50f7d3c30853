"""Answers in XML: every limit to the byte, every refusal in words, any pieces."""

from __future__ import annotations

import pytest

from bulk_profiles.core.models import ProfileStatus
from bulk_profiles.target import xml_reader
from bulk_profiles.target.response import Response
from bulk_profiles.target.xml_reader import read_xml
from tests.worlds.answers import head, profile, reason, xml

LONGEST_TEXT = 8 * 1024
WHOLE = (
    "<?xml version='1.0'?>\n<response><batchId>demo-1</batchId>"
    "<profile><id>a&amp;&lt;b&c&#1114111;é</id><status>failed</status></profile></response>"
).encode()


def fields(*elements: str) -> dict[str, str]:
    return read_xml([xml(*elements)]).fields


def test_read_xml_is_the_same_in_any_two_pieces() -> None:
    whole = read_xml([WHOLE])
    assert whole == Response({"batchId": "demo-1"}, {"a&<b&c\U0010ffffé": ProfileStatus.ERROR})
    assert all(read_xml([WHOLE[:at], WHOLE[at:]]) == whole for at in range(len(WHOLE)))


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("a&b", "a&b"),
        ("a&amp;b", "a&b"),
        ("a&amp;amp;b", "a&amp;b"),
        ("<![CDATA[a&b]]>", "a&b"),
        ("<![CDATA[a&amp;b]]>", "a&b"),
        ("<![CDATA[\n a<b ]]>", "a<b"),
        ("\n a ", "a"),
        ("", ""),
    ],
)
def test_read_xml_ampersand_is_read_however_it_is_written(written: str, text: str) -> None:
    assert fields("<message>", written, "</message>") == {"message": text}


def test_read_xml_cdata_does_not_affect_later_elements() -> None:
    first, second = "<a><![CDATA[&amp;]]></a>", "<b>&amp;amp;</b>"
    assert fields(first, second) == {"a": "&", "b": "&amp;"}


@pytest.mark.parametrize(
    ("written", "profile_id"),
    [
        ("a&amp;#0000038;b", "a&#0000038;b"),
        ("<![CDATA[a&b]]>", "a&b"),
        ("<![CDATA[a&amp;b]]>", "a&amp;b"),
    ],
)
def test_read_xml_id_is_taken_as_it_is_spelled(written: str, profile_id: str) -> None:
    body = f"<response><profile><id>{written}</id><status>failed</status></profile></response>"
    assert read_xml([body.encode()]).profiles == {profile_id: ProfileStatus.ERROR}


def test_read_xml_id_in_cdata_is_read() -> None:
    body = xml(head(), profile("<![CDATA[a&b<c]]>", "failed"), profile("d&amp;e", "failed"))
    for response in (read_xml([body]), read_xml(bytes([byte]) for byte in body)):
        assert response.profiles == {"a&b<c": ProfileStatus.ERROR, "d&e": ProfileStatus.ERROR}


def test_read_xml_declared_charset_is_used() -> None:
    body = '<?xml version="1.0" encoding="ISO-8859-1"?>' + xml(head(), profile("é", "failed")).decode()
    assert read_xml([body.encode("latin-1")]).profiles == {"é": ProfileStatus.ERROR}


# Limits


def test_read_xml_text_over_8_kb_is_unusable() -> None:
    assert fields("<a>", "x" * LONGEST_TEXT, "</a>")
    assert reason(read_xml, f"<response><a>{'x' * (LONGEST_TEXT + 1)}".encode()) == (
        "The answer has a text that is too long."
    )


def test_read_xml_nested_over_16_deep_is_unusable() -> None:
    assert fields("<a>" * 15, "</a>" * 15, "<b>1</b>") == {"a": "", "b": "1"}
    assert reason(read_xml, b"<response>" + b"<a>" * 16) == "The answer is nested too deep."


def test_read_xml_over_64_elements_is_unusable() -> None:
    many = [f"<e{number}/>" for number in range(65)]
    assert len(fields(*many[:64])) == 64
    assert reason(read_xml, f"<response>{''.join(many)}".encode()) == (
        "The answer contradicts itself, or has too many elements."
    )


def test_read_xml_tag_over_the_limit_is_unusable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xml_reader, "_MAX_TOKEN", 100)
    start, longest = b"<response><batchId>demo-1</batchId>", b"<a b='".ljust(100, b"x")
    assert reason(read_xml, start, longest) == "The answer is not whole, well-formed XML."
    assert reason(read_xml, start, longest + b"x") == "The answer has an element without end."
    assert len(read_xml(WHOLE[at : at + 20] for at in range(0, len(WHOLE), 20)).profiles) == 1


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"<html></html>", "is not a response of Target"),
        (b"<profile><id>a</id><status>success</status></profile>", "is not a response of Target"),
        (b"<!DOCTYPE response><response/>", "declares a document type"),
        (WHOLE[:-1], "is not whole, well-formed XML"),
        (b"<response></Response>", "is not whole, well-formed XML"),
        (b"<response><profile><profile>", "has a profile within a profile, or too many of them"),
        (b"<response><profile><id> </id></profile>", "has a profile without an id"),
        (b"<response><a>1</a><a>2</a>", "contradicts itself, or has too many elements"),
    ],
)
def test_read_xml_unusable_answer_is_not_quoted(body: bytes, fault: str) -> None:
    assert reason(read_xml, body) == f"The answer {fault}."
