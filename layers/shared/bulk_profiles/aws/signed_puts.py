"""Puts into a DynamoDB table, as JSON that is ready to be sent.

boto3 takes an item apart, checks it, and serializes it again, which takes most of the time of a function that
writes many. Here a request of 25 items costs one signature, by botocore's signer, and one exchange on a
connection that is kept, by urllib3.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import certifi
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from bulk_profiles.core.errors import LedgerError
from bulk_profiles.core.json_object import Json

from .clients import credentials
from .errors import translated

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MOST_PUTS = 25  # of one request: BatchWriteItem's limit
CONNECTIONS = 8
_FAILURE = "DynamoDB did not write to the Profiles table"
_TIMEOUT = urllib3.Timeout(connect=5, read=30)  # seconds
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
    """BatchWriteItem on one table, with the endpoint, the region and the credentials of a client."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._url = client.meta.endpoint_url.rstrip("/") + "/"
        self._path = urlsplit(self._url).path
        self._region = client.meta.region_name
        self._table = table
        certificates = {"ca_certs": os.environ.get("AWS_CA_BUNDLE") or certifi.where()}
        self._pool = urllib3.connection_from_url(
            self._url,
            maxsize=CONNECTIONS,
            timeout=_TIMEOUT,
            **(certificates if self._url.startswith("https:") else {}),
        )

    def __call__(self, puts: Sequence[str]) -> list[str]:
        """Send up to 25 requests, each `{"PutRequest": {"Item": ...}}` of a profile of its own.

        Returns those that are left unprocessed, as they were sent.

        Raises `ThrottledError` and `UnavailableError`, after which the same may be sent again, and
        `LedgerError` for any other refusal.
        """
        body = f'{{"RequestItems":{{{json.dumps(self._table)}:[{",".join(puts)}]}}}}'.encode()
        try:
            answer = self._pool.urlopen(
                "POST", self._path, body=body, headers=self._signed(body), retries=False
            )
        except urllib3.exceptions.HTTPError as error:
            raise UnavailableError(f"{_FAILURE}: {type(error).__name__}.") from error
        if answer.status != _OK:
            raise _refusal(answer.status, answer.data)
        if answer.headers.get("x-amz-crc32", "") not in {"", str(zlib.crc32(answer.data))}:
            raise UnavailableError(f"{_FAILURE}: its answer was damaged on the way.")
        if answer.data == _ALL_WRITTEN:
            return []
        try:
            return self._left(puts, json.loads(answer.data)["UnprocessedItems"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise UnavailableError(f"{_FAILURE}: its answer cannot be read.") from error

    def _left(self, puts: Sequence[str], unprocessed: Json) -> list[str]:
        """Return the puts that are left unprocessed. Raises `ValueError` where others are named, too."""
        left = {_profile(put) for put in unprocessed.get(self._table, ())}
        found = [put for put in puts if _profile(json.loads(put)) in left]
        if unprocessed.keys() - {self._table} or len(found) != len(left):
            raise ValueError("what was not sent is unprocessed")
        return found

    def _signed(self, body: bytes) -> dict[str, str]:
        request = AWSRequest("POST", self._url, headers=_HEADERS, data=body)
        with translated(_FAILURE, LedgerError):
            SigV4Auth(credentials(), "dynamodb", self._region).add_auth(request)
        return dict(request.headers)


def _profile(put: Json) -> str:
    """Return the key by which the puts of a request differ."""
    profile: str = put["PutRequest"]["Item"]["profile"]["S"]
    return profile


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
