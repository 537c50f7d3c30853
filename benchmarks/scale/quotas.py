"""The quotas that a day at scale may reach, where they are published, and how near a day came to them.

The quotas of AWS are the defaults of an account that is not new, in a region that has the lower ones. A new
account has lower ones yet: 10 concurrent functions, say. All can be raised but the history of an execution.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field

STEP_FUNCTIONS = "https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html"
LAMBDA = "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"
ON_DEMAND = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html"
TARGET = "https://experienceleague.adobe.com/en/docs/target-dev/developer/api/profile-apis/profile-bulk-api"
HISTORY = "History events"
FUNCTIONS = "Functions at once"
TRANSITIONS = "Transitions a second"
STARTS = "Starts a second"
EXECUTIONS = "Executions open"
MAP_RUNS = "Map runs open"
CHILDREN = "Batches of an import"
CALLS = "Calls in 60 s"
IN_FLIGHT = "In flight"
WRITES = "Writes a second"


@dataclass(frozen=True, slots=True)
class Quota:
    """A limit that must not be passed."""

    name: str
    limit: float
    what: str
    source: str


def quotas(calls_per_minute: int, max_in_flight: int, functions: int, table_writes: float) -> list[Quota]:
    """Return every quota, with the limits that a deployment and an account set."""
    return [
        Quota(CALLS, calls_per_minute, "calls of a client to Target in any 60 seconds", TARGET),
        Quota(IN_FLIGHT, max_in_flight, "batches of a client that Target has not finished", TARGET),
        Quota(FUNCTIONS, functions, "functions that run, or would, at once", LAMBDA),
        Quota(TRANSITIONS, 800, "state transitions in a second; 5,000 in three regions", STEP_FUNCTIONS),
        Quota(STARTS, 150, "StartExecution in a second; 300 in three regions", STEP_FUNCTIONS),
        Quota(EXECUTIONS, 1_000_000, "executions open, children included", STEP_FUNCTIONS),
        Quota(MAP_RUNS, 1_000, "map runs open", STEP_FUNCTIONS),
        Quota(CHILDREN, 10_000, "children of a map run, one for each batch", STEP_FUNCTIONS),
        Quota(HISTORY, 25_000, "events of one execution's history", STEP_FUNCTIONS),
        Quota(
            WRITES, table_writes, "items written to the Profiles table in a second, over a minute", ON_DEMAND
        ),
    ]


@dataclass(slots=True)
class Meter:
    """The peaks of a day, by the name of the quota."""

    peaks: Counter[str] = field(default_factory=Counter)
    _levels: Counter[str] = field(default_factory=Counter)
    _ticks: dict[str, tuple[int, int]] = field(default_factory=dict)  # the last second, and what fell in it

    def level(self, name: str, change: int) -> int:
        """Change a level, such as the functions that run; return it."""
        self._levels[name] += change
        self.reach(name, self._levels[name])
        return self._levels[name]

    def tick(self, name: str, now: float) -> None:
        """Count one thing that happens in a second, such as a transition."""
        second, count = self._ticks.get(name, (-1, 0))
        count = count + 1 if int(now) == second else 1
        self._ticks[name] = int(now), count
        self.reach(name, count)

    def reach(self, name: str, value: int) -> None:
        """Note a value, which is a peak if there was no higher one."""
        self.peaks[name] = max(self.peaks[name], value)


@dataclass(slots=True)
class Window:
    """What happened within the last seconds."""

    seconds: float
    _moments: deque[float] = field(default_factory=deque)

    def count(self, now: float) -> int:
        """Note one thing, and return how many there were within the window, this one included."""
        self._moments.append(now)
        while self._moments[0] <= now - self.seconds:
            self._moments.popleft()
        return len(self._moments)


@dataclass(slots=True)
class Table:
    """An on-demand table that takes so many items a second, and more once it has been busy.

    A new one takes 4,000 writes a second. It takes at least twice its earlier peak, if that is half an hour
    ago, and the quota of a table is 40,000: see `ON_DEMAND`. An item of up to 1 KB is one write. In between,
    DynamoDB may be faster than it promises. Keys spread over the partitions.
    """

    first: float = 4_000.0
    most: float = 40_000.0
    ramp_seconds: float = 1_800.0
    throttled: float = 0.0  # seconds for which writers waited, all together
    written: Counter[int] = field(default_factory=Counter)  # by minute
    _free_at: float = 0.0
    _peak: tuple[int, float] = (
        0,
        0.0,
    )  # the minutes that are counted, and the writes a second in the fullest

    def capacity(self, now: float) -> float:
        """Return the writes a second that the table takes now."""
        counted, peak = self._peak
        until = max(counted, int((now - self.ramp_seconds) // 60))
        peak = max([peak, *(self.written[minute] / 60 for minute in range(counted, until))])
        self._peak = until, peak
        return min(self.most, max(self.first, 2 * peak))

    def write(self, items: int, now: float) -> float:
        """Write items after those that wait already; return the seconds until they are written."""
        begins = max(now, self._free_at)
        self.throttled += begins - now
        self._free_at = begins + items / self.capacity(now)
        self.written[int(self._free_at // 60)] += items
        return self._free_at - now

    @property
    def peak(self) -> int:
        """The writes a second in the fullest minute."""
        return round(max(self.written.values(), default=0) / 60)
