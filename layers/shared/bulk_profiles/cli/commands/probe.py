"""`bulk-profiles probe`: what Target's documentation leaves open, asked of a real account."""

from __future__ import annotations

import json
import os
import re
import textwrap
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from bulk_profiles.aws.secrets import Tokens
from bulk_profiles.cli.local_files import UsageError
from bulk_profiles.cli.options import INCOMPLETE, POSITIVE, as_json, confirmed, print_json, unasked, width
from bulk_profiles.cli.stack import Stack
from bulk_profiles.core.feeds import CLIENT_CODE
from bulk_profiles.core.json_object import Json
from bulk_profiles.core.text import quantity
from bulk_profiles.probing.account import Account
from bulk_profiles.probing.probes import END, OTHER, PROBES, VALUE, Bench, Conclusion, Probe
from bulk_profiles.target.addresses import ENDPOINT

_ENDPOINT = "https://{client}.tt.omtrdc.net"
_TOKEN = "TARGET_TOKEN"  # noqa: S105  # the name of a variable
_LABEL = 15  # characters
_PREFIX = re.compile("[A-Za-z0-9_-]{1,40}")


@click.command("probe", short_help="Answer open questions of the API on a real account.")
@click.option("--client", metavar="CODE", help="The client code; that of the stack, if there is none.")
@click.option("--stack", "stack_name", metavar="NAME", help="Take client code, endpoint and token from it.")
@click.option("--endpoint", metavar="URL", help=f"Target's endpoint ({_ENDPOINT}).")
@click.option(
    "--prefix",
    metavar="TEXT",
    default="bulk-profiles-probe",
    show_default=True,
    help="Begins all ids.",
)
@click.option("--only", metavar="PROBES", default="", help="Only these, separated by commas.")
@click.option("--list", "lists", is_flag=True, help="List the questions, and send nothing.")
@click.option("--with-limits", is_flag=True, help="Also those that hit limits of the account.")
@click.option(
    "--calls-per-minute", type=POSITIVE, metavar="N", default=20, show_default=True, help="At most so many."
)
@click.option(
    "--wait",
    "minutes",
    type=POSITIVE,
    metavar="MINUTES",
    default=60,
    show_default=True,
    help="For each batch.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    default="probe.json",
    show_default=True,
    help="Write the conclusions there.",
)
@unasked
@as_json
def probe_command(
    *,
    client: str | None,
    stack_name: str | None,
    endpoint: str | None,
    prefix: str,
    only: str,
    lists: bool,
    with_limits: bool,
    calls_per_minute: int,
    minutes: int,
    out: Path,
    yes: bool,
    as_json: bool,
) -> int:
    """Send small batches of invented ids, read them back, and say what that shows of the account.

    The token is that of the stack, or of the variable TARGET_TOKEN. It asks before it sends anything. The
    exit code is 1 where an answer is not known.
    """
    probes = _chosen(only, with_limits=with_limits)
    if lists:
        if as_json:
            print_json([_listed(probe) for probe in probes])
        else:
            click.echo("\n".join(_question(probe) for probe in probes))
        return 0
    account = _account(client, stack_name, endpoint, calls_per_minute, quiet=as_json)
    bench = Bench(account, _checked(prefix) + f"-{datetime.now(UTC):%Y%m%d%H%M%S}", minutes)
    click.echo(_announcement(probes, bench), err=True)
    if not yes and (as_json or not confirmed("Send them?")):
        return INCOMPLETE
    out.touch()  # before anything is sent: nothing else keeps the answers
    conclusions: list[Conclusion] = []
    try:
        for probe in probes:
            account.said(f"{probe.name}: {probe.question}")
            conclusions.append(probe().run(bench))
    finally:
        report = _report(bench, conclusions)
        out.write_text(json.dumps(report, indent=2) + "\n")
        if as_json:
            print_json(report)
        else:
            click.echo(_table(conclusions, width()))
    return 0 if all(one.known for one in conclusions) else INCOMPLETE


def _chosen(only: str, *, with_limits: bool) -> list[type[Probe]]:
    """Return the probes to run. Raises `UsageError`."""
    names = [name.strip() for name in only.split(",") if name.strip()]
    known = {probe.name: probe for probe in PROBES}
    if unknown := [name for name in names if name not in known]:
        raise UsageError(f"There is no probe {unknown[0]}: there are {', '.join(known)}.")
    chosen = [known[name] for name in names] or [*PROBES]
    allowed = [probe for probe in chosen if with_limits or not probe.hits_limits]
    if not allowed:
        raise UsageError("These probes hit limits of the account: add --with-limits.")
    return allowed


def _account(
    client: str | None, stack_name: str | None, endpoint: str | None, pace: int, *, quiet: bool
) -> Account:
    """Return the account. Raises `UsageError`, `StackError`, `TokenError`."""
    if endpoint is not None and not ENDPOINT.fullmatch(endpoint):
        raise UsageError("--endpoint must be https:// with a host name, or http:// on this machine.")
    token = os.environ.get(_TOKEN) or None
    if stack_name:
        parameters = Stack.of(stack_name).parameters
        client = client or parameters["ClientCode"]
        if endpoint is None:  # the stack's token goes nowhere else
            endpoint = parameters["TargetEndpoint"]
            token = token or Tokens(parameters["TokenSecretArn"]).get(client)
    if not client or not CLIENT_CODE.fullmatch(client):
        raise UsageError("Which account? Give its client code with --client, or a stack with --stack.")
    return Account(
        client,
        endpoint or _ENDPOINT,
        token,
        pace,
        lambda: datetime.now(UTC),
        time.sleep,
        (lambda _: None) if quiet else (lambda line: click.echo(line, err=True)),
    )


def _checked(prefix: str) -> str:
    if not _PREFIX.fullmatch(prefix):
        raise UsageError("--prefix may have 1 to 40 letters, digits, hyphens and underscores.")
    return prefix


def _announcement(probes: Sequence[type[Probe]], bench: Bench) -> str:
    """Return what will be sent and made, before anything is."""
    account = bench.account
    profiles = sum(probe.profiles for probe in probes)
    calls = sum(probe.calls for probe in probes)
    lines = [
        f"{quantity(len(probes), 'probe')} on the client code {account.client}, at {account.endpoint}:",
        f"up to {quantity(profiles, 'profile')} are made, whose ids begin with {bench.prefix} and whose "
        f"attributes are {VALUE}, {END} and {OTHER}. They expire by themselves, usually 14 days later; the "
        "API cannot delete them.",
        f"About {quantity(calls, 'call')} are made, at most {account.calls_per_minute} a minute, and more "
        f"while Target is at work. Each wait is {quantity(int(bench.minutes), 'minute')} at most. The calls "
        "count among the 50 a minute that your imports have.",
    ]
    if any(probe.hits_limits for probe in probes):
        lines.append("Some probes hit limits of the account on purpose: imports may be put off meanwhile.")
    return "\n".join(textwrap.fill(line, 79, break_on_hyphens=False) for line in lines)


def _report(bench: Bench, conclusions: Sequence[Conclusion]) -> Json:
    """Return probe.json."""
    settings: dict[str, str] = {}
    for one in conclusions:
        settings |= one.settings
    return {
        "client": bench.account.client,
        "endpoint": bench.account.endpoint,
        "at": f"{bench.account.clock():%Y-%m-%dT%H:%M:%SZ}",
        "prefix": bench.prefix,
        "calls": bench.account.calls,
        "conclusions": [one.to_json() for one in conclusions],
        "settings": settings,
    }


def _listed(probe: type[Probe]) -> Json:
    return {"probe": probe.name, "question": probe.question, "hitsLimits": probe.hits_limits}


def _question(probe: type[Probe]) -> str:
    limits = " (hits a limit)" if probe.hits_limits else ""
    return f"{probe.name:<{_LABEL}}{probe.question}{limits}"


def _table(conclusions: Sequence[Conclusion], columns: int) -> str:
    """Return the conclusions for people."""
    indent, lines = " " * _LABEL, []
    for one in conclusions:
        settings = "".join(f" Set {name} to {value}." for name, value in one.settings.items())
        texts = (f"{one.answer}.{settings}", f"({one.evidence})")
        lines.append(f"{one.probe:<{_LABEL}}{one.question}")
        lines += [
            textwrap.fill(text, columns or 10_000, initial_indent=indent, subsequent_indent=indent)
            for text in texts
        ]
    return "\n".join(lines)
