"""`bulk-profiles feeds check`: whether the configurations of feeds and client codes can be used."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click

from bulk_profiles.budget.client_limits import ClientLimits
from bulk_profiles.cli.local_files import UsageError
from bulk_profiles.cli.options import INCOMPLETE, as_json, of_stack, print_json
from bulk_profiles.cli.stack import Stack
from bulk_profiles.core.errors import FeedError, InvalidJsonError, SettingsError
from bulk_profiles.core.feeds import CLIENT_CODE, Feed
from bulk_profiles.core.json_fields import suggestion
from bulk_profiles.core.names import CLIENTS, client_key, feed_key


class _Checked(NamedTuple):
    """A configuration, and why it cannot be used; an empty text where it can."""

    kind: str  # feed or client
    name: str
    fault: str

    @property
    def line(self) -> str:
        name = f"client {self.name}" if self.kind == "client" else self.name
        return f"✗ {name}: {self.fault}" if self.fault else f"✓ {name}"


@click.group("feeds", short_help="Check the configurations of feeds and client codes.")
def feeds_command() -> None:
    """Check the configurations of feeds and client codes."""


@feeds_command.command("check")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE.JSON]...")
@of_stack
@as_json
def check(files: tuple[Path, ...], stack_name: str, *, as_json: bool) -> int:
    """Say of each configuration whether it can be used, and name every fault.

    Without files, checks all feeds and all client codes of the stack; with files, these, before they are
    uploaded. A file in a folder `clients` has the limits of a client code, any other is a feed. The exit
    code is 1 where one cannot be used.
    """
    checked = list(_of_files(files) if files else _of_stack(Stack.of(stack_name)))
    if as_json:
        print_json([{one.kind: one.name, "valid": not one.fault, "fault": one.fault} for one in checked])
    elif not checked:
        click.echo(
            "The stack has no configuration of a feed or of a client code: what the stack sets holds for all."
        )
    else:
        for one in checked:
            click.echo(one.line)
    return INCOMPLETE if any(one.fault for one in checked) else 0


def _of_files(files: tuple[Path, ...]) -> Iterator[_Checked]:
    for file in files:
        try:
            content = file.read_bytes()
        except OSError as error:
            raise UsageError(f"{file}: {error.strerror}.") from error
        kind = "client" if file.absolute().parent.name == CLIENTS.rstrip("/") else "feed"
        try:
            configuration = json.loads(content)
        except (ValueError, RecursionError) as error:
            yield _Checked(kind, file.stem, f"It is not JSON: {error}.")
        else:
            yield _Checked(kind, file.stem, _fault(kind, file.stem, configuration))


def _of_stack(stack: Stack) -> Iterator[_Checked]:
    used = {stack.parameters["ClientCode"]}
    for name in stack.storage.feeds():
        configuration, fault = _read(stack, "feed", feed_key(name), name)
        if not fault:
            used.add(Feed.from_json(configuration).client_code or "")
        yield _Checked("feed", name, fault)
    for name in stack.storage.clients():
        _, fault = _read(stack, "client", client_key(name), name)
        if not fault and name not in used:
            fault = f"Neither ClientCode nor a feed is this client code{suggestion(name, used)}."
        yield _Checked("client", name, fault)


def _read(stack: Stack, kind: str, key: str, name: str) -> tuple[object, str]:
    try:
        configuration = stack.storage.read_json(key)
    except InvalidJsonError as error:
        return None, str(error)
    return configuration, _fault(kind, name, configuration)


def _fault(kind: str, name: str, configuration: object) -> str:
    try:
        if kind == "feed":
            Feed.from_json(configuration)
        elif not CLIENT_CODE.fullmatch(name):
            return "A client code has letters, digits, _ and - only, and the file is named for it."
        else:
            ClientLimits.read(configuration, name)
    except (FeedError, SettingsError) as error:
        return str(error)
    return ""
