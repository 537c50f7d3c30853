"""What Target said: every generation of its answers by example, and every answer that says nothing."""

from __future__ import annotations

import codecs
import itertools
import json
from collections.abc import Iterable
from typing import Any

import pytest

from bulk_profiles.core.models import ProfileStatus
from bulk_profiles.target import flat_reader, xml_reader
from bulk_profiles.target.answers import (
    Receipt,
    StatusAnswer,
    TargetState,
    max_status_bytes,
    read_receipt,
    read_status,
    read_status_response,
)
from bulk_profiles.target.earlier_answers import add_earlier
from bulk_profiles.target.response import Response, UnusableAnswerError
from bulk_profiles.target.verdict import add_details
from tests.worlds.answers import IDS, counts, element, head, profile, reason, results, status, xml

URL = "http://mboxedge45.tt.omtrdc.net/m2/demo/v2/profile/batchStatus?batchId=demo-1845664501&m2Node=00"
ENOUGH = 10_000_000
WHOLE = b"<?xml version='1.0'?>\n" + xml(
    element("batchId", "demo-1"), profile("a&amp;&lt;b&c&#1114111;é", "failed")
)


def read_all(pieces: Iterable[bytes]) -> Response:
    return read_status_response(pieces, ENOUGH)


# The answer to a submission


@pytest.mark.parametrize(
    "body",
    [
        xml(
            element("success", "true"),
            element("batchStatus", URL),
            element("message", "Batch submitted for processing"),
        ),
        xml(
            element("success", " True\n"),
            element("batchStatus", f"\n  {URL.replace('&', '&amp;')}\n"),
            element("message", "Batch submitted for processing"),
        ),
        xml(
            element("success", "true"),
            element("batchStatus", f"<![CDATA[{URL}]]>"),
            element("message", "Batch submitted for processing"),
        ),
        f"true {URL} Batch submitted for processing".encode(),
        f"TRUE {URL} Batch submitted for processing".encode(),
        f"\n\ttrue\n{URL}\nBatch submitted for processing\n".encode(),
        f"true {URL} Batch submitted for processing".encode("utf-16"),
    ],
    ids=["raw", "escaped", "cdata", "flattened", "upper-case", "flattened-lines", "flattened-utf-16"],
)
def test_read_receipt_true_with_status_url_is_yes(body: bytes) -> None:
    assert read_receipt(body) == Receipt(
        success=True, status_url=URL, message="Batch submitted for processing"
    )


def test_read_receipt_flattened_https_url_is_yes() -> None:
    url = URL.replace("http:", "HTTPS:")
    receipt = read_receipt(f"true {url} Fine".encode())
    assert (receipt.success, receipt.status_url, receipt.message) == (True, url, "Fine")


@pytest.mark.parametrize("said", ["false", f"true {URL}", "true", "maybe"])
def test_read_receipt_flattened_message_shows_no_id(said: str) -> None:
    assert read_receipt(f"{said} Bad row u1".encode()).message.endswith("Bad row ***")


DOUBT = "Target's answer to the submission has "


@pytest.mark.parametrize(
    ("part", "doubt"),
    [
        ("<rejected>2</rejected>", f"{DOUBT}a part that is not known: rejected."),
        ("<errors/><batchSize>1</batchSize>", f"{DOUBT}parts that are not known: errors, batchSize."),
        ("<status>stuck</status>", f"{DOUBT}a part that is not known: status."),
        ("<!-- 2 rejected -->", f"{DOUBT}a part that is not known: comment."),
        ("2 rejected", f"{DOUBT}a part that is not known: text."),
        ("<message rows='1'/>", f"{DOUBT}a part that is not known: message@rows."),
        ("<message>Batch is empty</message>", f'{DOUBT}a message: "Batch is empty".'),
        ("<message>2 rows rejected</message>", f'{DOUBT}a message: "2 rows rejected".'),
        ("<message>No row for a@b.de</message>", f'{DOUBT}a message: "No row for ***".'),
        (profile("a", "failed"), "Target's answer to the submission names 1 profile."),
        (profile("a", "success"), "Target's answer to the submission names 1 profile."),
        ("<profile/>", "1 profile in Target's answer to the submission cannot be read."),
    ],
)
def test_read_receipt_yes_beside_what_is_not_known_is_a_yes_with_a_doubt(part: str, doubt: str) -> None:
    receipt = read_receipt(xml(element("success", "true"), element("batchStatus", URL), part))
    assert (receipt.success, receipt.status_url, receipt.unclear) == (True, URL, (doubt,))


@pytest.mark.parametrize("message", ["", "Batch submitted for processing", "batch submitted for processing."])
def test_read_receipt_known_message_is_no_doubt(message: str) -> None:
    body = xml(element("success", "true"), element("batchStatus", URL), element("message", message))
    assert read_receipt(body) == Receipt(success=True, status_url=URL, message=message)


def test_read_receipt_flattened_other_message_is_a_doubt() -> None:
    receipt = read_receipt(f"true {URL} Batch submitted for processing 2 rejected".encode())
    assert receipt.unclear == (f'{DOUBT}a message: "Batch submitted for processing 2 rejected".',)


@pytest.mark.fault(35, "a yes without a usable URL: it is a yes all the same")
@pytest.mark.parametrize(
    "body",
    [
        xml(element("success", "true"), element("message", "Fine")),
        xml(element("success", "true"), "<batchStatus></batchStatus>", element("message", "Fine")),
        xml(
            element("success", "true"), "<batchStatus/>", element("message", "Fine"), element("warning", "x")
        ),
        xml(element("success", "true"), element("message", "Fine")).decode().encode("utf-16"),
        b"true Fine",
        b"TRUE\nFine\n",
    ],
)
def test_read_receipt_true_without_status_url_is_yes(body: bytes) -> None:
    receipt = read_receipt(body)
    assert (receipt.success, receipt.status_url, receipt.message) == (True, "", "Fine")


def test_read_receipt_url_that_may_be_cut_short_is_left_out() -> None:
    receipt = read_receipt(f"true {URL}".encode())
    assert (receipt.success, receipt.status_url, receipt.message) == (True, "", "***")
    assert read_receipt(b"true") == Receipt(success=True)


def test_read_receipt_message_with_a_character_that_xml_lacks_is_read() -> None:
    for written in ("a\x01b", "a&#1;b", "a\ufffeb", "a&#xFFFF;b"):
        body = xml(element("success", "true"), element("batchStatus", URL), element("message", written))
        receipt = read_receipt(body)
        assert (receipt.success, receipt.status_url, receipt.message) == (True, URL, "a\ufffdb")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            xml(element("success", "false"), "<batchStatus/>", element("message", "Unexpected error")),
            "Unexpected error",
        ),
        (xml(element("success", "FALSE")), ""),
        (b"false Unexpected error", "Unexpected error"),
        (b"false", ""),
        (b'\xef\xbb\xbf<?xml version="1.0"?>' + xml(element("success", "false")), ""),
        (
            xml(element("success", "false"), element("message", "Ungültig")).decode().encode("latin-1"),
            "Ungültig",
        ),
        (
            xml(element("success", "false"), element("message", "Unknown profile ada@example.com, row 12")),
            "Unknown profile *** row 12",
        ),
        (xml(element("success", "false"), element("message", "a\x85b \u202e c\n d" + "x" * 999)), None),
    ],
    ids=[
        "xml",
        "no-message",
        "flattened",
        "flattened-no-message",
        "bom",
        "latin-1",
        "with-an-id",
        "long",
    ],
)
def test_read_receipt_false_is_no(body: bytes, message: str | None) -> None:
    receipt = read_receipt(body)
    assert receipt.success is False
    assert receipt.status_url == ""
    if message is None:
        assert receipt.message.startswith(r"ab \u202e c dxxx")
        assert len(receipt.message) == 300
    else:
        assert receipt.message == message


@pytest.mark.fault(35, "HTML, JSON, an empty answer, another charset")
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" \n",
        b"<",
        b'{"success": true}',
        b"<html><body>true http://example.com false</body></html>",
        b"<!DOCTYPE html><html></html>",
        b"<!DOCTYPE response>" + xml(element("success", "false")),
        xml(),
        xml(element("success", "yes"), element("batchStatus", URL)),
        xml(element("success", "false"), element("batchStatus", URL)),
        f"false {URL} Unexpected error".encode(),
        xml("<t:success>true</t:success>"),
        xml("<Success>true</Success>"),
        xml("<success>tr<i/>ue</success>"),
        xml(element("success", "true"), element("success", "false"), element("batchStatus", URL)),
        xml(element("success", "false")) + b"<more/>",
        xml(element("success", "false"))[:-1],
        xml("<a>", element("success", "false"), "</a>"),
        b"<response><success>false</success><message>" + b"x" * 9000 + b"</message></response>",
        b"<response><success>&x;</success></response>",
        b"\x00",
    ],
)
def test_read_receipt_anything_else_is_neither_yes_nor_no(body: bytes) -> None:
    assert read_receipt(body).success is None
    assert read_receipt(body).status_url == ""


def test_read_receipt_cut_short_is_neither_yes_nor_no() -> None:
    whole = xml(element("success", "true"), element("batchStatus", URL), element("message", "Fine"))
    assert all(read_receipt(whole[:length]) == Receipt() for length in range(len(whole)))


@pytest.mark.parametrize("charset", ["utf-8", "latin-1"])
@pytest.mark.parametrize("declared", ["", "<?xml version='1.0' encoding='ISO-8859-1'?>"])
def test_read_receipt_response_ignores_a_declared_charset(charset: str, declared: str) -> None:
    body = f"{declared}<response><success>false</success><message>Ungültig</message></response>"
    for header in ("", "iso-8859-1", "klingon"):
        receipt = read_receipt(body.encode(charset), header)
        assert receipt == Receipt(success=False, message="Ungültig")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("Service Unavailable", "Service Unavailable"),
        ("no profile c-4711 in row 12", "no profile *** in row 12"),
        ('{"error": "Invalid token"}', "Invalid token"),
        ('{"success": true}', '{"success": true}'),
        ("", ""),
    ],
)
def test_read_receipt_other_text_keeps_its_words(body: str, message: str) -> None:
    assert read_receipt(body.encode()) == Receipt(message=message)


@pytest.mark.parametrize("body", ["<!DOCTYPE html><p>true", "\n <HTML>", "<head/>", "<body class='x'>"])
def test_read_receipt_web_page_is_html(body: str) -> None:
    assert read_receipt(body.encode()) == Receipt(html=True)


# The answer to a status call


def test_read_status_generation_1_has_profiles_and_no_state() -> None:
    answer = status(element("batchId", "\n demo-1 "), profile("a", "success"), profile("b", "Error"))
    assert (answer.state, answer.batch_id, answer.batch_size) == (None, "demo-1", None)
    assert [answer.profiles.get(name) for name in IDS] == [ProfileStatus.SUCCESS, ProfileStatus.ERROR, None]


def test_read_status_generation_2_has_a_state_and_profiles() -> None:
    """`<status>` is the batch's word at one level, and a profile's at another."""
    answer = status(head(size=164), profile("complete", " failed\n"), profile("x", "pending"))
    assert (answer.state, answer.batch_size) == (TargetState.COMPLETE, 164)
    assert answer.profiles == {"complete": ProfileStatus.ERROR, "x": ProfileStatus.PENDING}
    # The batch's word may come last as well.
    assert status(profile("x", "failed"), element("status", "stuck")).state is TargetState.STUCK


def test_read_status_generation_4_has_counts() -> None:
    answer = status(head(), counts(1, 0, 2, consumed=3))
    assert (answer.consumed, answer.successful, answer.not_found, answer.failed) == (3, 1, 0, 2)
    answer = status(head(), counts(1, 2, 0))
    assert (answer.consumed, answer.successful, answer.not_found, answer.failed) == (None, 1, 2, 0)
    assert answer.counted


def test_read_status_without_batch_id_is_an_answer() -> None:
    answer = status(element("status", "complete"))
    assert (answer.state, answer.batch_id) == (TargetState.COMPLETE, "")


@pytest.mark.fault(46, "an unknown word for the batch, another case")
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
def test_read_status_state_is_read_in_any_case(word: str, state: TargetState) -> None:
    assert status(head(word)).state is state


def test_read_status_count_of_12_digits_is_read() -> None:
    assert status(head(size="9" * 12)).batch_size == 999_999_999_999


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
def test_read_status_flattened_answer_is_read(text: str, expected: tuple[Any, ...]) -> None:
    answer = read_status([text.encode()])
    numbers = (answer.consumed, answer.successful, answer.not_found, answer.failed)
    fields = (answer.state, answer.batch_size, answer.profiles, numbers if answer.counted else None)
    assert fields == expected
    assert (answer.batch_id, answer.flattened) == ("demo-1", True)
    byte_by_byte = [bytes([byte]) for byte in text.encode()]
    assert read_status(byte_by_byte) == answer


@pytest.mark.parametrize(
    ("children", "message"),
    [
        ([], "The answer says nothing of a batch."),
        (
            [element("message", "Batch submitted for processing")],
            'The answer says nothing of a batch: "Batch submitted for processing".',
        ),
        ([element("message", "")], "The answer says nothing of a batch."),
    ],
)
def test_read_status_without_content_raises_a_reason(children: list[str], message: str) -> None:
    assert reason(read_status, xml(*children)) == message


@pytest.mark.fault(47, "an answer that names neither the batch nor its state is heard")
@pytest.mark.parametrize(
    "children",
    [
        element("failedUpdates", 2),
        element("success", "false"),
        element("message", "2 profiles failed"),
        element("error", "Batch failed"),
        element("batchStatus", "failed"),
        element("batch", element("status", "failed")),
        element("profiles", profile("a", "failed")),
    ],
)
def test_read_status_without_batch_and_state_is_heard(children: str) -> None:
    details = status(children)
    complete = status(head())
    for answer in (add_details(complete, details), add_earlier(complete, details)):
        assert "success implied" not in results(answer, *IDS)


BROKEN = [
    xml(),
    b"<html><body>demo-1</body></html>",
    b"<!DOCTYPE response>" + xml(head()),
    b'<!DOCTYPE response [<!ENTITY a "complete">]>' + xml(element("status", "&a;")),
    b'<!DOCTYPE response SYSTEM "http://127.0.0.1/x">' + xml(head()),
    b"",
    b" \n",
    b'{"batchId": "demo-1", "status": "complete"}',
    xml(head(), element("message", "x" * 10_000)),
    xml(head(), "<a>" * 20, "</a>" * 20),
    xml(head(), f"<a b='{'x' * 2_000_000}'/>"),
    xml(head()).replace(b"</batchSize>", b"</batchsize>"),
    xml(head()) + xml(head()),
    b'<?xml version="1.0" encoding="no-such"?>' + xml(head()),
    b'<?xml version="1.0" encoding="hex"?>' + xml(head()),
    b'<?xml version="1.0" encoding="shift_jis"?>' + xml(head()),
]


def test_read_receipt_that_contradicts_itself_is_neither_yes_nor_no() -> None:
    assert read_receipt(xml(element("success", "true"), element("success", "false"))) == Receipt()


@pytest.mark.fault(43, "DOCTYPE and entities in a status")
@pytest.mark.parametrize("body", BROKEN, ids=range(len(BROKEN)))
def test_read_status_broken_answer_is_unusable(body: bytes) -> None:
    pieces = (body[start : start + 65536] for start in range(0, len(body), 65536))
    assert "demo-1" not in reason(read_status, *pieces)


@pytest.mark.parametrize("start", [b"<response><a b='", b"<response><!--", b"demo-1 ", b"<response><id>"])
def test_read_status_endless_answer_is_not_kept_in_memory(start: bytes) -> None:
    pieces = itertools.chain([start], itertools.repeat(b"x" * 65536, 500))
    with pytest.raises(UnusableAnswerError, match=r"without end|too long"):
        read_status(pieces)
    assert len(list(pieces)) > 400


def test_read_status_over_a_limit_is_unusable(monkeypatch: pytest.MonkeyPatch) -> None:
    body = xml(head(), profile("a", "failed"), profile("b", "failed"))
    assert len(read_status([body], limit_bytes=len(body)).profiles) == 2
    with pytest.raises(UnusableAnswerError, match=f"longer than {len(body) - 1} bytes"):
        read_status([body], limit_bytes=len(body) - 1)
    with pytest.raises(UnusableAnswerError, match="longer than"):
        read_status(iter(lambda: b" " * 65536, None))
    with pytest.raises(UnusableAnswerError, match="longer than 1000000 bytes"):
        read_status(iter(lambda: b"<?x?>" * 9999, None), limit_bytes=1_000_000)
    monkeypatch.setattr(xml_reader, "MAX_PROFILES", 1)
    monkeypatch.setattr(flat_reader, "MAX_PROFILES", 1)
    for text in (body, b"demo-1 a failed b failed"):
        with pytest.raises(UnusableAnswerError):
            read_status([text])


@pytest.mark.fault(46, "a count that is no number: it is not given, and that is said")
@pytest.mark.parametrize("text", ["many", -1, "٣", "1" * 13, "1.5", "0x1", "+3", "3 0", "", "\n"])
def test_read_status_count_that_is_no_number_is_not_given(text: object) -> None:
    answer = status(head(size=""), element("batchSize", text), counts(1, text, 0))
    assert (answer.batch_size, answer.successful, answer.not_found, answer.failed) == (None, 1, None, 0)
    assert answer.unclear == ("Target's answer has counts that are no numbers: batchSize, profilesNotFound.",)


def test_read_status_answer_that_does_not_begin_as_text_is_unusable() -> None:
    assert reason(read_status, b"\xff\xff demo-1 a success") == "The answer is neither XML nor UTF-8."


def test_read_status_unknown_word_is_kept_for_people() -> None:
    assert status(head(" Pondering\n")).word == "Pondering"
    assert status(head("phase 2 of c-4711")).word == "phase 2 of ***"
    assert (status(head("COMPLETE")).word, status(element("batchId", "b1")).word) == ("", "")


def test_read_status_answer_of_another_kind_says_which() -> None:
    for body, sentence in (
        (b"<!doctype HTML><p>", "The answer is HTML instead of XML."),
        (b"<html><body>demo-1</body></html>", "The answer is HTML instead of XML."),
        (b'{"message": "Bad batch"}', 'The answer is JSON instead of XML: "Bad batch".'),
        (b"Service Unavailable", 'The answer is not a response of Target: "Service Unavailable".'),
        (b"", "The answer is empty."),
    ):
        assert reason(read_status, body) == sentence


# Charsets


@pytest.mark.fault(46, "another charset: declared, named by HTTP or shown by a mark")
@pytest.mark.parametrize(
    ("codec", "declared", "header"),
    [
        ("utf-8", "", ""),
        ("utf-8", "utf8", ""),
        ("utf-8", "US-ASCII", ""),
        ("utf-8-sig", "ISO-8859-1", "ISO-8859-1"),
        ("utf-16", "", ""),
        ("utf-16", "UTF-16", "utf-8"),
        ("utf-16-le", "", ""),
        ("utf-16-be", "", ""),
        ("utf-16-be", "utf-16", "UTF-16"),
        ("utf-16-le", "", "UTF-16LE"),
        ("latin-1", "ISO-8859-1", ""),
        ("latin-1", "", "iso-8859-1"),
        ("latin-1", "UTF-8", "ISO_8859-1"),
        ("cp1252", "", "Windows-1252"),
        ("iso-8859-15", "", "ISO-8859-15"),
    ],
)
def test_read_status_is_decoded_before_it_is_read(codec: str, declared: str, header: str) -> None:
    begin = f'<?xml version="1.0" encoding="{declared}"?>\n' if declared else ""
    whole = (begin + xml(head(), profile("é", "failed")).decode()).encode(codec)
    for pieces in ([whole], [bytes([byte]) for byte in whole]):
        answer = read_status(pieces, charset=header)
        assert answer.profiles == {"é": ProfileStatus.ERROR}
        assert (answer.state, answer.unclear) == (TargetState.COMPLETE, ())


def test_read_status_flattened_answer_in_utf_16_is_read() -> None:
    answer = read_status(["demo-1 complete 2 é failed".encode("utf-16")])
    assert answer.profiles == {"é": ProfileStatus.ERROR}


@pytest.mark.parametrize(
    ("declared", "header"), [("klingon", ""), ("hex", ""), ("", "x"), ("utf-8", "shift_jis")]
)
def test_read_status_in_an_unknown_charset_is_unusable(declared: str, header: str) -> None:
    begin = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
    body = begin.encode() + xml(head())
    with pytest.raises(UnusableAnswerError, match=f"charset that is not known: {header or declared}"):
        read_status([body], charset=header)


@pytest.mark.parametrize(
    ("charset", "body"),
    [
        ("cp1252", xml(head(), profile("a?b", "success"), profile("c", "failed")).replace(b"?", b"\x81")),
        (
            "utf-16-le",
            xml(head(), profile("a?b", "success"), profile("c", "failed"))
            .decode()
            .encode("utf-16-le")
            .replace(b"?\x00", b"\x00\xd8"),
        ),
        ("", xml(head(), profile("a?b", "success"), profile("c", "failed")).replace(b"?", b"\xff")),
    ],
)
def test_read_status_bytes_without_a_character_become_no_id(charset: str, body: bytes) -> None:
    """An id may have that."""
    answer = read_status([body], charset=charset)
    assert answer.profiles == {"c": ProfileStatus.ERROR}
    assert answer.unclear == ("1 profile in Target's answer cannot be read.",)
    assert results(answer, "a\ufffdb", "c") == ["unknown batch", "error reported"]
    flat = b"demo-1 complete 2 a\x81b success c failed"
    flat_answer = read_status([flat], charset="cp1252")
    assert results(flat_answer, "a\ufffdb", "c") == ["unknown batch", "error reported"]


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
@pytest.mark.parametrize("before", [b"", b"\r\n "])
@pytest.mark.parametrize("after", [b"", b"\n"])
@pytest.mark.parametrize("answer", [WHOLE, b"demo-1 a success"])
def test_read_status_response_skips_white_space_and_a_bom(
    mark: bytes, before: bytes, after: bytes, answer: bytes
) -> None:
    body = before + mark + after + answer
    assert read_all([body]) == read_all(bytes([byte]) for byte in body) == read_all([answer])


def test_read_status_response_over_the_limit_is_unusable() -> None:
    assert read_status_response([WHOLE], len(WHOLE)) == read_all([WHOLE])
    with pytest.raises(UnusableAnswerError, match=rf"^The answer is longer than {len(WHOLE)} bytes\.$"):
        read_status_response([WHOLE, b" "], len(WHOLE))


def test_read_status_response_too_many_profiles_is_unusable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xml_reader, "MAX_PROFILES", 2)
    monkeypatch.setattr(flat_reader, "MAX_PROFILES", 2)
    one = "<profile><id>{}</id><status>failed</status></profile>"
    body = "<response>" + one.format("a") + one.format("b")
    assert len(read_all([f"{body}</response>".encode()]).profiles.statuses) == 2
    assert reason(read_all, body.encode(), one.format("c").encode()) == "The answer has too many profiles."
    assert len(read_all([b"demo-1 a failed b failed"]).profiles.statuses) == 2
    assert reason(read_all, b"demo-1 a failed b failed c failed") == (
        "The answer has an id without end, or too many of them."
    )


# What the ledger keeps of an answer, and what is shown of it


@pytest.mark.parametrize(
    "children",
    [
        [head(), counts(1, 2, 3, consumed=6)],
        [head("odd")],
        [element("batchId", "b1")],
        [head(), element("errors", 3), element("message", "Oh")],
    ],
)
def test_status_answer_to_json_and_back_is_the_same(children: list[str]) -> None:
    answer = status(*children)
    assert StatusAnswer.from_json(json.loads(json.dumps(answer.to_json()))) == answer


def test_status_answer_from_json_of_an_earlier_version() -> None:
    data = status(head()).to_json()
    for name in ("word", "unclear", "withdrawn"):
        del data[name]
    assert StatusAnswer.from_json(data) == status(head())


def test_status_answer_repr_shows_no_id() -> None:
    twice = profile("secret%20id", "failed"), profile("secret%20id", "success")
    assert "secret" not in repr(status(head(), *twice))


def test_max_status_bytes_follows_from_the_batch() -> None:
    """500,000 ids of 64 characters, indented, are 66 MB."""
    line = "  <profile>\n    <id>{}</id>\n    <status>success</status>\n  </profile>\n"
    for rows, length in ((1, 1), (1, 256), (500_000, 64)):
        size = rows * len(line.format("x" * length))
        assert size < 2 * size < max_status_bytes(rows, rows * length)
    assert max_status_bytes(1, 256) < 2_000_000
    assert max_status_bytes(500_000, 500_000 * 64) < 300_000_000
