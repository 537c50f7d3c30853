"""What a person gets of a local run: its progress, a table at its end, and copies of the results."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Table

from bulk_profiles.accounting.split_verdict import status_line
from bulk_profiles.core.names import SCRATCH, batch_name, import_prefix
from local.imports import Import, Json, Snapshot

_MAX_BODIES = 50_000_000  # bytes of all batches; larger ones are not copied
_BAR = 30  # characters


@contextlib.contextmanager
def progress(console: Console) -> Iterator[Callable[[Snapshot], None]]:
    """Yield a function that shows a snapshot: in place on a terminal, else one plain line at each change."""
    start = time.monotonic()

    def line(snapshot: Snapshot) -> str:
        return f"{time.monotonic() - start:6.1f} s  {snapshot.line()}"

    if console.is_terminal:
        with Live(console=console, refresh_per_second=5) as live:
            yield lambda snapshot: live.update(
                f"{_bar(snapshot)} {snapshot.results:,} profile results\n{line(snapshot)}"
            )
    else:
        last = ""

        def show(snapshot: Snapshot) -> None:
            nonlocal last
            if snapshot.line() != last:
                last = snapshot.line()
                console.print(line(snapshot), highlight=False, soft_wrap=True)

        yield show


def outcome(summary: Json) -> Table:
    """Return the table of what became of every row; it fits in 80 columns."""
    status = status_line(summary["status"], summary["rows"]["rejected"])
    table = Table(title=f"{summary['importId']}: {status}", title_justify="left", min_width=60)
    table.add_column("What became of every row")
    table.add_column("Rows", justify="right")
    for name, count in _lines(summary):
        table.add_row(name, f"{count:,}", end_section=name in _SECTION_ENDS)
    return table


def copy_results(import_: Import, out: Path) -> tuple[Path, bool]:
    """Copy an import's objects to `out/<import_id>/`; return the folder and whether the bodies are in it."""
    s3, bucket = import_.deployment.engine.s3, import_.deployment.outputs["DataBucketName"]
    prefix = import_prefix(import_.import_id)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    sizes = {item["Key"]: item["Size"] for page in pages for item in page.get("Contents", [])}
    bodies = {key for key in sizes if key.startswith(prefix + Path(batch_name(1)).parent.name + "/")}
    with_bodies = sum(sizes[key] for key in bodies) <= _MAX_BODIES
    folder = out / import_.import_id
    scratch = {key for key in sizes if key.startswith(prefix + SCRATCH)}
    for key in sizes.keys() - scratch - (set() if with_bodies else bodies):
        path = folder / key.removeprefix(prefix)
        path.parent.mkdir(parents=True, exist_ok=True)
        s3.download_file(bucket, key, str(path))
    return folder, with_bodies


_SECTION_ENDS = frozenset({"Read", "Sent to Target", "Not sent", "Unaccounted"})


def _lines(summary: Json) -> Iterator[tuple[str, int]]:
    rows, profiles = summary["rows"], summary["profiles"]
    yield "Read", rows["read"]
    for code, count in summary["rejects"].items():
        yield f"Rejected: {code}", count
    yield "Merged into another row of the same id", rows["merged"]
    yield "Skipped: no values", rows["skipped"]
    yield "Sent to Target", rows["sent"]
    yield "Success", profiles["success"]
    yield "  named by Target", summary["bases"]["reported"]
    yield "  implied by a complete batch", summary["bases"]["implied"]
    yield "Error", profiles["error"]
    yield "Pending", profiles["pending"]
    yield "Unknown", profiles["unknown"]
    yield "Not sent", profiles["notSent"]
    yield "Unaccounted", summary["unaccounted"]
    yield "Batches", len(summary["batches"])
    yield "Submissions", sum(batch["submissions"] for batch in summary["batches"])


def _bar(snapshot: Snapshot) -> str:
    total = snapshot.batches.total()
    length = _BAR * snapshot.settled // total if total else 0
    return f"[green]{'━' * length}[/green][dim]{'━' * (_BAR - length)}[/dim]"
