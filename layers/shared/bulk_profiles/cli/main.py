"""The command line: what an import of a file would do, and where the imports of a stack stand."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from bulk_profiles.core.errors import BulkProfilesError
from bulk_profiles.core.json_fields import suggestion
from bulk_profiles.core.text import is_utf8_text, printable_name

_WRONG_USE, _INTERRUPTED = 2, 130
_NAME = "bulk-profiles"
# Each command, in the order of `--help`, with the module that has it and the first sentence of its help.
_COMMANDS = {
    "plan": ("plan", "Say what an import of a file would do."),
    "drop": ("drop", "Upload a file, and so import it."),
    "list": ("imports", "List imports, the newest first."),
    "show": ("imports", "Show where an import stands."),
    "watch": ("imports", "Follow an import to its end."),
    "find": ("imports", "Find what became of one profile."),
    "results": ("results", "Fetch report, failed rows and rejected rows of an import."),
    "pause": ("control", "Send nothing for a while, or list the pauses."),
    "resume": ("control", "End a pause."),
    "stop": ("control", "Pause an import, or give it up."),
    "resend": ("control", "Send failed profiles of an import again."),
    "verify": ("control", "Read profiles of an import back and compare them."),
    "forget": ("forget", "Remove every copy of one person."),
    "probe": ("probe", "Answer open questions of the API on a real account."),
    "feeds": ("feeds", "Check the configurations of feeds and client codes."),
}

_LOCAL = frozenset({"plan", "feeds"})  # these read local files, which may have any name


def _load(name: str) -> click.Command:
    module = import_module(f".commands.{_COMMANDS[name][0]}", __package__)
    command: click.Command = getattr(module, f"{name}_command")
    return command


class _Commands(click.Group):
    """The commands. Only the module of the one that runs is loaded: a plan needs nothing of AWS."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        return _load(cmd_name) if cmd_name in _COMMANDS else None

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands into the help."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in _COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands and options that begin with a text."""
        begun = [(name, summary) for name, (_, summary) in _COMMANDS.items() if name.startswith(incomplete)]
        options = click.Command.shell_complete(self, ctx, incomplete)
        return [CompletionItem(name, help=summary) for name, summary in begun] + options

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command by its name. AWS takes no text that is not UTF-8.

        Raises `click.UsageError` with the closest name, which click looks for among loaded commands alone.
        """
        given = args[0]
        if given not in _COMMANDS and not given.startswith("-") and not ctx.resilient_parsing:
            close = suggestion(given, _COMMANDS)
            raise click.UsageError(f"There is no command {printable_name(given)}{close}.", ctx)
        name, command, rest = super().resolve_command(ctx, args)
        if name not in _LOCAL and not all(map(is_utf8_text, rest)):
            raise click.UsageError("An argument is not UTF-8.", ctx)
        return name, command, rest

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; return its exit code, and say what went wrong in one line."""
        try:
            status = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:  # the reader of the output has closed it
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return _WRONG_USE
        except OSError as error:
            return _fail(ctx.invoked_subcommand, _words(error))
        except BulkProfilesError as error:
            return _fail(ctx.invoked_subcommand, str(error))
        except (KeyboardInterrupt, click.Abort):
            return _fail(ctx.invoked_subcommand, "interrupted", _INTERRUPTED)
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
    for name in _COMMANDS:
        command = _load(name)
        if isinstance(command, click.Group):
            yield from ((f"{name} {below}", each) for below, each in command.commands.items())
        else:
            yield name, command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0 for `succeeded`, 1 for `partial` and `rejected`, 2 for wrong use."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # the caller has closed it
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 for the process
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
    except OSError as error:  # of --help and --version
        return _fail(None, _words(error))


def _words(error: OSError) -> str:
    name = f"{error.filename}: " if error.filename else ""
    return f"{name}{error.strerror}." if error.strerror else str(error)


def _fail(command: str | None, message: str, status: int = _WRONG_USE) -> int:
    click.echo(f"{' '.join(filter(None, (_NAME, command)))}: {message}", err=True)
    return status
