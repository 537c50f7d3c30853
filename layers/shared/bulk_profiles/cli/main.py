"""The command line: what an import of a file would do, and where the imports of a stack stand."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shutil
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from bulk_profiles.accounting.split_verdict import DEFAULT_MAX_REJECTED_PERCENT
from bulk_profiles.core.errors import BulkProfilesError
from bulk_profiles.core.feeds import Feed, Quoting, ShortRows, plain_name
from bulk_profiles.core.models import ImportStatus, KeyColumn
from bulk_profiles.splitting.batches.cutter import Limits

from .local_files import LocalFile, UsageError
from .plan import make_plan
from .plan_text import render_plan, visible
from .progress import progress_bar

_INCOMPLETE, _WRONG_USE, _INTERRUPTED = 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0 for `succeeded`, 1 for `partial` and `rejected`, 2 for wrong use."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a file may have any name
    options = _parser().parse_args(arguments)
    try:
        status = int(options.run(options))
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of the output has closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _WRONG_USE
    except OSError as error:
        return _fail(options, f"{error.filename}: {error.strerror}." if error.filename else str(error))
    except BulkProfilesError as error:
        return _fail(options, str(error))
    except KeyboardInterrupt:
        return _fail(options, "interrupted", _INTERRUPTED)
    return status


def _fail(options: argparse.Namespace, message: str, status: int = _WRONG_USE) -> int:
    print(f"bulk-profiles {options.command}: {message}", file=sys.stderr)
    return status


def _list(options: argparse.Namespace) -> int:
    from .overview import render_list  # noqa: PLC0415 a plan needs no AWS
    from .stack import Stack  # noqa: PLC0415

    overviews = Stack.of(options.stack).newest(options.limit, options.feed)
    if options.json:
        print(json.dumps([overview.to_json() for overview in overviews], indent=2))
    else:
        print(render_list(overviews, datetime.now(UTC), _width()))
    return 0


def _show(options: argparse.Namespace) -> int:
    from .overview import render_import  # noqa: PLC0415 a plan needs no AWS
    from .stack import Stack  # noqa: PLC0415

    stack = Stack.of(options.stack)
    overview = stack.overview(options.import_id)
    if options.json:
        print(json.dumps(overview.to_json(), indent=2))
    else:
        print(render_import(overview, stack.outputs, datetime.now(UTC)))
    return 0


def _find(options: argparse.Namespace) -> int:
    from .overview import render_results  # noqa: PLC0415 a plan needs no AWS
    from .stack import Stack  # noqa: PLC0415

    results = Stack.of(options.stack).results_of(options.profile_id)
    print(json.dumps(results, indent=2) if options.json else render_results(options.profile_id, results))
    return 0 if results else _INCOMPLETE


def _width() -> int:
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 0


def _plan(options: argparse.Namespace) -> int:
    source = LocalFile.of(options.file)
    feed = _feed(options)
    with progress_bar(visible(source.name)) as progress:
        plan = make_plan(
            source,
            feed,
            Limits(options.max_batch_rows, options.max_batch_bytes, options.max_batches),
            rows_a_day=options.rows_a_day,
            retention_days=options.retention_days,
            folder=options.out,
            progress=progress,
            processes=options.processes,
        )
    if options.json:
        print(json.dumps(plan.to_json(), indent=2))
    else:
        print(render_plan(plan, options.out, _width()))
    return 0 if plan.verdict.status is ImportStatus.SUCCEEDED else _INCOMPLETE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bulk-profiles", description="Profiles for Adobe Target, in bulk.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    plan = commands.add_parser(
        "plan",
        help="say what an import of a file would do",
        description="Say what an import of a file would do, without sending anything.",
        epilog="Exit code: 0 if the import would end as succeeded, provided that Target takes every row; "
        "1 if it would end as partial or rejected; 2 for wrong use. "
        "Example: bulk-profiles plan customers.csv --out plan",
    )
    limits = Limits()
    plan.add_argument("file", type=Path, metavar="FILE", help="CSV, JSON Lines, Parquet or a batch= file")
    plan.add_argument("--out", type=Path, metavar="DIR", help="write the manifest, batches and rejects there")
    plan.add_argument("--feed", type=Path, metavar="FEED.JSON", help="the feed's configuration")
    plan.add_argument("--key-column", metavar="NAME", help="the column of the file that has the ids")
    _add_feed_options(plan)
    plan.add_argument(
        "--max-batch-rows",
        type=_positive,
        default=limits.max_batch_rows,
        metavar="N",
        help=f"rows in a batch ({limits.max_batch_rows}, which is Target's limit)",
    )
    plan.add_argument(
        "--max-batch-bytes",
        type=_positive,
        default=limits.max_batch_bytes,
        metavar="N",
        help=f"bytes of an encoded batch ({limits.max_batch_bytes}: Target wants less than 50 MB)",
    )
    plan.add_argument(
        "--max-batches",
        type=_positive,
        default=limits.max_batches,
        metavar="N",
        help=f"batches of a file ({limits.max_batches})",
    )
    plan.add_argument(
        "--rows-a-day",
        type=_not_negative,
        default=0,
        metavar="N",
        help="the budget of rows a day (0: no limit)",
    )
    plan.add_argument(
        "--retention-days",
        type=_positive,
        default=30,
        metavar="N",
        help="the days for which batches are kept, in which an import must end (30)",
    )
    plan.add_argument(
        "--processes",
        type=_positive,
        metavar="N",
        help="processes that share the work (from 64 MiB on one for each processor, four at most; else 1)",
    )
    plan.add_argument("--json", action="store_true", help="print the plan as JSON")
    plan.set_defaults(run=_plan)
    _add_stack_commands(commands)
    return parser


def _add_stack_commands(commands: Any) -> None:
    """Add the commands that look at a deployed stack."""
    shown = "Credentials and region are those of the environment, as for the AWS command line."
    several = commands.add_parser(
        "list", help="list imports, the newest first", description=f"List the imports of a stack. {shown}"
    )
    several.add_argument("--feed", metavar="NAME", help="only those of a feed")
    several.add_argument("--limit", type=_positive, default=20, metavar="N", help="at most so many (20)")
    several.set_defaults(run=_list)
    one = commands.add_parser(
        "show",
        help="show where an import stands",
        description=f"Show where an import stands, and why its batches wait. {shown}",
    )
    one.add_argument("import_id", metavar="IMPORT", help="its name, as `list` shows it")
    one.set_defaults(run=_show)
    person = commands.add_parser(
        "find",
        help="find what became of one profile",
        description="Show what became of one profile in all imports, on whose word, the newest first. "
        f"Exit code 1 where there is no result of it. {shown}",
    )
    person.add_argument("profile_id", metavar="ID", help="its thirdPartyId or pcId")
    person.set_defaults(run=_find)
    for command in (several, one, person):
        command.add_argument(
            "--stack",
            metavar="NAME",
            default=os.environ.get("BULK_PROFILES_STACK", "bulk-profiles"),
            help="the stack (BULK_PROFILES_STACK of the environment, or else bulk-profiles)",
        )
        command.add_argument("--json", action="store_true", help="print JSON")


def _add_feed_options(plan: argparse.ArgumentParser) -> None:
    """Add the options that stand for fields of the feed. `Feed` checks what they say."""
    plan.add_argument("--delimiter", metavar="CHARACTER", help="comma, semicolon, tab, pipe or another one")
    plan.add_argument("--encoding", metavar="NAME", help="the encoding of the text, such as cp1252")
    plan.add_argument("--quoting", metavar=_words(Quoting), help="whether quotes enclose values")
    plan.add_argument(
        "--short-rows",
        metavar=_words(ShortRows),
        help="what becomes of rows with fewer cells than the header (reject)",
    )
    plan.add_argument(
        "--null-value",
        action="append",
        metavar="TEXT",
        help="a cell that says so is empty; may be given several times",
    )
    plan.add_argument(
        "--max-rejected-percent",
        type=_not_negative,
        metavar="N",
        help=f"rejected rows of a hundred above which the import is partial ({DEFAULT_MAX_REJECTED_PERCENT})",
    )


def _words(words: type[StrEnum]) -> str:
    return "|".join(words)


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number above 0")
    return int(text)


def _not_negative(text: str) -> int:
    return 0 if text == "0" else _positive(text)


def _feed(options: argparse.Namespace) -> Feed:
    """Return the feed of a file, in which the options take the place of its fields.

    Raises `UsageError` where it is not JSON, and `FeedError`.
    """
    path, key_column = options.feed, options.key_column
    fields: object = {}
    if path:
        try:
            fields = json.loads(path.read_bytes())
        except ValueError as error:
            raise UsageError(f"{path} is not JSON: {error}.") from error
        except RecursionError as error:
            raise UsageError(f"{path} is nested too deep.") from error
    if isinstance(fields, dict):
        given = {
            "encoding": options.encoding,
            "delimiter": options.delimiter,
            "quoting": options.quoting,
            "shortRows": options.short_rows,
            "nullValues": options.null_value,
            "maxRejectedPercent": options.max_rejected_percent,
        }
        fields = fields | {name: value for name, value in given.items() if value is not None}
    feed = Feed.from_json(fields)
    if key_column:
        kind = KeyColumn(key_column) if key_column in list(KeyColumn) else feed.key_column
        mapping = dataclasses.replace(feed.mapping, key=plain_name(key_column))
        feed = dataclasses.replace(feed, key_column=kind, mapping=mapping)
    return feed
