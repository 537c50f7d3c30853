"""A peer that does not play by the rules: on the bare socket, one connection at a time."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
import trustme

from bulk_profiles.core.errors import StorageError
from bulk_profiles.core.models import ApiVersion
from bulk_profiles.target import calls, http, outcomes
from bulk_profiles.target.addresses import submission_url
from bulk_profiles.target.response import UnusableAnswerError

SECONDS = 10
SHORT = 0.5
NEVER_SHOWN = "T0ken"
BODY = b"batch=thirdPartyId,city\na,Bern\n"
YES = (
    b"<response><success>true</success><batchStatus>http://x/?batchId=1</batchStatus>"
    b"<message>Fine</message></response>"
)
ACCEPTED = outcomes.Accepted("http://x/?batchId=1", "Fine")
TOO_LATE = outcomes.Unknown(f"Target did not answer within {SHORT} seconds.")

type Script = Callable[[socket.socket], object]


@dataclass
class Peer:
    """Somebody at the other end. `received`: the bytes of each connection, as far as they were read."""

    url: str
    received: list[bytes] = field(default_factory=list)

    def submit(
        self, body: bytes = BODY, *, size: int | None = None, seconds: float = SECONDS
    ) -> outcomes.SubmissionOutcome:
        return self.send(io.BytesIO(body), len(body) if size is None else size, seconds)

    def send(self, source: http.Readable, size: int, seconds: float = SECONDS) -> outcomes.SubmissionOutcome:
        url = submission_url(self.url, "demo", ApiVersion.V2)
        return calls.submit(url, source, size, "token", seconds)

    def check(self, seconds: float = SECONDS) -> outcomes.CheckOutcome:
        return calls.check(f"{self.url}/m2/demo/profile/batchStatus?batchId=1", None, seconds)


@contextlib.contextmanager
def peer(script: Script, tls: ssl.SSLContext | None = None) -> Iterator[Peer]:
    """Let `script` meet each connection, one after the other, when its request was read.

    At the end every connection that was made has been met.
    """
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as last:
        last.bind(("127.0.0.1", 0))
        scheme = "https" if tls else "http"
        there = Peer(f"{scheme}://127.0.0.1:{server.getsockname()[1]}")

        def serve() -> None:
            while True:
                connection, address = server.accept()
                with connection, contextlib.suppress(OSError):
                    if address == last.getsockname():
                        return
                    connection.settimeout(SECONDS)
                    meet(connection)

        def meet(connection: socket.socket) -> None:
            if tls:
                connection = tls.wrap_socket(connection, server_side=True)
            with connection:
                if not getattr(script, "unread", False):
                    there.received.append(read_request(connection))
                script(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield there
        finally:
            last.connect(server.getsockname())
            thread.join(3 * SECONDS)
            assert not thread.is_alive()


def read_request(connection: socket.socket) -> bytes:
    with connection.makefile("rb") as stream:
        head = b""
        while (line := stream.readline()) not in {b"", b"\r\n"}:
            head += line
        length = re.search(rb"(?i)content-length: *([0-9]+)", head)
        return head + line + stream.read(int(length[1]) if length else 0)


def answer(body: bytes = YES, *headers: bytes, status: bytes = b"200 OK", length: int | None = None) -> bytes:
    lines = [
        b"HTTP/1.1 " + status,
        b"Content-Length: %d" % (len(body) if length is None else length),
        *headers,
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def says(data: bytes) -> Script:
    return lambda connection: connection.sendall(data)


def unread(script: Script) -> Script:
    script.unread = True  # type: ignore[attr-defined]  # a mark for `peer`
    return script


def until_closed(connection: socket.socket) -> None:
    while connection.recv(65536):
        continue


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


# What is sent


def test_a_submission_is_one_plain_post_of_known_length() -> None:
    with peer(says(answer())) as there:
        assert there.submit() == ACCEPTED
    (request,) = there.received
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ") for line in lines)
    assert first == "POST /m2/demo/v2/profile/batchUpdate HTTP/1.1"
    assert headers["content-type"] == "application/x-www-form-urlencoded"
    assert headers["content-length"] == str(len(BODY))
    assert headers["authorization"] == "bearer token"
    assert headers["accept-encoding"] == "identity"
    assert "transfer-encoding" not in headers
    assert "cookie" not in headers
    assert body == BODY


def test_a_large_body_is_streamed_whole() -> None:
    body = os.urandom(3_000_000)
    with peer(says(answer())) as there:
        assert there.submit(body) == ACCEPTED
    assert there.received[0].endswith(b"\r\n\r\n" + body)


def test_without_a_token_nothing_is_authorized() -> None:
    with peer(says(answer())) as there:
        url = submission_url(there.url, "demo", ApiVersion.V1)
        calls.submit(url, io.BytesIO(BODY), len(BODY), None, SECONDS)
    assert b"authorization" not in there.received[0].lower()


def test_the_environment_changes_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password secret\n")
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("NETRC", str(netrc))
    with peer(says(answer(b"<response><batchId>b1</batchId></response>"))) as there:
        assert isinstance(there.check(), outcomes.Answered)
    assert b"authorization" not in there.received[0].lower()


def test_every_call_has_a_connection_of_its_own_and_leaves_nothing_open() -> None:
    before, threads = open_files(), threading.active_count()
    with peer(says(answer())) as there:
        assert [there.submit() for _ in range(5)] == [ACCEPTED] * 5
    assert len(there.received) == 5
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
def test_the_time_of_a_call_ends_whatever_the_peer_does(script: Script) -> None:
    with peer(script) as there:
        assert there.submit(seconds=SHORT) == TOO_LATE
        assert there.check(seconds=SHORT) == outcomes.Unanswered(TOO_LATE.reason)


@pytest.mark.fault(34, "a peer that stops reading")
def test_a_peer_that_stops_reading_is_given_up() -> None:
    with peer(unread(lambda _: released.wait(SECONDS))) as there:
        released = threading.Event()
        assert there.submit(b"x" * 30_000_000, seconds=SHORT) == TOO_LATE
        released.set()


def test_a_peer_that_pauses_has_all_the_time_of_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_CONNECT_SECONDS", 0.1)

    def pause(connection: socket.socket) -> None:
        threading.Event().wait(0.3)
        read_request(connection)
        connection.sendall(answer())

    with peer(unread(pause)) as there:
        assert there.submit(b"x" * 30_000_000) == ACCEPTED


def test_a_handshake_that_never_comes_sends_nothing() -> None:
    with peer(unread(until_closed)) as there:
        there.url = there.url.replace("http:", "https:")
        assert there.submit(seconds=SHORT) == outcomes.NotSent(TOO_LATE.reason)


def test_where_nobody_takes_the_connection_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_CONNECT_SECONDS", 0.2)
    with contextlib.ExitStack() as queue:
        full = queue.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):  # more than are let in before the first is taken
            waiting = queue.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        there = Peer(f"http://127.0.0.1:{full.getsockname()[1]}")
        assert there.submit() == outcomes.NotSent("No connection to Target came about in time.")


def test_a_connection_that_comes_too_late_is_shut_at_once() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, socket.socket() as unconnected, http._Deadline(0) as deadline:
        deadline._timer.join()
        assert deadline.watch(ours) is ours
        assert theirs.recv(1) == b""
        with pytest.raises(BrokenPipeError):
            ours.sendall(BODY)
        deadline.watch(unconnected)  # there is nothing to shut


# Resets


@pytest.mark.fault(32, "reset during the body")
def test_a_reset_after_bytes_of_the_body_leaves_the_batch_unknown() -> None:
    unknown = outcomes.Unknown("The connection to Target failed: ConnectionResetError.")
    with peer(reset) as there:
        assert there.submit() == unknown

    def during(connection: socket.socket) -> None:
        connection.recv(100_000)
        reset(connection)

    with peer(unread(during)) as there:
        outcome = there.submit(b"x" * 30_000_000)
    assert isinstance(outcome, outcomes.Unknown)


def test_a_yes_before_the_body_is_whole_is_no_yes() -> None:
    def early(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(answer())

    with peer(unread(early)) as there:
        assert isinstance(there.submit(b"x" * 30_000_000), outcomes.Unknown)


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
    ],
)
def test_a_body_that_breaks_off_never_arrives_whole(source: Source, size: int, reason: str) -> None:
    with peer(says(answer())) as there:
        assert there.send(source, size) == outcomes.NotSent(reason)
    (request,) = there.received
    assert len(request.partition(b"\r\n\r\n")[2]) < size


# Size


@pytest.mark.fault(37, "an answer without end")
def test_an_answer_without_end_is_bounded() -> None:
    def endless(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n<response>")
        while True:
            connection.sendall(b" " * 65536)

    with peer(endless) as there:
        assert there.submit() == outcomes.Unknown("Target's answer is longer than 1048576 bytes.")
        assert there.check() == outcomes.Unanswered("The answer has a text that is too long.")


def test_a_no_by_status_needs_no_words_however_many_there_are() -> None:
    with peer(says(answer(b"<" * 2_000_000, status=b"400 Bad Request"))) as there:
        assert there.submit() == outcomes.Refused("Target answered HTTP 400.", 400)


@pytest.mark.fault(37, "a gzip bomb as an answer")
def test_a_compressed_answer_is_read_and_a_bomb_is_not() -> None:
    packed = b"Content-Encoding: gzip"
    with peer(says(answer(gzip.compress(YES), packed))) as there:
        assert there.submit() == ACCEPTED
    bomb = gzip.compress(b"<response>" + bytes(50_000_000), 9)
    with peer(says(answer(bomb, packed))) as there:
        assert there.submit() == outcomes.Unknown("Target's answer is longer than 1048576 bytes.")
        assert isinstance(there.check(), outcomes.Unanswered)
    with peer(says(answer(gzip.compress(YES)[:-9], packed))) as there:
        assert isinstance(there.submit(), outcomes.Unknown)
    with peer(says(answer(YES, packed))) as there:
        assert isinstance(there.submit(), outcomes.Unknown)


@pytest.mark.fault(36, "a redirect")
@pytest.mark.parametrize("status", [b"301 Moved", b"302 Found", b"307 Again", b"308 Moved"])
def test_a_redirect_is_neither_followed_nor_read(status: bytes) -> None:
    with peer(says(answer())) as elsewhere:
        location = b"Location: " + elsewhere.url.encode() + b"/m2/demo/v2/profile/batchUpdate"
        with peer(says(answer(b"x" * 1000, location, status=status, length=10**12))) as there:
            code = status[:3].decode()
            assert there.submit() == outcomes.Unknown(f"Target answered HTTP {code}.")
            assert there.check() == outcomes.Unanswered(f"Target answered HTTP {code}.")
    assert elsewhere.received == []


# Answers that are cut short or are none


@pytest.mark.fault(35, "half an answer and none")
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
        b"HTTP/1.1 302 Found\r\nLocation: http://[\xff\r\n\r\n",
        answer(YES, length=len(YES) + 1),
    ],
    ids=range(19),
)
def test_half_an_answer_and_none_leave_the_batch_unknown(data: bytes) -> None:
    with peer(says(data)) as there:
        assert isinstance(there.submit(), outcomes.Unknown)
        assert isinstance(there.check(), outcomes.Unanswered)


def test_a_text_without_tags_must_be_seen_to_be_whole() -> None:
    text, profiles = b"demo-1 complete 3 a failed", b"demo-1 a success"
    for body, framed, unframed in (
        (text, outcomes.Answered, outcomes.Unanswered),
        (profiles, outcomes.Answered, outcomes.Answered),
    ):
        with peer(says(answer(body))) as there:
            assert isinstance(there.check(), framed)
        chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"
        with peer(says(chunked % (len(body), body))) as there:
            assert isinstance(there.check(), framed)
        with peer(says(b"HTTP/1.0 200 OK\r\n\r\n" + body)) as there:
            assert isinstance(there.check(), unframed)


def test_a_whole_answer_without_a_length_is_an_answer() -> None:
    with peer(says(b"HTTP/1.0 200 OK\r\n\r\n" + YES)) as there:
        assert there.submit() == ACCEPTED


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


def test_over_tls_all_is_the_same(authority: trustme.CA) -> None:
    with peer(says(answer()), serving(authority.issue_cert("127.0.0.1"))) as there:
        assert there.submit(os.urandom(1_000_000)) == ACCEPTED
    with peer(slow_head, serving(authority.issue_cert("127.0.0.1"))) as there:
        assert there.submit(seconds=SHORT) == TOO_LATE
    with peer(until_closed, serving(authority.issue_cert("127.0.0.1"))) as there:
        assert there.submit(seconds=SHORT) == TOO_LATE


@pytest.mark.fault(33, "expired, wrong host, self-signed")
@pytest.mark.parametrize("fault", ["expired", "wrong host", "self-signed"])
def test_a_certificate_that_does_not_hold_is_refused_and_nothing_sent(
    authority: trustme.CA, fault: str
) -> None:
    certificate = {
        "expired": lambda: authority.issue_cert("127.0.0.1", not_after=datetime.now(UTC) - timedelta(days=1)),
        "wrong host": lambda: authority.issue_cert("demo.tt.omtrdc.net"),
        "self-signed": lambda: trustme.CA().issue_cert("127.0.0.1"),
    }[fault]()
    reason = "TLS failed: Target's certificate was not accepted, or the handshake broke off."
    with peer(says(answer()), serving(certificate)) as there:
        assert there.submit() == outcomes.NotSent(reason)
        assert there.check() == outcomes.Unanswered(reason)
    assert there.received == []


@pytest.mark.fault(33, "an old protocol")
def test_an_old_protocol_is_refused(authority: trustme.CA) -> None:
    context = serving(authority.issue_cert("127.0.0.1"))
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with peer(says(answer()), context) as there:
        assert isinstance(there.submit(), outcomes.NotSent)


@pytest.mark.fault(33, "never downgraded")
def test_plain_http_on_a_tls_port_is_refused() -> None:
    with peer(unread(says(answer()))) as there:
        there.url = there.url.replace("http:", "https:")
        assert isinstance(there.submit(), outcomes.NotSent)


# Errors


def test_only_our_own_errors_leave_a_call() -> None:
    with peer(reset) as there, pytest.raises(http.TransportError) as caught:  # noqa: SIM117  # two worlds
        with http.call("GET", there.url, seconds=SECONDS, token=NEVER_SHOWN):
            pytest.fail("there is no answer")
    assert NEVER_SHOWN not in str(caught.value)


def test_a_readers_own_error_passes_through_a_call() -> None:
    with peer(says(answer())) as there, pytest.raises(UnusableAnswerError, match="of the reader"):  # noqa: SIM117
        with http.call("GET", there.url, seconds=SECONDS, token=None):
            raise UnusableAnswerError("of the reader")
