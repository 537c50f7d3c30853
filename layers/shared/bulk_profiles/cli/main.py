"""The command line: what an import of a file would do, and where the imports of a stack stand."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

import click

from bulk_profiles.core.errors import BulkProfilesError

_WRONG_USE, _INTERRUPTED = 2, 130
_NAME = "bulk-profiles"
# Each command, in the order of `--help`, with the module that has it.
_MODULES = {
    "plan": "plan",
    "drop": "drop",
    "list": "imports",
    "show": "imports",
    "watch": "imports",
    "find": "imports",
    "results": "results",
    "pause": "control",
    "resume": "control",
    "stop": "control",
    "resend": "control",
    "verify": "control",
    "forget": "forget",
    "probe": "probe",
    "feeds": "feeds",
}


def _load(name: str) -> click.Command:
    module = import_module(f".commands.{_MODULES[name]}", __package__)
    command: click.Command = getattr(module, f"{name}_command")
    return command


class _Commands(click.Group):
    """The commands. The modules of the others are not loaded: a plan needs nothing of AWS."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(_MODULES)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        return _load(cmd_name) if cmd_name in _MODULES else None

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; return its exit code, and say what went wrong in one line."""
        try:
            status = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:  # the reader of the output has closed it
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return _WRONG_USE
        except OSError as error:
            return _fail(ctx, f"{error.filename}: {error.strerror}." if error.filename else str(error))
        except BulkProfilesError as error:
            return _fail(ctx, str(error))
        except (KeyboardInterrupt, click.Abort):
            return _fail(ctx, "interrupted", _INTERRUPTED)
        return status or 0


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name=_NAME, prog_name=_NAME)
def commands() -> None:
    """Send files of customers to Adobe Target, and know what became of every row.

    Exit codes: 0 all well; 1 an import or a file is not as it should be, or nothing was found; 2 wrong use,
    or the command could not do its work; 130 interrupted.
    """


def all_commands() -> Iterator[tuple[str, click.Command]]:
    """Yield every command with its name, such as `feeds check`."""
    for name in _MODULES:
        command = _load(name)
        if isinstance(command, click.Group):
            yield from ((f"{name} {below}", each) for below, each in command.commands.items())
        else:
            yield name, command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0 for `succeeded`, 1 for `partial` and `rejected`, 2 for wrong use."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a file may have any name
    try:
        return int(
            commands.main(
                None if arguments is None else list(arguments), prog_name=_NAME, standalone_mode=False
            )
        )
    except click.ClickException as error:
        error.show()
        return error.exit_code


def _fail(ctx: click.Context, message: str, status: int = _WRONG_USE) -> int:
    click.echo(f"{_NAME} {ctx.invoked_subcommand}: {message}", err=True)
    return status
