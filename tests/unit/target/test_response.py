"""What is read of Target's `<response>`: every limit to the byte, every refusal in words, any pieces."""

from __future__ import annotations

import codecs

import pytest

from bulk_profiles.core.models import ProfileStatus
from bulk_profiles.target import flat_reader, xml_reader
from bulk_profiles.target.answers import read_receipt_response, read_status_response
from bulk_profiles.target.flat_reader import is_ambiguous
from bulk_profiles.target.response import Response, UnusableAnswerError

ENOUGH = 10_000_000
LONGEST_TEXT = 8 * 1024
WHOLE = (
    "<?xml version='1.0'?>\n<response><batchId>demo-1</batchId>"
    "<profile><id>a&amp;&lt;b&c&#1114111;é</id><status>failed</status></profile></response>"
).encode()


def read(*chunks: bytes) -> Response:
    return read_status_response(chunks, ENOUGH)


def fields(*elements: str) -> dict[str, str]:
    return read("<response>{}</response>".format("".join(elements)).encode()).fields


def refusal(*chunks: bytes) -> str:
    with pytest.raises(UnusableAnswerError) as refused:
        read(*chunks)
    return str(refused.value)


class TestPieces:
    def test_an_answer_reads_the_same_in_any_two_pieces(self) -> None:
        whole = read(WHOLE)
        assert whole == Response({"batchId": "demo-1"}, {"a&<b&c\U0010ffffé": ProfileStatus.ERROR})
        assert all(read(WHOLE[:at], WHOLE[at:]) == whole for at in range(len(WHOLE)))

    def test_a_text_that_lost_its_tags_reads_the_same_in_any_two_pieces(self) -> None:
        text = "b1 é  a success\nc failed".encode()
        whole = read(text)
        assert whole.profiles == {"é  a": ProfileStatus.SUCCESS, "c": ProfileStatus.ERROR}
        assert all(read(text[:at], text[at:]) == whole for at in range(len(text)))

    @pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
    @pytest.mark.parametrize("before", [b"", b"\r\n "])
    @pytest.mark.parametrize("after", [b"", b"\n"])
    @pytest.mark.parametrize("answer", [WHOLE, b"demo-1 a success"])
    def test_white_space_and_a_mark_before_the_answer_are_passed_over(
        self, mark: bytes, before: bytes, after: bytes, answer: bytes
    ) -> None:
        body = before + mark + after + answer
        assert read(body) == read(*(bytes([byte]) for byte in body)) == read(answer)


class TestTexts:
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
    def test_an_ampersand_is_one_however_it_is_written(self, written: str, text: str) -> None:
        assert fields("<message>", written, "</message>") == {"message": text}

    def test_a_section_says_nothing_of_the_elements_after_it(self) -> None:
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
    def test_an_id_is_as_it_is_spelled(self, written: str, profile_id: str) -> None:
        body = f"<response><profile><id>{written}</id><status>failed</status></profile></response>"
        assert read(body.encode()).profiles == {profile_id: ProfileStatus.ERROR}

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            (b"true http://127.0.0.1/ Batch  submitted", "Batch submitted"),
            (b"true", ""),
            (b"", ""),
        ],
    )
    def test_a_submissions_answer_without_tags_is_read_word_by_word(self, body: bytes, message: str) -> None:
        url = "http://127.0.0.1/" if message else ""
        said = {"success": "true" if body else "", "batchStatus": url, "message": message}
        assert read_receipt_response(body) == Response(said, flattened=True)

    @pytest.mark.parametrize("charset", ["utf-8", "latin-1"])
    @pytest.mark.parametrize("declared", ["", "<?xml version='1.0' encoding='ISO-8859-1'?>"])
    def test_a_message_is_read_whatever_charset_it_claims(self, charset: str, declared: str) -> None:
        body = f"{declared}<response><success>false</success><message>Ungültig</message></response>"
        answer = read_receipt_response(body.encode(charset))
        assert answer == Response({"success": "false", "message": "Ungültig"})


class TestLimits:
    def test_a_text_may_be_so_long_and_no_longer(self) -> None:
        assert fields("<a>", "x" * LONGEST_TEXT, "</a>")
        assert refusal(f"<response><a>{'x' * (LONGEST_TEXT + 1)}".encode()) == (
            "The answer has a text that is too long."
        )

    def test_elements_may_be_nested_so_deep_and_no_deeper(self) -> None:
        assert fields("<a>" * 15, "</a>" * 15, "<b>1</b>") == {"a": "", "b": "1"}
        assert refusal(b"<response>" + b"<a>" * 16) == "The answer is nested too deep."

    def test_there_may_be_so_many_elements_and_no_more(self) -> None:
        many = [f"<e{number}/>" for number in range(65)]
        assert len(fields(*many[:64])) == 64
        assert refusal(f"<response>{''.join(many)}".encode()) == (
            "The answer contradicts itself, or has too many elements."
        )

    def test_an_element_may_be_so_long_and_no_longer(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(xml_reader, "_MAX_TOKEN", 100)
        begin, longest = b"<response><batchId>demo-1</batchId>", b"<a b='".ljust(100, b"x")
        assert refusal(begin, longest) == "The answer is not whole, well-formed XML."
        assert refusal(begin, longest + b"x") == "The answer has an element without end."
        assert len(read(*[WHOLE[at : at + 20] for at in range(0, len(WHOLE), 20)]).profiles) == 1

    def test_there_may_be_so_many_profiles_and_no_more(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(xml_reader, "MAX_PROFILES", 2)
        monkeypatch.setattr(flat_reader, "MAX_PROFILES", 2)
        one = "<profile><id>{}</id><status>failed</status></profile>"
        body = "<response>" + one.format("a") + one.format("b")
        assert len(read(f"{body}</response>".encode()).profiles) == 2
        assert refusal(body.encode(), b"<profile>") == (
            "The answer has a profile within a profile, or too many of them."
        )
        assert len(read(b"demo-1 a failed b failed").profiles) == 2
        assert refusal(b"demo-1 a failed b failed c failed") == (
            "The answer has an id without end, or too many of them."
        )

    def test_a_word_that_lost_its_tags_may_be_so_long_and_no_longer(self) -> None:
        longest = " " + "x" * (LONGEST_TEXT - 1)
        assert read(b"demo-1", longest.encode(), b" failed").profiles == {longest[1:]: ProfileStatus.ERROR}
        assert refusal(b"demo-1", longest.encode() + b"x", b" failed") == (
            "The answer has a word without end."
        )

    def test_an_id_that_lost_its_tags_may_be_so_long_and_no_longer(self) -> None:
        longest = " ".join(["x" * 1023] * 8) + "y"
        assert len(longest) == LONGEST_TEXT
        assert read(f"demo-1 {longest} failed".encode()).profiles == {longest: ProfileStatus.ERROR}
        assert refusal(f"demo-1 {longest}y failed".encode()) == (
            "The answer has an id without end, or too many of them."
        )

    def test_an_answer_may_be_so_long_and_no_longer(self) -> None:
        assert read_status_response([WHOLE], len(WHOLE)) == read(WHOLE)
        with pytest.raises(UnusableAnswerError) as refused:
            read_status_response([WHOLE, b" "], len(WHOLE))
        assert str(refused.value) == f"The answer is longer than {len(WHOLE)} bytes."


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"<html></html>", "is not a response of Target"),
        (b"<profile><id>a</id><status>success</status></profile>", "is not a response of Target"),
        (b"Service Unavailable", "is not a response of Target"),
        (b"", "is not a response of Target"),
        (b"<!DOCTYPE response><response/>", "declares a document type"),
        (WHOLE[:-1], "is not whole, well-formed XML"),
        (b"<response></Response>", "is not whole, well-formed XML"),
        (b"<response><profile><profile>", "has a profile within a profile, or too many of them"),
        (b"<response><profile><id> </id></profile>", "has a profile without an id"),
        (b"<response><a>1</a><a>2</a>", "contradicts itself, or has too many elements"),
        (b"demo-1 a odd", "is not a list of ids and their status"),
        (b"demo-1 a success \xff", "is neither XML nor UTF-8"),
        (b"demo-1 a success\xc3", "is neither XML nor UTF-8"),  # cut within a character
    ],
)
def test_what_is_refused_is_refused_with_a_reason_and_nothing_of_its_own(body: bytes, why: str) -> None:
    assert refusal(body) == f"The answer {why}."


@pytest.mark.parametrize(
    ("profile_id", "misleads"),
    [
        ("complete 5", True),
        ("Incomplete 12 x", True),
        ("stuck 123456789012", True),
        ("stuck 1234567890123", False),
        ("complete x 5", False),
        ("a complete 5", False),
        ("a failed", True),
        ("Success a", True),
        ("a pending b", True),
        ("a odd", False),
        ("failed", False),
        ("complete", False),
        ("", False),
    ],
)
def test_an_id_misleads_where_it_reads_as_more_than_an_id(profile_id: str, *, misleads: bool) -> None:
    assert is_ambiguous(profile_id) is misleads
