"""The options that several commands share, and how their output is printed."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from typing import Any

import click

from bulk_profiles.core.command_line import DEFAULT_STACK
from bulk_profiles.splitting.rows.row_check import BLANKS

from .local_files import UsageError

POSITIVE = click.IntRange(min=1)
NOT_NEGATIVE = click.IntRange(min=0)
INCOMPLETE = 1  # the exit code where something is not as it should be, or is not there

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
of_stack = click.option(
    "--stack",
    "stack_name",
    metavar="NAME",
    envvar="BULK_PROFILES_STACK",
    default=DEFAULT_STACK,
    show_default=True,
    show_envvar=True,
    help="The stack, found with the credentials and the region of the AWS command line.",
)
import_argument = click.argument("import_id", metavar="IMPORT")
unasked = click.option("--yes", is_flag=True, help="Do not ask.")


def _trimmed(_ctx: click.Context, _parameter: click.Parameter, profile_id: str) -> str:
    """Return an id as an import sends it. An empty one, as of a variable that is not set, is wrong use."""
    if trimmed := profile_id.strip(BLANKS):
        return trimmed
    raise click.BadParameter("the id is empty.")


id_argument = click.argument("profile_id", metavar="ID", callback=_trimmed)


def confirmed(question: str) -> bool:
    """Ask a person. Raises `UsageError` where nobody can answer."""
    try:
        return click.confirm(question, err=True)
    except click.Abort as error:
        if isinstance(error.__context__, EOFError):
            raise UsageError("nobody has answered: add --yes.") from error
        raise


def print_json(data: Any) -> None:
    """Print an answer as JSON."""
    click.echo(json.dumps(data, indent=2))


def width() -> int:
    """Return the columns of the terminal; 0 where the output goes elsewhere."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 0


def labelled(label: str, fact: str, indent: int, width: int) -> str:
    """Return a fact behind its label, in `width` columns (0: any).

    What is copied stays whole: no line ends within an address or at a hyphen of a command.
    """
    line = f"{label:<{indent}}{fact}"
    if width <= 2 * indent or " " not in fact:
        return line
    return textwrap.fill(
        line, width, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False
    )
