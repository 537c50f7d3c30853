"""The whole pipe on the local engine: `python -m benchmarks.pipeline [--rows N]`, which needs `make setup`.

One file is dropped, and followed to its last profile result; then once more with the results of failures
alone in the table. Beside it, the same file on the same machine: the csv module with `urllib.parse.quote`
alone; a single function that does the whole job in the straightforward way, with boto3's `batch_writer`; and
requests of 75 rows as JSON by 20 threads, the shape of work of functions that import into other services, to
a server that says yes.

Printed are rows per second, when each step ended, and the CPU seconds of the engine, of the functions and of
the simulated Target: on AWS, the first and the last are those of others.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import csv
import itertools
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from urllib.parse import quote

import boto3
import requests

from local.deployment import Deployment, deployment
from local.engine import CLIENT_ENVIRONMENT
from local.folders import run_folder
from local.imports import Snapshot, drop, follow

from .splitters import naive
from .splitting import crm
from .uploading import serve

ROWS_IN_BATCH = 100_000
PARAMETERS = {
    "ClientCode": "demo",
    "CallsPerMinute": "3000",
    "FirstCheckSeconds": "1",
    "MaxCheckSeconds": "2",
    "MaxBatchRows": str(ROWS_IN_BATCH),
}
FAILURES = PARAMETERS | {"ProfileResults": "failures"}
FORM = "application/x-www-form-urlencoded"
PATIENCE_SECONDS = 900
TICKS = os.sysconf("SC_CLK_TCK")
POLL_SECONDS = 0.5


@dataclass(slots=True)
class Steps:
    """When the steps of an import ended, in seconds from its drop."""

    started: float
    ends: dict[str, float] = field(default_factory=dict)

    def see(self, snapshot: Snapshot) -> None:
        batches = snapshot.batches
        if snapshot.status not in {"waiting", "splitting"}:
            self._ended("split")
        if batches and not batches["planned"] + batches["sending"]:
            self._ended("sent")
        if snapshot.results:
            self._ended("first result")
        if batches and snapshot.settled == batches.total():
            self._ended("last result")

    def _ended(self, step: str) -> None:
        self.ends.setdefault(step, time.monotonic() - self.started)


def cpu_seconds(pid: int) -> tuple[float, float]:
    """Return the CPU seconds of a process, and those of all that it has started."""
    own, others = _times(pid)
    for child in _children(pid):
        others += sum(cpu_seconds(child))
    return own, others


def _children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text().split()]
    return found


def _times(pid: int) -> tuple[float, float]:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    user, system, ended_user, ended_system = (int(value) / TICKS for value in fields[11:15])
    return user + system, ended_user + ended_system


def import_file(deployed: Deployment, file: Path) -> tuple[Steps, float]:
    """Import the file; return its steps, and the seconds to the end of its report."""
    steps = Steps(time.monotonic())
    summary = follow(drop(deployed, file, "default"), steps.see, patience_seconds=PATIENCE_SECONDS)
    seconds = time.monotonic() - steps.started
    if summary["status"] != "succeeded" or summary["unaccounted"]:
        raise SystemExit(f"the import is {summary['status']}: {summary['reason']}")
    return steps, seconds


def single_function(deployed: Deployment, file: Path) -> None:
    """The whole job in one function: split, send, ask, and put an item for each profile."""
    session = boto3.Session("test", "test", region_name="us-east-1")
    dynamodb = session.resource("dynamodb", endpoint_url=deployed.engine.url)
    table = dynamodb.create_table(
        TableName=f"single-{time.monotonic_ns()}",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "profile", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "profile", "AttributeType": "S"}],
    )
    url = f"{deployed.target}/m2/demo/v2/profile/batchUpdate"
    status_urls = []
    with file.open(encoding="utf-8", newline="") as stream:
        reader = csv.reader(stream)
        head = "batch=" + ",".join(quote(name, safe="") for name in next(reader))
        for rows in itertools.batched(reader, ROWS_IN_BATCH, strict=False):
            lines = [",".join(quote(cell, safe="") for cell in row) for row in rows]
            body = "\n".join([head, *lines])
            answer = requests.post(url, body, timeout=60, headers={"Content-Type": FORM}).text
            found = re.search(r"<batchStatus>(http.*?)</batchStatus>", answer)
            if not found:
                raise SystemExit(f"the batch was not accepted: {answer[:100]}")
            status_urls.append((found[1].replace("&amp;", "&"), [row[0] for row in rows]))
    with table.batch_writer() as writer:
        for status_url, ids in status_urls:
            while "complete" not in (answer := requests.get(status_url, timeout=60).text):
                time.sleep(POLL_SECONDS)
            failed = set(re.findall(r"<failedId>(.*?)</failedId>", answer))
            for profile in ids:
                writer.put_item(
                    Item={"profile": profile, "status": "error" if profile in failed else "success"}
                )


def requests_of_75(url: str, file: Path) -> None:
    """Rows as objects of JSON, 75 in a request, by 20 threads."""
    with (
        file.open(encoding="utf-8", newline="") as stream,
        concurrent.futures.ThreadPoolExecutor(20) as pool,
        requests.Session() as session,
    ):
        session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=20))

        def send(rows: tuple[dict[str, str], ...]) -> None:
            session.post(url, json.dumps({"attributes": rows}), timeout=60).raise_for_status()

        parts: Iterator[Any] = itertools.batched(csv.DictReader(stream), 75, strict=False)
        while some := list(itertools.islice(parts, 200)):
            list(pool.map(send, some))


def timed(work: Callable[..., None], *arguments: Any) -> float:
    """Return the seconds by the clock of some work."""
    started = time.monotonic()
    work(*arguments)
    return time.monotonic() - started


def measure(rows: int, *, alone: bool) -> None:
    """Measure everything with one file, or ours and naive `alone`, and print the tables."""
    with tempfile.TemporaryDirectory() as place, run_folder() as folder:
        file = Path(place) / "customers.csv"
        file.write_text("".join(crm(rows)), encoding="utf-8")
        batches = Path(place) / "naive"
        batches.mkdir()
        took = {"csv and quote alone, nothing sent (naive)": timed(naive, file, batches)}
        near, far = (context := get_context("spawn")).Pipe()
        server = context.Process(target=serve, args=(far, [1]), daemon=True)
        server.start()
        url = f"http://127.0.0.1:{near.recv()[0]}/users"
        small = {} if alone else {"requests of 75 rows, no results": timed(requests_of_75, url, file)}
        server.terminate()
        unlimited = ("--calls-per-minute", "0")
        with deployment(folder, PARAMETERS, simulator_options=unlimited) as deployed:
            target, engine = (process.pid for process in deployed.processes)
            before = cpu_seconds(engine), cpu_seconds(target)
            steps, whole = import_file(deployed, file)
            after = cpu_seconds(engine), cpu_seconds(target)
            took["ours, from the drop to the last result"] = steps.ends["last result"]
            took["ours, to the end of the report"] = whole
            if not alone:
                took["one function with `batch_writer`"] = timed(single_function, deployed, file)
        with run_folder() as other, deployment(other, FAILURES, simulator_options=unlimited) as deployed:
            few, _ = import_file(deployed, file)
            took["ours, with `ProfileResults=failures`"] = few.ends["last result"]
    print(f"\n### {rows:,} rows, {-(-rows // ROWS_IN_BATCH)} batches\n")
    print("| | seconds | rows a second | x naive |\n|---|---|---|---|")
    splitting = next(iter(took.values()))
    for name, seconds in (took | small).items():
        print(f"| {name} | {seconds:.1f} | {rows / seconds:,.0f} | {seconds / splitting:.1f} |")
    print("\n| Step of ours | ended after |\n|---|---|")
    for name, seconds in steps.ends.items():
        print(f"| {name} | {seconds:.1f} s |")
    (engine_own, functions), (target_own, _) = (
        tuple(late - early for early, late in zip(*pair, strict=True))
        for pair in zip(before, after, strict=True)
    )
    print("\n| CPU seconds of | |\n|---|---|")
    for name, seconds in {"the engine": engine_own, "the functions": functions, "Target": target_own}.items():
        print(f"| {name} | {seconds:.1f} |")


def main() -> int:
    """Measure imports of each size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, action="append", help="default: 1,000,000 and 5,000,000")
    parser.add_argument("--alone", action="store_true", help="only ours and naive")
    options = parser.parse_args()
    os.environ.update(CLIENT_ENVIRONMENT)
    for rows in options.rows or [1_000_000, 5_000_000]:
        measure(rows, alone=options.alone)
    return 0


if __name__ == "__main__":
    sys.exit(main())
