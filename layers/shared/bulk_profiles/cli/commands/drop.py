"""`bulk-profiles drop`: a file of this machine becomes an import."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import click

from bulk_profiles.aws.uploads import upload
from bulk_profiles.cli.local_files import LocalFile, UsageError
from bulk_profiles.cli.options import as_json, of_stack
from bulk_profiles.cli.progress import progress_bar
from bulk_profiles.cli.stack import Stack
from bulk_profiles.cli.watching import exit_status, watch
from bulk_profiles.core.feeds import Feed
from bulk_profiles.core.names import DEFAULT_FEED, DROP_PREFIX, feed_key, import_id, misplaced, passed_over
from bulk_profiles.core.text import printable_name

_INTERVAL = 5.0  # seconds between two looks


@click.command("drop", short_help="Upload a file, and so import it.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--feed",
    metavar="NAME",
    default=DEFAULT_FEED,
    show_default=True,
    help="The feed, whose configuration is feeds/NAME.json in the Data bucket.",
)
@click.option("--watch", "watched", is_flag=True, help="Follow the import to its end, as `watch` does.")
@of_stack
@as_json
def drop_command(file: Path, feed: str, stack_name: str, *, watched: bool, as_json: bool) -> int:
    """Upload FILE into the stack's Drop bucket, where it becomes an import.

    `bulk-profiles plan FILE` says beforehand what the import would do. With --watch, the exit code is 0 if
    the import has succeeded, and 1 otherwise.
    """
    source = LocalFile.of(file)
    key = _key(feed, source)
    stack = Stack.of(stack_name)
    configured = _checked(stack, feed)
    bucket = stack.outputs["DropBucketName"]
    with progress_bar(printable_name(source.name)) as progress:
        version = upload(file, bucket, key, _total(progress, source.size) if progress else None)
    dropped = import_id(bucket, key, version)
    if as_json:
        # With --watch, each line is JSON.
        answer = {"importId": dropped, "bucket": bucket, "key": key, "versionId": version}
        click.echo(json.dumps(answer, indent=None if watched else 2))
    else:
        click.echo(f"Dropped {printable_name(source.name)} as import {dropped}")
        if not configured:
            click.echo(f"The feed {feed} has no configuration: what the stack sets holds.")
    if watched:
        return exit_status(watch(stack, dropped, _INTERVAL, expected=True, as_json=as_json))
    if not as_json:
        click.echo(f"To follow it: {stack.command('watch', dropped)}")
    return 0


def _key(feed: str, source: LocalFile) -> str:
    """Return where the file is dropped. Raises `UsageError` where it would not be imported from there."""
    key = f"{DROP_PREFIX}{feed}/{source.name}"
    if reason := misplaced(key):
        raise UsageError(reason)
    if reason := passed_over(key):
        raise UsageError(
            f"{printable_name(source.name)} would be passed over: {reason}. Give it another name."
        )
    return key


def _checked(stack: Stack, feed: str) -> bool:
    """Return whether the feed has a configuration. Raises `FeedError` for one that would be refused."""
    configuration = stack.storage.read_json(feed_key(feed))
    if configuration is None:
        return False
    Feed.from_json(configuration)
    return True


def _total(progress: Callable[[int, int], None], size: int) -> Callable[[int], None]:
    """Return a function that takes the bytes sent since the last call, and shows those in all."""
    sent = 0

    def add(more: int) -> None:
        nonlocal sent
        sent += more
        progress(sent, size)

    return add
