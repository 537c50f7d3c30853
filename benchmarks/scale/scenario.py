"""What a day is made of: who drops how much, how long things take, and what the template sets."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from benchmarks.scale.quotas import Table
from bulk_profiles.cli.cost import BYTES_PER_ENCODED_ROW
from bulk_profiles.core.models import PlannedBatch

DAY = 86_400.0  # seconds


@dataclass(frozen=True, slots=True)
class Timings:
    """How long the application's own work takes. Seconds, and things a second of one function."""

    start: float = 0.2  # of any function, warm: Lambda, and a few reads and writes of the ledger
    split: float = 60e6  # bytes of the source: docs/performance.md, on the 1.7 processors of 3,008 MB
    upload: float = 5e6  # bytes of a body, to Target and into it: assumed
    call: float = 1.0  # Target's answer to any call: assumed
    results: float = 100_000.0  # rows, from Target's answer to the results file, on 0.6 processors
    writer: float = 20_000.0  # items: eight connections, 25 items in 10 ms each
    finish: float = 5.0  # summary and report
    cores: int = 0  # that all functions and the table share, as on one machine; 0: each has its own


@dataclass(frozen=True, slots=True)
class TargetModel:
    """How Target behaves: its documentation says less than an hour, and up to 24.

    The time from a submission to `complete` is log-normal. Batches do not slow each other down.
    """

    median_seconds: float = 1_200.0
    slow_seconds: float = 3_600.0  # one batch in twenty takes longer
    refused: float = 0.01  # share of calls that get a 503, because others use the client's calls too

    def seconds(self, choose: random.Random) -> float:
        """Draw the time from a submission to `complete`."""
        spread = math.log(self.slow_seconds / self.median_seconds) / 1.645  # the normal's 95th percentile
        return min(choose.lognormvariate(math.log(self.median_seconds), spread), 23 * 3_600.0)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A day: who drops how much, in which account."""

    profiles: int
    clients: int = 1
    files: int = 24  # of each client, spread over the day, all of one size
    shared: bool = False  # whether all files of a client have the same customers
    functions: int = 1_000  # that the account may run at once
    timings: Timings = Timings()
    target: TargetModel = TargetModel()
    table: Callable[[float], Table] = Table  # by the writes a second that it takes at first
    parameters: dict[str, str] = field(default_factory=dict)  # of the template, over its defaults
    spread: float = DAY  # seconds over which the files of a client arrive


def local(rows: int, parameters: dict[str, str]) -> Scenario:
    """Return one import on one machine of two cores, by `make run` with these parameters, its functions warm.

    The times are fitted to imports of 100,000 rows in ten batches: docs/performance.md.
    """
    return Scenario(
        rows,
        files=1,
        spread=0.0,
        timings=Timings(start=0.5, call=0.05, writer=2_330.0, finish=0.5, cores=2),
        target=TargetModel(1.0, 1.0, refused=0.0),
        table=lambda _: Table(math.inf, math.inf),
        parameters=parameters,
    )


class Template:
    """The parameters and functions of template.yaml, as `local.parameters.definitions` reads them."""

    def __init__(self, parameters: Any, resources: Any) -> None:
        self._parameters = parameters
        self._resources = resources

    def default(self, name: str) -> str:
        """Return a parameter's default."""
        return str(self._parameters[name].get("Default", ""))

    def environment(self, values: dict[str, str]) -> dict[str, str]:
        """Return the environment of a function: every parameter, and names that nobody calls."""
        known = {name: self.default(name) for name in self._parameters} | {"ClientCode": "client"} | values
        known |= dict.fromkeys(("DataBucket", "ImportsTable", "ProfilesTable"), "unused")
        return {re.sub(r"(?<!^)(?=[A-Z])", "_", name).upper(): value for name, value in known.items()}

    def memory(self, resource: str) -> int:
        """Return the MB of a function, by its name or the resource that the state machine calls it by."""
        return int(self._function(resource)["MemorySize"])

    def timeout(self, resource: str) -> int:
        """Return the seconds that a function may take."""
        return int(self._function(resource)["Timeout"])

    def _function(self, resource: str) -> Any:
        return self._resources[resource.removeprefix("${").removesuffix("Arn}")]["Properties"]


def planned(rows: int, template: Template, parameters: dict[str, str]) -> Iterator[PlannedBatch]:
    """Yield the batches of a file: as many rows as the limits of a batch allow, the last one fewer."""
    most_rows, most_bytes = (
        int(parameters.get(name, template.default(name))) for name in ("MaxBatchRows", "MaxBatchBytes")
    )
    full = min(most_rows, most_bytes // BYTES_PER_ENCODED_ROW)
    for number, first in enumerate(range(0, rows, full), 1):
        own = min(full, rows - first)
        yield PlannedBatch(number, own, own * BYTES_PER_ENCODED_ROW, "")
