"""Simulate days at scale: `make simulate`, or `python -m benchmarks.simulate [--json] [--plots DIR]`.

Print when imports end, the peak of every quota and what a day costs, for 1, 10 and 100 million profiles a
day, from one client and from fifty. The exit code is 1 where a quota is passed, which is named, and 2 where
the options make no sense. `benchmarks.scale.model` says what is simulated, `benchmarks.scale.quotas` the
limits.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.scale.model import Day, simulate
from benchmarks.scale.quotas import HISTORY
from benchmarks.scale.scenario import Scenario, TargetModel, Template, local
from local import run
from local.parameters import definitions, parse

ROOT = Path(__file__).parents[1]
SCENARIOS = tuple((profiles, clients) for clients in (1, 50) for profiles in (10**6, 10**7, 10**8))
_PASSED = 1  # exit code
_SHORT = 0.1  # hours
_LABEL, _LIMIT, _CELL = 22, 10, 8  # characters: with six scenarios 80


def main(arguments: list[str] | None = None) -> int:
    """Simulate, print, draw; return the exit code."""
    options = _options(arguments)
    days = [simulate(scenario, definition(), template(), options.seed) for scenario in _scenarios(options)]
    if options.json:
        print(json.dumps([to_json(day) for day in days], indent=2))
    else:
        print(table(days))
    if options.plots:
        from benchmarks.scale.plots import draw  # noqa: PLC0415 only where its package is

        draw(days, options.plots)
    passed = [(day, quota) for day in days for quota in day.passed]
    for day, quota in passed:
        print(
            f"Passed with {day.scenario.profiles:,} profiles a day from {day.scenario.clients} clients: "
            f"{quota.name}, {day.peaks[quota.name]:,} of {quota.limit:,} ({quota.what})",
            file=sys.stderr,
        )
    return _PASSED if passed else 0


@cache
def definition() -> Any:
    """Return the definition of the state machine."""
    return json.loads((ROOT / "statemachine/import_profiles.asl.json").read_text())


@cache
def template() -> Template:
    """Return what template.yaml says."""
    path = ROOT / "template.yaml"
    return Template(definitions(path), definitions(path, "Resources"))


def table(days: list[Day]) -> str:
    """Return the days as a table of at most 80 columns, if there are six."""
    rows = [
        _row("Profiles a day, M", "", [f"{day.scenario.profiles / 1e6:g}" for day in days]),
        _row("Clients", "", [f"{day.scenario.clients}" for day in days]),
        _row("Imports", "", [f"{len(day.imports):,}" for day in days]),
        "",
        _row("Hours from drop to end", "", ["" for _ in days]),
        _row("  median import", "", [_time(statistics.median(_hours(day))) for day in days]),
        _row("  longest import", "", [_time(max(_hours(day))) for day in days]),
        _row("Last end, hour", "", [_time(last_end(day)) for day in days]),
        "",
        _row("Peaks", "limit", ["" for _ in days]),
        *(
            _row(f"  {quota.name}", f"{quota.limit:,.0f}", [_peak(day, quota.name) for day in days])
            for quota in days[0].quotas
        ),
        "",
        _row("Writers waited, hours", "", [f"{day.throttled / 3600:.1f}" for day in days]),
        _row("Too many calls", "", [f"{day.refused}" for day in days]),
        _row("Dollars, cost model", "", [f"{day.cost['estimated']:.2f}" for day in days]),
        _row("Dollars, simulated", "", [f"{day.cost['simulated']:.2f}" for day in days]),
    ]
    return "\n".join(rows)


def to_json(day: Day) -> dict[str, Any]:
    """Return a day for programs. Times in hours, cost in US dollars."""
    hours = _hours(day)
    return {
        "profiles": day.scenario.profiles,
        "clients": day.scenario.clients,
        "imports": len(day.imports),
        "batches": sum(len(one.batches) for one in day.imports),
        "medianHours": round(statistics.median(hours), 3),
        "longestHours": round(max(hours), 3),
        "lastEndHour": round(last_end(day), 3),
        "quotas": {
            quota.name: {
                "peak": day.peaks[quota.name],
                "limit": quota.limit,
                "passed": quota in day.passed,
                "what": quota.what,
                "source": quota.source,
            }
            for quota in day.quotas
        },
        "historyEvents": day.peaks[HISTORY],
        "transitions": day.transitions,
        "functionCalls": day.calls,
        "gbSeconds": round(day.gb_seconds),
        "writersWaitedHours": round(day.throttled / 3600, 3),
        "tooManyCalls": day.refused,
        "cost": day.cost,
    }


def last_end(day: Day) -> float:
    """Return the hour of the day at which the last import ended; above 24 it is the next day."""
    return max(one.ended_at or 0.0 for one in day.imports) / 3600


def _hours(day: Day) -> list[float]:
    return [one.hours for one in day.imports]


def _time(hours: float) -> str:
    """Return hours; below a tenth, as seconds."""
    return f"{hours:.1f}" if hours >= _SHORT else f"{hours * 3600:.0f} s"


def _peak(day: Day, name: str) -> str:
    return f"{day.peaks[name]:,}{'!' if name in {quota.name for quota in day.passed} else ''}"


def _row(label: str, limit: str, cells: list[str]) -> str:
    return f"{label:<{_LABEL}}{limit:>{_LIMIT}}{''.join(f'{cell:>{_CELL}}' for cell in cells)}".rstrip()


def _scenarios(options: argparse.Namespace) -> list[Scenario]:
    if options.local:
        return [local(options.local, run.PARAMETERS | {"MaxBatchRows": "10000"} | options.params)]
    chosen = [(options.profiles, options.clients)] if options.profiles else SCENARIOS
    return [
        Scenario(
            profiles,
            clients,
            options.files,
            shared=options.shared,
            functions=options.functions,
            target=TargetModel(options.target_minutes * 60, options.target_minutes * 180),
            parameters=options.params,
        )
        for profiles, clients in chosen
    ]


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--profiles", type=int, default=0, help="one day with so many, for the six of before")
    parser.add_argument("--clients", type=int, default=1, help="with --profiles: client codes")
    parser.add_argument("--files", type=int, default=24, help="of each client a day (24)")
    parser.add_argument("--shared", action="store_true", help="all files of a client have the same customers")
    parser.add_argument(
        "--functions", type=int, default=1_000, help="that the account may run at once (1000)"
    )
    parser.add_argument(
        "--target-minutes",
        type=float,
        default=20,
        help="to `complete`, median; one in twenty takes thrice (20)",
    )
    parser.add_argument("--params", type=parse, default={}, help='of the template: "Name=value ..."')
    parser.add_argument("--local", type=int, default=0, metavar="ROWS", help="an import by make run, instead")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same days (1)")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--plots", type=Path, help="a folder for the plots, as SVG")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
