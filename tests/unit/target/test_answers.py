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
    read_receipt,
    read_receipt_response,
    read_status,
    read_status_response,
)
from bulk_profiles.target.response import Response, UnusableAnswerError
from tests.worlds.answers import IDS, counts, element, head, profile, reason, status, xml

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
def test_read_receipt_true_with_status_url_is_yes(body: bytes) -> None:
    assert read_receipt(body) == Receipt(success=True, status_url=URL, message="Batch submitted")


def test_read_receipt_flattened_https_url_is_yes() -> None:
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
def test_read_receipt_false_is_no_whatever_else_it_says(body: bytes, message: str | None) -> None:
    receipt = read_receipt(body)
    assert receipt.success is False
    assert receipt.status_url == ""
    if message is None:
        assert receipt.message.startswith("a b c dxxx")
        assert len(receipt.message) == 300
    else:
        assert receipt.message == message


@pytest.mark.fault(35, "HTML, JSON, an empty answer, another charset")
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
    response = read_receipt_response(body.encode(charset))
    assert response == Response({"success": "false", "message": "Ungültig"})


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
        ([head(size="many")], "The answer has a count that is no number."),
    ],
)
def test_read_status_without_content_raises_a_reason(children: list[str], message: str) -> None:
    assert reason(read_status, xml(*children)) == message


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
    monkeypatch.setattr(xml_reader, "MAX_PROFILES", 1)
    monkeypatch.setattr(flat_reader, "MAX_PROFILES", 1)
    for text in (body, b"demo-1 a failed b failed"):
        with pytest.raises(UnusableAnswerError):
            read_status([text])


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
    assert len(read_all([f"{body}</response>".encode()]).profiles) == 2
    assert reason(read_all, body.encode(), b"<profile>") == (
        "The answer has a profile within a profile, or too many of them."
    )
    assert len(read_all([b"demo-1 a failed b failed"]).profiles) == 2
    assert reason(read_all, b"demo-1 a failed b failed c failed") == (
        "The answer has an id without end, or too many of them."
    )


# What the ledger keeps of an answer, and what is shown of it


@pytest.mark.parametrize(
    "children", [[head(), counts(1, 2, 3, consumed=6)], [head("odd")], [element("batchId", "b1")]]
)
def test_status_answer_to_json_and_back_is_the_same(children: list[str]) -> None:
    answer = status(*children)
    assert StatusAnswer.from_json(json.loads(json.dumps(answer.to_json()))) == answer


def test_status_answer_repr_shows_no_id() -> None:
    assert "secret" not in repr(status(head(), profile("secret%20id", "failed")))
