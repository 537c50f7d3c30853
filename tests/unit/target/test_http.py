"""HTTP calls against a server that breaks the rules, on a bare socket, one connection at a time."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import socket
import ssl
import struct
import threading
import tomllib
import zlib
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
import requests
import trustme
from hypothesis import given
from hypothesis import strategies as st

from bulk_profiles.core.errors import StorageError
from bulk_profiles.core.models import ApiVersion
from bulk_profiles.target import calls, http, outcomes
from bulk_profiles.target.addresses import submission_url
from bulk_profiles.target.answers import StatusAnswer
from bulk_profiles.target.response import UnusableAnswerError
from tests.worlds.peer import (
    BODY,
    SECONDS,
    YES,
    Peer,
    Script,
    announced,
    answer,
    peer,
    read_request,
    sends,
    unread,
    until_closed,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SHORT = 0.5
NEVER_SHOWN = "T0ken"
ACCEPTED = outcomes.Accepted("http://x/?batchId=1", "Batch submitted for processing")
TOO_LATE = outcomes.Unknown(f"Target did not answer within {SHORT} seconds.")


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def sends_without_end(head: bytes) -> Script:
    """Send a head, and then a body until the connection is closed."""

    def script(connection: socket.socket) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(bytes(65_536))

    return script


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


# What is sent


def test_call_is_one_plain_post_of_known_length() -> None:
    with peer(sends(answer())) as server:
        assert server.submit() == ACCEPTED
    (request,) = server.received
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ") for line in lines)
    assert first == "POST /m2/demo/v2/profile/batchUpdate HTTP/1.1"
    assert headers["content-type"] == "application/x-www-form-urlencoded"
    assert headers["content-length"] == str(len(BODY))
    assert headers["authorization"] == "bearer token"
    assert headers["accept-encoding"] == "identity"
    project = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["project"]
    assert headers["user-agent"] == f"bulk-profiles/{project['version']}"
    assert "transfer-encoding" not in headers
    assert "cookie" not in headers
    assert body == BODY


def test_call_streams_a_large_body_whole() -> None:
    body = os.urandom(3_000_000)
    with peer(sends(answer())) as server:
        assert server.submit(body) == ACCEPTED
    assert server.received[0].endswith(b"\r\n\r\n" + body)


def test_call_without_token_sends_no_authorization() -> None:
    with peer(sends(answer())) as server:
        url = submission_url(server.url, "demo", ApiVersion.V1)
        calls.submit(url, announced(BODY), None, SECONDS)
    assert b"authorization" not in server.received[0].lower()


def test_call_ignores_proxies_and_netrc_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password secret\n")
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("NETRC", str(netrc))
    with peer(sends(answer(b"<response><batchId>b1</batchId></response>"))) as server:
        assert isinstance(server.check(), outcomes.Answered)
    assert b"authorization" not in server.received[0].lower()


def test_call_opens_its_own_connection_and_closes_it() -> None:
    before, threads = open_files(), threading.active_count()
    with peer(sends(answer())) as server:
        assert [server.submit() for _ in range(5)] == [ACCEPTED] * 5
    assert len(server.received) == 5
    assert open_files() == before
    assert threading.active_count() == threads


# Time


def drip(connection: socket.socket, data: Iterator[bytes]) -> None:
    stopped = threading.Event()
    for piece in data:
        connection.sendall(piece)
        stopped.wait(0.01)


def slow_head(connection: socket.socket) -> None:
    drip(connection, (b"%c" % byte for byte in answer(YES, *[b"X: " + b"y" * 99] * 3)))


def slow_body_without_length(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + YES)
    drip(connection, iter([b"\n"] * 300))


def slow_chunks(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    drip(connection, iter([b"1\r\n \r\n"] * 300))
    connection.sendall(b"%x\r\n%b\r\n0\r\n\r\n" % (len(YES), YES))


def endless_continue(connection: socket.socket) -> None:
    drip(connection, iter([b"HTTP/1.1 100 Continue\r\n\r\n"] * 300))
    connection.sendall(answer())


def silence_while_open(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + YES)
    until_closed(connection)


@pytest.mark.fault(34, "a byte a second, an answer that never ends")
@pytest.mark.parametrize(
    "script",
    [until_closed, slow_head, slow_body_without_length, slow_chunks, endless_continue, silence_while_open],
)
def test_call_ends_at_its_deadline_whatever_the_peer_does(script: Script) -> None:
    with peer(script) as server:
        assert server.submit(seconds=SHORT) == TOO_LATE
        assert server.check(seconds=SHORT) == outcomes.Unanswered(TOO_LATE.reason)


@pytest.mark.fault(34, "a peer that stops reading")
def test_call_to_a_peer_that_stops_reading_times_out() -> None:
    with peer(unread(lambda _: released.wait(SECONDS))) as server:
        released = threading.Event()
        assert server.submit(b"x" * 30_000_000, seconds=SHORT) == TOO_LATE
        released.set()


def test_call_waits_for_a_slow_peer_until_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_CONNECT_SECONDS", 0.1)

    def pause(connection: socket.socket) -> None:
        threading.Event().wait(0.3)
        read_request(connection)
        connection.sendall(answer())

    with peer(unread(pause)) as server:
        assert server.submit(b"x" * 30_000_000) == ACCEPTED


def test_call_without_tls_handshake_sends_nothing() -> None:
    with peer(unread(until_closed)) as server:
        server.url = server.url.replace("http:", "https:")
        assert server.submit(seconds=SHORT) == outcomes.NotSent(TOO_LATE.reason)


def test_call_without_connection_in_time_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_CONNECT_SECONDS", 0.2)
    with contextlib.ExitStack() as queue:
        full = queue.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):  # more than are let in before the first is taken
            waiting = queue.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        server = Peer(f"http://127.0.0.1:{full.getsockname()[1]}")
        assert server.submit() == outcomes.NotSent("No connection to Target came about in time.")


def test_deadline_once_passed_shuts_down_new_connections() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, socket.socket() as unconnected, http._Deadline(0) as deadline:
        deadline._timer.join()
        assert deadline.watch(ours) is ours
        assert theirs.recv(1) == b""
        with pytest.raises(BrokenPipeError):
            ours.sendall(BODY)
        deadline.watch(unconnected)  # it cannot be shut down


# Resets


@pytest.mark.fault(32, "a connection reset during the body")
def test_call_reset_during_the_body_leaves_the_batch_unknown() -> None:
    unknown = outcomes.Unknown("The connection to Target failed: ConnectionResetError.")
    with peer(reset) as server:
        assert server.submit() == unknown

    def during(connection: socket.socket) -> None:
        connection.recv(100_000)
        reset(connection)

    with peer(unread(during)) as server:
        outcome = server.submit(b"x" * 30_000_000)
    assert isinstance(outcome, outcomes.Unknown)


def test_call_answered_yes_before_the_whole_body_is_unknown() -> None:
    def early(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(answer())

    with peer(unread(early)) as server:
        assert isinstance(server.submit(b"x" * 30_000_000), outcomes.Unknown)


# Our own body


class Source:
    """A batch in S3 that breaks off."""

    def __init__(self, blocks: list[bytes], error: Exception | None = None) -> None:
        self._blocks = blocks
        self._error = error

    def read(self, _size: int, /) -> bytes:
        if self._blocks:
            return self._blocks.pop(0)
        if self._error:
            raise self._error
        return b""


@pytest.mark.parametrize(
    ("source", "size", "reason"),
    [
        (Source([], StorageError("gone")), 10, "The batch could not be read: StorageError."),
        (Source([b"x" * 9], OSError(5, "secret")), 10, "The batch could not be read: OSError."),
        (
            Source([b"x" * 90_000] * 9, StorageError("gone")),
            810_000,
            "The batch could not be read: StorageError.",
        ),
        (Source([b"x" * 9]), 10, "The batch is not as long as its manifest says."),
        (Source([b"x" * 5, b"x" * 6]), 10, "The batch is not as long as its manifest says."),
        (Source([b"x" * 10, b"x"]), 10, "The batch is not as long as its manifest says."),
        (Source([]), 10, "The batch is not as long as its manifest says."),
        (Source([b"x" * 9 + b"y"]), 10, "The batch is not what was written: its SHA-256 is another one."),
        (
            Source([b"y", *[b"x" * 90_000] * 9]),
            810_001,
            "The batch is not what was written: its SHA-256 is another one.",
        ),
    ],
)
def test_body_that_breaks_off_never_arrives_whole(source: Source, size: int, reason: str) -> None:
    with peer(sends(answer())) as server:
        body = http.Body(source, size, hashlib.sha256(b"x" * size).hexdigest())
        assert server.send(body) == outcomes.NotSent(reason)
    (request,) = server.received
    assert len(request.partition(b"\r\n\r\n")[2]) < size


# Size


@pytest.mark.fault(37, "an answer without end")
def test_reply_without_end_is_bounded() -> None:
    def endless(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n<response>")
        while True:
            connection.sendall(b" " * 65536)

    with peer(endless) as server:
        assert server.submit() == outcomes.Unknown("Target's answer is longer than 1048576 bytes.")
        assert server.check() == outcomes.Unanswered("The answer has an element without end.")


def test_reply_of_status_400_is_a_no_whatever_its_size() -> None:
    with peer(sends(answer(b"<" * 2_000_000, status=b"400 Bad Request"))) as server:
        assert server.submit() == outcomes.Refused("Target answered HTTP 400.", 400)


@pytest.mark.fault(37, "a gzip bomb as an answer")
def test_reply_in_gzip_is_read_but_a_bomb_is_not() -> None:
    packed = b"Content-Encoding: gzip"
    with peer(sends(answer(gzip.compress(YES), packed))) as server:
        assert server.submit() == ACCEPTED
    bomb = gzip.compress(b"<response>" + bytes(50_000_000), 9)
    with peer(sends(answer(bomb, packed))) as server:
        assert server.submit() == outcomes.Unknown("Target's answer is longer than 1048576 bytes.")
        assert isinstance(server.check(), outcomes.Unanswered)
    with peer(sends(answer(gzip.compress(YES)[:-8], packed))) as server:
        assert isinstance(server.submit(), outcomes.Unknown)
    with peer(sends(answer(YES, packed))) as server:
        assert isinstance(server.submit(), outcomes.Unknown)


@pytest.mark.fault(36, "a redirect: neither followed nor read")
@pytest.mark.parametrize("status", [b"301 Moved", b"302 Found", b"307 Again", b"308 Moved"])
def test_reply_with_redirect_is_neither_followed_nor_read(status: bytes) -> None:
    """Whoever read its body, which never ends, would not answer before the deadline."""
    with peer(sends(answer())) as elsewhere:
        location = b"Location: " + elsewhere.url.encode() + b"/m2/demo/v2/profile/batchUpdate"
        with peer(sends_without_end(answer(b"", location, status=status, length=10**12))) as server:
            code = status[:3].decode()
            assert server.submit(seconds=SHORT) == outcomes.Unknown(f"Target answered HTTP {code}.")
            assert server.check(seconds=SHORT) == outcomes.Unanswered(f"Target answered HTTP {code}.")
    assert elsewhere.received == []


# Answers that are cut short or are none


@pytest.mark.fault(35, "half an answer, no answer")
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n" + YES[:-1],
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 99999 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n" + YES,
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n" + YES,
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n" + YES,
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n" + YES[:-1],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" + YES,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n" + YES,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n" % (len(YES), YES),
        b"HTTP/1.1 200 OK\r\nSet-Cookie: \xff\xfe=\x00; expires=never\r\n\r\n" + YES[:-1],
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + YES,
        b"HTTP/1.1 103 Early Hints\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://[\xff\r\n\r\n",
        answer(YES, length=len(YES) + 1),
    ],
    ids=range(20),
)
def test_reply_cut_short_leaves_the_batch_unknown(data: bytes) -> None:
    with peer(sends(data)) as server:
        assert isinstance(server.submit(), outcomes.Unknown)
        assert isinstance(server.check(), outcomes.Unanswered)


COUNTED, LISTED = b"demo-1 complete 3 a failed", b"demo-1 a success"
CHUNKED = b"%x\r\n%b\r\n0\r\n\r\n"


def raw_deflate(data: bytes) -> bytes:
    return zlib.compress(data, wbits=-zlib.MAX_WBITS)


def framing(*headers: bytes, body: bytes = COUNTED) -> bytes:
    return b"\r\n".join([b"HTTP/1.1 200 OK", *headers]) + b"\r\n\r\n" + body


FRAMED = [
    framing(b"Content-Length: 26"),
    framing(b"Content-Length: 026 "),
    framing(b"Transfer-Encoding: chunked", body=CHUNKED % (26, COUNTED)),
    framing(b"Transfer-Encoding: Chunked", b"Content-Length: 3", body=CHUNKED % (26, COUNTED)),
    *(
        framing(b"Content-Encoding: " + coding, b"Content-Length: %d" % len(packed), body=packed)
        for coding, packed in (
            (b"identity", COUNTED),
            (b"gzip", gzip.compress(COUNTED, mtime=0)),
            (b"X-GZIP", gzip.compress(COUNTED[:9], mtime=0) + gzip.compress(COUNTED[9:], mtime=0)),
            (b"deflate", zlib.compress(COUNTED)),
            (b"deflate", raw_deflate(COUNTED)),
        )
    ),
]
UNFRAMED = [
    framing(),
    framing(b"Content-Length: -1"),
    framing(b"Content-Length: abc"),
    framing(b"Content-Length:"),
    framing(b"Content-Length: 26, 26"),
    framing(b"Content-Length: 2_6"),
    framing(b"Content-Length: +26"),
    framing(b"Content-Length: 1a"),
    framing(b"Content-Length: 26", b"Transfer-Encoding: identity"),
    framing(b"Transfer-Encoding: xchunked"),
    framing(b"Transfer-Encoding: chunked", body=b"1a\r\n" + COUNTED + b"\r\n"),
    framing(b"Transfer-Encoding: chunked", body=b"1a\r\n" + COUNTED + b"\r\n000"),  # half of `0000000a`
    framing(b"Transfer-Encoding: gzip, chunked", body=CHUNKED % (26, COUNTED)),
    framing(b"X-Content-Length: 26"),
    *(
        framing(b"Content-Encoding: " + coding, b"Content-Length: %d" % len(packed), body=packed)
        for coding, packed in (
            (b"gzip", gzip.compress(COUNTED, mtime=0)[:-1]),
            (b"gzip", gzip.compress(COUNTED, mtime=0)[:-8]),
            (b"gzip", gzip.compress(COUNTED, mtime=0) + gzip.compress(b" b failed", mtime=0)[:-8]),
            (b"deflate", zlib.compress(COUNTED)[:-1]),
            (b"deflate", zlib.compress(COUNTED)[:-4]),
            (b"gzip", b""),
            (b"br", COUNTED),
            (b"zstd", COUNTED),
            (b"gzip, gzip", COUNTED),
            (b"gzip", COUNTED),
            (b"deflate", COUNTED),
            (b"deflate", zlib.compress(COUNTED) + b"x"),
            (b"gzip", gzip.compress(COUNTED, mtime=0) + b"x"),
        )
    ),
]


@pytest.mark.fault(35, "flattened text of which nothing shows that all of it came")
@pytest.mark.parametrize("data", FRAMED, ids=range(len(FRAMED)))
def test_reply_framed_flattened_text_is_an_answer(data: bytes) -> None:
    with peer(sends(data)) as server:
        outcome = server.check()
    assert isinstance(outcome, outcomes.Answered)
    assert set(outcome.answer.profiles) == {"a"}


@pytest.mark.fault(35, "flattened text of which nothing shows that all of it came")
@pytest.mark.parametrize("data", UNFRAMED, ids=range(len(UNFRAMED)))
def test_reply_unframed_flattened_text_is_no_answer(data: bytes) -> None:
    with peer(sends(data)) as server:
        assert isinstance(server.check(), outcomes.Unanswered)


@pytest.mark.parametrize("text", [b"b1 a success b", b"b1 a success b odd"])
def test_reply_unframed_list_that_ends_within_a_pair_is_no_answer(text: bytes) -> None:
    for headers, expected in (
        ([], outcomes.Unanswered),
        ([b"Content-Length: %d" % len(text)], outcomes.Answered),
    ):
        with peer(sends(framing(*headers, body=text))) as server:
            assert isinstance(server.check(), expected)


def test_reply_unframed_list_of_all_profiles_is_an_answer() -> None:
    with peer(sends(b"HTTP/1.0 200 OK\r\n\r\n" + LISTED)) as server:
        assert isinstance(server.check(), outcomes.Answered)


@pytest.mark.fault(35, "whole XML in gzip or deflate without its checksum")
def test_reply_cut_short_in_its_coding_is_no_answer() -> None:
    for coding, packed in (
        (b"gzip", gzip.compress(YES)[:-8]),
        (b"gzip", gzip.compress(YES)[:-1]),
        (b"deflate", zlib.compress(YES)[:-4]),
    ):
        with peer(sends(answer(packed, b"Content-Encoding: " + coding))) as server:
            sentence = "Target's answer is cut short in its content coding."
            assert server.submit() == outcomes.Unknown(sentence)
            assert server.check() == outcomes.Unanswered(sentence)


@pytest.mark.fault(35, "a part of an answer, where none was asked for")
@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (b"206 Partial Content", []),
        (b"226 IM Used", []),
        (b"200 OK", [b"content-range: bytes 0-99/200"]),
    ],
)
def test_reply_with_a_part_of_an_answer_is_none(status: bytes, headers: list[bytes]) -> None:
    sentence = f"Target answered HTTP {status[:3].decode()} with a part of an answer."
    with peer(sends(answer(YES, *headers, status=status))) as server:
        assert server.submit() == outcomes.Unknown(sentence)
    complete = b"<response><batchId>1</batchId><status>complete</status></response>"
    with peer(sends(answer(complete, *headers, status=status))) as server:
        assert server.check() == outcomes.Unanswered(sentence)


@pytest.mark.fault(35, "a chunk that does not end with CRLF")
@pytest.mark.parametrize("end", [b"", b"\n", b"\n\n", b"xx", b"\r", b"0\r\n"])
def test_reply_with_a_chunk_that_does_not_end_is_no_answer(end: bytes) -> None:
    chunks = b"%x\r\n%b%b0\r\n\r\n" % (len(YES), YES, end)
    with peer(sends(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)) as server:
        assert isinstance(server.submit(), outcomes.Unknown)
        assert isinstance(server.check(), outcomes.Unanswered)


def test_reply_in_chunks_with_extensions_and_trailers_is_an_answer() -> None:
    chunks = b"%x;a=b\r\n%b\r\n1\r\n \r\n0\r\nX: y\r\n\r\n" % (len(YES), YES)
    with peer(sends(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)) as server:
        assert server.submit() == ACCEPTED


def test_reply_with_101_is_final() -> None:
    with peer(sends(b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + answer())) as server:
        assert server.submit() == outcomes.Unknown("Target answered HTTP 101.")
        assert server.check() == outcomes.Unanswered("Target answered HTTP 101.")


def test_reply_in_another_coding_says_so() -> None:
    for coding, sentence in (
        (b"br", "Target's answer is in a content coding that was not asked for."),
        (b"gzip", "Target's answer is not in the content coding that it names."),
    ):
        with peer(sends(answer(YES, b"Content-Encoding: " + coding))) as server:
            assert server.submit() == outcomes.Unknown(sentence)
            assert server.check() == outcomes.Unanswered(sentence)


def test_reply_unframed_but_whole_xml_is_an_answer() -> None:
    with peer(sends(b"HTTP/1.0 200 OK\r\n\r\n" + YES)) as server:
        assert server.submit() == ACCEPTED


@pytest.mark.fault(35, "interim answers before the final one")
@pytest.mark.parametrize("codes", [[103], [102, 103, 103], [100, 102], [199] * 99])
def test_reply_after_interim_answers_is_the_final_one(codes: list[int]) -> None:
    interim = b"".join(
        b"HTTP/1.1 %d Wait\r\nLink: </a>\r\nContent-Length: 9\r\n\r\n" % code for code in codes
    )
    with peer(sends(interim + answer())) as server:
        assert server.submit() == ACCEPTED
        checked = server.check()
        assert isinstance(checked, outcomes.Answered)
        assert checked.answer == StatusAnswer(
            None, unclear=("Target's answer has parts that are not known: batchStatus, success.",)
        )
    assert len(server.received) == 2


def test_reply_with_interim_answers_without_end_is_none() -> None:
    with peer(sends(b"HTTP/1.1 103 Wait\r\n\r\n" * 100 + answer())) as server:
        assert server.submit() == outcomes.Unknown("The connection to Target failed: HTTPException.")
        assert isinstance(server.check(), outcomes.Unanswered)


def test_reply_of_another_status_whose_body_breaks_off_is_not_read_whole() -> None:
    unread = "Not all of its answer could be read."
    for status, outcome in (
        (b"400 Bad", outcomes.Refused("Target answered HTTP 400.", 400)),
        (b"401 Who", outcomes.Unauthorized(f"Target answered HTTP 401. {unread}", 401, unread=True)),
        (b"503 Busy", outcomes.Deferred(f"Target answered HTTP 503. {unread}", None, unread=True)),
    ):
        for data in (
            answer(b"No", status=status, length=9),
            answer(b"No", b"Content-Encoding: br", status=status),
            answer(b"No" * 600_000, status=status),
        ):
            with peer(sends(data)) as server:
                assert server.submit() == outcome
    with peer(sends(answer(b"No", status=b"503 Busy"))) as server:
        assert server.submit() == outcomes.Deferred('Target answered HTTP 503: "No".', None)


@pytest.mark.fault(37, "a yes in the body of a 4xx or 503, whatever its form and wherever it breaks off")
@pytest.mark.parametrize("status", [b"400 Bad", b"401 Who", b"408 Slow", b"429 Many", b"503 Busy"])
@pytest.mark.parametrize(
    "body",
    [
        YES,
        YES[:30],
        YES[:70],
        YES.decode().encode("utf-16"),
        YES.decode().encode("utf-16-le"),
        YES.replace(b"<", b"&lt;"),
        b"<html>" + YES,
        b"<response>" + YES,
        b"true http://x/?batchId=1",
        b"true http",
        b'{"success": true}',
        b'{"batchStatus":"http://x"}',
        b"See http://x/m2/demo/v2/profile/batchStatus?batchId=1",
        b"<response><success>false</success><batchStatus>http://x/</batchStatus></response>",
    ],
)
def test_reply_of_another_status_that_may_say_yes_is_unknown(status: bytes, body: bytes) -> None:
    for data in (answer(body, status=status), answer(body, status=status, length=len(body) + 1)):
        with peer(sends(data)) as server:
            assert isinstance(server.submit(), outcomes.Unknown)


@pytest.mark.parametrize(
    "body",
    [
        b"<response><success>false</success><batchStatus></batchStatus><message>No</message></response>",
        b'{"success": false, "batchStatus": null, "retry": true}',
        b"Not a success, is it true?",
    ],
)
def test_reply_of_another_status_that_says_no_is_deferred(body: bytes) -> None:
    with peer(sends(answer(body, status=b"503 Busy"))) as server:
        outcome = server.submit()
    assert isinstance(outcome, outcomes.Deferred)
    assert not outcome.unread


# Charset


@pytest.mark.parametrize(
    ("header", "charset"),
    [
        (b"text/xml; charset=ISO-8859-1", "ISO-8859-1"),
        (b'text/xml;charset="iso-8859-1"; x=y', "iso-8859-1"),
        (b"text/xml; CHARSET = 'latin1'", "latin1"),
        (b"text/xml", "utf-8"),
    ],
)
def test_reply_charset_of_content_type_is_used(header: bytes, charset: str) -> None:
    body = "<response><batchId>b1</batchId><profile><id>é</id><status>failed</status></profile></response>"
    with peer(sends(answer(body.encode(charset), b"Content-Type: " + header))) as server:
        outcome = server.check()
    assert isinstance(outcome, outcomes.Answered)
    assert set(outcome.answer.profiles) == {"é"}


@pytest.mark.fault(62, "a token that Target repeats")
def test_reply_never_contains_the_token() -> None:
    body = (
        b"<response><batchId>token</batchId><tokentoken/><message>to"
        + b"token" * 9
        + b"</message></response>"
    )
    for charset in ("utf-8", "utf-16-le", "utf-16-be"):
        written = body.decode().encode(charset)
        masked = body.decode().replace("token", "***").encode(charset)
        for size in (1, 3, 10**6):
            chunks = b"".join(
                b"%x\r\n%b\r\n" % (len(written[at : at + size]), written[at : at + size])
                for at in range(0, len(written), size)
            )
            with (
                peer(
                    sends(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n")
                ) as server,
                http.call("GET", server.url, seconds=SECONDS, token="token") as reply,
            ):
                assert b"".join(reply.pieces()) == masked


def test_reply_comes_in_pieces_that_are_not_small() -> None:
    body = b"x" * 100_000
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    with (
        peer(sends(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)) as server,
        http.call("GET", server.url, seconds=SECONDS, token=None) as reply,
    ):
        pieces = [*reply.pieces()]
    assert b"".join(pieces) == body
    assert len(pieces) < 10


# TLS


@pytest.fixture
def authority(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> trustme.CA:
    """An authority that the calls trust instead of the usual ones."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setattr(requests.adapters, "DEFAULT_CA_BUNDLE_PATH", str(tmp_path / "ca.pem"))
    return authority


def serving(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def test_call_over_tls_behaves_as_over_http(authority: trustme.CA) -> None:
    with peer(sends(answer()), serving(authority.issue_cert("127.0.0.1"))) as server:
        assert server.submit(os.urandom(1_000_000)) == ACCEPTED
    with peer(slow_head, serving(authority.issue_cert("127.0.0.1"))) as server:
        assert server.submit(seconds=SHORT) == TOO_LATE
    with peer(until_closed, serving(authority.issue_cert("127.0.0.1"))) as server:
        assert server.submit(seconds=SHORT) == TOO_LATE


@pytest.mark.fault(33, "a certificate that is expired, of another host or self-signed")
@pytest.mark.parametrize("fault", ["expired", "wrong host", "self-signed"])
def test_call_with_an_invalid_certificate_sends_nothing(authority: trustme.CA, fault: str) -> None:
    certificate = {
        "expired": lambda: authority.issue_cert("127.0.0.1", not_after=datetime.now(UTC) - timedelta(days=1)),
        "wrong host": lambda: authority.issue_cert("demo.tt.omtrdc.net"),
        "self-signed": lambda: trustme.CA().issue_cert("127.0.0.1"),
    }[fault]()
    reason = "TLS failed: Target's certificate was not accepted, or the handshake broke off."
    with peer(sends(answer()), serving(certificate)) as server:
        assert server.submit() == outcomes.NotSent(reason)
        assert server.check() == outcomes.Unanswered(reason)
    assert server.received == []


@pytest.mark.fault(33, "an old TLS version")
def test_call_over_an_old_tls_version_sends_nothing(authority: trustme.CA) -> None:
    context = serving(authority.issue_cert("127.0.0.1"))
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with peer(sends(answer()), context) as server:
        assert isinstance(server.submit(), outcomes.NotSent)


@pytest.mark.fault(33, "plain HTTP on a TLS port: no downgrade")
def test_call_over_tls_to_a_plain_http_port_sends_nothing() -> None:
    with peer(unread(sends(answer()))) as server:
        server.url = server.url.replace("http:", "https:")
        assert isinstance(server.submit(), outcomes.NotSent)


# Errors


def test_call_raises_only_our_own_errors() -> None:
    with peer(reset) as server, pytest.raises(http.TransportError) as raised:  # noqa: SIM117  # two worlds
        with http.call("GET", server.url, seconds=SECONDS, token=NEVER_SHOWN):
            pytest.fail("there is no answer")
    assert NEVER_SHOWN not in str(raised.value)


def test_call_lets_an_error_of_its_reader_pass() -> None:
    with peer(sends(answer())) as server, pytest.raises(UnusableAnswerError, match="of the reader"):  # noqa: SIM117
        with http.call("GET", server.url, seconds=SECONDS, token=None):
            raise UnusableAnswerError("of the reader")


# Retry-After


@pytest.mark.fault(28, "Retry-After in seconds, as a date, as nonsense")
@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        (" 7 ", 7),
        ("0", 1),
        ("-5", None),
        ("3599", 3599),
        ("3601", 3600),
        ("86400", 3600),
        ("86401", None),
        ("9" * 5000, None),
        ("-" + "9" * 5000, None),
        ("Sun, 01 Mar 2026 12:01:00 GMT", 60),
        ("Sun, 01 Mar 2026 13:01:00 +0100", 60),
        ("Sun, 01 Mar 2026 12:01:00 -0000", 60),
        ("Sunday, 01-Mar-26 12:01:00 GMT", 60),
        ("Sun Mar  1 12:01:00 2026", 60),
        ("Sun, 01 Mar 2026 15:00:00 GMT", 3600),
        ("Sun, 01 Mar 2026 11:00:00 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", None),
        ("Mon, 01 Jan 0001 00:00:00 +2359", None),
        ("", None),
        ("soon", None),
        ("1.5", None),
        ("7, 8", None),
        ("Sun, 32 Mar 2026 12:01:00 GMT", None),
        ("Fri, 31 Dec 99999 23:59:59 GMT", None),
    ],
)
def test_retry_after_is_read_within_reason(header: str, seconds: int | None) -> None:
    expected = None if seconds is None else timedelta(seconds=seconds)
    assert http.retry_after(header, NOW) == expected


def test_retry_after_of_any_text_raises_nothing() -> None:
    waits = Counter[bool]()
    texts = st.text(st.characters(codec="latin-1"), max_size=40)
    numbers = st.integers(-10, 10**6).map(str)
    dates = st.integers(-(10**5), 10**6).map(
        lambda s: format_datetime(NOW + timedelta(seconds=s), usegmt=True)
    )

    @given(st.one_of(texts, numbers, dates, st.tuples(numbers | dates, texts).map("".join)))
    def check(header: str) -> None:
        wait = http.retry_after(header, NOW)
        waits[wait is not None] += 1
        assert wait is None or timedelta(seconds=1) <= wait <= timedelta(hours=1)

    check()
    assert min(waits[True], waits[False]) >= 10


@pytest.mark.parametrize("code", [b"404 Not Found", b"500 Internal Server Error", b"503 Busy"])
def test_failure_in_an_answer_with_another_status_is_heard_in_its_charset(code: bytes) -> None:
    body = (
        "<response><batchId>1</batchId><profile><id>\u00fc2</id><status>failed</status></profile></response>"
    )
    content_type = b"Content-Type: text/xml; charset=iso-8859-1"
    with peer(sends(answer(body.encode("iso-8859-1"), content_type, status=code))) as server:
        outcome = server.check()
    assert not isinstance(outcome, outcomes.Answered)
    assert outcome.doubt == f"Target answered HTTP {code[:3].decode()} with failures."


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_deadline_holds_for_both_schemes(scheme: str) -> None:
    session = http._Session(http._Deadline(1))
    assert isinstance(session.get_adapter(f"{scheme}://demo.tt.omtrdc.net/"), http._Adapter)
