"""`bulk-profiles feeds check`: whether the configurations of feeds can be used."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click

from bulk_profiles.cli.local_files import UsageError
from bulk_profiles.cli.options import INCOMPLETE, as_json, of_stack, print_json
from bulk_profiles.cli.stack import Stack
from bulk_profiles.core.errors import FeedError, InvalidJsonError
from bulk_profiles.core.feeds import Feed
from bulk_profiles.core.names import feed_key


@click.group("feeds", short_help="Check the configurations of feeds.")
def feeds_command() -> None:
    """Check the configurations of feeds."""


@feeds_command.command("check")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FEED.JSON]...")
@of_stack
@as_json
def check(files: tuple[Path, ...], stack_name: str, *, as_json: bool) -> int:
    """Say of each feed whether its configuration can be used, and name every fault.

    Without files, checks all feeds of the stack; with files, these, before they are uploaded. The exit code
    is 1 where one cannot be used.
    """
    checked = list(_of_files(files) if files else _of_stack(Stack.of(stack_name)))
    if as_json:
        print_json([{"feed": feed, "valid": not fault, "fault": fault} for feed, fault in checked])
    elif not checked:
        click.echo("The stack has no configuration of a feed: what the stack sets holds for every feed.")
    else:
        for feed, fault in checked:
            click.echo(f"✗ {feed}: {fault}" if fault else f"✓ {feed}")
    return INCOMPLETE if any(fault for _, fault in checked) else 0


def _of_files(files: tuple[Path, ...]) -> Iterator[tuple[str, str]]:
    for file in files:
        try:
            content = file.read_bytes()
        except OSError as error:
            raise UsageError(f"{file}: {error.strerror}.") from error
        yield file.stem, _fault(content)


def _of_stack(stack: Stack) -> Iterator[tuple[str, str]]:
    for feed in stack.storage.feeds():
        try:
            configuration = stack.storage.read_json(feed_key(feed))
        except InvalidJsonError as error:
            yield feed, str(error)
        else:
            yield feed, _invalid(configuration)


def _fault(content: bytes) -> str:
    try:
        configuration = json.loads(content)
    except (ValueError, RecursionError) as error:
        return f"It is not JSON: {error}."
    return _invalid(configuration)


def _invalid(configuration: object) -> str:
    try:
        Feed.from_json(configuration)
    except FeedError as error:
        return str(error)
    return ""
