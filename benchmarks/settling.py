"""One batch from Target's answer to the last item: `python -m benchmarks.settling [--profiles N]`.

Target names every profile, in its plainest form; then the same with a line break in one profile of two,
which only the parser reads. Printed are the CPU seconds of each step, on one processor, and the memory that
they add to that of an idle process. The items go to a sink on this machine (see `recording`), the results
file to a file.
"""

from __future__ import annotations

import argparse
import itertools
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from bulk_profiles.accounting.profile_results import write_results
from bulk_profiles.core.models import ProfileResult
from bulk_profiles.target.answers import read_status
from bulk_profiles.target.verdict import settle

from .recording import ENVIRONMENT, NOW, put_items, serve

PIECE = 64 * 1024
FORMS = ("plain", "by the parser")


def ids(count: int) -> Iterator[str]:
    return (f"customer-{number:09d}" for number in range(count))


def answer(count: int, form: str) -> Iterator[bytes]:
    """Yield Target's answer in pieces, so that it is never in memory as a whole."""
    rest = b"<response><batchId>demo-1</batchId><status>complete</status>"
    spaces = ("", "") if form == "plain" else ("", "\n")
    for profile, space in zip(ids(count), itertools.cycle(spaces), strict=False):
        rest += f"<profile>{space}<id>{profile}</id><status>success</status></profile>".encode()
        if len(rest) >= PIECE:
            yield rest
            rest = b""
    yield rest + b"</response>"


class LocalStorage:
    """A file in place of the Data bucket."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def sink(self, _key: str) -> Any:
        stream = (self._folder / "results").open("wb")
        stream.commit = stream.close  # type: ignore[attr-defined]
        return stream


def measure(pipe: Connection, form: str, count: int, url: str) -> None:
    """Send the CPU seconds of each step and the MiB that were added."""
    steps = {}
    with tempfile.TemporaryDirectory() as place:
        for profiles in (100, count):  # first a small one: what a function has at hand before
            pieces = list(answer(profiles, form)) if profiles < PIECE else None
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            started = time.process_time()
            for _ in answer(profiles, form):
                pass
            making = time.process_time() - started
            started = time.process_time()
            status = read_status(pieces or answer(profiles, form), 10**9)
            steps["reading"] = time.process_time() - started - (0 if pieces else making)
            started = time.process_time()
            verdict = settle(status, ids(profiles), rows=profiles, overdue=False)
            steps["settle"] = time.process_time() - started
            if verdict is None:
                raise RuntimeError("the batch is not settled")
            started = time.process_time()
            storage: Any = LocalStorage(Path(place))
            write_results(storage, "results", 1, map(verdict.result_of, ids(profiles)), now=NOW)
            steps["results file"] = time.process_time() - started
            started = time.process_time()
            results: Iterator[ProfileResult] = map(verdict.result_of, ids(profiles))
            put_items(url, results, profiles)
            steps["table"] = time.process_time() - started
    added = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    pipe.send((steps, added))


def main() -> int:
    """Measure both forms and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profiles", type=int, default=500_000)
    options = parser.parse_args()
    os.environ |= ENVIRONMENT
    near, far = (context := get_context("spawn")).Pipe()
    sink = context.Process(target=serve, args=(far,), daemon=True)
    sink.start()
    url = f"http://127.0.0.1:{near.recv()}"
    figures = {}
    for form in FORMS:
        process = context.Process(target=measure, args=(far, form, options.profiles, url))
        process.start()
        figures[form] = near.recv()
        process.join()
    sink.terminate()
    names = [*figures[FORMS[0]][0]]
    print(f"| answer | {' | '.join(names)} | all, CPU s | MiB over idle |\n|---|{'---|' * (len(names) + 2)}")
    for form, (steps, added) in figures.items():
        seconds = " | ".join(f"{steps[name]:.2f}" for name in names)
        print(f"| {form} | {seconds} | {sum(steps.values()):.1f} | {added:.0f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
