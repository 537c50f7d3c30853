"""Puts into a DynamoDB table, as JSON that is ready to be sent.

boto3 takes an item apart, checks it, and serializes it again, which takes most of the time of a function that
writes many. Here a request of 25 items costs one signature, by botocore's signer, and one exchange on a
connection that is kept. Nobody waits for an answer before the next request is sent on another connection, so
one thread keeps several of them busy; several threads would wait for each other's turn in the interpreter.
"""

from __future__ import annotations

import functools
import http.client
import json
import os
import ssl
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import certifi
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from bulk_profiles.core.errors import LedgerError
from bulk_profiles.core.json_object import Json

from .clients import credentials
from .errors import translated

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MOST_PUTS = 25  # of one request: BatchWriteItem's limit
_FAILURE = "DynamoDB did not write to the Profiles table"
_CONNECT_SECONDS, _ANSWER_SECONDS = 5.0, 30.0
_HEADERS = {
    "Content-Type": "application/x-amz-json-1.0",
    "X-Amz-Target": "DynamoDB_20120810.BatchWriteItem",
}
_ALL_WRITTEN = b'{"UnprocessedItems":{}}'
_OK, _SERVER_ERRORS = 200, 500
THROTTLED = frozenset(
    {"ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded"}
)


class ThrottledError(LedgerError):
    """DynamoDB has refused a whole request for now: none of it is written."""


class UnavailableError(LedgerError):
    """DynamoDB has failed, or was not reached: some of the request may be written."""


class SignedPuts:
    """BatchWriteItem on one table, on one connection to the endpoint of a client, in its region.

    After each `send` comes one `receive`.
    """

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._url = client.meta.endpoint_url.rstrip("/") + "/"
        self._path = urlsplit(self._url).path
        self._region = client.meta.region_name
        self._table = table
        self._connection = _connection_to(self._url)
        self._puts: Sequence[str] = ()  # of the present request
        self._error: OSError | None = None  # of its sending

    def send(self, puts: Sequence[str]) -> None:
        """Send up to 25 requests, each `{"PutRequest": {"Item": ...}}` of a profile of its own.

        Where that fails, `receive` says so. Raises `LedgerError` where there are no credentials.
        """
        body = f'{{"RequestItems":{{{json.dumps(self._table)}:[{",".join(puts)}]}}}}'.encode()
        request = AWSRequest("POST", self._url, headers=_HEADERS, data=body)
        with translated(_FAILURE, LedgerError):
            SigV4Auth(credentials(), "dynamodb", self._region).add_auth(request)
        self._puts, self._error = puts, None
        try:
            if self._connection.sock is None:
                _connect(self._connection)
            self._connection.request("POST", self._path, body, dict(request.headers))
        except OSError as error:
            self._error = error

    def receive(self) -> list[str]:
        """Wait for the answer; return the requests that are left unprocessed, as they were sent.

        Raises `ThrottledError` and `UnavailableError`, after which the same may be sent again, and
        `LedgerError` for any other refusal.
        """
        try:
            if self._error:
                raise self._error
            with self._connection.getresponse() as answer:
                data = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise UnavailableError(f"{_FAILURE}: {type(error).__name__}.") from error
        if answer.status != _OK:
            raise _refusal(answer.status, data)
        if answer.headers.get("x-amz-crc32", "") not in {"", str(zlib.crc32(data))}:
            raise UnavailableError(f"{_FAILURE}: its answer was damaged on the way.")
        if data == _ALL_WRITTEN:
            return []
        try:
            return self._left(json.loads(data)["UnprocessedItems"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise UnavailableError(f"{_FAILURE}: its answer cannot be read.") from error

    def _left(self, unprocessed: Json) -> list[str]:
        """Return the puts that are left unprocessed. Raises `ValueError` where others are named, too."""
        left = {_profile(put) for put in unprocessed.get(self._table, ())}
        found = [put for put in self._puts if _profile(json.loads(put)) in left]
        if unprocessed.keys() - {self._table} or len(found) != len(left):
            raise ValueError("what was not sent is unprocessed")
        return found

    def close(self) -> None:
        """Close the connection; a later `send` opens another one."""
        self._connection.close()


def _profile(put: Json) -> str:
    """Return the key by which the puts of a request differ."""
    profile: str = put["PutRequest"]["Item"]["profile"]["S"]
    return profile


def _connection_to(url: str) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "https":
        context = _tls(os.environ.get("AWS_CA_BUNDLE") or certifi.where())
        return http.client.HTTPSConnection(host, parts.port, timeout=_CONNECT_SECONDS, context=context)
    return http.client.HTTPConnection(host, parts.port, timeout=_CONNECT_SECONDS)


def _connect(connection: http.client.HTTPConnection) -> None:
    connection.connect()
    connection.sock.settimeout(_ANSWER_SECONDS)


@functools.cache
def _tls(certificates: str) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certificates)


def _refusal(status: int, body: bytes) -> LedgerError:
    """Return the error for an answer that is none of success. It never quotes DynamoDB's text."""
    try:
        code = str(json.loads(body)["__type"]).partition(":")[0].rpartition("#")[2]
    except (ValueError, KeyError, TypeError, RecursionError):
        code = f"HTTP {status}"
    return refusal(code, server=status >= _SERVER_ERRORS)


def refusal(code: str, *, server: bool) -> LedgerError:
    """Return the error for a request that was refused with a code; `server`: by a fault of DynamoDB."""
    if code in THROTTLED:
        return ThrottledError(code)
    return (UnavailableError if server else LedgerError)(f"{_FAILURE}: {code}.")
