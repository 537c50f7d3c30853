"""What Target's answers say: every generation by example, and every answer that says nothing."""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from typing import Any

import pytest

from bulk_profiles.core.models import Basis, BatchState, ProfileResult, ProfileStatus
from bulk_profiles.core.text import printable
from bulk_profiles.target import flat_reader, xml_reader
from bulk_profiles.target.answers import Receipt, StatusAnswer, TargetState, read_receipt, read_status
from bulk_profiles.target.named_ids import match_ids
from bulk_profiles.target.response import UnusableAnswerError
from bulk_profiles.target.verdict import add_details, needs_details, settle, whole_batch

URL = "http://mboxedge45.tt.omtrdc.net/m2/demo/v2/profile/batchStatus?batchId=demo-1845664501&m2Node=00"
NONE_OF_BOTH = Receipt()
IDS = ("a", "b", "c")
WORDS = ("success", "failed", "error")


def xml(*children: str) -> bytes:
    return f"<response>{''.join(children)}</response>".encode()


def element(name: str, text: object) -> str:
    return f"<{name}>{text}</{name}>"


def profile(profile_id: str, word: str) -> str:
    return f"<profile><id>{profile_id}</id><status>{word}</status></profile>"


def head(word: str = "complete", size: object = 3) -> str:
    return element("batchId", "demo-1") + element("status", word) + element("batchSize", size)


def counts(successful: object, not_found: object, failed: object, consumed: object = "") -> str:
    return (
        (element("consumedCount", consumed) if consumed != "" else "")
        + element("successfulUpdates", successful)
        + element("profilesNotFound", not_found)
        + element("failedUpdates", failed)
    )


def status(*children: str) -> StatusAnswer:
    return read_status([xml(*children)])


def results(answer: StatusAnswer | None, *, rows: int = 3, overdue: bool = False) -> dict[str, str] | None:
    verdict = settle(answer, IDS[:rows], rows=rows, overdue=overdue)
    if verdict is None:
        return None
    found = {profile_id: verdict.result_of(profile_id) for profile_id in IDS[:rows]}
    assert all(result.profile_id == profile_id for profile_id, result in found.items())
    said = {profile_id: f"{result.status} {result.basis}" for profile_id, result in found.items()}
    return {"state": verdict.state.value, **said}


# The answer to a submission


@pytest.mark.parametrize(
    "body",
    [
        xml(element("success", "true"), element("batchStatus", URL), element("message", "Batch submitted")),
        xml(
            element("success", " True\n"),
            element("batchStatus", f"\n  {URL.replace('&', '&amp;')}\n"),
            element("message", "Batch submitted"),
        ),
        xml(
            element("success", "true"),
            element("batchStatus", f"<![CDATA[{URL}]]>"),
            element("message", "Batch submitted"),
        ),
        f"true {URL} Batch submitted".encode(),
        f"TRUE {URL} Batch submitted".encode(),
        f"\n\ttrue\n{URL}\nBatch submitted\n".encode(),
    ],
    ids=["raw", "escaped", "cdata", "flattened", "upper-case", "flattened-lines"],
)
def test_a_yes_with_a_status_url_is_a_yes(body: bytes) -> None:
    assert read_receipt(body) == Receipt(success=True, status_url=URL, message="Batch submitted")


def test_a_flattened_url_may_be_https() -> None:
    url = URL.replace("http:", "HTTPS:")
    assert read_receipt(f"true {url} Fine".encode()) == Receipt(success=True, status_url=url, message="Fine")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            xml(element("success", "false"), "<batchStatus/>", element("message", "Unexpected error")),
            "Unexpected error",
        ),
        (xml(element("success", "FALSE")), ""),
        (xml(element("success", "false"), element("batchStatus", URL)), ""),
        (b"false Unexpected error", "Unexpected error"),
        (b"false", ""),
        (b'\xef\xbb\xbf<?xml version="1.0"?>' + xml(element("success", "false")), ""),
        (
            xml(element("success", "false"), element("message", "Ungültig")).decode().encode("latin-1"),
            "Ungültig",
        ),
        (xml(element("success", "false"), element("message", "a\x85b \u202e c\n d" + "x" * 999)), None),
    ],
    ids=[
        "xml",
        "no-message",
        "with-status-url",
        "flattened",
        "flattened-no-message",
        "bom",
        "latin-1",
        "long",
    ],
)
def test_a_no_is_a_no_whatever_else_it_says(body: bytes, message: str | None) -> None:
    answer = read_receipt(body)
    assert answer.success is False
    assert answer.status_url == ""
    if message is None:
        assert answer.message.startswith("a b c dxxx")
        assert len(answer.message) == 300
    else:
        assert answer.message == message


@pytest.mark.fault(35, "HTML, JSON, empty, another charset")
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" \n",
        b"true",
        b"<",
        b'{"success": true}',
        b"<html><body>true http://example.com false</body></html>",
        b"<!DOCTYPE html><html></html>",
        b"<!DOCTYPE response>" + xml(element("success", "false")),
        xml(),
        xml(element("success", "yes"), element("batchStatus", URL)),
        xml(element("success", "true")),
        xml(element("success", "true"), "<batchStatus></batchStatus>"),
        xml(element("success", "true"), element("success", "false"), element("batchStatus", URL)),
        xml(element("success", "false")) + b"<more/>",
        xml(element("success", "false"))[:-1],
        xml("<a>", element("success", "false"), "</a>"),
        f"true {URL}".encode(),  # cut short, the URL may be half of one
        f"true nothing {URL}".encode(),
        xml(element("success", "false")).decode().encode("utf-16"),
        b"<response><success>false</success><message>" + b"x" * 9000 + b"</message></response>",
        b"<response><success>&x;</success></response>",
        b"\x00",
    ],
)
def test_whatever_else_is_neither_yes_nor_no(body: bytes) -> None:
    assert read_receipt(body).success is None
    assert read_receipt(body).status_url == ""


def test_a_cut_submission_is_neither() -> None:
    whole = xml(element("success", "true"), element("batchStatus", URL), element("message", "Fine"))
    assert all(read_receipt(whole[:length]) == NONE_OF_BOTH for length in range(len(whole)))


def test_texts_from_outside_are_made_printable() -> None:
    assert printable(" a\r\nb\x00\x1b[31m\u2028c\u200b ") == "a b [31m c"
    assert printable("é €") == "é €"


# The answer to a status call


def test_reads_the_first_generation() -> None:
    answer = status(element("batchId", "\n demo-1 "), profile("a", "success"), profile("b", "Error"))
    assert (answer.state, answer.batch_id, answer.batch_size) == (None, "demo-1", None)
    assert [answer.profiles.get(name) for name in IDS] == [ProfileStatus.SUCCESS, ProfileStatus.ERROR, None]


def test_reads_the_second_generation_with_its_two_kinds_of_status() -> None:
    answer = status(head(size=164), profile("complete", " failed\n"), profile("x", "pending"))
    assert (answer.state, answer.batch_size) == (TargetState.COMPLETE, 164)
    assert answer.profiles == {"complete": ProfileStatus.ERROR, "x": ProfileStatus.PENDING}
    # The batch's word may come last as well.
    assert status(profile("x", "failed"), element("status", "stuck")).state is TargetState.STUCK


def test_a_word_for_the_batch_is_an_answer_without_its_name() -> None:
    answer = status(element("status", "complete"))
    assert (answer.state, answer.batch_id) == (TargetState.COMPLETE, "")


@pytest.mark.parametrize(
    ("children", "message"),
    [
        ([], "The answer says nothing of a batch."),
        ([head(size="many")], "The answer has a count that is no number."),
    ],
)
def test_what_says_nothing_is_refused_with_a_reason(children: list[str], message: str) -> None:
    with pytest.raises(UnusableAnswerError) as refused:
        status(*children)
    assert str(refused.value) == message


def test_reads_the_fourth_generation() -> None:
    answer = status(head(), counts(1, 0, 2, consumed=3))
    assert (answer.consumed, answer.successful, answer.not_found, answer.failed) == (3, 1, 0, 2)
    answer = status(head(), counts(1, 2, 0))
    assert (answer.consumed, answer.successful, answer.not_found, answer.failed) == (None, 1, 2, 0)
    assert answer.counted


@pytest.mark.fault(46, "unknown words, other case")
@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("complete", TargetState.COMPLETE),
        (" COMPLETE\n", TargetState.COMPLETE),
        ("Incomplete", TargetState.INCOMPLETE),
        ("stuck", TargetState.STUCK),
        ("pondering", TargetState.OTHER),
        ("", TargetState.OTHER),
    ],
)
def test_reads_words_of_any_case_and_knows_what_it_does_not_know(word: str, state: TargetState) -> None:
    assert status(head(word)).state is state


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("demo-1 a success b error", (None, None, {"a": "success", "b": "error"}, None)),
        ("demo-1", (None, None, {}, None)),
        ("demo-1 complete success", (None, None, {"complete": "success"}, None)),
        ("demo-1 complete 164", ("complete", 164, {}, None)),
        ("demo-1 Stuck 164", ("stuck", 164, {}, None)),
        ("demo-1 pondering 164", ("other", 164, {}, None)),
        (
            "demo-1\ncomplete\n164\na\nfailed\n12 failed",
            ("complete", 164, {"a": "error", "12": "error"}, None),
        ),
        ("demo-1 complete 3 12 failed", ("complete", 3, {"12": "error"}, None)),
        ("demo-1 complete 3 3 2 1 0", ("complete", 3, {}, (3, 2, 1, 0))),
        ("demo-1 complete 3 2 1 0", ("complete", 3, {}, (None, 2, 1, 0))),
    ],
)
def test_reads_answers_that_lost_their_tags(text: str, expected: tuple[Any, ...]) -> None:
    answer = read_status([text.encode()])
    numbers = (answer.consumed, answer.successful, answer.not_found, answer.failed)
    found = (answer.state, answer.batch_size, answer.profiles, numbers if answer.counted else None)
    assert found == expected
    assert (answer.batch_id, answer.flattened) == ("demo-1", True)
    byte_by_byte = [bytes([byte]) for byte in text.encode()]
    assert read_status(byte_by_byte) == answer


SPACED = ("id one", "id2", "3 4", "complete", "id 5 x")


@pytest.mark.fault(50, "flattened text with spaces in ids")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "id one success id2 failed 3 4 success complete error id 5 x pending",
            ["success", "error", "success", "error", "pending"],
        ),
        ("3 4 failed id 5 x success", [None, None, "error", None, "success"]),
        ("complete 5 id one failed 3 4 failed", ["error", None, "error", None, None]),
        ("complete 5 3 4 failed complete failed", [None, None, "error", "error", None]),
        ("incomplete 5 complete success", [None, None, None, "success", None]),
        ("id+one failed 3%204 failed", ["error", None, "error", None, None]),
    ],
)
def test_ids_with_spaces_that_lost_their_tags_are_read(text: str, said: list[str | None]) -> None:
    for spaces in (" ", "\n "):
        answer = read_status([f"demo-1 {text}".replace(" ", spaces).encode()])
        assert read_status(bytes([byte]) for byte in f"demo-1 {text}".replace(" ", spaces).encode()) == answer
        verdict = settle(answer, SPACED, rows=5, overdue=True)
        assert verdict is not None
        assert [verdict.named.status_of(profile_id) for profile_id in SPACED] == said


@pytest.mark.fault(50, "flattened text that can be read in two ways: nothing is claimed")
@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("complete 3 a odd b failed", ("a", "b", "c")),  # a word that is not known, not an id
        ("a odd b success c success", ("a", "b", "c")),
        ("complete 3 a failed b failed", ("a failed b", "a", "b")),
        ("a success success success", ("a success success", "a", "success")),
        ("complete 3 4 failed", ("complete 3 4", "4", "c")),
        ("complete 3 a  b failed", ("a\tx", "b", "c")),
        ("upstream connect error", ("a", "b", "c")),
    ],
)
def test_a_text_that_can_be_read_in_two_ways_claims_nothing(text: str, ids: tuple[str, ...]) -> None:
    answer = read_status([f"demo-1 {text}".encode()])
    assert settle(answer, ids, rows=3, overdue=False) is None
    verdict = settle(answer, ids, rows=3, overdue=True)
    assert verdict is not None
    assert {verdict.result_of(profile_id).basis for profile_id in ids} == {Basis.DEADLINE}
    assert verdict.reason == "Target gave no usable answer when it was last asked about the batch."


def test_white_space_in_an_id_is_its_own() -> None:
    answer = read_status([b"demo-1 complete 3 a  b failed"])
    assert named(answer, "a  b", "a b") == ["error reported", "success implied"]
    assert named(answer, "a b", "c") == ["error reported", "success implied"]


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
        "demo-1 id one success id two succ",
        '{"batchId": "demo-1", "status": "complete"}',
        "demo 1",
        "demo-1 a success \udcff",
        "demo-1 " + "x" * 10_000,
    ],
)
def test_other_texts_say_nothing(text: str) -> None:
    with pytest.raises(UnusableAnswerError):
        read_status([text.encode(errors="surrogateescape")])


BROKEN = [
    xml(),
    xml(element("success", "false"), element("message", "no")),
    b"<html><body>demo-1</body></html>",
    b"<!DOCTYPE response>" + xml(head()),
    b'<!DOCTYPE response [<!ENTITY a "complete">]>' + xml(element("status", "&a;")),
    b'<!DOCTYPE response SYSTEM "http://127.0.0.1/x">' + xml(head()),
    xml(head(), "<profile><status>failed</status></profile>"),
    xml(head(), "<profile><id></id><status>failed</status></profile>"),
    xml(head(), "<profile><id>a<b/></id><status>failed</status></profile>"),
    xml(head(), "<profile><id>a</id><profile/></profile>"),
    xml(head("complete"), element("status", "incomplete")),
    xml(head(size="many")),
    xml(head(size=-1)),
    xml(head(size="٣")),
    xml(head(size="1" * 13)),
    xml(head(), counts(1, "x", 0)),
    xml(head(), element("message", "x" * 10_000)),
    xml(head(), "<a>" * 20, "</a>" * 20),
    xml(head(), *(element(f"x{number}", number) for number in range(100))),
    xml(head(), f"<a b='{'x' * 2_000_000}'/>"),
    xml(head()).replace(b"</batchSize>", b"</batchsize>"),
    xml(head()) + xml(head()),
    xml(head()).decode().encode("utf-16"),
    b'<?xml version="1.0" encoding="no-such"?>' + xml(head()),
    b'<?xml version="1.0" encoding="hex"?>' + xml(head()),
    b'<?xml version="1.0" encoding="shift_jis"?>' + xml(head()),
    xml(head(), profile("\xe9", "failed")).decode().encode("latin-1"),
]


@pytest.mark.fault(43, "DOCTYPE, entities")
@pytest.mark.parametrize("body", BROKEN, ids=range(len(BROKEN)))
def test_a_broken_status_says_nothing(body: bytes) -> None:
    with pytest.raises(UnusableAnswerError) as caught:
        read_status(body[start : start + 65536] for start in range(0, len(body), 65536))
    assert "demo-1" not in str(caught.value)


@pytest.mark.parametrize("begin", [b"<response><a b='", b"<response><!--", b"demo-1 ", b"<response><id>"])
def test_what_has_no_end_is_not_held_in_memory(begin: bytes) -> None:
    chunks = itertools.chain([begin], itertools.repeat(b"x" * 65536, 500))
    with pytest.raises(UnusableAnswerError, match=r"without end|too long"):
        read_status(chunks)
    assert len(list(chunks)) > 400


def test_an_id_may_come_in_a_section_of_its_own() -> None:
    body = xml(head(), profile("<![CDATA[a&b<c]]>", "failed"), profile("d&amp;e", "failed"))
    for answer in (read_status([body]), read_status(bytes([byte]) for byte in body)):
        assert answer.profiles == {"a&b<c": ProfileStatus.ERROR, "d&e": ProfileStatus.ERROR}


def test_size_and_profiles_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    body = xml(head(), profile("a", "failed"), profile("b", "failed"))
    assert len(read_status([body], limit_bytes=len(body)).profiles) == 2
    with pytest.raises(UnusableAnswerError, match=f"longer than {len(body) - 1} bytes"):
        read_status([body], limit_bytes=len(body) - 1)
    with pytest.raises(UnusableAnswerError, match="longer than"):
        read_status(iter(lambda: b" " * 65536, None))
    monkeypatch.setattr(xml_reader, "MAX_PROFILES", 1)
    monkeypatch.setattr(flat_reader, "MAX_PROFILES", 1)
    for text in (body, b"demo-1 a failed b failed"):
        with pytest.raises(UnusableAnswerError):
            read_status([text])


def test_a_declared_charset_is_believed() -> None:
    body = '<?xml version="1.0" encoding="ISO-8859-1"?>' + xml(head(), profile("é", "failed")).decode()
    assert read_status([body.encode("latin-1")]).profiles == {"é": ProfileStatus.ERROR}


@pytest.mark.fault(48, "encoded ids")
@pytest.mark.parametrize(
    "spelling",
    ["a&b c<é", "a%26b%20c%3C%C3%A9", "a%26b+c%3c%c3%a9", "a&amp;b c&lt;é", "a&#38;b c&#x3c;é"],
)
def test_an_id_is_found_however_target_spells_it(spelling: str) -> None:
    for written in (spelling.replace("&", "&amp;").replace("<", "&lt;"), f"\n  {escaped(spelling)}  "):
        answer = status(head(), profile(written, "failed"))
        assert named(answer, "a&b c<é", "a") == ["error reported", "success implied"]
        assert named(answer, " a&b  c<é\n", "a") == ["error reported", "success implied"]


def named(answer: StatusAnswer, *ids: str) -> list[str]:
    """Give what is said of these ids, the whole batch, whatever their order in it."""
    found = []
    for order in (ids, ids[::-1]):
        verdict = settle(answer, order, rows=len(ids), overdue=True)
        assert verdict is not None
        results = [verdict.result_of(profile_id) for profile_id in ids]
        found.append([f"{result.status} {result.basis}" for result in results])
        assert [result.profile_id for result in results] == list(ids)
        words = (verdict.named.status_of(profile_id) for profile_id in set(ids) - verdict.named.doubtful)
        doubtful = {ProfileStatus.UNKNOWN: len(verdict.named.doubtful)}
        assert verdict.named.by_status == Counter(words) + Counter(doubtful)
    assert found[0] == found[1]
    return found[0]


@pytest.mark.fault(48, "a spelling that is an id of the batch speaks for that id alone")
@pytest.mark.parametrize(
    ("spelling", "other"),
    [
        ("x%20y", "x y"),
        ("p+q", "p q"),
        ("a&amp;b", "a&b"),
        ("a&b", "a%26b"),
        ("a&#43;b", "a+b"),
        ("a", " a"),
        ("a b", "a  b"),
        ("a  b", "a b"),
        (" a", "a"),
        ("a\n", "a"),
    ],
)
def test_a_spelling_that_is_an_id_speaks_for_that_id_alone(spelling: str, other: str) -> None:
    written = profile(spelling.replace("&", "&amp;"), "failed")
    section = profile(f"<![CDATA[{spelling}]]>", "failed")
    for answer in (status(head(), written), status(head(), section)):
        assert named(answer, spelling, other) == ["error reported", "success implied"]
    both = status(element("batchId", "b1"), written, profile(other.replace("&", "&amp;"), "success"))
    assert named(both, spelling, other) == ["error reported", "success reported"]


@pytest.mark.fault(48, "a spelling that may mean two ids is believed of neither")
@pytest.mark.parametrize(
    ("spelling", "ids"),
    [
        ("p&#43;q", ("p+q", "p q")),
        ("x%2520y&amp;z", ("x%2520y&z", "x%20y&z")),
        ("\n a\n", ("a", " a")),
        ("a", (" a", "a ")),
        ("%61", ("a", "a\t")),
    ],
)
def test_a_spelling_that_may_mean_two_ids_is_believed_of_neither(spelling: str, ids: tuple[str, str]) -> None:
    written = spelling.replace("&", "&amp;")
    answer = status(head(), profile(written, "failed"))
    assert named(answer, *ids, "c") == ["unknown batch", "unknown batch", "success implied"]
    assert named(answer, ids[0], "c") == ["error reported", "success implied"]
    verdict = settle(answer, (*ids, "c"), rows=3, overdue=False)
    assert verdict is not None
    assert (verdict.named.foreign.total(), verdict.result_of(ids[0]).reason) == (
        0,
        "Target named an id that may be this one, or another of the batch.",
    )
    every = status(element("batchId", "b1"), profile(written, "success"), profile("c", "success"))
    assert settle(every, (*ids, "c"), rows=3, overdue=False) is None
    # Once the other one is spelled exactly, there is only one left.
    exact = ids[1].replace("&", "&amp;")
    answer = status(head(), profile(written, "failed"), profile(exact, "pending"))
    assert named(answer, *ids) == ["error reported", "pending reported"]


def test_all_ids_are_doubted_that_any_spelling_may_mean() -> None:
    answer = status(head(), *(profile(spelling, "failed") for spelling in ("%61", "%62")))
    doubted = ["unknown batch"] * 4
    assert named(answer, "a", "a\t", "b", "b\t") == doubted
    encoded = status(head(), profile("%61", "failed"), profile("x%20y", "failed"), profile("x%2520y", "odd"))
    assert named(encoded, "a", "a\t", "x y", "x%20y") == [*doubted[:3], "error reported"]


def test_a_spelling_that_may_mean_two_ids_takes_nothing_back_that_was_said_of_them() -> None:
    answer = status(
        head(), profile("p&amp;#43;q", "failed"), profile("p+q", "success"), profile("p q", "success")
    )
    assert named(answer, "p+q", "p q") == ["success reported", "success reported"]


def test_an_exact_spelling_is_doubted_where_target_encodes_that_id() -> None:
    answer = status(head(), profile("x%20y", "failed"), profile("x%2520y", "success"))
    assert named(answer, "x%20y", "x y") == ["error reported", "unknown batch"]
    assert named(answer, "x%20y", "c") == ["error reported", "success implied"]


def escaped(text: str) -> str:
    return re.sub("<", "&lt;", text)


def test_the_id_as_it_is_goes_before_the_decoded_one() -> None:
    answer = status(element("batchId", "b1"), profile("a%26b", "success"), profile("a&amp;b", "error"))
    assert named(answer, "a%26b", "a&b") == ["success reported", "error reported"]


@pytest.mark.fault(48, "ids twice")
@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(
    ("words", "kept"),
    [
        (["success", "pending"], "pending"),
        (["success", "failed"], "error"),
        (["pending", "error"], "error"),
        (["success", "odd"], "unknown"),
        (["odd", "pending"], "pending"),
    ],
)
def test_of_two_words_for_an_id_the_more_cautious_is_kept(words: list[str], kept: str, order: int) -> None:
    answer = status(head(), *(profile("a", word) for word in words[::order]))
    assert answer.profiles == {"a": kept}
    encoded = status(
        head(), *(profile(i, w) for i, w in zip(("%61", "&#37;61"), words[::order], strict=True))
    )
    assert named(encoded, "a") == [f"{kept} reported"]


# What a batch settles as: the table


@pytest.mark.parametrize(
    ("children", "expected"),
    [
        # reported
        (
            [profile("a", "success"), profile("b", "error"), profile("c", "failed")],
            {"state": "complete", "a": "success reported", "b": "error reported", "c": "error reported"},
        ),
        # complete, failed ids listed
        (
            [head(), profile("b", "failed")],
            {"state": "complete", "a": "success implied", "b": "error reported", "c": "success implied"},
        ),
        # a word for a profile that is not known is not a success
        (
            [head(), profile("b", "skipped"), profile("c", "")],
            {"state": "complete", "a": "success implied", "b": "unknown reported", "c": "unknown reported"},
        ),
        # complete, counts only
        ([head(), counts(3, 0, 0, consumed=3)], "success implied"),
        ([head(), counts(3, 0, 0)], "success implied"),
        ([head(), counts(2, 0, 1)], "unknown counts"),
        ([head(), counts(2, 1, 0)], "unknown counts"),
        ([head(), element("failedUpdates", 0), element("profilesNotFound", 0)], "success implied"),
        ([head(), element("successfulUpdates", 3)], "success implied"),
        ([head(), element("failedUpdates", 1), element("profilesNotFound", 0)], "unknown counts"),
        ([head(), element("failedUpdates", 0), element("profilesNotFound", 1)], "unknown counts"),
        ([head(), element("successfulUpdates", 3), element("failedUpdates", 1)], "unknown counts"),
        # a count that is missing may be the one that matters
        ([head(), element("failedUpdates", 0)], "unknown counts"),
        ([head(), element("consumedCount", 3)], "unknown counts"),
        # counts that do not add up to what was sent
        ([head(), counts(2, 0, 0, consumed=3)], "unknown counts"),
        ([head(), counts(3, 0, 0, consumed=2)], "unknown counts"),
        # counts that the named ids explain, and counts that they do not
        (
            [head(), profile("b", "failed"), counts(2, 0, 1, consumed=3)],
            {"state": "complete", "a": "success implied", "b": "error reported", "c": "success implied"},
        ),
        (
            [head(), profile("b", "failed"), counts(1, 0, 2, consumed=3)],
            {"state": "complete", "a": "unknown counts", "b": "error reported", "c": "unknown counts"},
        ),
        # complete, no counts, no ids
        ([head()], "success implied"),
        ([element("batchId", "b1"), element("status", "complete")], "success implied"),
        # complete, of another size
        ([head(size=4)], "success implied"),
        ([head(size=2)], "unknown counts"),
        ([head(size=0)], "unknown counts"),
        # a list of all profiles that leaves some out
        (
            [head(), profile("a", "success")],
            {"state": "complete", "a": "success reported", "b": "unknown batch", "c": "unknown batch"},
        ),
        # stuck
        ([head("stuck")], {"state": "stuck", **dict.fromkeys(IDS, "error batch")}),
        (
            [head("stuck"), profile("a", "success")],
            {"state": "stuck", "a": "success reported", "b": "error batch", "c": "error batch"},
        ),
    ],
)
def test_a_settled_batch_claims_no_more_than_was_said(
    children: list[str], expected: str | dict[str, str]
) -> None:
    answer = status(element("batchId", "demo-1") if "batchId" not in "".join(children) else "", *children)
    if isinstance(expected, str):
        expected = {"state": "complete", **dict.fromkeys(IDS, expected)}
    for overdue in (False, True):
        assert results(answer, overdue=overdue) == expected


@pytest.mark.parametrize(
    ("children", "at_the_deadline"),
    [
        ([head("incomplete")], {"state": "expired", **dict.fromkeys(IDS, "pending deadline")}),
        ([head("pondering")], {"state": "expired", **dict.fromkeys(IDS, "pending deadline")}),
        (
            [head("incomplete"), profile("a", "success")],
            {"state": "expired", "a": "success reported", "b": "pending deadline", "c": "pending deadline"},
        ),
        (
            [profile("a", "success"), profile("b", "pending"), profile("c", "error")],
            {"state": "expired", "a": "success reported", "b": "pending reported", "c": "error reported"},
        ),
        (
            [profile("a", "success"), profile("c", "odd")],
            {"state": "expired", "a": "success reported", "b": "pending deadline", "c": "unknown reported"},
        ),
        (
            [head(), profile("a", "pending")],
            {"state": "expired", "a": "pending reported", "b": "success implied", "c": "success implied"},
        ),
        (
            [profile("a", "success"), profile("b", "pending")],
            {"state": "expired", "a": "success reported", "b": "pending reported", "c": "pending deadline"},
        ),
        ([element("batchSize", 3)], {"state": "expired", **dict.fromkeys(IDS, "pending deadline")}),
    ],
)
def test_a_batch_is_processing_until_the_deadline(
    children: list[str], at_the_deadline: dict[str, str]
) -> None:
    answer = status(element("batchId", "demo-1") if "batchId" not in "".join(children) else "", *children)
    assert results(answer) is None
    assert results(answer, overdue=True) == at_the_deadline


def test_without_any_answer_the_deadline_decides() -> None:
    assert results(None) is None
    assert results(None, overdue=True) == {"state": "expired", **dict.fromkeys(IDS, "pending deadline")}


@pytest.mark.fault(48, "ids that are not ours")
def test_ids_of_others_neither_hold_up_a_batch_nor_speak_for_it() -> None:
    answer = status(head(), profile("x", "pending"), profile("y", "success"), profile("b", "failed"))
    verdict = settle(answer, IDS, rows=3, overdue=False)
    assert verdict is not None
    assert verdict.named.foreign.total() == 2
    assert results(answer) == {
        "state": "complete",
        "a": "success implied",
        "b": "error reported",
        "c": "success implied",
    }
    first_generation = status(element("batchId", "b1"), *(profile(i, "success") for i in "abx"))
    assert results(first_generation) is None


def test_white_space_within_tags_misleads_nobody() -> None:
    answer = status(head(), profile("not ours", "success"), profile("a success", "failed"))
    assert named(answer, "a success", "complete 5") == ["error reported", "success implied"]


def test_a_word_without_tags_that_is_no_id_of_ours_is_anothers() -> None:
    answer = read_status([b"demo-1 complete 2 other pending a failed"])
    assert named(answer, "a", "b") == ["error reported", "success implied"]


@pytest.mark.fault(48, "a failed id that is not ours may be one of ours, spelled in a way that is not known")
def test_a_failure_of_an_id_that_is_not_ours_leaves_room_for_one_of_ours() -> None:
    for answer in (
        status(head(), profile("A", "failed"), profile("other", "pending"), profile("b", "failed")),
        read_status([b"demo-1 complete 3 A failed other pending b failed"]),
    ):
        assert named(answer, *IDS) == ["unknown batch", "error reported", "unknown batch"]
        verdict = settle(answer, IDS, rows=3, overdue=False)
        assert verdict is not None
        assert verdict.named.foreign[ProfileStatus.ERROR] == 1
        assert verdict.reason == "Target named 1 failed ids that are not in the batch."


def test_an_answer_about_another_batch_implies_nothing_about_ours() -> None:
    for batch_id, word in (("", "success"), ("demo-1", "success"), ("demo-2", "unknown")):
        verdict = settle(
            status(head(), profile("b", "failed")), IDS, rows=3, overdue=False, batch_id=batch_id
        )
        assert verdict is not None
        assert verdict.status == word
        assert verdict.reason == ("Target's answer names another batch." if word == "unknown" else "")


@pytest.mark.parametrize(
    ("text", "ids", "message"),
    [
        ("a b failed", ("a", "b"), "The answer lost its tags, and has words that are no id of the batch."),
        ("a failed", ("a", "b failed"), "The answer lost its tags, and the batch has ids that may mislead."),
    ],
)
def test_a_text_that_can_be_read_in_two_ways_is_refused_with_a_reason(
    text: str, ids: tuple[str, ...], message: str
) -> None:
    answer = read_status([f"demo-1 {text}".encode()])
    with pytest.raises(UnusableAnswerError) as refused:
        match_ids(answer.profiles, ids, 2, flattened=answer.flattened)
    assert str(refused.value) == message


@pytest.mark.fault(46, "a size that is not ours")
def test_a_size_that_is_not_ours_is_noted() -> None:
    for size, differs in ((2, True), (3, False), (4, True)):
        verdict = settle(status(head(size=size)), IDS, rows=3, overdue=False)
        assert verdict is not None
        note = f"Target counted {size} rows in the batch, and 3 were sent."
        assert verdict.note == (note if differs else "")
        assert verdict.named.foreign.total() == 0


def test_the_ids_are_not_read_where_they_decide_nothing() -> None:
    ids = iter(IDS)
    for answer in (
        None,
        status(head()),
        status(head("stuck")),
        status(head("incomplete")),
    ):
        assert settle(answer, ids, rows=3, overdue=True)
    assert not settle(status(head("odd"), profile("a", "success")), ids, rows=3, overdue=False)
    assert tuple(ids) == IDS


@pytest.mark.parametrize(
    ("children", "reason"),
    [
        ([head("stuck")], "Target gave up on the batch: it is stuck."),
        (
            [head(), profile("a", "success")],
            "Target listed the profiles of the batch and not this one.",
        ),
    ],
)
def test_a_profile_without_a_word_of_its_own_has_the_batchs_reason(children: list[str], reason: str) -> None:
    verdict = settle(status(*children), IDS, rows=3, overdue=False)
    assert verdict is not None
    assert verdict.result_of("b").reason == reason


def test_every_result_that_is_no_success_has_a_reason() -> None:
    answer = status(head(size=9), profile("a", "failed"), profile("b", "odd"), counts(1, 1, 1))
    verdict = settle(answer, IDS, rows=3, overdue=True)
    assert verdict is not None
    assert all(verdict.result_of(profile_id).reason for profile_id in IDS)


@pytest.mark.parametrize(
    "children",
    [
        [element("batchId", "b1"), *(profile(i, "success") for i in IDS)],
        [element("batchId", "b1"), *(profile(i, word) for i, word in zip(IDS, WORDS, strict=True))],
        [head(), *(profile(i, "success") for i in IDS)],
        [head(), *(profile(i, word) for i, word in zip(IDS, WORDS, strict=True)), counts(1, 0, 2)],
    ],
)
def test_where_each_profile_has_a_word_of_its_own_the_batch_needs_no_reason(children: list[str]) -> None:
    verdict = settle(status(*children), IDS, rows=3, overdue=False)
    assert verdict is not None
    assert (verdict.state, verdict.reason) == (BatchState.COMPLETE, "")
    # And of an id that should not be there, nobody knows.
    assert verdict.result_of("d") == ProfileResult("d", ProfileStatus.UNKNOWN, Basis.BATCH)


@pytest.mark.parametrize(
    ("children", "reason"),
    [
        (
            [head(size=120), counts(118, 0, 2, consumed=120)],
            "Target counted 2 failed, and named none of them.",
        ),
        ([head(size=120), counts(117, 3, 0)], "Target counted 3 not found, and named none of them."),
        (
            [head(size=120), profile("a", "failed"), counts(115, 3, 2)],
            "Target counted 2 failed and 3 not found, and named 1 of them.",
        ),
        (
            [head(size=119)],
            "Target counted 119 of the 120 rows sent, and did not name the others.",
        ),
        (
            [head(size=120), counts(118, 0, 0, consumed=118)],
            "Target counted 118 of the 120 rows sent, and did not name the others.",
        ),
        (
            [head(size=120), counts(117, 0, 0, consumed=120)],
            "Target counted 117 of the 120 rows sent, and did not name the others.",
        ),
        (
            [head(size=120), counts(116, 0, 2, consumed=118)],
            "Target counted 2 failed, and named none of them. "
            "Target counted 118 of the 120 rows sent, and did not name the others.",
        ),
        (
            [head(size=120), element("failedUpdates", 0)],
            "Target did not count all outcomes, so there may be failures.",
        ),
        ([head(size=120), counts(120, 0, 0, consumed=120)], ""),
        ([head(size=120), profile("a", "failed"), counts(119, 0, 1, consumed=120)], ""),
    ],
)
def test_the_reason_for_counts_says_what_target_counted(children: list[str], reason: str) -> None:
    verdict = settle(status(*children), ["a", *map(str, range(119))], rows=120, overdue=False)
    assert verdict is not None
    assert (verdict.reason, verdict.result_of("0").reason) == (reason, reason)
    assert verdict.basis is (Basis.COUNTS if reason else Basis.IMPLIED)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (None, "Target gave no usable answer when it was last asked about the batch."),
        (status(head("incomplete")), "Target was not done with the batch when it was last asked."),
        (
            status(element("batchId", "b1"), profile("a", "success")),
            "Target was not done with the batch when it was last asked.",
        ),
    ],
)
def test_at_the_deadline_the_reason_is_what_target_last_said(
    answer: StatusAnswer | None, reason: str
) -> None:
    verdict = settle(answer, IDS, rows=3, overdue=True)
    assert verdict is not None
    assert verdict.reason == reason
    assert verdict.result_of("c").reason == reason


def test_a_batch_that_never_was_at_target_is_all_of_one_kind() -> None:
    result = whole_batch(BatchState.REFUSED, ProfileStatus.ERROR, "Unexpected error").result_of("a")
    assert (result.status, result.basis, result.reason) == (
        ProfileStatus.ERROR,
        Basis.BATCH,
        "Unexpected error",
    )


# Details


def test_counts_may_have_twelve_digits() -> None:
    assert status(head(size="9" * 12)).batch_size == 999_999_999_999


def test_details_are_worth_a_call_only_where_there_are_none() -> None:
    assert needs_details(status(head()))
    assert not needs_details(status(head("incomplete")))
    assert not needs_details(status(head("stuck")))
    assert not needs_details(status(head(), profile("a", "failed")))
    assert not needs_details(status(head(), counts(3, 0, 0)))
    assert not needs_details(status(profile("a", "failed"), element("batchId", "b1")))


@pytest.mark.fault(47, "a settled answer that flips back")
def test_the_first_terminal_answer_stands_and_only_details_are_added() -> None:
    first = StatusAnswer.from_json(json.loads(json.dumps(status(head()).to_json())))
    assert first == status(head())
    detailed = add_details(first, status(head(size=9), counts(2, 0, 1)))
    assert (detailed.batch_size, detailed.failed) == (3, 1)
    assert results(detailed) == {"state": "complete", **dict.fromkeys(IDS, "unknown counts")}
    assert results(add_details(first, status(head(), profile("a", "failed")))) == {
        "state": "complete",
        "a": "error reported",
        "b": "success implied",
        "c": "success implied",
    }
    for later in (
        None,
        status(head("incomplete")),
        status(head("stuck")),
        status(profile("a", "error"), head("")),
    ):
        assert add_details(first, later) is first
    # The oldest generation has no word for the batch: its ids are details all the same.
    assert results(add_details(first, status(element("batchId", "b1"), profile("a", "error")))) == {
        "state": "complete",
        "a": "error reported",
        "b": "success implied",
        "c": "success implied",
    }
    assert add_details(first, status(element("batchId", "b2"), profile("a", "error"))).batch_id == "demo-1"
    sizeless = status(element("batchId", "b1"), element("status", "complete"))
    assert add_details(sizeless, status(head(size=2), counts(2, 0, 0))).batch_size == 2


@pytest.mark.parametrize(
    "children", [[head(), counts(1, 2, 3, consumed=6)], [head("odd")], [element("batchId", "b1")]]
)
def test_an_answer_without_its_profiles_survives_the_ledger(children: list[str]) -> None:
    answer = status(*children)
    assert StatusAnswer.from_json(json.loads(json.dumps(answer.to_json()))) == answer


def test_no_id_is_shown_by_an_answer() -> None:
    assert "secret" not in repr(status(head(), profile("secret%20id", "failed")))
