"""Answers in XML: every limit to the byte, every refusal in words, any pieces."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import pytest

from bulk_profiles.core.models import ProfileStatus
from bulk_profiles.target import response as responses
from bulk_profiles.target import xml_reader
from bulk_profiles.target.response import Profiles, Response, Statuses, UnusableAnswerError
from bulk_profiles.target.xml_reader import read_xml
from tests.worlds.answers import head, profile, reason, xml

LONGEST_TEXT = 8 * 1024
WHOLE = (
    "<?xml version='1.0'?>\n<response><batchId>demo-1</batchId>"
    "<profile><id>a&amp;&lt;b&c&#1114111;é</id><status>failed</status></profile></response>"
).encode()


KNOWN = frozenset({"batchId", "status", "batchSize", "message"})


def read(pieces: Iterable[bytes]) -> Response:
    return read_xml(pieces, KNOWN)


def fields(*elements: str) -> dict[str, str]:
    return read([xml(*elements)]).fields


def statuses(*elements: str) -> Statuses:
    return read([xml(*elements)]).profiles.statuses


def test_read_xml_is_the_same_in_any_two_pieces() -> None:
    whole = read([WHOLE])
    assert whole == Response({"batchId": "demo-1"}, Profiles({"a&<b&c\U0010ffffé": ProfileStatus.ERROR}))
    assert all(read([WHOLE[:at], WHOLE[at:]]) == whole for at in range(len(WHOLE)))


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
    first, second = "<status><![CDATA[&amp;]]></status>", "<message>&amp;amp;</message>"
    assert fields(first, second) == {"status": "&", "message": "&amp;"}
    assert statuses(profile("<![CDATA[&amp;]]>", "failed"), profile("&amp;amp;a", "failed")) == {
        "&amp;": ProfileStatus.ERROR,
        "&amp;a": ProfileStatus.ERROR,
    }


@pytest.mark.parametrize(
    ("written", "profile_id"),
    [
        ("a&amp;#0000038;b", "a&#0000038;b"),
        ("<![CDATA[a&b]]>", "a&b"),
        ("<![CDATA[a&amp;b]]>", "a&amp;b"),
        (" a\n", " a\n"),
    ],
)
def test_read_xml_id_is_taken_as_it_is_spelled(written: str, profile_id: str) -> None:
    assert statuses(profile(written, "failed")) == {profile_id: ProfileStatus.ERROR}


def test_read_xml_id_in_cdata_is_read() -> None:
    body = xml(head(), profile("<![CDATA[a&b<c]]>", "failed"), profile("d&amp;e", "failed"))
    for response in (read([body]), read(bytes([byte]) for byte in body)):
        assert response.profiles.statuses == {"a&b<c": ProfileStatus.ERROR, "d&e": ProfileStatus.ERROR}


def test_read_xml_is_utf_8_whatever_it_declares() -> None:
    body = '<?xml version="1.0" encoding="ISO-8859-1"?>' + xml(profile("é", "failed")).decode()
    assert read([body.encode()]).profiles.statuses == {"é": ProfileStatus.ERROR}


# Parts that are not known

MANY_NAMES = ["".join(words) for words in itertools.product(["Error", "Failed", "ROW_", "Note"], repeat=4)]


@pytest.mark.parametrize(
    ("elements", "names"),
    [
        (["<Profile><id>a</id></Profile>"], ["Profile"]),
        (["<t:profile/>", "<t:profile/>"], ["***"]),
        (["<errors><profile><id>a</id><status>failed</status></profile></errors>"], ["errors"]),
        (["<id>a</id>"], ["id"]),
        (["<status>a<b/></status>"], ["text", "***"]),
        (["<batchSize><profile/></batchSize>"], ["profile"]),
        (["<profile code='1'><id x='1' y='2'>a</id><status/></profile>"], ["profile@code", "***"]),
        (["<profile>a<id>a</id>b<status/>c</profile>d"], ["text"]),
        (["<profile><id>a</id><status/><profile><id>b</id></profile></profile>"], ["profile"]),
        (["<!-- a -->", "<?a b?>"], ["comment"]),
        (["<row>", "<y z='1'>" * 5, "text<!-- a -->", "</y>" * 5, "</row>"], ["row"]),
        ([f"<{name}/>" for name in MANY_NAMES], MANY_NAMES[:64]),
        (["<batchId>b</batchId>", "\n "], []),
    ],
)
def test_read_xml_unknown_parts_are_left_out_and_named(elements: list[str], names: list[str]) -> None:
    for where in (0, 1):
        others = [profile("u", "failed")]
        response = read([xml(*others[where:], *elements, *others[:where])])
        assert list(response.unknown_parts) == names
        assert response.profiles.statuses["u"] is ProfileStatus.ERROR
        assert response.profiles.statuses.keys() <= {"u", "a"}
        texts = {name: text for name, text in response.fields.items() if text}
        assert texts.keys() <= {"batchId"}  # an element with elements of its own has no text


def test_read_xml_attribute_of_the_response_is_named() -> None:
    assert list(read([b"<response failed='3'/>"]).unknown_parts) == ["response@failed"]
    assert not read([b"<?xml version='1.0'?>\n<response/>\n"]).unknown_parts


@pytest.mark.parametrize("part", ["<!-- 3 failed -->", "<?failed 3?>"])
def test_read_xml_comment_outside_the_response_is_named(part: str) -> None:
    whole = xml(profile("a", "failed")).decode()
    for body in (part + whole, f"<?xml version='1.0'?>\n{part}{whole}", f"{whole}\n{part}\n"):
        for size in (1, 7, 1000):
            response = read(body.encode()[at : at + size] for at in range(0, len(body), size))
            assert list(response.unknown_parts) == ["comment"]
            assert response.profiles.statuses == {"a": ProfileStatus.ERROR}


# Profiles that XML cannot carry


GOOD = profile("a", "success"), profile("z", "failed")
MALFORMED = [
    profile("u\x01", "failed"),
    profile("u&#1;", "failed"),
    profile("u\x00", "failed"),
    profile("u\ufffe", "failed"),
    profile("u&#xD800;", "failed"),
    profile("u<1", "failed"),
    profile("<", "failed"),
    profile("u<b>", "failed"),
    profile("u</b>", "failed"),
    profile("u</id>", "failed"),
    profile("u</response>", "failed"),
    profile("u<!--", "failed"),
    profile("u<![CDATA[", "failed"),
    profile("u<?x", "failed"),
    profile("u<!DOCTYPE response [", "failed"),
    profile("u<profile>", "failed"),
    profile("u", "fai<led"),
    "<profile><id>u</profile>",
    "<profile <id>u</id><status>failed</status></profile>",
    profile(" ", "failed"),
    profile("", "failed"),
    "<profile/>",
]


@pytest.mark.fault(48, "one profile that XML cannot carry costs that profile, not the others")
@pytest.mark.parametrize("malformed", MALFORMED, ids=range(len(MALFORMED)))
def test_read_xml_malformed_profile_is_left_out(malformed: str) -> None:
    for parts in (
        [head(), *GOOD, malformed],
        [head(), GOOD[0], malformed, GOOD[1]],
        [malformed, head(), *GOOD],
        [malformed, *GOOD, head()],
        [malformed.replace(">", ">\n"), *GOOD, head()],
    ):
        body = xml(*parts)
        for pieces in ([body], [body[:70], body[70:]], [bytes([byte]) for byte in body]):
            response = read(pieces)
            assert response.profiles.statuses == {"a": ProfileStatus.SUCCESS, "z": ProfileStatus.ERROR}
            assert response.unreadable == 1
            assert response.fields["batchId"] == "demo-1"


@pytest.mark.fault(43, "a profile within a comment: it counts for nothing, and the answer is read")
@pytest.mark.parametrize(
    "comment",
    [
        f"<!--{profile('v', 'success')}-->",
        f"<!-- {profile('v', 'failed')}{profile('w', 'failed')} -->",
        f"<!-- 1 -->{profile('a', 'success')}<!-- </profile> -->",
    ],
)
def test_read_xml_profile_in_a_comment_is_a_doubt(comment: str) -> None:
    for more in ([], [profile("x\x01", "failed")]):
        body = xml(head(), GOOD[0], comment, *more, GOOD[1])
        for size in (1, 7, 64, len(body)):
            response = read(body[at : at + size] for at in range(0, len(body), size))
            assert response.profiles.statuses == {"a": ProfileStatus.SUCCESS, "z": ProfileStatus.ERROR}
            assert list(response.unknown_parts) == ["comment"]
            assert response.unreadable == len(more)


def test_read_xml_id_with_the_end_of_a_profile_is_left_out() -> None:
    for text in ("u</profile>", "<![CDATA[u</profile>]]>"):
        response = read([xml(head(), GOOD[0], profile(text, "failed"), GOOD[1])])
        assert response.profiles.statuses == {"a": ProfileStatus.SUCCESS, "z": ProfileStatus.ERROR}
        assert response.unreadable == 1


@pytest.mark.parametrize(
    "parts",
    [
        [profile("<![CDATA[u</profile>]]>", "failed")],
        [profile("u</profile>", "failed")],
        [profile("u<!-- </profile> -->", "failed")],
        ["<profile><id>u</id><x><!-- </profile> --></x><status>failed</status></profile>"],
        [profile("u<!--", "failed"), profile("v", "success"), profile("-->w", "failed")],
        [profile("u<![CDATA[", "failed"), profile("v", "success"), profile("]]>w", "failed")],
        ["<profile><id>u</id><status>failed</status></profile >", profile("v", "success")],
        ["<![CDATA[ </profile> ]]>", profile("v", "success")],
        ["<x>", profile("v", "success"), "</x>"],
        ["<status><x>", profile("v", "success"), "</x><y>", profile("v", "success"), "</y></status>"],
        ["<!--", profile("v", "success"), "-->"],
        ["<x a='</profile>'/>"],
        ["</profile>"],
    ],
)
def test_read_xml_is_the_same_in_pieces_of_any_size(parts: list[str]) -> None:
    for more in ([], [profile("x\x01", "failed")]):
        body = xml(head(), GOOD[0], *parts, *more, GOOD[1])
        readings = []
        for size in (1, 2, 3, 11, 64, len(body)):
            try:
                readings.append(repr_of(read(body[at : at + size] for at in range(0, len(body), size))))
            except UnusableAnswerError as error:
                readings.append(str(error))
        assert len(set(readings)) == 1, readings


def repr_of(response: Response) -> str:
    return f"{response} {sorted(response.profiles.statuses.items())} {response.profiles.contradicted}"


def test_read_xml_bytes_that_are_not_utf_8_cost_their_profile() -> None:
    body = xml(head(), GOOD[0], profile("u?", "failed"), GOOD[1])
    response = read([body.replace(b"u?", b"u\xff")])
    assert (set(response.profiles.statuses), response.unreadable) == ({"a", "z"}, 1)


def test_read_xml_malformed_profile_in_an_unknown_element_is_left_out() -> None:
    wrapped = (
        "<failed>",
        profile("b", "failed"),
        profile("u\x01", "failed"),
        profile("c", "failed"),
        "</failed>",
    )
    body = xml(head(), GOOD[0], *wrapped, GOOD[1])
    for pieces in ([body], [bytes([byte]) for byte in body]):
        response = read(pieces)
        assert set(response.profiles.statuses) == {"a", "z"}
        assert (response.unreadable, list(response.unknown_parts)) == (1, ["failed"])


def test_read_xml_too_many_malformed_profiles_are_unusable() -> None:
    body = xml(head(), *[profile("u\x01", "failed")] * 1000, *GOOD)
    assert (read([body]).unreadable, len(read([body]).profiles.statuses)) == (1000, 2)
    assert reason(read, body.replace(b"<profile>", profile("\x01", "failed").encode() + b"<profile>", 1)) == (
        "The answer has too many profiles that cannot be read."
    )


@pytest.mark.parametrize(
    "body",
    [
        xml(head(), profile("a", "failed"), "</status>"),
        xml(head()) + xml(profile("a", "failed")),
        xml(head(), profile("a", "failed")) + profile("b", "failed").encode(),
        xml(head(), profile("a", "failed")) + xml(profile("b", "failed")),
        profile("a", "failed").encode() + xml(head()),
        b"text" + xml(head(), profile("a", "failed")),
        xml("<status>", profile("a", "failed")),
        xml(profile("a", "failed"), "<status>"),
        xml("<message>a<b</message>", profile("a", "failed")),
    ],
)
def test_read_xml_broken_outside_a_profile_is_unusable(body: bytes) -> None:
    for pieces in ([body], [bytes([byte]) for byte in body]):
        assert reason(read, *pieces) in {
            "The answer is not whole, well-formed XML.",
            "The answer is not a response of Target.",
        }


def test_read_xml_cut_anywhere_is_unusable() -> None:
    body = xml(head(), profile("u\x01", "failed"), *GOOD, profile("u<", "failed"), head())
    assert read([body]).unreadable == 2
    for length in range(len(body)):
        assert reason(read, body[:length]) == "The answer is not whole, well-formed XML."


# Limits


def test_read_xml_text_over_8_kb_is_unusable() -> None:
    assert fields("<message>", "x" * LONGEST_TEXT, "</message>")
    assert reason(read, f"<response><message>{'x' * (LONGEST_TEXT + 1)}".encode()) == (
        "The answer has a text that is too long."
    )
    assert not fields("<a>", "x" * (LONGEST_TEXT + 1), "</a>")


def test_read_xml_nested_over_16_deep_is_unusable() -> None:
    assert fields("<a>" * 15, "</a>" * 15, "<status>1</status>") == {"status": "1"}
    assert reason(read, b"<response>" + b"<a>" * 16) == "The answer is nested too deep."


@pytest.mark.parametrize(
    ("start", "fault"),
    [
        (b"<a b='", "has an element without end"),
        (b"<!--", "has an element without end"),
        (b"<profile><id>", "is not whole, well-formed XML"),
    ],
)
def test_read_xml_part_without_end_is_unusable(
    monkeypatch: pytest.MonkeyPatch, start: bytes, fault: str
) -> None:
    monkeypatch.setattr(xml_reader, "_MAX_HELD", 100)
    longest = start.ljust(100, b"x")
    assert reason(read, b"<response>", longest[:90]) == "The answer is not whole, well-formed XML."
    assert reason(read, b"<response>" + b"<x/>" * 99, longest + b"x") == f"The answer {fault}."


def test_read_xml_answer_of_unknown_elements_is_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xml_reader, "_MAX_HELD", 100)
    body = xml(head(), "<Profile><id>a</id><status>failed</status></Profile>" * 99)
    for size in (1, 7, 150):
        response = read(body[at : at + size] for at in range(0, len(body), size))
        assert list(response.unknown_parts) == ["Profile"]
        assert response.fields["status"] == "complete"


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"<html></html>", "is not a response of Target"),
        (b"<Response></Response>", "is not a response of Target"),
        (b"<t:response></t:response>", "is not a response of Target"),
        (b"<profile><id>a</id><status>success</status></profile>", "is not a response of Target"),
        (b"<!DOCTYPE response><response/>", "declares a document type"),
        (WHOLE[:-1], "is not whole, well-formed XML"),
        (b"<response></Response>", "is not whole, well-formed XML"),
    ],
)
def test_read_xml_unusable_answer_is_not_quoted(body: bytes, fault: str) -> None:
    assert reason(read, body) == f"The answer {fault}."


def test_read_xml_too_many_words_in_unknown_parts_are_unusable(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are held, as they may be ids, in bounded memory."""
    monkeypatch.setattr(responses, "MAX_PROFILES", 4)
    words = [f"<note>n{number}</note>" for number in range(3)]
    assert list(read([xml(head(), *words)]).unknown_parts) == ["note"]
    assert reason(read, xml(head(), *words, "<note>n3</note>")) == (
        "The answer has too many parts that are not known."
    )


@pytest.mark.parametrize("part", ["id", "status"])
def test_read_xml_profile_with_a_text_too_long_is_unknown(part: str) -> None:
    """In bounded memory: the text is not held, and the other profiles count."""
    long = (
        f"<profile><id>long</id><status>success</status><{part}>{'x' * (LONGEST_TEXT + 1)}</{part}></profile>"
    )
    assert statuses(long, profile("short", "success")) == {
        "long": ProfileStatus.UNKNOWN,
        "short": ProfileStatus.SUCCESS,
    }


def test_read_xml_a_megabyte_of_comments_without_end_is_refused() -> None:
    """At once: to look for the end of each would take hours."""
    body = xml(head(), profile("a", "success"), "<!--" * 250_000 + profile("b", "success"))
    assert reason(read, body) == "The answer is not whole, well-formed XML."


@pytest.mark.parametrize("part", ["<{0}/>", "<x><{0}/></x>", "<{0} a='1'/>"])
def test_read_xml_name_that_is_too_long_is_refused(part: str) -> None:
    """It would be repeated in the path of each profile, or with each attribute."""
    assert (
        reason(read, xml(part.format("e" * (LONGEST_TEXT + 1)))) == "The answer has a name that is too long."
    )
    assert list(read([xml(part.format("e" * LONGEST_TEXT))]).unknown_parts) == ["***"]
