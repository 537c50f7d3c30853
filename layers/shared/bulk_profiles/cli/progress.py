"""A progress bar for people."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_REFRESH_SECONDS = 0.1


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[int, int], None] | None]:
    """Show a bar on a terminal, and nothing in a pipe.

    Yields a function that takes the bytes read and the bytes in all, or None where nothing is shown.
    """
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console  # noqa: PLC0415 only a terminal needs it
    from rich.markup import escape  # noqa: PLC0415
    from rich.progress import Progress  # noqa: PLC0415

    # Without a thread of its own: a process that has one is not safely forked.
    with Progress(console=Console(stderr=True), transient=True, auto_refresh=False) as bar:
        task, shown_at = bar.add_task(escape(title), total=None), 0.0

        def show(read: int, size: int) -> None:
            nonlocal shown_at
            now = time.monotonic()
            if now - shown_at >= _REFRESH_SECONDS:
                shown_at = now
                bar.update(task, completed=read, total=size, refresh=True)

        yield show
