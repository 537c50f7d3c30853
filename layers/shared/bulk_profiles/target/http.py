"""One HTTP call with one end: the only module that knows requests, whose errors never leave it.

Time-outs of sockets are for a single read or write, so a peer that gives a byte a second outlives them
all. Here a timer cuts the connection when the call's time is up, whatever the call is doing; a duplicate
of the socket is what it cuts, so it need not know of TLS. Every call has a connection of its own: one
kept open from an earlier call may be dead, and a body lost in it would look like one that Target took and
did not answer.
"""

from __future__ import annotations

import http.client
import re
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Protocol, Self, cast, override

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from bulk_profiles.core.errors import BulkProfilesError

_CONNECT_SECONDS = 10.0
_PIECE = 64 * 1024
_BLOCK = 256 * 1024
_FAILURES = (requests.RequestException, HTTPError, http.client.HTTPException, OSError, ValueError)


class TransportError(BulkProfilesError):
    """A call did not bring a whole answer. The message is fit to be shown."""


class BodyError(BulkProfilesError):
    """The body to send could not be read, or is not as long as was said: the request was broken off."""


class Readable(Protocol):
    """What a body is read from: an S3 object, an open file, bytes in memory."""

    def read(self, size: int, /) -> bytes:
        """Give at most so many bytes, none at the end."""


class Body:
    """A body of known size, read as it is sent. `left`: bytes not yet handed over."""

    def __init__(self, source: Readable, size: int) -> None:
        self._source = source
        self._size = size
        self.left = size
        self.started = False

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        """Give the blocks, each held back until it is known what follows.

        So a body of another length than announced never arrives whole.
        """
        block = self._read()
        while True:
            following = self._read() if block else b""
            if len(block) > self.left or (len(block) == self.left) is bool(following):
                raise BodyError("The batch is not as long as its manifest says.")
            self.started = True
            self.left -= len(block)
            yield block
            if not following:
                return
            block = following

    def _read(self) -> bytes:
        try:
            return self._source.read(_BLOCK)
        except Exception as error:
            raise BodyError(f"The batch could not be read: {type(error).__name__}.") from error


class Reply:
    """An answer whose head has arrived. Its body is read within the call's time."""

    def __init__(self, response: requests.Response, deadline: _Deadline, token: str | None) -> None:
        self._response = response
        self._deadline = deadline
        self._token = token
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers

    @property
    def framed(self) -> bool:
        """Whether a body that is cut short is noticed without looking into it."""
        chunked = "chunked" in self.headers.get("Transfer-Encoding", "").lower()
        return chunked or "Content-Length" in self.headers

    def pieces(self) -> Iterator[bytes]:
        """Give the body, decompressed piece by piece."""
        yield from self._response.iter_content(_PIECE)
        if self._deadline.passed:  # to a body without a length, being cut looks like its end
            raise TimeoutError

    def body(self, limit: int) -> bytes:
        """Give the whole body, without the token, should it be repeated there.

        Raises `TransportError` where it is longer than `limit` bytes.
        """
        body = b""
        for piece in self.pieces():
            body += piece
            if len(body) > limit:
                raise TransportError(f"Target's answer is longer than {limit} bytes.")
        return body.replace(self._token.encode(), b"***") if self._token else body


@contextmanager
def call(
    method: str, url: str, *, seconds: float, token: str | None, body: Body | None = None
) -> Iterator[Reply]:
    """Make one call that is over after `seconds`, with its answer read inside the block.

    No redirect is followed, no proxy or password is taken from the environment, TLS is verified.
    Raises `TransportError`, and `BodyError` where it is the body's fault.
    """
    headers = {"Accept-Encoding": "identity"}
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
            yield Reply(response, deadline, token)
    except _FAILURES as error:
        raise TransportError(_sentence(error, deadline)) from error


class _Session(requests.Session):
    def __init__(self, deadline: _Deadline) -> None:
        super().__init__()
        self.trust_env = False
        self.mount("http://", _Adapter(deadline))
        self.mount("https://", _Adapter(deadline))

    @override
    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """See no redirect: requests reads the whole body of one, even if it is not to follow it."""
        return None


class _Adapter(HTTPAdapter):
    def __init__(self, deadline: _Deadline) -> None:
        self._deadline = deadline
        super().__init__(max_retries=0)

    @override
    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> urllib3.HTTPConnectionPool:
        pool = cast("urllib3.HTTPConnectionPool", super().get_connection_with_tls_context(*args, **kwargs))
        deadline = self._deadline

        class Connection(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return deadline.watch(super()._new_conn())

        class SecureConnection(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                return deadline.watch(super()._new_conn())

        secure = isinstance(pool, urllib3.HTTPSConnectionPool)
        pool.ConnectionCls = SecureConnection if secure else Connection
        return pool


class _Deadline:
    """The end of a call: from then on its connections are shut, those to come included."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.passed = False
        self._lock = threading.Lock()
        self._twins: list[socket.socket] = []
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._timer.cancel()
        self._timer.join()
        with self._lock:
            while self._twins:
                self._twins.pop().close()

    def watch(self, connection: socket.socket) -> socket.socket:
        """Give a new connection back, watched."""
        connection.settimeout(self.seconds)  # a slow reader has all the call's time, not only that to connect
        with self._lock:
            self._twins.append(connection.dup())
            if self.passed:
                self._shut()
        return connection

    def _cut(self) -> None:
        with self._lock:
            self.passed = True
            self._shut()

    def _shut(self) -> None:
        for twin in self._twins:
            try:
                twin.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # it is over already


def _sentence(error: BaseException, deadline: _Deadline) -> str:
    """Say what went wrong: a word of our own and the name of the first cause, never its text."""
    cause = error
    while following := cause.__cause__ or cause.__context__:
        cause = following
    if isinstance(error, requests.ConnectTimeout) and not deadline.passed:
        return "No connection to Target came about in time."
    if isinstance(cause, TimeoutError) or deadline.passed:
        return f"Target did not answer within {deadline.seconds:g} seconds."
    if isinstance(error, requests.exceptions.SSLError):
        return "TLS failed: Target's certificate was not accepted, or the handshake broke off."
    return f"The connection to Target failed: {type(cause).__name__}."


_SHORTEST_WAIT = timedelta(seconds=1)
_LONGEST_WAIT = timedelta(hours=1)
_SENSIBLE_WAIT = timedelta(days=1)  # beyond it a Retry-After is nonsense


def retry_after(header: str, now: datetime) -> timedelta | None:
    """Read a Retry-After, seconds or a date, as a wait from a second to an hour; None for nonsense."""
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
