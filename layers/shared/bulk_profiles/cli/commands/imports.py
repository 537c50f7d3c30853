"""`bulk-profiles list`, `show`, `watch` and `find`: where the imports of a stack stand."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from bulk_profiles.cli.options import (
    INCOMPLETE,
    POSITIVE,
    as_json,
    id_argument,
    import_argument,
    of_stack,
    print_json,
    width,
)
from bulk_profiles.cli.overview import render_import, render_list, render_results
from bulk_profiles.cli.stack import Stack
from bulk_profiles.cli.watching import exit_status, watch


@click.command("list", short_help="List imports, the newest first.")
@click.option("--feed", metavar="NAME", help="Only those of a feed.")
@click.option("--limit", type=POSITIVE, metavar="N", default=20, show_default=True, help="At most so many.")
@of_stack
@as_json
def list_command(feed: str | None, limit: int, stack_name: str, *, as_json: bool) -> None:
    """List the imports of a stack, the newest first, and say why those wait that do."""
    stack = Stack.of(stack_name)
    overviews = stack.newest(limit, feed)
    if as_json:
        print_json([overview.to_json() for overview in overviews])
    else:
        click.echo(render_list(overviews, datetime.now(UTC), width(), feed))


@click.command("show", short_help="Show where an import stands.")
@import_argument
@of_stack
@as_json
def show_command(import_id: str, stack_name: str, *, as_json: bool) -> None:
    """Show where IMPORT stands, and why its batches wait.

    IMPORT is its name, as `bulk-profiles list` shows it.
    """
    stack = Stack.of(stack_name)
    overview = stack.overview(import_id)
    if as_json:
        print_json(overview.to_json())
    else:
        click.echo(render_import(overview, stack.outputs, datetime.now(UTC), width()))


@click.command("watch", short_help="Follow an import to its end.")
@import_argument
@click.option("--compact", is_flag=True, help="Print a line for each change; the default in a pipe.")
@click.option("--exit-status", "as_status", is_flag=True, help="Exit with 1 unless the import has succeeded.")
@click.option(
    "--interval",
    type=click.IntRange(1, 3_600),
    metavar="N",
    default=5,
    show_default=True,
    help="Seconds between looks.",
)
@of_stack
@as_json
def watch_command(
    import_id: str, stack_name: str, *, compact: bool, as_status: bool, interval: int, as_json: bool
) -> int:
    """Follow IMPORT until every batch has ended, and say what it waits for.

    Ctrl-C stops watching, not the import. With --json, prints a line of JSON for each change.
    """
    overview = watch(Stack.of(stack_name), import_id, interval, compact=compact, as_json=as_json)
    return exit_status(overview) if as_status else 0


@click.command("find", short_help="Find what became of one profile.")
@id_argument
@of_stack
@as_json
def find_command(profile_id: str, stack_name: str, *, as_json: bool) -> int:
    """Show what became of one profile in all imports, on whose word, the newest first.

    ID is its thirdPartyId or pcId. The exit code is 1 where there is no result of it.
    """
    results = Stack.of(stack_name).results_of(profile_id)
    if as_json:
        print_json(results)
    else:
        click.echo(render_results(profile_id, results))
    return 0 if results else INCOMPLETE
