"""One HTTP call within a deadline: the only module that knows requests, whose errors never leave it.

The time-outs of sockets are for a single read or write, so a peer that sends a byte a second outlives them
all. Here a timer shuts the connection down at the deadline, whatever the call is doing. It shuts down a
duplicate of the socket, which has the same effect and needs no knowledge of TLS.

Every call has a connection of its own: a connection kept open from an earlier call may be dead, and a body
lost in it would look like one that Target took and did not answer.
"""

from __future__ import annotations

import hashlib
import http.client
import re
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, BinaryIO, Protocol, Self, cast, override

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from bulk_profiles import __version__
from bulk_profiles.core.errors import BulkProfilesError

from .content_coding import ContentCodingError, Decoder
from .token_mask import TokenMask

_USER_AGENT = f"bulk-profiles/{__version__}"
_PARTIAL = frozenset({http.HTTPStatus.PARTIAL_CONTENT, http.HTTPStatus.IM_USED})
_MOST_INTERIM = 100  # answers before the final one
_CHARSET = re.compile(r";\s*charset\s*=\s*[\"']?([^\"';\s]{1,40})", re.IGNORECASE)
_LENGTH = re.compile(r"\s*[0-9]{1,18}\s*")
_CONNECT_SECONDS = 10.0
_RECEIVED_BYTES = 64 * 1024  # of an answer, in one piece
_SENT_BYTES = 256 * 1024  # of a body, in one block
_FAILURES = (requests.RequestException, HTTPError, http.client.HTTPException, OSError, ValueError)
_SHORTEST_WAIT = timedelta(seconds=1)
_LONGEST_WAIT = timedelta(hours=1)
_SENSIBLE_WAIT = timedelta(days=1)  # beyond it a Retry-After is nonsense


class TransportError(BulkProfilesError):
    """A call did not bring a whole answer. The message is fit to be shown."""


class BodyError(BulkProfilesError):
    """The body to send could not be read, or is not the announced one: the request was broken off."""


class Readable(Protocol):
    """What a body is read from: an S3 object, an open file, bytes in memory."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, and none at the end."""


class Body:
    """A body of known size and SHA-256 (hex) that is read while it is sent."""

    def __init__(self, source: Readable, size: int, sha256: str) -> None:
        self._source = source
        self._size = size
        self._sha256 = sha256
        self._digest = hashlib.sha256()
        self.left = size  # bytes not yet handed over
        self.started = False  # whether any was handed over

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        """Yield the blocks, each only after the next one has been read.

        So a body of another size or content than announced never arrives whole. Raises `BodyError`.
        """
        block = self._read()
        while True:
            following = self._read() if block else b""
            left = self.left - len(block)
            if left < 0 or (left > 0) is not bool(following):
                raise BodyError("The batch is not as long as its manifest says.")
            self._digest.update(block)
            if not following and self._digest.hexdigest() != self._sha256:
                raise BodyError("The batch is not what was written: its SHA-256 is another one.")
            self.left = left
            self.started = True
            yield block
            if not following:
                return
            block = following

    def _read(self) -> bytes:
        try:
            return self._source.read(_SENT_BYTES)
        except Exception as error:
            raise BodyError(f"The batch could not be read: {type(error).__name__}.") from error


class Reply:
    """An answer whose head has arrived. Its body is read before the deadline of the call."""

    def __init__(self, response: requests.Response, deadline: _Deadline, mask: TokenMask) -> None:
        self._response = response
        self._deadline = deadline
        self.mask = mask
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self.framed = False  # once the body was read: whether HTTP itself shows that all of it came

    @property
    def charset(self) -> str:
        """The charset that Content-Type names, or an empty text."""
        named = _CHARSET.search(self.headers.get("Content-Type", ""))
        return named[1] if named else ""

    def pieces(self) -> Iterator[bytes]:
        """Yield the body in pieces, decoded, with `***` in place of the token.

        Raises `TransportError`, also for a part of an answer: none was asked for. What has come before is
        yielded first.
        """
        if self.status in _PARTIAL or "Content-Range" in self.headers:
            raise TransportError(f"Target answered HTTP {self.status} with a part of an answer.")
        try:
            decoder = Decoder(self.headers.get("Content-Encoding", ""))
            raw = self._response.raw.stream(_RECEIVED_BYTES, decode_content=False)
            yield from self.mask.pieces(decoder.decode(raw))
        except ContentCodingError as error:
            raise TransportError(str(error)) from error
        except _FAILURES as error:
            raise TransportError(_describe(error, self._deadline)) from error
        if self._deadline.passed:  # a body without a length ends where the connection was shut down
            raise TransportError(_describe(TimeoutError(), self._deadline))
        self.framed = self._has_end()

    def body(self, limit_bytes: int) -> bytes:
        """Return the whole body. Raises `TransportError`, also if the body is longer than `limit_bytes`."""
        body = bytearray()
        self.read_into(body, limit_bytes)
        return bytes(body)

    def read_into(self, body: bytearray, limit_bytes: int) -> None:
        """Add the whole body to an empty one, or what came of it before the `TransportError`."""
        for piece in self.pieces():
            body += piece
            if len(body) > limit_bytes:
                raise TransportError(f"Target's answer is longer than {limit_bytes} bytes.")

    def _has_end(self) -> bool:
        """Whether the body came in chunks, or with a length. urllib3 has seen to it that all of it came."""
        coding = self.headers.get("Transfer-Encoding")
        if coding is not None:
            return coding.strip().lower() == "chunked"
        return bool(_LENGTH.fullmatch(self.headers.get("Content-Length", "")))


@contextmanager
def call(
    method: str, url: str, *, seconds: float, token: str | None, body: Body | None = None
) -> Iterator[Reply]:
    """Make one call that ends after `seconds`; its answer is read inside the `with` block.

    No redirect is followed, no proxy or password is taken from the environment, TLS is verified. Raises
    `TransportError`, or `BodyError` if the body is at fault.
    """
    headers = {"Accept-Encoding": "identity", "User-Agent": _USER_AGENT}
    if body is not None:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    deadline = _Deadline(seconds)
    try:
        with (
            deadline,
            _Session(deadline) as session,
            session.request(
                method,
                url,
                data=cast("Any", body),
                headers=headers,
                timeout=(min(_CONNECT_SECONDS, seconds), seconds),
                allow_redirects=False,
                stream=True,
            ) as response,
        ):
            yield Reply(response, deadline, TokenMask(token, url))
    except _FAILURES as error:
        raise TransportError(_describe(error, deadline)) from error


def retry_after(header: str, now: datetime) -> timedelta | None:
    """Return the wait that a Retry-After header asks for, from a second to an hour; None if it is nonsense.

    The header is a number of seconds or a date.
    """
    header = header.strip()
    if re.fullmatch(r"[+-]?[0-9]+", header):
        wait = timedelta(seconds=int(header[:12]))
    else:
        try:
            until = parsedate_to_datetime(header)
        except (ValueError, OverflowError):
            return None
        wait = (until if until.tzinfo else until.replace(tzinfo=UTC)) - now
    if not timedelta(0) <= wait <= _SENSIBLE_WAIT:
        return None
    return min(max(wait, _SHORTEST_WAIT), _LONGEST_WAIT)


class _Session(requests.Session):
    def __init__(self, deadline: _Deadline) -> None:
        super().__init__()
        self.trust_env = False
        self.mount("http://", _Adapter(deadline))
        self.mount("https://", _Adapter(deadline))

    @override
    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return no target: requests reads the whole body of a redirect, even if it is not to follow it."""
        return None


class _Adapter(HTTPAdapter):
    def __init__(self, deadline: _Deadline) -> None:
        self._deadline = deadline
        super().__init__(max_retries=0)

    @override
    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> urllib3.HTTPConnectionPool:
        pool = cast("urllib3.HTTPConnectionPool", super().get_connection_with_tls_context(*args, **kwargs))
        deadline = self._deadline

        class Connection(pool.ConnectionCls):  # type: ignore[misc,name-defined]  # of http or of https
            response_class = _FinalResponse

            def _new_conn(self) -> socket.socket:
                return deadline.watch(super()._new_conn())

        pool.ConnectionCls = Connection
        return pool


class _FinalResponse(http.client.HTTPResponse):
    """The final answer to a request: interim answers, such as 103 (RFC 9110, section 15.2), are skipped.

    101 is final: what follows it is in another protocol.
    """

    @override
    def begin(self) -> None:
        for _ in range(_MOST_INTERIM):
            super().begin()  # it passes over 100 alone
            if self.status >= http.HTTPStatus.OK or self.status == http.HTTPStatus.SWITCHING_PROTOCOLS:
                if self.chunked:
                    self.fp = _Chunks(self.fp)  # type: ignore[assignment]  # it has all methods of a stream
                return
            self.headers = self.msg = None  # type: ignore[assignment]  # so that the next answer is read
        raise http.client.HTTPException


class _Chunks:
    """A stream of chunks, checked as urllib3 does not check it.

    No line is cut short: half of `0a` is not `0`, the size of the last chunk. Each chunk ends with CRLF.
    """

    _left = 0  # bytes of the chunk that are not read yet

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def readline(self, limit: int = -1, /) -> bytes:
        line = self._stream.readline(limit)
        if line and not line.endswith(b"\n"):
            raise http.client.IncompleteRead(line)
        with suppress(ValueError):  # urllib3 refuses what is no size
            self._left = int(line.split(b";", 1)[0], 16)
        return line

    def read(self, size: int = -1, /) -> bytes:
        data = self._stream.read(size)
        if not self._left and data != b"\r\n":
            raise http.client.IncompleteRead(data)
        self._left = max(0, self._left - len(data))
        return data


class _Deadline:
    """The deadline of a call: once it has passed, all connections of the call are shut down."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.passed = False
        self._lock = threading.Lock()
        self._duplicates: list[socket.socket] = []
        self._timer = threading.Timer(seconds, self._pass)

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._timer.cancel()
        self._timer.join()
        with self._lock:
            while self._duplicates:
                self._duplicates.pop().close()

    def watch(self, connection: socket.socket) -> socket.socket:
        """Return a new connection that is shut down at the deadline, or at once if that has passed."""
        connection.settimeout(self.seconds)  # for a slow reader, instead of the time-out for connecting
        with self._lock:
            self._duplicates.append(connection.dup())
            if self.passed:
                self._shut_down()
        return connection

    def _pass(self) -> None:
        with self._lock:
            self.passed = True
            self._shut_down()

    def _shut_down(self) -> None:
        for duplicate in self._duplicates:
            with suppress(OSError):  # the connection is closed already
                duplicate.shutdown(socket.SHUT_RDWR)


def _describe(error: BaseException, deadline: _Deadline) -> str:
    """Return what went wrong: a sentence of our own, or the class of the first cause, but never its text."""
    cause = error
    while earlier := cause.__cause__ or cause.__context__:
        cause = earlier
    if isinstance(error, requests.ConnectTimeout) and not deadline.passed:
        return "No connection to Target came about in time."
    if isinstance(cause, TimeoutError) or deadline.passed:
        return f"Target did not answer within {deadline.seconds:g} seconds."
    if isinstance(error, requests.exceptions.SSLError):
        return "TLS failed: Target's certificate was not accepted, or the handshake broke off."
    return f"The connection to Target failed: {type(cause).__name__}."
