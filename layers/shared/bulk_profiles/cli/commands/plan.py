"""`bulk-profiles plan`: what an import of a file would do."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import Any

import click

from bulk_profiles.accounting.split_verdict import DEFAULT_MAX_REJECTED_PERCENT
from bulk_profiles.cli.local_files import LocalFile, UsageError, standard_input
from bulk_profiles.cli.options import INCOMPLETE, NOT_NEGATIVE, POSITIVE, as_json, print_json, width
from bulk_profiles.cli.plan import make_plan
from bulk_profiles.cli.plan_text import render_plan
from bulk_profiles.cli.progress import progress_bar
from bulk_profiles.core.feeds import Feed, Quoting, ShortRows, plain_name
from bulk_profiles.core.models import ImportStatus, KeyColumn
from bulk_profiles.core.text import printable_name
from bulk_profiles.splitting.batches.cutter import Limits

_LIMITS = Limits()
_STANDARD_INPUT = Path("-")


def _words(words: type[StrEnum]) -> str:
    return "|".join(words)


# Options that stand for fields of the feed, by the names of these. `Feed` checks what they say.
_FEED_OPTIONS = {
    "delimiter": click.option(
        "--delimiter", metavar="CHARACTER", help="Comma, semicolon, tab, pipe or another character."
    ),
    "encoding": click.option("--encoding", metavar="NAME", help="The encoding of the text, such as cp1252."),
    "quoting": click.option("--quoting", metavar=_words(Quoting), help="Whether quotes enclose values."),
    "shortRows": click.option(
        "--short-rows",
        "shortRows",
        metavar=_words(ShortRows),
        help="What becomes of rows with fewer cells than the header (reject).",
    ),
    "nullValues": click.option(
        "--null-value",
        "nullValues",
        multiple=True,
        metavar="TEXT",
        help="A cell that says so is empty; may be given several times.",
    ),
    "maxRejectedPercent": click.option(
        "--max-rejected-percent",
        "maxRejectedPercent",
        type=NOT_NEGATIVE,
        metavar="N",
        help="Rejected rows of a hundred above which the import is partial "
        f"({DEFAULT_MAX_REJECTED_PERCENT}).",
    ),
}


def _feed_options[Command: Callable[..., Any]](command: Command) -> Command:
    for option in reversed(_FEED_OPTIONS.values()):
        command = option(command)
    return command


@click.command("plan", short_help="Say what an import of a file would do.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write the manifest, batches and rejects there.",
)
@click.option(
    "--feed",
    "feed_file",
    type=click.Path(path_type=Path),
    metavar="FEED.JSON",
    help="The feed's configuration.",
)
@click.option("--key-column", metavar="NAME", help="The column of the file that has the ids.")
@_feed_options
@click.option(
    "--max-batch-rows",
    type=POSITIVE,
    metavar="N",
    default=_LIMITS.max_batch_rows,
    show_default=True,
    help="Rows in a batch; the default is Target's limit.",
)
@click.option(
    "--max-batch-bytes",
    type=POSITIVE,
    metavar="N",
    default=_LIMITS.max_batch_bytes,
    show_default=True,
    help="Bytes of an encoded batch; Target wants less than 50 MB.",
)
@click.option(
    "--max-batches",
    type=POSITIVE,
    metavar="N",
    default=_LIMITS.max_batches,
    show_default=True,
    help="Batches of a file.",
)
@click.option(
    "--rows-a-day", type=NOT_NEGATIVE, metavar="N", default=0, help="The budget of rows a day (0: no limit)."
)
@click.option(
    "--retention-days",
    type=POSITIVE,
    metavar="N",
    default=30,
    show_default=True,
    help="The days for which batches are kept, in which an import must end.",
)
@click.option(
    "--processes",
    type=POSITIVE,
    metavar="N",
    help="Processes that share the work (from 64 MiB on one for each processor, four at most; else 1).",
)
@as_json
def plan_command(
    *,
    file: Path,
    out: Path | None,
    feed_file: Path | None,
    key_column: str | None,
    max_batch_rows: int,
    max_batch_bytes: int,
    max_batches: int,
    rows_a_day: int,
    retention_days: int,
    processes: int | None,
    as_json: bool,
    **fields: Any,
) -> int:
    """Say what an import of FILE would do, without sending anything.

    FILE is CSV, JSON Lines, Parquet or a batch= file; - is the standard input.
    The exit code is 0 if the import would end as succeeded, provided that Target takes every row; 1 if it
    would end as partial or rejected; 2 for wrong use.
    """
    with ExitStack() as stack:
        source = stack.enter_context(standard_input()) if file == _STANDARD_INPUT else LocalFile.of(file)
        feed = _feed(feed_file, key_column, fields)
        with progress_bar(printable_name(source.name)) as progress:
            plan = make_plan(
                source,
                feed,
                Limits(max_batch_rows, max_batch_bytes, max_batches),
                rows_a_day=rows_a_day,
                retention_days=retention_days,
                folder=out,
                progress=progress,
                processes=processes,
            )
    if as_json:
        print_json(plan.to_json())
    else:
        click.echo(render_plan(plan, out, width()))
    return 0 if plan.verdict.status is ImportStatus.SUCCEEDED else INCOMPLETE


def _feed(path: Path | None, key_column: str | None, given: dict[str, Any]) -> Feed:
    """Return the feed of a file, in which the options take the place of its fields.

    Raises `UsageError` where it is not JSON, and `FeedError`.
    """
    fields: object = {}
    if path:
        try:
            fields = json.loads(path.read_bytes())
        except ValueError as error:
            raise UsageError(f"{path} is not JSON: {error}.") from error
        except RecursionError as error:
            raise UsageError(f"{path} is nested too deep.") from error
    if isinstance(fields, dict):
        given = given | {"nullValues": [*given["nullValues"]] or None}
        fields = fields | {name: value for name, value in given.items() if value is not None}
    feed = Feed.from_json(fields)
    if key_column:
        kind = KeyColumn(key_column) if key_column in list(KeyColumn) else feed.key_column
        mapping = dataclasses.replace(feed.mapping, key=plain_name(key_column))
        feed = dataclasses.replace(feed, key_column=kind, mapping=mapping)
    return feed
