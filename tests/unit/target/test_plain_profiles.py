"""The fast reader of plain profiles: what it takes, and that the parser says the same."""

from __future__ import annotations

from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_profiles.core.models import ProfileStatus
from bulk_profiles.target import xml_reader
from bulk_profiles.target.plain_profiles import read_plain
from bulk_profiles.target.response import Response, UnusableAnswerError
from bulk_profiles.target.xml_parser import Parser
from bulk_profiles.target.xml_reader import read_xml

FIELDS = {"batchId", "status", "profiles"}


def profile(
    profile_id: str, word: str = "success", space: tuple[str, str, str, str] = ("", "", "", "")
) -> str:
    first, second, third, fourth = space
    return f"{first}<profile>{second}<id>{profile_id}</id>{third}<status>{word}</status>{fourth}</profile>"


def read(answer: bytes, size: int, *, plainly: bool) -> Response | str:
    """Return what is read in pieces of a size, or how the answer is refused."""
    pieces = [answer[start : start + size] for start in range(0, len(answer), size)]
    reader = read_plain if plainly else lambda _unit: None
    with mock.patch.object(xml_reader, "read_plain", reader):
        try:
            return read_xml(pieces, FIELDS)
        except UnusableAnswerError as error:
            return str(error)


@pytest.mark.parametrize("space", ["", " ", "\n", "\r\n\t"])
def test_plain_profiles_are_read(space: str) -> None:
    run = "".join(profile(name, word, (space,) * 4) for name, word in (("u1", "success"), ("é 2", "error")))
    assert read_plain(run.encode()) == (["u1", "é 2"], ["success", "error"])


@pytest.mark.parametrize(
    "unit",
    [
        b"",
        b"<status>complete</status>",
        profile("a&amp;b").encode(),
        profile("a&b").encode(),
        profile("a<b/>").encode(),
        profile("").encode(),
        profile(" ").encode(),
        profile("\u2003").encode(),
        profile("a\tb").encode(),
        profile("a\x01success\x02b").encode(),
        profile("a]]>b").encode(),
        profile("a\uffffb").encode(),
        profile("\udcff").encode(errors="surrogateescape"),
        profile("a", "Success").encode(),
        profile("a", "strange").encode(),
        profile("a", " success").encode(),
        profile("a" * 8193).encode(),
        profile("a").encode() + b"text",
        b"text" + profile("a").encode(),
        profile("a").encode() + b"text" + profile("b").encode(),
        (profile("a") + profile("b", space=(" ", "", "", "")) + profile("c")).encode(),
        profile("a").replace("<id>", '<id x="1">').encode(),
        (profile("a") + "<profile><status>success</status><id>b</id></profile>").encode(),
        (profile("a") + "<profile><id>b</id></profile>" + profile("c")).encode(),
        (profile("a") + "<!-- b -->" + profile("c")).encode(),
    ],
)
def test_anything_else_is_for_the_parser(unit: bytes) -> None:
    assert read_plain(unit) is None


def test_profiles_of_a_plain_answer_are_read_without_the_parser() -> None:
    """What the parser gets is the first unit, with the fields, and the end."""
    answer = "<response><batchId>b</batchId>" + "".join(profile(f"u{number}") for number in range(1000))
    with mock.patch.object(Parser, "parse", autospec=True, side_effect=Parser.parse) as parse:
        response = read((answer + "</response>").encode(), 4096, plainly=True)
    assert isinstance(response, Response)
    assert len(response.profiles.statuses) == 1000
    assert sum(len(call.args[1]) for call in parse.call_args_list) < 2 * 4096


def test_profile_within_a_field_is_for_the_parser() -> None:
    """Only what stands where Target puts it counts."""
    answer = (
        b"<response><status>"
        + profile("a").encode() * 3
        + b"</status>"
        + profile("b").encode()
        + b"</response>"
    )
    for size in (10, 60, 1000):
        assert read(answer, size, plainly=True) == read(answer, size, plainly=False)


def test_id_that_comes_again_with_another_word_is_contradicted() -> None:
    answer = "".join(
        ["<response>", *map(profile, "abc"), profile("b", "error"), *map(profile, "bd"), "</response>"]
    )
    for size in (70, 10_000):
        response = read(answer.encode(), size, plainly=True)
        assert isinstance(response, Response)
        assert response.profiles.statuses["b"] is ProfileStatus.ERROR
        assert response.profiles.contradicted == {"b"}


ids = st.text(st.sampled_from("ab é&<>]\t\n\x01\u2003\uffff"), max_size=4) | st.sampled_from(
    ["u1", "u2", "u 3"]
)
words = st.sampled_from(["success", "error", "failed", "pending", "Success", "strange", " success ", ""])
spaces = st.sampled_from([("", "", "", ""), ("\n", "\n ", "\n ", "\n"), (" ", "", "", "")])
runs = st.builds(
    lambda several, space: "".join(profile(name, word, space) for name, word in several),
    st.lists(st.tuples(ids, words), min_size=1, max_size=6),
    spaces,
) | st.builds(
    lambda names, word, space: "".join(profile(name, word, space) for name in names),
    st.lists(st.sampled_from(["u1", "u2", "u3", "é"]), min_size=1, max_size=8),
    st.sampled_from(["success", "error"]),
    spaces,
)
others = st.sampled_from(
    [
        "<status>complete</status>",
        "<more>u1</more>",
        "<!-- u1 -->",
        "text",
        "<profiles>",
        "</profiles>",
        "\n",
        "&",
        "</profile>",
    ]
)


@given(st.lists(runs | others, max_size=6), st.booleans(), st.sampled_from([20, 64, 200, 10_000]))
def test_both_readers_say_the_same_of_every_answer(parts: list[str], cut: bool, size: int) -> None:
    answer = ("<response>" + "".join(parts) + "</response>").encode()
    answer = answer[: len(answer) * 2 // 3] if cut else answer
    assert read(answer, size, plainly=True) == read(answer, size, plainly=False)
