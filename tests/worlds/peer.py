"""The other end of a call on a bare socket: it sends whatever it is told to, rules or no rules."""

from __future__ import annotations

import contextlib
import hashlib
import io
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from bulk_profiles.core.models import ApiVersion
from bulk_profiles.target import calls, http, outcomes
from bulk_profiles.target.addresses import submission_url

SECONDS = 10  # for a call, and for a peer to read a request
BODY = b"batch=thirdPartyId,city\na,Bern\n"
YES = (
    b"<response><success>true</success><batchStatus>http://x/?batchId=1</batchStatus>"
    b"<message>Batch submitted for processing</message></response>"
)

type Script = Callable[[socket.socket], object]


def announced(body: bytes, size: int | None = None) -> http.Body:
    """Return a body in memory as its batch announces it, of another size if one is given."""
    return http.Body(io.BytesIO(body), len(body) if size is None else size, hashlib.sha256(body).hexdigest())


@dataclass
class Peer:
    """The other end of the calls."""

    url: str
    received: list[bytes] = field(default_factory=list)  # by each connection, as far as they were read

    def submit(
        self, body: bytes = BODY, *, size: int | None = None, seconds: float = SECONDS
    ) -> outcomes.SubmissionOutcome:
        return self.send(announced(body, size), seconds)

    def send(self, body: http.Body, seconds: float = SECONDS) -> outcomes.SubmissionOutcome:
        url = submission_url(self.url, "demo", ApiVersion.V2)
        return calls.submit(url, body, "token", seconds)

    def check(self, seconds: float = SECONDS) -> outcomes.CheckOutcome:
        return calls.check(f"{self.url}/m2/demo/profile/batchStatus?batchId=1", None, seconds)


@contextlib.contextmanager
def peer(script: Script, tls: ssl.SSLContext | None = None) -> Iterator[Peer]:
    """Run a server that reads the request of a connection, runs `script` on it, and goes on to the next.

    At the end it has served every connection that was made.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as last:
        last.bind(("127.0.0.1", 0))
        scheme = "https" if tls else "http"
        server = Peer(f"{scheme}://127.0.0.1:{listener.getsockname()[1]}")

        def accept() -> None:
            while True:
                connection, address = listener.accept()
                with connection, contextlib.suppress(OSError):
                    if address == last.getsockname():
                        return
                    connection.settimeout(SECONDS)
                    serve(connection)

        def serve(connection: socket.socket) -> None:
            if tls:
                connection = tls.wrap_socket(connection, server_side=True)
            with connection:
                if not getattr(script, "unread", False):
                    server.received.append(read_request(connection))
                script(connection)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            last.connect(listener.getsockname())
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


def sends(data: bytes) -> Script:
    return lambda connection: connection.sendall(data)


def unread(script: Script) -> Script:
    script.unread = True  # type: ignore[attr-defined]  # a mark for `peer`
    return script


def until_closed(connection: socket.socket) -> None:
    while connection.recv(65536):
        continue
