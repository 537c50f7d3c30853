"""Dialects: read with clear errors, and spoken over real sockets."""

from __future__ import annotations

import gzip
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from simulator import DialectError, Settings, Simulator, dialects, running
from simulator.dialects import Framing, parse

ROOT = Path(__file__).parents[3]
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
SECONDS = 10


@pytest.fixture
def target() -> Iterator[Simulator]:
    with running(Settings(completion_seconds=0, calls_per_minute=0)) as simulator:
        yield simulator


def submit(target: Simulator, *ids: str) -> requests.Response:
    body = b"batch=thirdPartyId,city\n" + "".join(f"{profile_id},Bern\n" for profile_id in ids).encode()
    url = f"{target.url}/m2/demo/v2/profile/batchUpdate"
    return requests.post(url, data=body, headers=FORM, timeout=SECONDS)


def status_url(target: Simulator, *ids: str) -> str:
    match = re.search("<batchStatus>(.+)</batchStatus>", submit(target, *ids).text)
    assert match
    return match[1]


def ask(target: Simulator, *ids: str) -> requests.Response:
    return requests.get(status_url(target, *ids), timeout=SECONDS)


def raw(url: str) -> bytes:
    """Return all bytes of the answer to a GET."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), SECONDS) as connection:
        path = f"{parts.path}?{parts.query}"
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer


# --- reading ---


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("generation 3", "line 1: a section comes first"),
        ("# a\n\nstatus", "line 3: a section is `submit` or `status` and `2`"),
        ("status 0", "line 1: a section is"),
        ("status with", "line 1: a section is"),
        ("status 1\ngeneratoin 3", "line 2: there is no key `generatoin`; is it `generation`?"),
        ("status 1\nqqq", "line 2: there is no key `qqq`; there are times, code,"),
        ("status 1\ngeneration 5", "line 2: `generation` is a number from 1 to 4, not `5`"),
        ("status 1\ntimes 0", "`times` is a number of calls, not `0`"),
        ("status 1\ncode 103", "`code` is a final HTTP status, not `103`"),
        ("status 1\ninterim 200", "`interim` is HTTP statuses from 100 to 199, not `200`"),
        ("status 1\nencoding klingon", "`encoding` is an encoding such as utf-16, not `klingon`"),
        ("status 1\nframing odd", "`framing` is one of length, chunked,"),
        ("status 1\nheader Date", "`header` is a header such as"),
        ("status 1\nprofile 3-1 failed", "`profile` is rows and"),
        ("status 1\nprofile 0 failed", "`profile` is rows and"),
        ("status 1\nprofile 1", "`profile` is rows and"),
        ("status 1\nflattened maybe", "`flattened` is yes or no, not `maybe`"),
        ("status 1\ncount failedUpdates", "`count` is an element and a text"),
        ("status 1\nmessage No", "line 2: `message` is for a section of `submit`"),
        ("submit 1\nword stuck", "line 2: `word` is for a section of `status`"),
        ("submit 1\nmessage", "`message` is a text, not ``"),
    ],
)
def test_mistake_is_told_with_its_line_and_what_may_stand_there(text: str, words: str) -> None:
    with pytest.raises(DialectError) as raised:
        parse(text)
    assert words in str(raised.value)


def test_every_key_is_documented_and_every_documented_one_exists() -> None:
    page = (ROOT / "docs/dialects.md").read_text()
    documented = re.findall(r"^\| `([a-z-]+) [^|]*\| (?:status|submit|both) \|", page, re.MULTILINE)
    assert sorted(documented) == sorted(dialects._KEYS)
    assert all(f"`{framing}`" in page for framing in Framing)
    [example] = re.findall(r"```\n(# Eight looks.*?)```", page, re.DOTALL)
    assert [section.times for section in parse(example)] == [8, 0]


# --- whom a section is about ---


def test_sections_are_about_a_batch_by_number_by_id_or_all_others(target: Simulator) -> None:
    target.speak(
        "status *\ncode 410\n\nstatus 1\ncode 404\n\nstatus with c\ncode 403\n\nsubmit with x\ncode 400"
    )
    assert submit(target, "x").status_code == 400  # the first body, though it is refused
    assert [ask(target, *ids).status_code for ids in (("a", "b"), ("c", "d"))] == [410, 403]
    target.speak("status 2\ncode 404")
    assert [ask(target, *ids).status_code for ids in (("a", "b"), ("c", "d"))] == [404, 200]
    assert ask(target, "a", "b").status_code == 404  # the same body again


def test_sections_about_one_batch_follow_each_other(target: Simulator) -> None:
    target.speak("status *\ntimes 2\ncode 404\n\nstatus *\ntimes 1\ncode 410")
    first, second = status_url(target, "a"), status_url(target, "b")
    codes = [requests.get(url, timeout=SECONDS).status_code for url in (first, second) * 4]
    assert codes[::2] == codes[1::2] == [404, 404, 410, 200]


# --- what is said ---


def profile(profile_id: str, word: str) -> str:
    return f"<profile><id>{profile_id}</id><status>{word}</status></profile>"


SIZE = "<batchSize>2</batchSize>"
COMPLETE = f"<status>complete</status>{SIZE}"


@pytest.mark.parametrize(
    ("keys", "inner"),
    [
        ("generation 3\nword completed", f"<status>completed</status>{SIZE}"),
        ("generation 3\nword none", SIZE),
        ("generation 3\nprofile 2 rejected", COMPLETE + profile("b", "rejected")),
        (
            "generation 3\nprofile 1-2 failed\nspelling 2 B&b",
            COMPLETE + profile("a", "failed") + profile("B&amp;b", "failed"),
        ),
        ("generation 1\nprofile 1 pending", profile("b", "success") + profile("a", "pending")),
        ("generation 1\nspelling 1 A", profile("A", "success") + profile("b", "success")),
        (
            "generation 3\ncount batchSize 7\ncount failedUpdates one",
            "<status>complete</status><batchSize>7</batchSize><failedUpdates>one</failedUpdates>",
        ),
        ("generation 3\nextra <a/>\nextra <b>{id2}</b>", f"{COMPLETE}<a/><b>b</b>"),
        ("generation 3\nprofile 9 failed\nspelling 9 X", COMPLETE),
    ],
)
def test_status_is_answered_with_changes(target: Simulator, keys: str, inner: str) -> None:
    target.speak(f"status *\n{keys}")
    expected = f"<response><batchId>demo-1845664501</batchId>{inner}</response>"
    assert ask(target, "a", "b").text == expected


@pytest.mark.parametrize(
    ("keys", "expected"),
    [("body <x>{batchId} {size} {id1}</x>", "<x>demo-1845664501 2 a</x>"), ("body", "")],
)
def test_status_is_answered_with_another_body(target: Simulator, keys: str, expected: str) -> None:
    target.speak(f"status *\n{keys}")
    assert ask(target, "a", "b").text == expected


def test_answers_may_be_flattened(target: Simulator) -> None:
    target.speak("status *\nflattened yes\ngeneration 1\n\nsubmit *\nflattened yes")
    answer = submit(target, "a")
    assert answer.text.startswith("true http://")
    assert answer.text.endswith(" Batch submitted for processing")
    assert requests.get(answer.text.split()[1], timeout=SECONDS).text == "demo-1845664501 a success"


@pytest.mark.parametrize(
    ("keys", "code", "text", "taken"),
    [
        ("message No", 200, "<success>false</success>", False),
        ("code 401", 401, "<success>false</success>", False),
        ("code 500\naccepted yes", 500, "<success>true</success>", True),
        ("body <a>{statusUrl}</a>", 200, "/v2/profile/batchStatus?batchId=demo-1845664501", True),
        ("batch-id same", 200, "batchId=same&", True),
        ("accepted no", 200, "Refused", False),
    ],
)
def test_submission_is_answered_with_changes(
    target: Simulator, keys: str, code: int, text: str, *, taken: bool
) -> None:
    target.speak(f"submit *\n{keys}")
    answer = submit(target, "a")
    assert (answer.status_code, text in answer.text) == (code, True)
    assert (target.profile("a") is not None) is taken


def test_answer_has_other_headers_prefix_and_encoding(target: Simulator) -> None:
    target.speak(
        'status *\nencoding utf-16\nprefix <?xml version="1.0"?>\n'
        "header Content-Type: text/xml\nheader X-A: b"
    )
    answer = ask(target, "a")
    assert answer.content.startswith(b"\xff\xfe")
    assert answer.content.decode("utf-16").startswith('<?xml version="1.0"?><response>')
    assert (answer.headers["Content-Type"], answer.headers["X-A"]) == ("text/xml", "b")


BODY = b"<response/>"


@pytest.mark.parametrize(
    ("framing", "ends", "header"),
    [
        ("length", b"\r\n\r\n" + BODY, b"Content-Length: 11\r\n"),
        ("chunked", b"\r\n\r\nb\r\n" + BODY + b"\r\n0\r\n\r\n", b"Transfer-Encoding: chunked\r\n"),
        ("cut-chunked", b"\r\n\r\nb\r\n" + BODY + b"\r\n", b"Transfer-Encoding: chunked\r\n"),
        ("close", b"\r\n\r\n" + BODY, b"Connection: close\r\n"),
        ("cut", b"\r\n\r\n" + BODY[:5], b"Content-Length: 11\r\n"),
        ("no-number", b"\r\n\r\n" + BODY, b"Content-Length: abc\r\n"),
    ],
)
def test_answer_has_another_framing(target: Simulator, framing: str, ends: bytes, header: bytes) -> None:
    target.speak(f"status *\nbody {BODY.decode()}\nframing {framing}")
    answer = raw(status_url(target, "a"))
    assert answer.endswith(ends)
    assert header in answer
    assert (b"Content-Length" in answer) is (b"Content-Length" in header)


@pytest.mark.parametrize("framing", ["gzip", "cut-gzip"])
def test_answer_may_be_compressed(target: Simulator, framing: str) -> None:
    target.speak(f"status *\nbody {BODY.decode()}\nframing {framing}")
    head, _, body = raw(status_url(target, "a")).partition(b"\r\n\r\n")
    assert b"Content-Encoding: gzip" in head
    assert b"Content-Length: %d\r\n" % len(body) in head + b"\r\n"
    whole = gzip.compress(BODY)
    assert len(body) == (len(whole) if framing == "gzip" else len(whole) // 2)


def test_interim_answers_come_before_the_final_one(target: Simulator) -> None:
    target.speak("status *\ninterim 103 102\nbody x")
    answer = raw(status_url(target, "a"))
    lines = [line for line in answer.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]
    assert [line.split()[1] for line in lines] == [b"103", b"102", b"200"]
