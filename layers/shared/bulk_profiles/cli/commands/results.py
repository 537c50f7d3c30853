"""`bulk-profiles results`: what an import left for people, in a folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click

from bulk_profiles.accounting.failed_rows import write_failed_rows
from bulk_profiles.cli.local_files import UsageError
from bulk_profiles.cli.options import as_json, import_argument, of_stack, print_json
from bulk_profiles.cli.stack import Stack
from bulk_profiles.core.errors import MissingObjectError
from bulk_profiles.core.names import FAILED_ROWS, REJECTED_ROWS, REPORT, ROWS_SUFFIXES, SUMMARY, object_key
from bulk_profiles.splitting.files import Folder

_PIECE = 1024 * 1024


@click.command("results", short_help="Fetch report, failed rows and rejected rows of an import.")
@import_argument
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    required=True,
    help="The folder for them.",
)
@of_stack
@as_json
def results_command(import_id: str, out: Path, stack_name: str, *, as_json: bool) -> None:
    """Fetch report.html, summary.json and the rows to mend of IMPORT, which has ended.

    Where the import could not make the file of its failed rows, it is made here, from the dropped file.
    Files of these names that are in DIR are replaced, or removed where this import has no such rows.
    """
    written = [*_fetch(Stack.of(stack_name), import_id, Folder(out))]
    for name in _absent(out):  # of another import, or of this one before its rows were sent again
        if name not in written and (out / name).exists():
            (out / name).unlink()
            click.echo(f"Removed {out / name}: import {import_id} has no such rows.", err=True)
    if as_json:
        print_json([str(out / name) for name in written])
    else:
        click.echo("\n".join(str(out / name) for name in written))


def _absent(out: Path) -> list[str]:
    """Return the names of the files of rows that an import does not have, by the summary in its folder."""
    summary = json.loads((out / SUMMARY).read_bytes())
    kinds = []
    if summary.get("rejectedRows") == "":
        kinds.append(REJECTED_ROWS)
    # Failed rows that could not be fetched or made are perhaps only in the folder.
    if summary["profiles"]["success"] == sum(summary["profiles"].values()):
        kinds.append(FAILED_ROWS)
    return [kind + suffix for kind in kinds for suffix in ROWS_SUFFIXES]


def _fetch(stack: Stack, import_id: str, folder: Folder) -> Iterator[str]:
    """Write the files and yield their names."""
    entry = stack.entry(import_id)
    summary = stack.storage.read_json(object_key(import_id, SUMMARY))
    if summary is None:
        raise UsageError(f"Import {import_id} has not ended yet: there are no results.")
    rejected = summary.get("rejectedRows", f"{REJECTED_ROWS}.csv")  # release 0.1.0 did not write it down
    failed = summary["failedRows"]["file"] if "failedRows" in summary else ""
    for name in filter(None, (REPORT, SUMMARY, rejected, failed)):
        try:
            _copy(stack, object_key(import_id, name), folder, name)
        except MissingObjectError:
            continue
        yield name
    profiles = summary["profiles"]
    if not failed and profiles["success"] < sum(profiles.values()):
        made = write_failed_rows(entry, stack.ledger.batches(import_id), stack.storage, folder)
        if made.file:
            yield made.file


def _copy(stack: Stack, key: str, folder: Folder, name: str) -> None:
    with stack.storage.open(key) as stream:
        sink = folder.create(name)
        while piece := stream.read(_PIECE):
            sink.write(piece)
        sink.commit()
