"""`bulk-profiles forget`: every copy of one person that the stack keeps is removed."""

from __future__ import annotations

import click

from bulk_profiles.cli.forgetting import Trace, find_traces, forget_import, forget_results
from bulk_profiles.cli.options import (
    INCOMPLETE,
    as_json,
    confirmed,
    id_argument,
    of_stack,
    print_json,
    unasked,
)
from bulk_profiles.cli.stack import Stack
from bulk_profiles.core.text import printable_name, quantity

_TARGET = (
    "Target itself keeps the profile until it expires (14 days without activity, unless set otherwise): the "
    "Bulk Profile Update API cannot delete it. Use Adobe's Privacy Service for that."
)
_GOES = """\
Of each import marked ✗:
  deleted for good  the dropped file, its batches and the rows to mend (rejected-rows, failed-rows), whole
                    and with all versions, also those below results/
  kept              the results (profiles/*.csv.gz), without the id; manifest.json and verification.json,
                    which hold no ids; summary.json and report.html, which then name no file that is gone
  then              nothing of it can be sent again. Fetch rows to mend that are still needed before, with
                    bulk-profiles results IMPORT --out DIR, and take the person out of them"""


@click.command("forget", short_help="Remove every copy of one person.")
@id_argument
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@unasked
@of_stack
@as_json
def forget_command(profile_id: str, stack_name: str, *, dry_run: bool, yes: bool, as_json: bool) -> int:
    """Remove every copy of one person that the stack keeps. ID is the thirdPartyId or pcId.

    All dropped files and results are searched. Results keep their line, without the id. Of an import with
    the person, every other file that holds customers is deleted as a whole, with all versions: nothing of it
    can be sent again. The exit code is 1 where something is left: of an import that is under way,
    in a file that could not be read, or because the answer was no.
    """
    stack = Stack.of(stack_name)
    traces = [trace for trace in find_traces(stack, profile_id) if trace.found or trace.unread]
    found = [trace for trace in traces if trace.found]
    left = [trace for trace in traces if trace.unread or (trace.found and trace.under_way)]
    if not as_json:
        _say(traces)
        _say_what_goes(traces)
    items = len(stack.results_of(profile_id))
    doomed = [trace for trace in found if not trace.under_way]
    forgotten = not dry_run and bool(doomed or items)
    if forgotten and not yes:
        forgotten = confirmed("Remove them?")
    erased = sum(forget_import(stack, trace, profile_id) for trace in doomed) if forgotten else 0
    if forgotten:
        forget_results(stack, profile_id)
    if as_json:
        print_json(
            {
                "imports": [trace.to_json() for trace in traces],
                "profileItems": items,
                "erased": erased,
                "forgotten": forgotten,
            }
        )
    else:
        does = "removed" if forgotten else "to remove"
        click.echo(f"{quantity(items, 'item')} of the Profiles table and {_imports(doomed)} {does}.")
        if left:
            click.echo("Something is left, marked ● or ! above. Then give this command again.")
        click.echo(_TARGET)
    declined = not dry_run and not forgotten and bool(doomed or items)
    return INCOMPLETE if left or declined else 0


def _say_what_goes(traces: list[Trace]) -> None:
    """Say what is deleted of the imports with the person, what is kept, and what comes of it."""
    if any(trace.found and not trace.under_way for trace in traces):
        click.echo(_GOES)


def _say(traces: list[Trace]) -> None:
    for trace in traces:
        entry = trace.entry
        file = f"s3://{entry.source.bucket}/{printable_name(entry.source.key)}"
        if trace.unread:
            click.echo(f"! {entry.import_id}: {file} is not searched: {trace.unread}")
        if not trace.found:
            continue
        places = [file] if trace.in_file else []
        places += [*trace.results, *trace.rows, *trace.batches]
        state = ", under way: stop it, or wait" if trace.under_way else ""
        click.echo(f"{'●' if trace.under_way else '✗'} {entry.import_id}: {', '.join(places)}{state}")


def _imports(traces: list[Trace]) -> str:
    return f"the files of {quantity(len(traces), 'import')}"
