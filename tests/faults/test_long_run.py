"""Months of a deployment: what is under way lasts, what is over expires, and no fault stops anything else.

Time is told: a sweep runs every six hours, DynamoDB deletes what has expired, S3's lifecycle what is old, and
SNS and S3 refuse now and then.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

import simulator
from bulk_profiles.accounting.summary import Summary
from bulk_profiles.core.errors import BulkProfilesError
from bulk_profiles.core.models import ImportStatus
from bulk_profiles.core.names import import_id
from bulk_profiles.ledger.batch_entry import BatchEntry
from bulk_profiles.ledger.import_entry import ImportEntry
from tests.worlds.deployment import DATA_BUCKET, DROP_BUCKET, IMPORTS_TABLE, PROFILES_TABLE, START
from tests.worlds.in_memory import InMemoryDeployment

HEADER = b"thirdPartyId,name\n"
FORTY_DAYS = HEADER + b"".join(b"long-%d,Ada\n" % number for number in range(80))
RETENTION = 45


def small(name: str) -> bytes:
    return HEADER + b"".join(b"%s-%d,Ada\n" % (name.encode(), number) for number in range(2))


@dataclass
class Months:
    """A deployment whose days go by."""

    deployment: InMemoryDeployment
    chance: random.Random = field(default_factory=lambda: random.Random(7))
    dropped: list[str] = field(default_factory=list)
    summaries: dict[str, Summary] = field(default_factory=dict)
    failures: int = 0  # of steps, each tried again six hours later

    def drop(self, name: str, body: bytes) -> str:
        """Drop a file, whose event is lost now and then."""
        self.deployment.bucket_store.refusals.clear()  # the uploader tries again
        event = self.deployment.drop(body, f"drop/default/{name}.csv")
        if self.chance.random() < 0.8:
            self._try(lambda: self.deployment.split(event))
        self.dropped.append(import_id(event.bucket, event.key, event.version_id))
        return self.dropped[-1]

    def quarter(self) -> None:
        """Let six hours pass: steps, sweep, expiry, and faults."""
        deployment, now = self.deployment, self.deployment.clock()
        refusals = ((deployment.topic, "Publish"), (deployment.bucket_store, "PutObject"))
        for service, operation in (*refusals, (deployment.bucket_store, "GetObject")):
            if self.chance.random() < 0.2:
                service.refuse(operation, "SlowDown")
        for name in self.dropped:
            self._work_on(name)
        self._try(deployment.sweep)
        for table in (IMPORTS_TABLE, PROFILES_TABLE):
            deployment.tables.expire(table, "expiresAt", now.timestamp())
        days = timedelta(days=deployment.split_settings.retention_days)
        deployment.bucket_store.expire(DATA_BUCKET, "imports/", now - days)
        deployment.bucket_store.expire(DROP_BUCKET, "drop/", now - days)
        deployment.clock.advance(hours=6)

    def _work_on(self, name: str) -> None:
        """Do what the state machine of an import would do meanwhile."""
        entry = self._entry(name)
        if entry is None or entry.status is not ImportStatus.UPLOADING:
            return
        batches = list(self.deployment.ledger.batches(name))
        for batch in batches:
            self._try(lambda batch=batch: self._step(name, batch))  # type: ignore[misc]  # mypy infers no type of a default
        if batches and all(batch.settled for batch in self.deployment.ledger.batches(name)):
            self._try(lambda: self._finish(name))

    def _finish(self, name: str) -> None:
        self.summaries[name] = self.deployment.finish(name)

    def _step(self, name: str, batch: BatchEntry) -> None:
        if not batch.settled:
            self.deployment.submit(name, batch.number)
            self.deployment.clock.advance(minutes=2)
            self.deployment.check(name, batch.number)

    def _entry(self, name: str) -> ImportEntry | None:
        try:
            return self.deployment.ledger.get_import(name)
        except BulkProfilesError:  # it was poisoned
            return None

    def _try(self, action: Callable[[], object]) -> None:
        try:
            action()
        except (BulkProfilesError, ClientError):
            self.failures += 1


@pytest.fixture
def months() -> Iterator[Months]:
    settings = simulator.Settings(completion_seconds=0, calls_per_minute=0)
    with simulator.running(settings) as target:
        deployment = InMemoryDeployment(target.url)
        deployment.configure(retention_days=RETENTION, rows_per_day=2, max_batch_rows=2)
        yield Months(deployment)


def test_import_of_forty_days_ends_as_it_should_among_faults(months: Months) -> None:
    deployment = months.deployment
    long = months.drop("long", FORTY_DAYS)
    poisoned, entries_seen = "", 0
    for day in range(44):
        if day % 8 == 1:
            name = months.drop(f"small-{day}", small(f"small-{day}"))
            if day == 9:
                poisoned = name
        for _ in range(4):
            months.quarter()
        if poisoned and deployment.ledger.is_queued("demo", poisoned) and day == 9:
            key = {"pk": {"S": f"IMPORT#{poisoned}"}, "sk": {"S": "IMPORT"}}
            deployment.tables.put(IMPORTS_TABLE, {**key, "status": {"S": "nonsense"}}, None)
        if day < 38:
            entry = deployment.ledger.get_import(long)
            assert entry is not None
            entries_seen += entry.status is ImportStatus.UPLOADING
    assert months.failures > 10  # the faults were there
    assert entries_seen > 30  # and the import was under way all that time

    ended = [name for name in months.dropped if name != poisoned]
    for name in ended:
        entry = deployment.ledger.get_import(name)
        assert entry is not None
        assert (entry.status, entry.reason) == (ImportStatus.SUCCEEDED, "")
        assert entry.notice == ""
        assert [message for message in deployment.topic.messages if name in message]
    summary = months.summaries[long]
    assert (summary.profiles.success, summary.unaccounted) == (80, 0)
    assert deployment.ledger.untold() == []


def test_what_is_over_expires_and_is_never_imported_again(months: Months) -> None:
    deployment = months.deployment
    name = months.drop("small", small("small"))
    for _ in range(4 * (RETENTION + 4)):
        months.quarter()
    assert deployment.ledger.get_import(name) is None
    assert [started for started in deployment.machine.started if started.startswith(name)] == [name]
    assert len([message for message in deployment.topic.messages if name in message]) == 1
    left = {item["pk"]["S"].partition("#")[0] for item in deployment.tables.items(IMPORTS_TABLE)}
    assert left <= {"CLIENT", "CLIENTS", "NOTICES"}
    assert deployment.tables.items(PROFILES_TABLE) == []


def test_file_that_would_outlast_its_batches_is_rejected_at_once(months: Months) -> None:
    months.deployment.configure(retention_days=8)
    name = months.drop("long", FORTY_DAYS)
    months.quarter()
    entry = months.deployment.ledger.get_import(name)
    assert entry is not None
    assert entry.status is ImportStatus.REJECTED
    assert "would take 41 days, and its batches are kept for 8" in entry.reason


def test_imports_that_share_the_rows_of_a_day_outlast_their_retention_together(months: Months) -> None:
    """Each alone would take seven days, and is kept for eight; side by side they take three weeks."""
    months.deployment.configure(retention_days=8)
    rows = 12
    names = [
        months.drop(f"week-{turn}", HEADER + b"".join(b"%d-%d,Ada\n" % (turn, row) for row in range(rows)))
        for turn in range(3)
    ]
    for _ in range(4 * 30):
        months.quarter()
        if months.summaries.keys() == set(names):
            break
    assert months.deployment.clock() - START > timedelta(days=16)
    ended = {name: (each.status, each.unaccounted) for name, each in months.summaries.items()}
    assert ended == dict.fromkeys(names, (ImportStatus.SUCCEEDED, 0))
