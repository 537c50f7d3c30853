"""The HTTP server of the simulated Target."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import socket
import ssl
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NoReturn, override

from simulator import control, dialects, protocol
from simulator.dialects import Framing
from simulator.protocol import Answer, Call
from simulator.records import with_changes
from simulator.scripts import Fault, Reset
from simulator.settings import Settings
from simulator.target import Request, Target

_MAX_BODY = 128 << 20  # bytes: more than Target accepts, and little enough to hold in memory
_PIECE = 1 << 16  # bytes of filler in one write


class Simulator:
    """A running Target: its URL, its settings, its script, and the requests that it has received."""

    def __init__(self, server: _Server) -> None:
        self._server = server

    @property
    def url(self) -> str:
        """Scheme, host and port, in the form of the parameter `TargetEndpoint`."""
        return self._server.url

    @property
    def requests(self) -> list[Request]:
        """All calls of Target's API in the order of their arrival."""
        with self._server.lock:
            return list(self._server.target.requests)

    @property
    def submissions(self) -> list[Request]:
        """The requests that are submissions."""
        return [request for request in self.requests if request.method == "POST"]

    @property
    def load(self) -> dict[str, int]:
        """The most calls in any 60 seconds, and the most unsettled batches at once."""
        with self._server.lock:
            return self._server.target.load()

    def configure(self, **settings: Any) -> None:
        """Change settings."""
        with self._server.lock:
            self._server.target.settings = with_changes(self._server.target.settings, settings)

    def script(self, *faults: Fault) -> None:
        """Add faults; each call meets the first one for its kind."""
        with self._server.lock:
            self._server.target.faults.extend(faults)

    def clear_script(self) -> None:
        """Remove all faults that no call has met yet."""
        with self._server.lock:
            self._server.target.faults.clear()

    def speak(self, dialect: str) -> None:
        """Answer in a dialect from now on. Raises `DialectError`."""
        sections = dialects.parse(dialect)
        with self._server.lock:
            self._server.target.dialect = sections

    def advance(self, seconds: float) -> None:
        """Move the simulator's clock forward."""
        with self._server.lock:
            self._server.target.offset += seconds

    def seed(self, profile_id: str, values: dict[str, str] | None = None, *, client: str = "demo") -> None:
        """Create a profile."""
        with self._server.lock:
            self._server.target.seed(client, profile_id, values or {})

    def profile(self, profile_id: str, *, client: str = "demo") -> dict[str, str] | None:
        """Return a profile's attributes, decoded, or None if there is no such profile."""
        with self._server.lock:
            return self._server.target.profile(client, profile_id)

    def profile_ids(self, *, client: str = "demo") -> list[str]:
        """Return the ids of all profiles of a client."""
        with self._server.lock:
            return self._server.target.profile_ids(client)

    def body(self, number: int) -> bytes:
        """Return the body of the request with this number."""
        return self._server.body_file(number).read_bytes()


@contextlib.contextmanager
def running(
    settings: Settings | None = None,
    *,
    port: int = 0,
    clock: Callable[[], float] = time.time,
    tls: ssl.SSLContext | None = None,
) -> Iterator[Simulator]:
    """Run a Target in threads of this process on 127.0.0.1 until the block ends."""
    with tempfile.TemporaryDirectory(prefix="target-simulator-") as bodies:
        server = _Server(port, Target(settings or Settings(), clock), Path(bodies), tls)
        thread = threading.Thread(target=server.serve_forever, args=(0.005,), daemon=True)
        thread.start()
        try:
            yield Simulator(server)
        finally:
            server.stopping.set()
            server.shutdown()
            thread.join()
            server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, port: int, target: Target, bodies: Path, tls: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.target = target
        self.lock = threading.RLock()
        self.stopping = threading.Event()
        self._bodies = bodies
        self._tls = tls
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self.server_address[1]}"

    def body_file(self, number: int) -> Path:
        return self._bodies / str(number)

    @override
    def finish_request(self, request: Any, client_address: Any) -> None:
        if not self._tls:
            super().finish_request(request, client_address)
            return
        try:
            encrypted = self._tls.wrap_socket(request, server_side=True)
        except OSError:
            return  # the client does not trust our certificate
        with encrypted:
            super().finish_request(encrypted, client_address)

    @override
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that close their connections."""


class _ClosedError(Exception):
    """The connection is closed, or must be."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    server: _Server

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: a log must not hold ids, and the control API shows all requests."""

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the base class's names

    def _serve(self) -> None:
        try:
            if self.path.startswith(control.PREFIX):
                answer = control.answer(self.server, self.command, self.path, self._read_body())
                self._send(answer)
            else:
                self._serve_target()
        except (_ClosedError, OSError):
            self.close_connection = True

    def _serve_target(self) -> None:
        call = protocol.match(self.command, self.path)
        scripted = None
        if call:
            with self.server.lock:
                scripted = self.server.target.next_fault(call.on)
        reset = scripted.reset if scripted else Reset.NEVER
        if reset in {Reset.BEFORE, Reset.DURING}:
            self._record(self._read_half() if reset is Reset.DURING else b"", Answer(0), scripted)
            self._reset()
        body = self._read_body()
        answer = self._answer(call, body, scripted)
        self._record(body, answer, scripted)
        if reset:
            self._reset()
        if scripted and scripted.silent:
            self._keep_silent()
        self._send(answer, scripted)

    def _answer(self, call: Call | None, body: bytes, scripted: Fault | None) -> Answer:
        if call is None:
            return Answer(404)
        submission = protocol.read_submission(call, body, self.headers, self.server.target.settings)
        with self.server.lock:
            return protocol.answer(
                self.server.target,
                call,
                submission,
                authorized=self._authorized(),
                scripted=scripted,
                own_url=self.server.url,
            )

    def _authorized(self) -> bool:
        token = self.server.target.settings.token
        return bool(token) and protocol.bearer(self.headers) == token

    def _read_body(self) -> bytes:
        if self._chunked:
            return b"".join(self._chunks())
        length = self._length
        if length > _MAX_BODY:
            self._reset()
        body = self.rfile.read(length)
        if len(body) < length:
            raise _ClosedError
        return body

    def _read_half(self) -> bytes:
        return next(self._chunks(), b"") if self._chunked else self.rfile.read(self._length // 2)

    @property
    def _chunked(self) -> bool:
        return "chunked" in self.headers.get("Transfer-Encoding", "").lower()

    @property
    def _length(self) -> int:
        return int(self.headers.get("Content-Length") or 0)

    def _chunks(self) -> Iterator[bytes]:
        total = 0
        while size := int(self.rfile.readline(64).partition(b";")[0] or b"0", 16):
            total += size
            if total > _MAX_BODY:
                self._reset()
            yield self.rfile.read(size)
            self.rfile.readline(64)
        self.rfile.readline(64)

    def _record(self, body: bytes, answer: Answer, scripted: Fault | None) -> None:
        target = self.server.target
        digest = hashlib.sha256(body).hexdigest()
        with self.server.lock:
            number = len(target.requests) + 1
            target.requests.append(
                Request(
                    number=number,
                    at=target.now,
                    method=self.command,
                    path=self.path,
                    headers=protocol.without_token(self.headers),
                    size=len(body),
                    sha256=digest,
                    code=answer.code,
                    fault=scripted is not None,
                    authorized=self._authorized(),
                    batch_id=answer.batch_id,
                    rows=answer.rows,
                    cut=answer.cut,
                )
            )
            self.server.body_file(number).write_bytes(body)

    def _send(self, answer: Answer, scripted: Fault | None = None) -> None:
        if scripted and scripted.delay_seconds:
            self._wait(scripted.delay_seconds)
        if answer.framing is not Framing.LENGTH or answer.interim:
            self._send_framed(answer)
            return
        filler = scripted.filler if scripted else 0
        self.send_response(answer.code)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body) + filler))
        self.end_headers()
        if scripted and scripted.drip_seconds:
            for byte in answer.body:
                self.wfile.write(bytes([byte]))
                self._wait(scripted.drip_seconds)
        else:
            self.wfile.write(answer.body)
        for start in range(0, filler, _PIECE):
            self.wfile.write(b" " * min(_PIECE, filler - start))

    def _send_framed(self, answer: Answer) -> None:
        """Send an answer in the framing of a dialect, after its interim answers."""
        for code in answer.interim:
            self.wfile.write(b"HTTP/1.1 %d Interim\r\n\r\n" % code)
        body, framing = answer.body, answer.framing
        if framing in {Framing.GZIP, Framing.CUT_GZIP}:
            body = gzip.compress(body)
        if framing is Framing.CUT_GZIP:
            body = body[: len(body) // 2]
        length = {Framing.CHUNKED: "", Framing.CUT_CHUNKED: "", Framing.CLOSE: "", Framing.NO_NUMBER: "abc"}
        headers = {"Content-Length": length.get(framing, str(len(body)))}
        if framing in {Framing.CHUNKED, Framing.CUT_CHUNKED}:
            headers["Transfer-Encoding"] = "chunked"
            end = b"0\r\n\r\n" if framing is Framing.CHUNKED else b""
            body = b"%x\r\n%b\r\n%b" % (len(body), body, end) if body else end
        if framing in {Framing.GZIP, Framing.CUT_GZIP}:
            headers["Content-Encoding"] = "gzip"
        self.send_response(answer.code)
        for name, value in (headers | answer.headers).items():
            if value:
                self.send_header(name, value)
        if framing not in {Framing.LENGTH, Framing.CHUNKED, Framing.GZIP, Framing.CUT_GZIP}:
            self.send_header("Connection", "close")  # which also ends the connection
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if framing is Framing.CUT else body)

    def _wait(self, seconds: float) -> None:
        if self.server.stopping.wait(seconds):
            raise _ClosedError

    def _keep_silent(self) -> NoReturn:
        """Hold the connection open until the client closes it or the simulator stops."""
        self.connection.settimeout(0.1)
        while not self.server.stopping.is_set():
            with contextlib.suppress(TimeoutError):
                if not self.connection.recv(1):
                    break
        raise _ClosedError

    def _reset(self) -> NoReturn:
        """Close with RST instead of FIN."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        raise _ClosedError
