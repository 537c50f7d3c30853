"""What a person gets of a local run: its progress, a table at its end, and copies of the results."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Table

from bulk_profiles.accounting.account import account
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
    told = account(summary)
    table = Table(title=f"{told.import_id}: {told.status_line}", title_justify="left", min_width=60)
    table.add_column("What became of every row")
    table.add_column("Rows", justify="right")
    for line in told.lines:
        label = f"  {line.label}" if line.detail else line.label
        table.add_row(label, f"{line.count:,}", end_section=line.kind in _SECTION_ENDS and not line.detail)
        if line.kind == "rejected":
            for reject in told.rejects:
                table.add_row(f"  {reject.code}", f"{reject.count:,}")
    table.add_row("Batches", f"{told.batches:,}")
    table.add_row("Submissions", f"{sum(batch['submissions'] for batch in summary['batches']):,}")
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


_SECTION_ENDS = frozenset({"read", "sent", "notSent", "unaccounted"})  # kinds of lines


def _bar(snapshot: Snapshot) -> str:
    total = snapshot.batches.total()
    length = _BAR * snapshot.settled // total if total else 0
    return f"[green]{'━' * length}[/green][dim]{'━' * (_BAR - length)}[/dim]"
