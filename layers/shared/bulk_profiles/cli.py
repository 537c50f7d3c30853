"""The command line: `bulk-profiles plan FILE` says what an import of a file would do."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from .cutting import Limits
from .errors import FeedError
from .feeds import Feed
from .lint import Reject, Warn
from .models import KeyColumn
from .plan import LocalFile, Plan, make_plan

_REJECTED, _WRONG_USE = 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; gives 0, 1 for a rejected file, 2 for wrong use."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        source = LocalFile.of(options.file)
        feed = _feed(options.feed, options.key_column)
        with _progress(source.name) as progress:
            plan = make_plan(
                source,
                feed,
                Limits(options.max_batch_rows, options.max_batch_bytes, options.max_batches),
                rows_a_day=options.rows_a_day,
                folder=options.out,
                progress=progress,
            )
    except (OSError, FeedError, ValueError) as error:
        print(f"bulk-profiles plan: {error}", file=sys.stderr)
        return _WRONG_USE
    if options.json:
        print(json.dumps(plan.to_json(), indent=2))
    else:
        _print(plan)
    return 0 if plan.split else _REJECTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bulk-profiles", description="Profiles for Adobe Target, in bulk.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    plan = commands.add_parser(
        "plan",
        help="say what an import of a file would do",
        description="Say what an import of a file would do, without sending anything.",
    )
    limits = Limits()
    plan.add_argument("file", type=Path, metavar="FILE", help="CSV, JSON Lines, Parquet or a batch= file")
    plan.add_argument("--out", type=Path, metavar="DIR", help="write the manifest, batches and rejects there")
    plan.add_argument("--feed", type=Path, metavar="FEED.JSON", help="the feed's configuration")
    plan.add_argument("--key-column", metavar="NAME", help="the column of the file that has the ids")
    plan.add_argument("--max-batch-rows", type=_positive, default=limits.max_batch_rows, metavar="N")
    plan.add_argument("--max-batch-bytes", type=_positive, default=limits.max_batch_bytes, metavar="N")
    plan.add_argument("--max-batches", type=_positive, default=limits.max_batches, metavar="N")
    plan.add_argument(
        "--rows-a-day", type=int, default=1_000_000, metavar="N", help="the budget; 0 for none (1000000)"
    )
    plan.add_argument("--json", action="store_true", help="print the plan as JSON")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def _feed(path: Path | None, key_column: str | None) -> Feed:
    feed = Feed.from_json(json.loads(path.read_bytes())) if path else Feed()
    if key_column:
        kind = KeyColumn(key_column) if key_column in list(KeyColumn) else feed.key_column
        mapping = dataclasses.replace(feed.mapping, key=key_column)
        feed = dataclasses.replace(feed, key_column=kind, mapping=mapping)
    return feed


@contextmanager
def _progress(name: str) -> Iterator[Callable[[int, int], None] | None]:
    """Show a progress bar on a terminal, and nothing in a pipe."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console  # noqa: PLC0415 only a terminal needs it
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=None)
        yield lambda done, size: bar.update(task, completed=done, total=size)


def _print(plan: Plan) -> None:
    if not plan.split:
        print(f"{plan.file} would be rejected: {plan.reason}")
        return
    result = plan.split
    rows = result.rows
    print(f"{plan.file}: {plan.size:,} bytes, key column {result.key_column}")
    print(
        f"rows     {rows.read:,} read = {rows.sent:,} sent + {rows.merged:,} merged into them "
        f"+ {rows.skipped:,} without values + {rows.rejected:,} rejected"
    )
    for code, count in result.rejects.items():
        lines = ", ".join(map(str, result.examples[code]))
        more = ", ..." if count > len(result.examples[code]) else ""
        print(f"reject   {code}: {count:,} (line {lines}{more}). {Reject(code).help}")
    for code, count in result.warnings.items():
        print(f"warning  {code}: {count:,}. {Warn(code).help}")
    for batch in result.batches:
        print(
            f"batch    {batch.number:05d}: {batch.rows:,} rows, {batch.size:,} bytes, sha256 {batch.sha256}"
        )
    print(f"calls    {plan.calls:,} at least: a submission and a status check for each batch")
    budget = f"with {plan.rows_a_day:,} rows a day" if plan.rows_a_day else "without a limit of rows a day"
    print(f"days     {plan.days:,} {budget}")
    print(f"cost     about ${plan.cost['total']:.2f} at AWS")


if __name__ == "__main__":
    sys.exit(main())
