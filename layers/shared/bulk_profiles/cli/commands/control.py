"""`bulk-profiles pause`, `resume`, `stop` and `resend`: what a person decides about imports."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from bulk_profiles.aws.identity import caller
from bulk_profiles.cli.local_files import UsageError
from bulk_profiles.cli.options import (
    INCOMPLETE,
    as_json,
    confirmed,
    import_argument,
    of_stack,
    print_json,
    unasked,
)
from bulk_profiles.cli.stack import Stack
from bulk_profiles.core.feeds import CLIENT_CODE, MOST_SAMPLE
from bulk_profiles.core.models import ImportStatus, Resendable
from bulk_profiles.core.names import FEED_NAME
from bulk_profiles.core.text import quantity
from bulk_profiles.ledger.import_entry import GivenUp, ImportEntry
from bulk_profiles.ledger.pauses import ALL, Pause
from bulk_profiles.steps.messages import resendable
from bulk_profiles.steps.resend_plan import ResendPlan, plan_resend
from bulk_profiles.steps.stopping import give_up

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_LOOK_SECONDS = 1.0
_MOST_LOOKS = 15
_MOST_TEXT = 200  # of a reason, which stands in every report
_ONLY = ",".join(word.value for word in Resendable if word is not Resendable.PENDING)
_AGAIN = "Batches that wait go on within a quarter of an hour."

_why = click.option("--why", metavar="TEXT", default="", help="The reason, which people are shown.")


def _scoped[Command: Callable[..., Any]](command: Command) -> Command:
    """Add the options that say what a pause is about."""
    options = (
        click.option("--all", "everything", is_flag=True, help="All imports."),
        click.option("--client", metavar="CODE", help="The imports of a client code."),
        click.option("--feed", metavar="NAME", help="The imports of a feed."),
        click.option("--import", "import_id", metavar="IMPORT", help="One import."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command("pause", short_help="Send nothing for a while, or list the pauses.")
@_scoped
@click.option("--until", metavar="TIME", help="Until 2026-12-01T06:00 (UTC), or for 30m, 12h or 2d.")
@_why
@of_stack
@as_json
def pause_command(stack_name: str, *, until: str | None, why: str, as_json: bool, **scope: Any) -> None:
    """Pause an import, a feed, a client code or everything; without options, list the pauses.

    Nothing more of it is sent. What is with Target is followed to its end.
    """
    stack, now = Stack.of(stack_name), datetime.now(UTC)
    named = _scope(stack, **scope)
    _check_names(scope["feed"], scope["client"])
    if named:
        stack.ledger.pause(Pause(named, now, _until(until, now), caller(), _text(why)), now)
    elif until or why:
        raise UsageError("What is to be paused? Give --all, --client, --feed or --import.")
    _print_pauses(stack.ledger.pauses(now), as_json=as_json)


@click.command("resume", short_help="End a pause.")
@_scoped
@of_stack
@as_json
def resume_command(stack_name: str, *, as_json: bool, **scope: Any) -> int:
    """End the pause of an import, a feed, a client code or everything.

    The exit code is 1 where there was none of this scope.
    """
    stack, now = Stack.of(stack_name), datetime.now(UTC)
    named = _scope(stack, **scope)
    if not named:
        raise UsageError("What is to be resumed? Give --all, --client, --feed or --import.")
    ended = stack.ledger.resume(named, now)
    if not as_json:
        click.echo(f"{named}: {_AGAIN}" if ended else f"{named} was not paused.")
    _print_pauses(stack.ledger.pauses(now), as_json=as_json)
    return 0 if ended else INCOMPLETE


@click.command("stop", short_help="Pause an import, or give it up.")
@import_argument
@click.option("--give-up", "for_good", is_flag=True, help="Never send what was not sent.")
@_why
@unasked
@of_stack
@as_json
def stop_command(
    import_id: str, stack_name: str, *, for_good: bool, why: str, yes: bool, as_json: bool
) -> int:
    """Pause IMPORT; with --give-up, end it without what was not sent, which cannot be taken back.

    What is with Target is followed to its end.
    """
    stack, now = Stack.of(stack_name), datetime.now(UTC)
    entry = stack.entry(import_id)
    if entry.ended:
        raise UsageError(f"Import {import_id} has ended: there is nothing to stop.")
    if entry.overtaken_by:
        raise UsageError(
            f"Nothing more of import {import_id} is sent: {entry.overtaken_by}, with some of the same ids, "
            "has gone first. What is with Target is followed to its end."
        )
    if for_good and not yes:
        overview = stack.overview(import_id)
        unsent = quantity(overview.profiles.not_sent, "profile")
        click.echo(f"{unsent} of {import_id} would not be sent. This cannot be taken back.", err=True)
        if not confirmed("Give it up?"):
            return INCOMPLETE
    if for_good:
        given_up = GivenUp(caller(), now, _text(why))
        entry = give_up(import_id, given_up, stack.ledger, stack.executions, now)
        says = entry.sends_nothing
    else:
        pause = Pause(f"import:{import_id}", now, None, caller(), _text(why))
        stack.ledger.pause(pause, now)
        says = f"{pause.says} It goes on with: {stack.command('resume', '--import', import_id)}"
    if as_json:
        print_json({"importId": import_id, "givenUp": for_good, "says": says})
    else:
        click.echo(says)
    return 0


@click.command("resend", short_help="Send failed profiles of an import again.")
@import_argument
@click.option(
    "--only", metavar="WORDS", default=_ONLY, show_default=True, help="What is sent again; also pending."
)
@click.option("--dry-run", is_flag=True, help="Say what would be sent again, and send nothing.")
@unasked
@of_stack
@as_json
def resend_command(
    import_id: str, stack_name: str, *, only: str, dry_run: bool, yes: bool, as_json: bool
) -> int:
    """Send those profiles of IMPORT again that Target refused, that failed, or that were not sent.

    What succeeded stays as it is. A batch of which a later import has an id is not sent again. Where batches
    of IMPORT have not come to an end, these go on first. While an execution of IMPORT runs, nothing is done.
    With --json nothing is asked, and nothing sent without --yes.
    """
    stack, now = Stack.of(stack_name), datetime.now(UTC)
    words = resendable([word.strip() for word in only.split(",")])
    entry = stack.entry(import_id)
    if entry.status.final and entry.unsettled:
        asks = not (dry_run or yes or as_json)
        return _go_on(stack, entry, now, sends=yes and not dry_run, asks=asks, as_json=as_json)
    plan = plan_resend(import_id, words, stack.storage, stack.ledger, retention=stack.retention, now=now)
    execution, begun = "", True
    if not as_json:
        click.echo(_plan_text(plan))
    asks = not (dry_run or yes or as_json)
    if asks and not confirmed("Send them again?"):
        return INCOMPLETE
    if not dry_run and (yes or asks):
        _check_alone(stack, entry)
        execution = f"{import_id}-resend-{now:%Y%m%d%H%M%S}"
        named = [word.value for word in Resendable if word in words]
        stack.executions.send_again(import_id, named, execution)
        begun = _begun(stack, import_id, execution)
    if as_json:
        print_json(plan.to_json() | {"execution": execution})
    elif execution and begun:
        follow = stack.command("watch", import_id)
        click.echo(f"Execution {execution} sends them again. To follow it: {follow}")
    if begun:
        return 0
    click.echo(f"Execution {execution} has sent nothing: its cause, in the console, says why.", err=True)
    return INCOMPLETE


@click.command("verify", short_help="Read profiles of an import back and compare them.")
@import_argument
@click.option(
    "--sample",
    type=click.IntRange(1, MOST_SAMPLE),
    default=300,
    show_default=True,
    metavar="N",
    help="How many profiles, chosen at random.",
)
@of_stack
@as_json
def verify_command(import_id: str, stack_name: str, *, sample: int, as_json: bool) -> int:
    """Read profiles of IMPORT back from Target, which must have ended, and compare them with what was sent.

    Each profile is a call of the client's budget. Then report and summary are written again: an import of
    which a value differs is partial.
    """
    stack, now = Stack.of(stack_name), datetime.now(UTC)
    entry = stack.entry(import_id)
    if not entry.status.final:
        raise UsageError(f"Import {import_id} has not ended: verify it when it has.")
    if entry.status is ImportStatus.REJECTED:
        raise UsageError(f"Nothing of import {import_id} was sent: there is nothing to verify.")
    _check_alone(stack, entry)
    execution = f"{import_id}-verify-{now:%Y%m%d%H%M%S}"
    stack.executions.verify(import_id, sample, execution)
    if as_json:
        print_json({"importId": import_id, "sample": sample, "execution": execution})
    else:
        delay = timedelta(minutes=int(stack.parameters["VerifyDelayMinutes"]))
        first = max(now, (entry.finished_at or now) + delay)
        click.echo(
            f"Execution {execution} reads {quantity(sample, 'profile')} back, 40 a minute or fewer, from "
            f"{first:%Y-%m-%d %H:%M} UTC on. Then: {stack.command('show', import_id)}"
        )
    return 0


def _go_on(stack: Stack, entry: ImportEntry, now: datetime, *, sends: bool, asks: bool, as_json: bool) -> int:
    """Start the state machine again for an import with batches that have not come to an end."""
    import_id, execution = entry.import_id, ""
    batches = list(stack.ledger.batches(import_id))
    numbers = [batch.number for batch in batches]
    unsettled = [batch.number for batch in batches if not batch.settled]
    if not as_json:
        click.echo(
            f"{quantity(len(unsettled), 'batch')} of {len(numbers):,} did not come to an end. They go on "
            "first; what failed can be sent again after that."
        )
    if asks and not confirmed("Let them go on?"):
        return INCOMPLETE
    if sends or asks:
        _check_alone(stack, entry)
        execution = f"{import_id}-again-{now:%Y%m%d%H%M%S}"
        stack.executions.start(import_id, numbers, execution, verify=entry.verify_sample)
    if as_json:
        print_json({"importId": import_id, "unsettled": unsettled, "execution": execution})
    elif execution:
        shown = stack.command("show", import_id)
        click.echo(f"Execution {execution} goes on with them. To see how far: {shown}")
    return 0


def _check_alone(stack: Stack, entry: ImportEntry) -> None:
    """Raise `UsageError` while an execution of an import runs: it may write old results, or an old report.

    One that has just reported the import takes a moment to end.
    """
    for _ in range(_MOST_LOOKS):
        running = stack.executions.running(entry.import_id, also=entry.resend)
        if not running:
            return
        time.sleep(_LOOK_SECONDS)
    raise UsageError(
        f"Execution {running[0]} of import {entry.import_id} is running: nothing is started beside it. "
        "Wait until it has ended, or stop it in the console of Step Functions."
    )


def _begun(stack: Stack, import_id: str, execution: str) -> bool:
    """Wait until a resend has opened its import again: before, `watch` would take it for ended.

    Returns whether it has. The execution is over without where something has come between.
    """
    while stack.entry(import_id).resend != execution:
        if stack.executions.over(execution):
            return stack.entry(import_id).resend == execution
        time.sleep(_LOOK_SECONDS)
    return True


def _plan_text(plan: ResendPlan) -> str:
    """Return a plan for people: what became of the profiles, with the batches and the reason."""
    groups: dict[tuple[str, str], list[int]] = {}
    for chosen in plan.chosen:
        for status, counter in chosen.sends.items():
            group = groups.setdefault((status.value, chosen.batch.words), [0, 0])
            group[0] += 1
            group[1] += counter.total()
    lines = [
        f"{quantity(batches, 'batch')}, {quantity(profiles, 'profile')} {status}"
        + (f": {reason}" if reason else "")
        for (status, reason), (batches, profiles) in sorted(groups.items(), key=lambda item: -item[1][1])
    ]
    twice = sum(chosen.may_have_arrived or chosen.batch.possibly_duplicate for chosen in plan.chosen)
    if twice:
        lines.append(f"Of {quantity(twice, 'batch')}, Target may have some rows already.")
    return "\n".join([*lines, *(plan.held_back_says or ["No later import has one of their ids."])])


def _scope(
    stack: Stack, *, everything: bool, client: str | None, feed: str | None, import_id: str | None
) -> str:
    """Return the scope that the options name, empty for none. Raises `UsageError` for several."""
    kinds = {"client": client, "feed": feed, "import": import_id}
    named = ([ALL] if everything else []) + [
        f"{kind}:{name}" for kind, name in kinds.items() if name is not None
    ]
    if len(named) > 1:
        raise UsageError("Give one of --all, --client, --feed and --import.")
    if "" in kinds.values():
        raise UsageError("The name after --client, --feed or --import is empty.")
    if import_id is not None:
        stack.entry(import_id)
    return named[0] if named else ""


def _check_names(feed: str | None, client: str | None) -> None:
    """Raise `UsageError` for what no feed or client code can be named: such a pause would stop nothing."""
    if feed is not None and not FEED_NAME.fullmatch(feed):
        raise UsageError(f"There can be no feed {feed}.")
    if client is not None and not CLIENT_CODE.fullmatch(client):
        raise UsageError(f"There can be no client code {client}.")


def _until(text: str | None, now: datetime) -> datetime | None:
    """Return the end of a pause. Raises `UsageError`."""
    if text is None:
        return None
    if span := re.fullmatch(r"(\d{1,4})([mhd])", text):
        return now + timedelta(**{_UNITS[span[2]]: int(span[1])})
    try:
        until = datetime.fromisoformat(text)
        return (until if until.tzinfo else until.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"--until {text} is no time: give 2026-12-01T06:00, or 30m, 12h or 2d.") from error


def _text(text: str) -> str:
    """Return a reason as one line. Raises `UsageError` where it is too long."""
    line = " ".join(text.split())
    if len(line) > _MOST_TEXT:
        raise UsageError(f"The reason has more than {_MOST_TEXT} characters.")
    return line


def _print_pauses(pauses: list[Pause], *, as_json: bool) -> None:
    if as_json:
        print_json([pause.to_json() for pause in pauses])
    else:
        click.echo("\n".join(pause.says for pause in pauses) or "Nothing is paused.")
