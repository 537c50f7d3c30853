"""The state of the simulated Target: requests, batches, profiles. It has no HTTP and no clock of its own."""

from __future__ import annotations

import bisect
import dataclasses
import itertools
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from simulator.answers import Progress
from simulator.dialects import Dialect
from simulator.receiver import Body, Row, attributes
from simulator.scripts import ALWAYS, Fault
from simulator.settings import Settings

_MINUTE = 60.0
_FIRST_BATCH = 1_845_664_501


@dataclass(frozen=True, slots=True)
class Request:
    """One request, as received."""

    number: int  # from 1
    at: float  # seconds of the epoch
    method: str
    path: str
    headers: dict[str, str]
    size: int  # bytes of the body
    sha256: str
    code: int  # HTTP status of the answer; 0: no answer was sent
    fault: bool  # whether it met a scripted fault
    authorized: bool
    batch_id: str = ""
    rows: int = 0
    cut: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the entry in the list of the control API."""
        return {
            "number": self.number,
            "at": self.at,
            "method": self.method,
            "path": self.path,
            "headers": self.headers,
            "bytes": self.size,
            "sha256": self.sha256,
            "code": self.code,
            "fault": self.fault,
            "authorized": self.authorized,
            "batchId": self.batch_id,
            "rows": self.rows,
            "cut": self.cut,
        }


@dataclass(slots=True)
class Batch:
    """A batch that Target has accepted."""

    batch_id: str
    client: str
    version: str
    accepted_at: float
    columns: tuple[str, ...]
    ids: tuple[str, ...]
    failed: frozenset[str]
    not_found: frozenset[str]
    settled_at: float | None = None  # time of the first terminal status

    def to_json(self) -> dict[str, Any]:
        """Return the entry in the list of the control API."""
        return {
            "batchId": self.batch_id,
            "client": self.client,
            "version": self.version,
            "columns": self.columns,
            "rows": len(self.ids),
            "acceptedAt": self.accepted_at,
            "settledAt": self.settled_at,
            "failed": len(self.failed),
            "notFound": len(self.not_found),
        }


@dataclass(frozen=True, slots=True)
class Update:
    """One update of a profile."""

    columns: tuple[str, ...]
    line: bytes  # as received
    at: float


@dataclass(slots=True)
class Target:
    """Batches, profiles and the budget of calls per minute. The caller holds a lock."""

    settings: Settings
    clock: Callable[[], float]
    offset: float = 0.0  # seconds by which the clock was advanced
    faults: list[Fault] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    dialect: list[Dialect] = field(default_factory=list)
    batches: dict[str, Batch] = field(default_factory=dict)
    _order: dict[tuple[str, ...], int] = field(default_factory=dict)  # of the bodies, by their ids
    _answered: Counter[tuple[int, int]] = field(default_factory=Counter)  # by section and body
    _profiles: dict[tuple[str, str], list[Update]] = field(default_factory=dict)
    _calls: list[float] = field(default_factory=list)
    _failed_once: set[tuple[str, str]] = field(default_factory=set)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(_FIRST_BATCH))

    @property
    def now(self) -> float:
        """Seconds of the epoch on the simulator's clock."""
        return self.clock() + self.offset

    def within_budget(self) -> bool:
        """Count a call and return True, unless the last 60 seconds have all the calls they may have."""
        limit = self.settings.calls_per_minute
        now = self.now
        if limit and len(self._calls) - bisect.bisect_right(self._calls, now - _MINUTE) >= limit:
            return False
        bisect.insort(self._calls, now)
        return True

    def next_fault(self, on: str) -> Fault | None:
        """Return the scripted fault that this call meets, if any, and count it down."""
        for index, scripted in enumerate(self.faults):
            if scripted.on != on:
                continue
            if scripted.skip:
                self.faults[index] = dataclasses.replace(scripted, skip=scripted.skip - 1)
            elif scripted.times == ALWAYS:
                return scripted
            elif scripted.times == 1:
                return self.faults.pop(index)
            else:
                self.faults[index] = dataclasses.replace(scripted, times=scripted.times - 1)
                return scripted
        return None

    def next_dialect(self, on: str, ids: tuple[str, ...]) -> Dialect | None:
        """Return the section of the dialect that answers this call about a batch, if any, and count it."""
        number = self._order.setdefault(ids, len(self._order) + 1)
        for place, section in enumerate(self.dialect):
            if section.is_about(on, number, ids) and (
                section.times == ALWAYS or self._answered[place, number] < section.times
            ):
                self._answered[place, number] += 1
                return section
        return None

    def submit(self, client: str, version: str, body: Body, batch_id: str = "") -> Batch:
        """Accept a batch and update its profiles; `batch_id`: an id in place of one of its own."""
        failed, not_found = set(), set()
        for row in body.rows:
            if not self._exists(client, version, row.profile_id):
                not_found.add(row.profile_id)
            elif row.faulty or self._fails(client, row):
                failed.add(row.profile_id)
            elif row.profile_id not in self.settings.lost_ids:
                update = Update(body.columns, row.line, self.now)
                self._profiles.setdefault((client, row.profile_id), []).append(update)
        batch_id = batch_id or f"{client}-{next(self._numbers)}"
        batch = Batch(
            batch_id,
            client,
            version,
            accepted_at=self.now,
            columns=body.columns,
            ids=tuple(row.profile_id for row in body.rows),
            failed=frozenset(failed),
            not_found=frozenset(not_found),
        )
        self.batches[batch_id] = batch
        return batch

    def progress(self, client: str, version: str, batch_id: str, scripted: Fault | None) -> Progress | None:
        """Return the progress of a batch, or None if Target does not know the batch, or not any more."""
        batch = self.batches.get(batch_id)
        newest = self.settings.statuses_kept
        forgotten = newest and batch_id not in list(self.batches)[-newest:]
        if batch is None or forgotten or (batch.client, batch.version) != (client, version):
            return None
        complete = self.now >= batch.accepted_at + self.settings.completion_seconds
        word = (scripted.word if scripted else "") or ("complete" if complete else "incomplete")
        if word in {"complete", "stuck"} and batch.settled_at is None:
            batch.settled_at = self.now
        size = scripted.size if scripted and scripted.size >= 0 else len(batch.ids)
        return Progress(batch_id, word, size, batch.ids, batch.failed, batch.not_found)

    def seed(self, client: str, profile_id: str, values: dict[str, str]) -> None:
        """Create a profile."""
        line = ",".join(map(quote, ["", *values.values()])).encode()
        self._profiles.setdefault((client, profile_id), []).append(Update(("pcId", *values), line, self.now))

    def profile(self, client: str, profile_id: str) -> dict[str, str] | None:
        """Return a profile's attributes after all its updates, or None if there is no such profile."""
        values = self.kept(client, profile_id)
        return None if values is None else {name: value for name, (value, _) in values.items()}

    def kept(
        self, client: str, profile_id: str, *, shown: bool = False
    ) -> dict[str, tuple[str, float]] | None:
        """Return a profile's attributes with the times of their last updates, or None without a profile.

        `shown`: only what shows by now.
        """
        latest = self.now - self.settings.visible_seconds if shown else math.inf
        updates = [one for one in self._profiles.get((client, profile_id), ()) if one.at <= latest]
        if not updates:
            return None
        merged: dict[str, tuple[str, float]] = {}
        for update in updates:
            values = attributes(update.columns, update.line, self.settings.kept)
            if self.settings.overrides:
                merged = {}
            if self.settings.clears:
                merged = {name: one for name, one in merged.items() if name not in update.columns}
            merged |= {name: (value, update.at) for name, value in values.items()}
        return merged

    def updates(self, client: str, profile_id: str) -> int:
        """Count the updates of a profile."""
        return len(self._profiles.get((client, profile_id), ()))

    def profile_ids(self, client: str) -> list[str]:
        """Return the ids of all profiles of a client."""
        return [profile_id for owner, profile_id in self._profiles if owner == client]

    def load(self) -> dict[str, int]:
        """Return the most calls in any 60 seconds, and the most unsettled batches at once."""
        calls = sorted(request.at for request in self.requests)
        busiest = max(
            (n - bisect.bisect_right(calls, at - _MINUTE) for n, at in enumerate(calls, 1)), default=0
        )
        events = sorted(
            [(batch.accepted_at, 1) for batch in self.batches.values()]
            + [(batch.settled_at, -1) for batch in self.batches.values() if batch.settled_at is not None]
        )
        in_flight = max(itertools.accumulate(change for _, change in events), default=0)
        return {"callsInAnyMinute": busiest, "batchesInFlight": in_flight}

    def _exists(self, client: str, version: str, profile_id: str) -> bool:
        if profile_id in self.settings.not_found_ids:
            return False
        return version == "v2" or self.settings.assume_existing or (client, profile_id) in self._profiles

    def _fails(self, client: str, row: Row) -> bool:
        if row.profile_id in self.settings.failed_ids:
            return True
        first = (client, row.profile_id) not in self._failed_once
        if row.profile_id in self.settings.failed_once_ids and first:
            self._failed_once.add((client, row.profile_id))
            return True
        return False
