"""Run one import on this machine: engine, Target and stack, and one file from its drop to its last profile.

    python -m local.run --file FILE --target http://127.0.0.1:9000 --params "MaxBatchRows=1000" --out DIR

The exit code is 0 if the import has succeeded and nothing is unaccounted for, 1 if it is partial, failed or
rejected, and 2 if the run could not take place.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from bulk_profiles.core.names import DEFAULT_FEED, passed_over
from local import parameters, sample, stack, variables
from local.deployment import Deployment, deployment
from local.display import copy_results, outcome, progress
from local.engine import CLIENT_ENVIRONMENT, clean_environment
from local.errors import LocalRunError
from local.folders import run_folder
from local.imports import Json, drop, follow, read_feed
from local.kept_run import keep
from simulator import DialectError, dialects

_SUCCEEDED, _INCOMPLETE, _COULD_NOT_RUN, _INTERRUPTED = 0, 1, 2, 130  # exit codes
_PATIENCE_SECONDS = 300.0
_CONNECT_SECONDS = 3
_MAX_FILE = 5_000_000_000  # bytes; the limit of one PutObject
# The simulator is faster than Target, so a local run waits less; --params overrides these.
PARAMETERS = {
    "ClientCode": "demo",
    "CallsPerMinute": "3000",
    "FirstCheckSeconds": "1",
    "MaxCheckSeconds": "2",
}
_SAMPLE_PARAMETERS = {"MaxBatchRows": "2500"}
_FAILING = 3  # ids of the sample that fail the first time they are sent
_VARIABLES = ("FILE", "TARGET", "PARAMS", "OUT", "FEED", "KEEP", "FAILING", "DIALECT")  # of make run
_SAMPLE_NAME = "sample-customers.csv"


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a run."""

    file: Path | None  # None: the sample
    target: str  # URL; empty: the simulator
    parameters: dict[str, str]  # of the template
    out: Path
    feed: str
    configuration: bytes | None  # of the feed, as JSON
    keep: bool  # whether the processes go on after the run
    patience_seconds: float
    failing: int  # ids of the sample that fail the first time they are sent
    dialect: Path | None  # file with the simulator's answers by batch


def main(arguments: list[str] | None = None) -> int:
    """Run one import and return the exit code."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    environment = {**clean_environment(), **CLIENT_ENVIRONMENT}
    os.environ.clear()
    os.environ.update(environment)
    try:
        return run(_options(arguments), Console(width=None if sys.stdout.isatty() else 80))
    except LocalRunError as error:
        print(f"Could not run: {error}.", file=sys.stderr)
        return _COULD_NOT_RUN
    except KeyboardInterrupt:
        print("Interrupted: everything that was started is stopped.", file=sys.stderr)
        return _INTERRUPTED


def run(options: Options, console: Console) -> int:
    """Start everything, drop the file, follow its import to the end, show and copy the results."""
    with run_folder() as folder:
        file, defaults, simulator_options = _source(options, folder)
        values = {**defaults, **options.parameters}
        _check(file, values, options)
        with deployment(
            folder,
            values,
            target=options.target,
            simulator_options=simulator_options,
            may_outlive=options.keep,
            report=lambda step, seconds: console.print(f"{step:<17}{seconds:6.1f} s", highlight=False),
        ) as deployed:
            try:
                summary = _import(deployed, file, options, console)
            except (LocalRunError, BotoCoreError, ClientError) as error:
                if not deployed.engine.process.alive:
                    raise LocalRunError(
                        f"The local engine ended before the import did; see {deployed.engine.process.log}"
                    ) from error
                raise LocalRunError(f"{error}; see {deployed.engine.process.log}") from error
            if options.keep:
                keep(deployed, folder, summary["importId"], console)
    complete = summary["status"] == "succeeded" and not summary["unaccounted"]
    return _SUCCEEDED if complete else _INCOMPLETE


def _import(deployed: Deployment, file: Path, options: Options, console: Console) -> Json:
    import_ = drop(deployed, file, options.feed, options.configuration)
    console.print(f"Dropped {file.name} as import {import_.import_id}", soft_wrap=True, markup=False)
    with progress(console) as show:
        summary = follow(import_, show, patience_seconds=options.patience_seconds)
    folder, with_bodies = copy_results(import_, options.out)
    console.print()
    console.print(outcome(summary))
    if summary["reason"]:
        console.print(summary["reason"], markup=False, highlight=False)
    without = "" if with_bodies else ", without the batches' bodies, which are large"
    console.print(f"Results: {folder}{without}", soft_wrap=True, markup=False, highlight=False)
    return summary


def _source(options: Options, folder: Path) -> tuple[Path, dict[str, str], tuple[str, ...]]:
    """Return the file to drop, the parameters that suit it, and the simulator's options."""
    unlimited: tuple[str, ...] = ("--calls-per-minute", "0")
    if options.dialect:
        unlimited += ("--dialect", str(options.dialect.absolute()))
    if options.file:
        return options.file, PARAMETERS, unlimited
    customers = sample.make()
    file = folder / _SAMPLE_NAME
    file.write_bytes(customers.content)
    failing = ",".join(random.Random(1).sample(customers.ids, options.failing))  # noqa: S311 - the same each time
    return file, PARAMETERS | _SAMPLE_PARAMETERS, (*unlimited, "--failed-once-ids", failing)


def _check(file: Path, values: dict[str, str], options: Options) -> None:
    """Raise LocalRunError for a fault that can be found before anything starts."""
    if not file.is_file():
        raise LocalRunError(f"There is no file {file}")
    if reason := passed_over(f"{options.feed}/{file.name}"):
        raise LocalRunError(f"{file} would be passed over: {reason}")
    if file.stat().st_size > _MAX_FILE:
        raise LocalRunError(f"{file} is larger than {_MAX_FILE:,} bytes: drop it in parts")
    if not stack.TEMPLATE.is_file():
        raise LocalRunError(f"There is no template {stack.TEMPLATE}")
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LocalRunError(f"OUT {options.out} cannot be created: {error.strerror}") from error
    if options.dialect:
        check_dialect(options.dialect, options.target)
    if options.target:
        _check_reachable(options.target)
    endpoint = {"TargetEndpoint": options.target} if options.target else {}
    parameters.check(endpoint | values, parameters.definitions(stack.TEMPLATE))


def check_dialect(dialect: Path, target: str) -> None:
    """Raise LocalRunError for a dialect that the simulator cannot speak."""
    if target:
        raise LocalRunError("DIALECT is for the simulator: leave TARGET out")
    try:
        dialects.parse(dialect.read_text(encoding="utf-8"))
    except DialectError as error:
        raise LocalRunError(f"DIALECT {dialect}, {error}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise LocalRunError(f"DIALECT {dialect} cannot be read: {error}") from error


def _check_reachable(target: str) -> None:
    try:
        url = urlsplit(target)
        port = url.port or {"http": 80, "https": 443}[url.scheme]
        socket.create_connection((url.hostname or "", port), _CONNECT_SECONDS).close()
    except (ValueError, KeyError) as error:
        raise LocalRunError(f"TARGET must look like http://127.0.0.1:9000, not {target}") from error
    except OSError as error:
        raise LocalRunError(f"TARGET {target} cannot be reached: {error}") from error


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _options(arguments: list[str] | None) -> Options:
    options = _parser().parse_args(arguments)
    variables.check("run", options.variables.split(), _VARIABLES)
    feed, configuration = read_feed(options.feed)
    return Options(
        file=options.file,
        target=options.target.rstrip("/"),
        parameters=parameters.parse(options.params),
        out=options.out,
        feed=feed,
        configuration=configuration,
        keep=options.keep,
        patience_seconds=options.patience,
        failing=_failing(options.failing, options.file or options.target),
        dialect=options.dialect,
    )


def _failing(text: str, other: str | Path) -> int:
    """Return how many ids of the sample fail; raise LocalRunError for what is no such number."""
    if not text:
        return _FAILING
    if other:
        raise LocalRunError("FAILING is for the sample and the simulator: leave FILE and TARGET out")
    if not (text.isascii() and text.isdigit() and int(text) <= sample.CUSTOMERS):
        raise LocalRunError(f"FAILING={text} is not possible: a whole number, 0 to {sample.CUSTOMERS:,}")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local.run", description="Run one import on this machine."
    )
    parser.add_argument("--file", type=Path, help="the file to drop (default: 10,000 invented customers)")
    parser.add_argument("--target", default="", help="Target's address (default: a simulator of its own)")
    parser.add_argument("--params", default="", help='template parameters: "MaxBatchRows=1000 MaxInFlight=5"')
    parser.add_argument("--out", type=Path, default=Path("out"), help="where results go (default: out)")
    parser.add_argument(
        "--feed", default=DEFAULT_FEED, help="the feed's name, or its configuration, e.g. crm.json"
    )
    parser.add_argument("--keep", action="store_true", help="leave everything running at the end")
    parser.add_argument(
        "--patience",
        type=float,
        default=_PATIENCE_SECONDS,
        help="seconds without progress after which the run is given up",
    )
    parser.add_argument(
        "--failing",
        default="",
        help=f"ids of the sample that fail the first time they are sent (default: {_FAILING})",
    )
    parser.add_argument(
        "--variables", default="", help=argparse.SUPPRESS
    )  # that make was given, to be checked
    parser.add_argument(
        "--dialect", type=Path, help="file with the simulator's answers by batch; see docs/dialects.md"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
