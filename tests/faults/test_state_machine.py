"""Accidents in any order that Hypothesis generates, with the accounting checked at every step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import simulator
from bulk_profiles.accounting.summary import Summary, reconcile
from bulk_profiles.core.models import Manifest
from bulk_profiles.core.names import MANIFEST, import_id, object_key
from bulk_profiles.core.timestamps import moment
from bulk_profiles.steps.messages import DroppedObject, Outcome, Word
from tests.worlds.accidents import Accident, KilledError, Outside, QuickDeployment, install
from tests.worlds.deployment import Deployment

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ANSWERS = [
    "unavailable",
    "too_many_requests",
    "server_error",
    "bad_request",
    "reset_before_body",
    "reset_during_body",
    "reset_after_body",
    "refused",
    "empty",
    "cut_xml",
    "unsafe_status_url",
    "stuck",
    "unknown_word",
    "doctype",
    "not_found",
]
FILES = ("drop/default/a.csv", "drop/default/b.csv")
calls = st.one_of(st.none(), st.integers(1, 12))  # where a function is killed, if at all
rows = st.lists(st.sampled_from(["u1", "u2", "u3", "u4", "u5", ""]), min_size=1, max_size=6)


@dataclass(slots=True)
class Following:
    """A child of the state machine, and the state in which it is."""

    import_id: str
    number: int
    state: str = "Upload batch"


@dataclass(slots=True)
class World:
    """What every example shares."""

    deployment: Deployment
    target: simulator.Simulator
    outside: Outside
    drops: int = 0
    dropped: list[DroppedObject] = field(default_factory=list)


class Accidents(RuleBasedStateMachine):
    """Each rule is something that may happen; at the end every import is finished and checked."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.deployment = world.deployment
        self.dropped: list[DroppedObject] = []
        self.following: list[Following] = []
        self.queued: list[str] = []  # the imports, in the order in which their batches have to go

    @rule(ids=rows, key=st.sampled_from(FILES))
    def drop(self, ids: list[str], key: str) -> None:
        self.world.drops += 1
        lines = [f"{profile_id},{self.world.drops}-{line}\n" for line, profile_id in enumerate(ids)]
        body = "thirdPartyId,name\n" + "".join(lines)
        self.dropped.append(self.deployment.drop(body.encode(), key, f"event-{self.world.drops}"))
        self.deployment.clock.advance(seconds=2)

    @precondition(lambda self: self.dropped)
    @rule(which=st.integers(0, 9), again=st.booleans(), killed_at=calls)
    def deliver(self, which: int, again: bool, killed_at: int | None) -> None:
        dropped = self.dropped[which % len(self.dropped)]
        event = replace(dropped, event_id="sweep") if again else dropped
        self._attempt("split", killed_at, lambda: self.deployment.split(event))
        self._note_queue()
        self._follow(dropped)

    @precondition(lambda self: self.following)
    @rule(which=st.integers(0, 9), killed_at=calls)
    def step(self, which: int, killed_at: int | None) -> None:
        child = self.following[which % len(self.following)]
        outcome: Outcome | None
        if child.state == "Upload batch":
            outcome = self._attempt("submit", killed_at, lambda: self._submit(child))
            if outcome is not None and outcome.word is not Word.DEFERRED:
                child.state = "Check status"
        else:
            outcome = self._attempt("check", killed_at, lambda: self._check(child))
            if outcome is not None and outcome.word is Word.RESUBMIT:
                child.state = "Upload batch"
        if outcome is not None and outcome.resume_at is not None:
            self.deployment.clock.reach(moment(outcome.to_json()["resumeAt"]))

    @rule(name=st.sampled_from(ANSWERS), on=st.sampled_from(["submit", "status"]), times=st.integers(1, 3))
    def answer(self, name: str, on: str, times: int) -> None:
        self.world.target.script(simulator.fault(name, on=on, times=times))

    @rule(seconds=st.sampled_from([1, 30, 600, 3600, 30_000]))
    def advance(self, seconds: int) -> None:
        self.deployment.clock.advance(seconds=seconds)

    @precondition(lambda self: self.following)
    @rule(which=st.integers(0, 9))
    def start_again(self, which: int) -> None:
        stopped = self.following[which % len(self.following)].import_id
        for child in self.following:
            if child.import_id == stopped:
                child.state = "Upload batch"

    @precondition(lambda self: self.following)
    @rule(which=st.integers(0, 9), killed_at=calls)
    def stop(self, which: int, killed_at: int | None) -> None:
        stopped = self.following[which % len(self.following)].import_id
        self._attempt("finish", killed_at, lambda: self.deployment.finish(stopped))

    @invariant()
    def holds(self) -> None:
        for name in {child.import_id for child in self.following}:
            self._hold(name, None)
        self._hold_order()

    def teardown(self) -> None:
        """Finish every import that was dropped."""
        self.world.outside.plan(Accident.NONE)
        self.world.target.clear_script()
        self.deployment.clock.advance(minutes=20)  # whoever died is known to be dead
        for dropped in self.dropped:
            self.deployment.split(dropped)
            self._note_queue()
            self._follow(dropped)
        names = list(dict.fromkeys(child.import_id for child in self.following))
        # Later imports first, now and then: what waits for an earlier one then overtakes it.
        for name in reversed(names) if len(self.dropped) % 2 else names:
            summary = self.deployment.resume(name)
            assert all(batch.settled for batch in summary.batches)
            assert summary.profiles.total == summary.rows.sent
            self._hold(name, summary)
        self._hold_order()

    def _attempt[T](self, function: str, killed_at: int | None, invocation: Callable[[], T]) -> T | None:
        outside = self.world.outside
        outside.plan(Accident.KILLED if killed_at else Accident.NONE, function, killed_at or 0)
        try:
            with outside.running(function):
                return invocation()
        except KilledError:
            self.deployment.clock.advance(seconds=2)
            return None
        finally:
            outside.plan(Accident.NONE)

    def _submit(self, child: Following) -> Outcome:
        return self.deployment.submit(child.import_id, child.number)

    def _check(self, child: Following) -> Outcome:
        return self.deployment.check(child.import_id, child.number)

    def _follow(self, dropped: DroppedObject) -> None:
        name = import_id(dropped.bucket, dropped.key, dropped.version_id)
        if all(child.import_id != name for child in self.following):
            numbers = self.deployment.machine.started.get(name, [])
            self.following += [Following(name, number) for number in numbers]

    def _note_queue(self) -> None:
        self.deployment.ledger.change_queue("demo", self.deployment.clock(), self._note)

    def _note(self, queue: list[str]) -> tuple[list[str], list[str]]:
        self.queued += [name for name in queue if name not in self.queued]
        return queue, []

    def _hold_order(self) -> None:
        """Assert that Target took no value of an id from an earlier import after one from a later import."""
        owners = {
            batch.sha256: self.queued.index(child.import_id)
            for child in self.following
            for batch in [self.deployment.ledger.get_batch(child.import_id, child.number)]
        }
        newest: dict[bytes, int] = {}
        for request in self.world.target.submissions:
            if request.batch_id and request.sha256 in owners:
                for row in self.world.target.body(request.number).splitlines()[1:]:
                    profile_id = row.partition(b",")[0]
                    assert newest.get(profile_id, 0) <= owners[request.sha256]
                    newest[profile_id] = owners[request.sha256]

    def _hold(self, name: str, summary: Summary | None) -> None:
        """Assert the accounting of an import, and that Target received what the ledger says."""
        if summary is None:
            data = self.deployment.storage.read_json(object_key(name, MANIFEST))
            entry = self.deployment.ledger.get_import(name)
            assert data is not None
            assert entry is not None
            batches = self.deployment.ledger.batches(name)
            summary = reconcile(entry, Manifest.from_json(data), batches, self.deployment.clock())
        assert summary.unaccounted == 0
        arrived = Counter(request.sha256 for request in self.world.target.submissions)
        for batch in summary.batches:
            whole = sum(
                request.sha256 == batch.sha256 and request.batch_id != ""
                for request in self.world.target.submissions
            )
            assert whole <= max(batch.submissions, 0)
            assert whole <= 1 or batch.possibly_duplicate
            if batch.accepted_at is not None:
                assert arrived[batch.sha256] >= 1


@pytest.fixture
def world(s3: S3Client, target: simulator.Simulator, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(QuickDeployment(target.url, s3), target, install(monkeypatch))


@pytest.mark.fault(
    51, "killed at any call, in any order with drops, repeated events, answers, time and restarts"
)
@pytest.mark.fault(57, "stopped and started again at any step, in any order with other accidents")
def test_import_accidents_in_any_order_lose_no_row(world: World) -> None:
    """Nor is a row sent twice without a mark."""

    def utcnow(*_: Any) -> Any:
        return world.deployment.clock().replace(tzinfo=None)

    bounds = settings(
        max_examples=20,
        stateful_step_count=14,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    with patch("moto.s3.models.utcnow", utcnow):
        run_state_machine_as_test(
            lambda: Accidents(world),  # type: ignore[arg-type]  # anything that makes one will do
            settings=bounds,
        )
