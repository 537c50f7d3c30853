"""Signed puts: what is sent, and what is made of each answer. A real server answers on a real connection."""

from __future__ import annotations

import json
import ssl
import threading
import zlib
from collections.abc import Iterator
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import boto3
import pytest
import trustme
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from bulk_profiles.aws import clients, profiles_table, signed_puts
from bulk_profiles.aws.profiles_table import ProfilesTable
from bulk_profiles.aws.signed_puts import SignedPuts, ThrottledError, UnavailableError
from bulk_profiles.core.errors import LedgerError

PUTS = [json.dumps({"PutRequest": {"Item": {"profile": {"S": f"demo#é{number}"}}}}) for number in range(3)]
NESTED = b"[" * 100_000  # too deep for the parser
ALL_WRITTEN = b'{"UnprocessedItems":{}}'


def unprocessed(*puts: str, table: str = 'pro"files') -> bytes:
    """Return the answer that leaves these puts unprocessed."""
    return json.dumps({"UnprocessedItems": {table: [json.loads(put) for put in puts]}}).encode()


@dataclass
class Server:
    """DynamoDB's end of the connection: it keeps what it gets, and answers as it is told."""

    url: str = ""
    status: int = 200
    body: bytes = ALL_WRITTEN
    checksum: int | None = None  # None: the right one
    http: Any = None
    cut: bool = False  # whether the connection is closed before an answer
    raw: bytes = b""  # what is sent instead of an answer, before the connection is closed
    together: threading.Barrier | None = None  # requests that are answered when so many have come
    released: threading.Event | None = None  # when a request is answered
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    connections: set[Any] = field(default_factory=set)


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            state.requests.append(({name.lower(): value for name, value in self.headers.items()}, body))
            state.paths.append(self.path)
            state.connections.add(self.client_address)
            if state.cut or state.raw:
                self.wfile.write(state.raw)
                self.close_connection = True
                return
            if state.together:
                state.together.wait()
            if state.released:
                state.released.wait(5)
            self.send_response(state.status)
            self.send_header("Content-Length", str(len(state.body)))
            checksum = zlib.crc32(state.body) if state.checksum is None else state.checksum
            self.send_header("x-amz-crc32", str(checksum))
            self.end_headers()
            self.wfile.write(state.body)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        http.handle_error = lambda *_: None  # type: ignore[method-assign]  # a handshake that is broken off
        state.url = f"http://127.0.0.1:{http.server_port}"
        state.http = http
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield state
        http.shutdown()


class Puts:
    """Requests one after the other, each with its answer."""

    def __init__(self, client: Any, table: str) -> None:
        self.connection = SignedPuts(client, table)

    def __call__(self, puts: list[str]) -> list[str]:
        self.connection.send(puts)
        return self.connection.receive()


@pytest.fixture
def puts(server: Server) -> Iterator[Puts]:
    client = boto3.client("dynamodb", endpoint_url=server.url, region_name="eu-west-1")
    puts = Puts(client, 'pro"files')
    with closing(puts.connection):
        yield puts


@pytest.mark.parametrize(
    ("end", "path"), [("", "/"), ("/", "/"), ("/engine", "/engine/"), ("/engine/", "/engine/")]
)
def test_puts_are_one_signed_request(server: Server, end: str, path: str) -> None:
    """The signature is that which botocore makes of what has arrived."""
    client = boto3.client("dynamodb", endpoint_url=server.url + end, region_name="eu-west-1")
    puts = Puts(client, 'pro"files')
    with closing(puts.connection):
        assert puts(PUTS) == []
    assert server.paths == [path]
    [(headers, body)] = server.requests
    assert json.loads(body) == {"RequestItems": {'pro"files': [json.loads(put) for put in PUTS]}}
    assert headers["x-amz-target"] == "DynamoDB_20120810.BatchWriteItem"
    assert headers["content-type"] == "application/x-amz-json-1.0"
    arrived = AWSRequest("POST", server.url + path, data=body)
    for name in ("content-type", "x-amz-target"):
        arrived.headers[name] = headers[name]
    arrived.context["timestamp"] = headers["x-amz-date"]
    arrived.headers["X-Amz-Date"] = headers["x-amz-date"]
    signer = SigV4Auth(Credentials("test", "test"), "dynamodb", "eu-west-1")
    signature = signer.signature(signer.string_to_sign(arrived, signer.canonical_request(arrived)), arrived)
    assert headers["authorization"].endswith(f"Signature={signature}")
    assert "/eu-west-1/dynamodb/aws4_request" in headers["authorization"]


def test_connection_is_kept(server: Server, puts: Puts) -> None:
    for _ in range(5):
        puts(PUTS)
    assert (len(server.requests), len(server.connections)) == (5, 1)


def test_token_of_a_role_is_sent(server: Server, puts: Puts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "_provider", lambda: Credentials("key", "secret", "session-token"))
    puts(PUTS)
    assert server.requests[0][0]["x-amz-security-token"] == "session-token"


def test_puts_without_credentials_say_so(puts: Puts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "_provider", lambda: None)
    with pytest.raises(LedgerError, match="Profiles table: NoCredentialsError"):
        puts(PUTS)


def test_unprocessed_puts_are_returned_to_be_sent_again(server: Server, puts: Puts) -> None:
    server.body = unprocessed(*PUTS[1:])
    assert puts(PUTS) == PUTS[1:]
    server.body = ALL_WRITTEN
    assert puts(PUTS[1:]) == []
    left = [json.loads(put) for put in PUTS[1:]]
    assert json.loads(server.requests[-1][1])["RequestItems"]['pro"files'] == left


@pytest.mark.parametrize("left", [(PUTS[2], PUTS[1]), (PUTS[1], PUTS[2], PUTS[1])])
def test_unprocessed_puts_are_in_the_order_in_which_they_were_sent(
    server: Server, puts: Puts, left: tuple[str, ...]
) -> None:
    """And each once, because DynamoDB refuses two puts of one item in a request."""
    server.body = unprocessed(*left)
    assert puts(PUTS) == PUTS[1:]


def test_unprocessed_puts_are_sent_again_as_they_were(server: Server, puts: Puts) -> None:
    changed = json.loads(PUTS[0])
    changed["PutRequest"]["Item"]["status"] = {"S": "success"}
    server.body = unprocessed(json.dumps(changed))
    assert puts(PUTS) == PUTS[:1]


@pytest.mark.parametrize(
    "body",
    [
        unprocessed(PUTS[0], table="other"),
        unprocessed(PUTS[0], PUTS[0].replace("demo", "acme")),
        unprocessed(PUTS[0], '{"DeleteRequest": {"Key": {"profile": {"S": "demo#é1"}}}}'),
    ],
    ids=["another table", "another item", "a deletion"],
)
def test_answer_that_names_what_was_not_sent_may_be_asked_for_again(
    server: Server, puts: Puts, body: bytes
) -> None:
    server.body = body
    with pytest.raises(UnavailableError, match="its answer cannot be read"):
        puts(PUTS)


def test_answer_in_another_form_is_read(server: Server, puts: Puts) -> None:
    server.body = b' {"UnprocessedItems": {}, "ConsumedCapacity": []}'
    assert puts(PUTS) == []


@pytest.mark.parametrize(
    ("status", "code", "kind", "message"),
    [
        (400, "ProvisionedThroughputExceededException", ThrottledError, "Throughput"),
        (400, "ThrottlingException", ThrottledError, "Throttling"),
        (400, "RequestLimitExceeded", ThrottledError, "Limit"),
        (400, "ThrottlingException:http://internal/", ThrottledError, "^ThrottlingException$"),
        (400, "AccessDeniedException", LedgerError, r"Profiles table: AccessDeniedException\.$"),
        (400, "ResourceNotFoundException", LedgerError, "ResourceNotFoundException"),
        (500, "InternalServerError", UnavailableError, "InternalServerError"),
        (503, "ServiceUnavailable", UnavailableError, "ServiceUnavailable"),
    ],
)
def test_refusal_is_an_error_by_its_code(
    server: Server, puts: Puts, status: int, code: str, kind: type[LedgerError], message: str
) -> None:
    server.status = status
    server.body = json.dumps({"__type": f"com.amazonaws.dynamodb#{code}", "message": "demo#é1"}).encode()
    with pytest.raises(LedgerError, match=message) as raised:
        puts(PUTS)
    assert type(raised.value) is kind
    assert "demo" not in str(raised.value)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'"x"', NESTED])
def test_refusal_without_a_code_has_the_status(server: Server, puts: Puts, body: bytes) -> None:
    server.status, server.body = 502, body
    with pytest.raises(UnavailableError, match="HTTP 502"):
        puts(PUTS)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", NESTED, b'{"UnprocessedItems":[]}', b'{"UnprocessedItems":{"pro\\"files":1}}']
)
def test_answer_that_cannot_be_read_may_be_asked_for_again(server: Server, puts: Puts, body: bytes) -> None:
    server.body = body
    with pytest.raises(UnavailableError, match="its answer cannot be read"):
        puts(PUTS)


def test_answer_that_was_damaged_may_be_asked_for_again(server: Server, puts: Puts) -> None:
    server.checksum = 1
    with pytest.raises(UnavailableError, match="damaged on the way"):
        puts(PUTS)


def test_connection_that_is_closed_may_be_tried_again(server: Server, puts: Puts) -> None:
    server.cut = True
    with pytest.raises(UnavailableError, match="RemoteDisconnected"):
        puts(PUTS)
    server.cut = False
    assert puts(PUTS) == []


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b"hello\r\n\r\n", "BadStatusLine"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", "IncompleteRead"),
    ],
)
def test_answer_that_is_no_whole_http_may_be_asked_for_again(
    raw: bytes, error: str, server: Server, puts: Puts
) -> None:
    server.raw = raw
    with pytest.raises(UnavailableError, match=error):
        puts(PUTS)
    server.raw = b""
    assert puts(PUTS) == []


def test_answer_that_does_not_come_is_not_taken_for_that_of_the_next_request(
    server: Server, puts: Puts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signed_puts, "_ANSWER_SECONDS", 0.1)
    server.released = threading.Event()
    with pytest.raises(UnavailableError, match="TimeoutError"):
        puts(PUTS)
    server.released.set()
    assert puts(PUTS) == []
    assert len(server.connections) == 2


def test_connection_that_fails_once_is_made_again(puts: Puts, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(signed_puts, "_connect", Mock(side_effect=OSError))
        with pytest.raises(UnavailableError, match="OSError"):
            puts(PUTS)
    assert puts(PUTS) == []


def test_server_that_is_not_there_may_be_tried_again() -> None:
    client = boto3.client("dynamodb", endpoint_url="http://127.0.0.1:9")
    with pytest.raises(UnavailableError, match="ConnectionRefusedError"):
        Puts(client, "profiles")(PUTS)


@pytest.mark.parametrize("trusted", [True, False])
def test_puts_over_tls_need_a_certificate_that_is_trusted(
    trusted: bool, server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server.http.socket = context.wrap_socket(server.http.socket, server_side=True)
    if trusted:
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    puts = Puts(boto3.client("dynamodb", endpoint_url=server.url.replace("http:", "https:")), "profiles")
    with closing(puts.connection), nullcontext() if trusted else pytest.raises(UnavailableError, match="SSL"):
        assert puts(PUTS) == []
    assert len(server.requests) == trusted


def test_table_is_filled_on_eight_connections_in_turn(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profiles_table, "SignedPuts", SignedPuts)
    server.together = threading.Barrier(8, timeout=5)
    table = ProfilesTable(boto3.client("dynamodb", endpoint_url=server.url), "profiles")
    assert table.fill(iter(PUTS * 200), 0, lambda: False) == (600, True)
    assert (len(server.requests), len(server.connections), server.together.broken) == (24, 8, False)
    sent = [put for _, body in server.requests for put in json.loads(body)["RequestItems"]["profiles"]]
    assert len(sent) == 600
    server.cut = True
    with pytest.raises(UnavailableError, match="RemoteDisconnected"):
        table.fill(iter(PUTS), 0, lambda: False)
    assert len(server.requests) == 24 + 10
