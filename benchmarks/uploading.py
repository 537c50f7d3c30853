"""A batch from S3 to Target, side by side with copies of it: `python -m benchmarks.uploading [--mb N]`.

S3 and Target are servers on this machine. Each way runs in a process of its own, first with a small body,
which is what a function has at hand before its first batch, then with the large one. Printed are CPU seconds
of the sender alone and the memory that the large body adds. The ways take turns, and the best of their rounds
counts.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import os
import resource
import sys
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from multiprocessing.connection import Connection

import boto3
import requests
import smart_open

from bulk_profiles.aws.s3 import Storage
from bulk_profiles.target.calls import submit
from bulk_profiles.target.http import Body
from bulk_profiles.target.outcomes import Accepted

from .recording import ENVIRONMENT

BUCKET = "data"
ROW = b"customer-%09d,Ada%%20Lovelace,Z%%C3%%BCrich\n"
PIECE = 256 * 1024
RECEIPT = (
    b"<response><success>true</success>"
    b"<batchStatus>http://127.0.0.1/m2/demo/v2/profile/batchStatus?batchId=demo-1</batchStatus></response>"
)


def content(size: int) -> bytes:
    """Return a body of about `size` bytes, the same one every time."""
    rows, length = bytearray(b"batch=thirdPartyId,name,city\n"), len(ROW % 0)
    for number in range(max(1, size // length)):
        rows += ROW % number
    return bytes(rows[:-1])


class Far(BaseHTTPRequestHandler):
    """S3, whose objects are named for their sizes, and Target, as far as a benchmark needs them."""

    protocol_version = "HTTP/1.1"
    objects: dict[str, bytes] = {}  # noqa: RUF012  # of the server, not of a request

    def do_GET(self) -> None:
        body = self.objects[self.path.rpartition("/")[2]]
        start = int(self.headers.get("Range", "bytes=0-").strip("bytes=-"))
        self._answer(body[start:], "application/octet-stream", start, len(body))

    def do_POST(self) -> None:
        left = int(self.headers["Content-Length"])
        while left:
            left -= len(self.rfile.read(min(left, PIECE)))
        self._answer(RECEIPT, "application/xml")

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self, body: bytes, kind: str, start: int = 0, size: int = 0) -> None:
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{len(body)}"')
        self.end_headers()
        self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Say nothing: requests closes a connection in the middle to find out how long an object is."""


def serve(pipe: Connection, sizes: list[int]) -> None:
    Far.objects = {str(size): content(size) for size in sizes}
    with _Server(("127.0.0.1", 0), Far) as server:
        digests = {key: hashlib.sha256(body).hexdigest() for key, body in Far.objects.items()}
        bodies = [(key, len(body), digests[key]) for key, body in Far.objects.items()]
        pipe.send((server.server_address[1], bodies))
        server.serve_forever()


def copy(port: int, key: str, size: int, _sha256: str) -> None:
    """Read a piece and send it, without a look at it."""
    source = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}").get_object(Bucket=BUCKET, Key=key)
    target = http.client.HTTPConnection("127.0.0.1", port)
    target.request("POST", "/", source["Body"].iter_chunks(PIECE), {"Content-Length": str(size)})
    target.getresponse().read()
    target.close()


def usual_copy(port: int, key: str, _size: int, _sha256: str) -> None:
    """Send the object as most programs would, by smart_open and requests."""
    client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}")
    with smart_open.open(f"s3://{BUCKET}/{key}", "rb", transport_params={"client": client}) as source:
        requests.post(f"http://127.0.0.1:{port}/", source, timeout=60).raise_for_status()


def ours(port: int, key: str, size: int, sha256: str) -> None:
    client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}")
    with Storage(client, BUCKET).open(key) as source:
        url = f"http://127.0.0.1:{port}/m2/demo/v2/profile/batchUpdate"
        outcome = submit(url, Body(source, size, sha256), None, 60)
    if not isinstance(outcome, Accepted):
        raise TypeError(outcome)


WAYS: tuple[Callable[[int, str, int, str], None], ...] = (copy, usual_copy, ours)


def measure(pipe: Connection, way: int, port: int, bodies: list[tuple[str, int, str]]) -> None:
    """Send CPU seconds and added MiB of the last body, after the others were sent."""
    *small, large = bodies
    for body in small:
        WAYS[way](port, *body)
    idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    WAYS[way](port, *large)
    seconds = time.process_time() - started
    pipe.send((seconds, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - idle) / 1024))


def main() -> int:
    """Measure each way and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mb", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    os.environ |= ENVIRONMENT
    sizes = [1_000, options.mb * 1_000_000]
    near, far = (context := get_context("spawn")).Pipe()
    server = context.Process(target=serve, args=(far, sizes), daemon=True)
    server.start()
    port, bodies = near.recv()
    figures: dict[int, list[tuple[float, float]]] = {way: [] for way in range(len(WAYS))}
    for _ in range(options.rounds):
        for way, measured in figures.items():
            process = context.Process(target=measure, args=(far, way, port, bodies))
            process.start()
            measured.append(near.recv())
            process.join()
    server.terminate()
    print("| | CPU s | x copy | MiB over idle |\n|---|---|---|---|")
    least = min(figures[0])[0]
    for way, measured in figures.items():
        seconds, memory = min(measured)[0], max(memory for _, memory in measured)
        print(f"| {WAYS[way].__name__} | {seconds:.3f} | {seconds / least:.1f} | {memory:.1f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
