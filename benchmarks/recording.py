"""Ways to write profile results into DynamoDB, side by side: `python -m benchmarks.recording [--items N]`.

Each writes the same items to a sink on this machine, which reads a request and says that all of it is
written. Printed are items per CPU second of the writer alone, and the ratio to boto3's `batch_writer`. The
writers take turns, and the best of their rounds counts.
"""

from __future__ import annotations

import argparse
import itertools
import os
import socketserver
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection
from typing import Any

import boto3

from bulk_profiles.aws.profiles_table import ProfilesTable, profile_puts
from bulk_profiles.core.models import Basis, KeyColumn, ProfileResult, ProfileResultsPolicy, ProfileStatus

NAME = "profiles"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
}
NOW = datetime(2026, 11, 27, tzinfo=UTC)
EXPIRES_AT = 1_800_000_000
ANSWER = b'{"UnprocessedItems":{}}'
REPLY = b"HTTP/1.1 200 OK\r\nx-amz-crc32: %d\r\nContent-Length: %d\r\n\r\n%s"


class Sink(socketserver.StreamRequestHandler):
    """DynamoDB, as far as a benchmark of its client needs it."""

    def handle(self) -> None:
        reply = REPLY % (zlib.crc32(ANSWER), len(ANSWER), ANSWER)
        while self.rfile.readline():
            length = 0
            while (header := self.rfile.readline().lower()) not in {b"\r\n", b""}:
                if header.startswith(b"content-length:"):
                    length = int(header.partition(b":")[2])
            self.rfile.read(length)
            self.wfile.write(reply)


def serve(pipe: Connection) -> None:
    socketserver.ThreadingTCPServer.daemon_threads = True
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Sink) as server:
        pipe.send(server.server_address[1])
        server.serve_forever()


def results(count: int) -> Iterator[ProfileResult]:
    for number in range(count):
        yield ProfileResult(f"customer-{number:09d}", ProfileStatus.SUCCESS, Basis.IMPLIED)


def items(count: int) -> Iterator[dict[str, Any]]:
    """Yield what the items hold, as plain values."""
    for result in results(count):
        yield {
            "profile": f"demo#thirdPartyId#{result.profile_id}",
            "batch": "crm-csv-0123456789ab#00001",
            "status": result.status.value,
            "basis": result.basis.value,
            "reason": result.reason,
            "attempt": result.attempt,
            "checkedAt": "2026-11-27T00:00:00.000Z",
            "expiresAt": EXPIRES_AT,
        }


def batch_writer(url: str, count: int) -> None:
    table = boto3.resource("dynamodb", endpoint_url=url).Table(NAME)
    with table.batch_writer() as writer:
        for item in items(count):
            writer.put_item(Item=item)


def low_level_client(url: str, count: int) -> None:
    client = boto3.client("dynamodb", endpoint_url=url)
    for part in itertools.batched(items(count), 25, strict=False):
        puts: Any = [
            {
                "PutRequest": {
                    "Item": {
                        name: {"N" if isinstance(value, int) else "S": str(value)}
                        for name, value in item.items()
                    }
                }
            }
            for item in part
        ]
        client.batch_write_item(RequestItems={NAME: puts})


def ours(url: str, count: int) -> None:
    put_items(url, results(count), count)


def put_items(url: str, profile_results: Iterator[ProfileResult], count: int) -> None:
    """Write the items of results as the application does."""
    puts = profile_puts(
        profile_results,
        ProfileResultsPolicy.ALL,
        client_code="demo",
        key_column=KeyColumn.THIRD_PARTY_ID,
        import_id="crm-csv-0123456789ab",
        number=1,
        now=NOW,
        expires_at=EXPIRES_AT,
    )
    table = ProfilesTable(boto3.client("dynamodb", endpoint_url=url), NAME)
    written, complete = table.fill(puts, 0, lambda: False)
    if not complete or written != count:
        raise RuntimeError("not all items were written")


WRITERS: tuple[Callable[[str, int], None], ...] = (batch_writer, low_level_client, ours)


def main() -> int:
    """Measure each writer and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    os.environ |= ENVIRONMENT
    near, far = Pipe()
    sink = get_context("spawn").Process(target=serve, args=(far,), daemon=True)
    sink.start()
    url = f"http://127.0.0.1:{near.recv()}"
    best = dict.fromkeys(WRITERS, float("inf"))
    for _ in range(options.rounds):
        for writer in WRITERS:
            started = time.process_time()
            writer(url, options.items)
            best[writer] = min(best[writer], time.process_time() - started)
    sink.terminate()
    print("| | items per CPU s | x batch_writer |\n|---|---|---|")
    for writer, seconds in best.items():
        ratio = best[batch_writer] / seconds
        print(f"| {writer.__name__} | {options.items / seconds:,.0f} | {ratio:.1f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
