"""Faults 51, 52, 54 and 55: one call fails, for each call in turn, and the next try reaches the same end."""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import dataclass
from typing import Any

import pytest

import simulator
from bulk_profiles.accounting.summary import Summary
from bulk_profiles.budget.state import BudgetState
from bulk_profiles.core.models import ImportStatus
from tests.worlds.accidents import Accident, AccidentalDeployment, Outside, install
from tests.worlds.deployment import PROFILES_TABLE

ONE_BATCH = b"thirdPartyId,name,note\nu1,Ada,\nu2,Grace,50%\nu1,,later\n,Nobody,\n"


@dataclass(frozen=True)
class Scenario:
    """The function that meets the accident, and its import."""

    function: str
    file: bytes = ONE_BATCH
    failed_ids: frozenset[str] = frozenset()
    generation: int = 2  # of Target's answers


SCENARIOS = {
    "split": Scenario("split", ONE_BATCH + b"u3,Linus,\n"),
    "submit": Scenario("submit"),
    "check": Scenario("check"),
    "check and send failed profiles again": Scenario("check", failed_ids=frozenset({"u2"})),
    "check and search for the failing row": Scenario("check", failed_ids=frozenset({"u2"}), generation=4),
    "send a part": Scenario("submit", failed_ids=frozenset({"u2"}), generation=4),
    "finish": Scenario("finish"),
}
MOST_CALLS = 200
MAY_DIFFER = {
    "startedAt",
    "finishedAt",
    "submissions",
    "possiblyDuplicate",
    "checks",
    "unread",
    "batchId",
    "modifiedAt",
    *("first", "limit", "begun"),  # submissions
}


@dataclass(frozen=True)
class End:
    """What is compared: all that an import leaves, without its name and its times."""

    summary: Any
    objects: dict[str, bytes]
    table: list[tuple[str, str, str]]


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> Outside:
    return install(monkeypatch)


@pytest.fixture
def accidental(target: simulator.Simulator, outside: Outside) -> AccidentalDeployment:
    deployment = AccidentalDeployment(target.url)
    deployment.outside = outside
    return deployment


@pytest.mark.fault(51, "a function killed at its n-th call, for all n")
@pytest.mark.fault(52, "killed before, during and after the POST")
@pytest.mark.fault(55, "S3 unreachable at the n-th call, or its answer lost, for all n")
@pytest.mark.fault(54, "DynamoDB unreachable at the n-th call, or its answer lost, for all n")
@pytest.mark.parametrize(
    "accident", sorted(set(Accident) - {Accident.NONE, Accident.MEANWHILE, Accident.PAUSED})
)
@pytest.mark.parametrize("name", SCENARIOS)
def test_import_with_any_failing_call_ends_the_same(
    accidental: AccidentalDeployment,
    target: simulator.Simulator,
    name: str,
    accident: Accident,
) -> None:
    scenario = SCENARIOS[name]
    target.configure(failed_ids=scenario.failed_ids, generation=scenario.generation)
    accidental.configure(max_submissions=2)
    _run(accidental, target, Accident.NONE, scenario, 1)  # of which all others are duplicates
    expected, _ = _run(accidental, target, Accident.NONE, scenario, 1)
    at, happened = 0, True
    while happened:
        at += 1
        assert at < MOST_CALLS, "the function never gets through"
        seen, happened = _run(accidental, target, accident, scenario, at)
        assert seen == expected, f"{name} {accident} at call {at}"
    assert at > 1


def _run(
    deployment: AccidentalDeployment,
    target: simulator.Simulator,
    accident: Accident,
    scenario: Scenario,
    at: int,
) -> tuple[End, bool]:
    """Import a file with one accident on the way; return its end, and whether the accident happened."""
    before = len(target.submissions)
    deployment.clock.advance(minutes=2)
    deployment.outside.plan(accident, scenario.function, at)
    dropped = deployment.drop(scenario.file)
    import_id = deployment.split(dropped).import_id
    summary = deployment.resume(import_id)
    happened = deployment.outside.happened
    deployment.outside.plan(Accident.NONE)

    _hold_arrivals(summary, target, before)
    assert summary.status is (ImportStatus.PARTIAL if scenario.failed_ids else ImportStatus.SUCCEEDED)
    assert deployment.machine.started.pop(import_id) == [batch.number for batch in summary.batches]
    budget: BudgetState = deployment.ledger.change_budget(
        "demo", deployment.clock(), lambda state: (state, state)
    )
    assert not budget.places
    return _end(deployment, import_id, dropped.version_id), happened


def _hold_arrivals(summary: Summary, target: simulator.Simulator, before: int) -> None:
    """Assert that each body arrived once, as planned, and a second time only where that is marked."""
    arrived = [request.sha256 for request in target.submissions[before:]]
    bodies = {batch.sha256: batch.possibly_duplicate for batch in summary.batches}
    for batch in summary.batches:
        bodies |= {follow_up.sha256: batch.possibly_duplicate for follow_up in batch.follow_ups}
    assert set(arrived) == set(bodies)
    assert len(arrived) <= sum(batch.submissions for batch in summary.batches)
    for sha256, marked in bodies.items():
        assert arrived.count(sha256) == 1 or marked


def _end(deployment: AccidentalDeployment, import_id: str, version_id: str) -> End:
    def anonymous(text: bytes) -> bytes:
        text = re.sub(rb'"modifiedAt": ".*?"', b'"modifiedAt": ""', text)
        return text.replace(import_id.encode(), b"IMPORT").replace(version_id.encode(), b"VERSION")

    objects = {
        name: _untimed(body) if name.endswith(".gz") else anonymous(body)
        for name, body in deployment.objects(import_id).items()
    }
    summary = _without(json.loads(objects.pop("summary.json")))
    report = re.search(rb"[0-9]+ rows? rejected", objects.pop("report.html"))
    assert report
    return End(summary, objects, _table(deployment, import_id))


def _untimed(results: bytes) -> bytes:
    """Return profile results without their last column, the time of the check."""
    return b"\n".join(line.rpartition(b",")[0] for line in gzip.decompress(results).split(b"\n"))


def _without(data: Any) -> Any:
    if isinstance(data, dict):
        return {name: _without(value) for name, value in data.items() if name not in MAY_DIFFER}
    if isinstance(data, str):
        return re.sub("[0-9]+ submissions? of parts", "submissions of parts", data)
    return [_without(value) for value in data] if isinstance(data, list) else data


def _table(deployment: AccidentalDeployment, import_id: str) -> list[tuple[str, str, str]]:
    items = deployment.tables.items(PROFILES_TABLE)
    return sorted(
        (item["profile"]["S"], item["batch"]["S"][-5:], item["status"]["S"])
        for item in items
        if item["batch"]["S"].startswith(f"{import_id}#")
    )
