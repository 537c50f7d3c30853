"""Follow an import from the command line: a bar on a terminal, a line for each change elsewhere."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import click
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bulk_profiles.core.models import ImportStatus
from bulk_profiles.core.text import quantity

from .local_files import UsageError
from .options import INCOMPLETE, width
from .overview import Overview, render_import
from .stack import Stack

_BAR = 32  # columns
_PATIENCE = 300.0  # seconds from the drop of a file to the entry of its import


def watch(
    stack: Stack,
    import_id: str,
    interval: float,
    *,
    expected: bool = False,
    compact: bool = False,
    as_json: bool = False,
) -> Overview:
    """Show an import until all of its batches have ended; return how it ended.

    Raises `UsageError` where there is no import of this name; if one is `expected`, because its file was
    dropped just now, after some minutes without it.
    """
    looks = _looks(stack, import_id, interval, _PATIENCE if expected else 0)
    by_line = as_json or compact or not sys.stdout.isatty()
    last = _lines(looks, as_json=as_json) if by_line else _bar(looks)
    if not as_json:
        click.echo(render_import(last, stack.outputs, datetime.now(UTC), width()))
    return last


def exit_status(overview: Overview) -> int:
    """Return 0 for an import that has succeeded, and else 1."""
    return 0 if overview.entry.status is ImportStatus.SUCCEEDED else INCOMPLETE


def _looks(stack: Stack, import_id: str, interval: float, patience: float) -> Iterator[Overview]:
    """Yield where the import stands, until it has ended."""
    give_up_at = time.monotonic() + patience
    while True:
        try:
            overview = stack.overview(import_id)
        except UsageError:
            if time.monotonic() >= give_up_at:
                raise
        else:
            give_up_at = 0.0
            yield overview
            if overview.entry.status.final:
                return
        time.sleep(interval)


def _lines(looks: Iterator[Overview], *, as_json: bool) -> Overview:
    shown = ""
    for overview in looks:
        line = json.dumps(overview.to_json()) if as_json else progress_line(overview)
        if line != shown:
            now = "" if as_json else f"{datetime.now(UTC):%H:%M:%S} "
            click.echo(f"{now}{line}")
            sys.stdout.flush()
            shown = line
    return overview


def _bar(looks: Iterator[Overview]) -> Overview:
    with Live(console=Console(), transient=True, auto_refresh=False) as live:
        for overview in looks:
            live.update(_drawn(overview), refresh=True)
    return overview


def _drawn(overview: Overview) -> Group:
    line = Table.grid(padding=(0, 1))
    done = sum(batch.rows for batch in overview.batches if batch.settled)
    rows = overview.rows
    line.add_row(
        Text(f"{overview.mark} {overview.settled:,} of {len(overview.batches):,} batches"),
        ProgressBar(total=rows or None, completed=done, width=_BAR, pulse=not rows),
        Text(f"{done:,} of {rows:,} profiles" if rows else "the file is being split"),
    )
    notes = [Text(f"  waits: {waiting.text}") for waiting in overview.waiting]
    if failed := overview.failed:
        notes.append(Text(f"  {failed:,} failed so far"))
    return Group(line, *notes, Text("  Ctrl-C stops watching, not the import.", style="dim"))


def progress_line(overview: Overview) -> str:
    """Return where an import stands as one line."""
    if not overview.batches:
        return f"{overview.status}: {overview.note}" if overview.note else overview.status
    parts = [f"{overview.status}: {overview.settled:,} of {len(overview.batches):,} batches settled"]
    if failed := overview.failed:
        parts.append(f"{quantity(failed, 'profile')} failed")
    parts += [f"waits: {waiting.text}" for waiting in overview.waiting]
    return "; ".join(parts)
