"""Flattened answers: every limit to the character, every refusal in words, any pieces."""

from __future__ import annotations

import pytest

from bulk_profiles.core.models import ProfileStatus
from bulk_profiles.target.flat_reader import is_ambiguous, read_flat, read_flat_receipt
from bulk_profiles.target.response import Response
from tests.worlds.answers import reason

LONGEST_TEXT = 8 * 1024


def test_read_flat_is_the_same_in_any_two_pieces() -> None:
    text = "b1 é  a success\nc failed".encode()
    whole = read_flat([text])
    assert whole.profiles.statuses == {"é  a": ProfileStatus.SUCCESS, "c": ProfileStatus.ERROR}
    assert all(read_flat([text[:at], text[at:]]) == whole for at in range(len(text)))


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("true http://127.0.0.1/ Batch  submitted", ("true", "http://127.0.0.1/", "Batch submitted")),
        ("false http://127.0.0.1/ No", ("false", "http://127.0.0.1/", "No")),
        ("true http://127.0.0.1/", ("true", "", "http://127.0.0.1/")),
        ("False Unexpected  error", ("False", "", "Unexpected error")),
        ("true", ("true", "", "")),
    ],
)
def test_read_flat_receipt_is_read_word_by_word(text: str, fields: tuple[str, ...]) -> None:
    names = ("success", "batchStatus", "message")
    assert read_flat_receipt(text) == Response(dict(zip(names, fields, strict=True)), flattened=True)


@pytest.mark.parametrize("text", ["", "Unexpected error", "truely http://127.0.0.1/ Fine"])
def test_read_flat_receipt_of_neither_is_a_message(text: str) -> None:
    assert read_flat_receipt(text) == Response(
        {"message": text.replace("http://127.0.0.1/", "***")}, flattened=True
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Service Unavailable",
        "Service Unavailable right now",
        "404 page not-found",
        "demo-1 complete",
        "demo-1 complete 3 a",
        "demo-1 a odd",
        "demo-1 complete 3 1 2 3 4 5",
        "demo-1 complete 3 1 2",
        "demo-1 success",
        '{"batchId": "demo-1", "status": "complete"}',
        "demo 1",
        "demo-1 a success \udcff",
        "demo-1 " + "x" * 10_000,
    ],
)
def test_read_flat_other_text_is_unusable(text: str) -> None:
    assert reason(read_flat, text.encode(errors="surrogateescape"))


@pytest.mark.parametrize("last", ["b", "b odd", "id two succ"])
def test_read_flat_id_without_a_known_word_at_the_end_cannot_be_read(last: str) -> None:
    response = read_flat([f"demo-1 a success {last}".encode()])
    assert response.profiles.statuses == {"a": ProfileStatus.SUCCESS, last: ProfileStatus.UNKNOWN}
    assert (response.profiles.unusable, response.unreadable) == ({last}, 1)
    assert read_flat([b"demo-1 a success"]).unreadable == 0


def test_read_flat_word_over_8_kb_is_unusable() -> None:
    longest = " " + "x" * (LONGEST_TEXT - 1)
    assert read_flat([b"demo-1", longest.encode(), b" failed"]).profiles.statuses == {
        longest[1:]: ProfileStatus.ERROR
    }
    assert reason(read_flat, b"demo-1", longest.encode() + b"x", b" failed") == (
        "The answer has a word without end."
    )


def test_read_flat_id_over_8_kb_is_unusable() -> None:
    longest = " ".join(["x" * 1023] * 8) + "y"
    assert len(longest) == LONGEST_TEXT
    assert read_flat([f"demo-1 {longest} failed".encode()]).profiles.statuses == {
        longest: ProfileStatus.ERROR
    }
    assert reason(read_flat, f"demo-1 {longest}y failed".encode()) == (
        "The answer has an id without end, or too many of them."
    )


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"ada success bob failed", "is not a response of Target"),
        (b" \n", "is empty"),
        (b"", "is empty"),
        (b"demo-1 a odd", "is not a list of ids and their status"),
        (b"demo-1 a success \xff", "is neither XML nor UTF-8"),
        (b"demo-1 a success\xc3", "is neither XML nor UTF-8"),  # cut within a character
    ],
)
def test_read_flat_unusable_text_is_not_quoted(body: bytes, fault: str) -> None:
    assert reason(read_flat, body) == f"The answer {fault}."


def test_read_flat_text_that_is_no_list_is_quoted() -> None:
    assert (
        reason(read_flat, b"Unexpected  error")
        == 'The answer is not a response of Target: "Unexpected error".'
    )
    many = " ".join(["word"] * 99)
    assert (
        reason(read_flat, many.encode()) == f'The answer is not a response of Target: "{many[: 31 * 5 - 1]}".'
    )


@pytest.mark.parametrize(
    ("profile_id", "ambiguous"),
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
        ("failed", True),
        (" Error ", True),
        ("complete", True),
        ("profile", False),
        ("5", False),
    ],
)
def test_is_ambiguous_id_that_reads_as_more_than_an_id(profile_id: str, *, ambiguous: bool) -> None:
    assert is_ambiguous(profile_id) is ambiguous


def test_read_flat_takes_a_blank_that_xml_does_not_have_as_part_of_a_word() -> None:
    for blank in ("\u00a0", "\u2003", "\u0085"):
        text = f"demo-1 a success{blank} failed"
        assert read_flat([text.encode()]).profiles.statuses == {f"a success{blank}": ProfileStatus.ERROR}
