"""Accidents in any order that Hypothesis generates, with the accounting checked at every step.

Each example drops and delivers files first. Then functions are killed, raced and throttled at any of their
calls, Target answers nonsense, time leaps, executions die and are started again. At the end, without further
accidents, the hourly sweep and the state machine bring every import to its end.
"""

from __future__ import annotations

import dataclasses
import json
import types
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import hypothesis
import pytest
import smart_open.s3
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import simulator
from bulk_profiles.accounting.summary import Summary
from bulk_profiles.aws import dynamodb, profiles_table
from bulk_profiles.core.errors import BulkProfilesError
from bulk_profiles.core.models import BatchState, ImportStatus, Resendable, Why
from bulk_profiles.core.names import import_id
from bulk_profiles.ledger import ledger
from bulk_profiles.ledger.batch_entry import BatchEntry
from bulk_profiles.ledger.import_entry import GivenUp
from bulk_profiles.ledger.pauses import Pause, longest
from bulk_profiles.steps.messages import DroppedObject, Outcome, Word
from bulk_profiles.steps.resend_import import Resent
from bulk_profiles.steps.settings import UnknownPolicy
from bulk_profiles.steps.split_file import SplitResult
from bulk_profiles.steps.stopping import give_up
from simulator.scripts import ALWAYS
from simulator.target import Target
from tests.worlds.accidents import Accident, KilledError, Outside, install
from tests.worlds.children import CHECK, ENDED, FINISH, RESEND, UPLOAD, Child, Executions, out_of_time_after
from tests.worlds.evidence import Evidence
from tests.worlds.in_memory import InMemoryDeployment

EXAMPLES = 10  # of each setting in the suite; `make fuzz` runs many more
STEPS = 30  # of one example, before the undisturbed end
_MOST_ROUNDS = 40  # of sweeps until every import has ended
_MOST_DROPS = 4
_MOST_WALKED = 6_000  # steps in one of these rounds

ANSWERS = (
    *("unavailable", "too_many_requests", "server_error", "bad_request", "refused", "empty", "cut_xml"),
    *("reset_before_body", "reset_during_body", "reset_after_body", "unsafe_status_url", "unauthorized"),
)
STATUSES = (
    "stuck",
    "unknown_word",
    "doctype",
    "not_found",
    "unavailable",
    "incomplete_forever",
    "wrong_size",
)


@dataclass(frozen=True)
class Setting:
    """The settings of one run: of the deployment, and of Target."""

    limit: str  # what makes the budget tight
    deployment: dict[str, Any]
    target: dict[str, Any]
    first_answer: str = ""  # a fault of the first submission


SETTINGS = (
    Setting("nothing", {}, {}),
    Setting("nothing", {"deadline_hours": 2}, {"generation": 1, "failed_ids": frozenset({"u2"})}),
    Setting("calls", {"calls_per_minute": 3, "max_submissions": 2}, {"failed_ids": frozenset({"u2"})}),
    Setting("calls", {"calls_per_minute": 3, "unknown_policy": UnknownPolicy.HOLD}, {"flattened": True}),
    Setting("places", {"max_in_flight": 1}, {"failed_once_ids": frozenset({"u1", "u4"})}),
    Setting("places", {"max_in_flight": 2, "max_check_seconds": 300, "deadline_hours": 2}, {}),
    Setting(
        "places",
        {"max_in_flight": 1, "max_submissions": 1},
        {"generation": 4, "completion_seconds": 5000},
        "reset_after_body",
    ),
    Setting("rows", {"rows_per_day": 6}, {"not_found_ids": frozenset({"u3"})}),
    Setting("rows", {"rows_per_day": 4, "max_submissions": 2}, {"failed_once_ids": frozenset({"u1"})}),
    Setting("window", {"upload_window": "20:00-06:00"}, {"generation": 1}),
    Setting("nothing", {}, {"generation": 4, "failed_ids": frozenset({"u2"})}),
    Setting(
        "calls",
        {"calls_per_minute": 6, "isolate_submissions": 3},
        {"generation": 4, "failed_once_ids": frozenset({"u1", "u4"})},
    ),
)
IDS = ("u1", "u2", "u3", "u4", "u5")
rows = st.lists(st.sampled_from([*IDS, *IDS, ""]), min_size=1, max_size=6)


@dataclass(frozen=True)
class Plan:
    """One accident of an invocation: at which of its calls, and what happens meanwhile."""

    accident: Accident = Accident.NONE
    at: int = 0
    meanwhile: str = ""


killed = st.builds(
    Plan,
    st.sampled_from(
        [
            *[Accident.KILLED] * 3,
            *[Accident.PAUSED] * 2,
            *(Accident.UNREACHABLE, Accident.UNANSWERED, Accident.DOUBLED),
        ]
    ),
    st.integers(1, 12),
)
raced = st.builds(
    Plan,
    st.just(Accident.MEANWHILE),
    st.integers(1, 12),
    st.sampled_from(["same", "same", "other", "copy"]),
)
plans = st.one_of(st.just(Plan()), killed, raced)


@dataclass
class World:
    """What all examples share: one server, and what they have reached."""

    target: simulator.Simulator
    outside: Outside
    reached: Counter[str] = field(default_factory=Counter)
    settings: set[int] = field(default_factory=set)  # those whose examples have all been run

    def restart(self, clock: Callable[[], datetime], target_settings: simulator.Settings) -> None:
        """Replace the server's Target by one that has received nothing."""
        self.target._server.target = Target(target_settings, lambda: clock().timestamp())


@dataclass
class Event:
    """One event of S3, as Lambda holds it: it is tried three times under one request id."""

    dropped: DroppedObject
    tries: int = 3


# Longer than others: a machine has all its rules, and what they share, in one class.
class Accidents(RuleBasedStateMachine):
    """Each rule is something that may happen; at the end every import is finished and checked."""

    def __init__(self, world: World, setting: Setting) -> None:
        super().__init__()
        self.world = world
        self.setting = setting
        self.reached = world.reached
        self.deployment = InMemoryDeployment(world.target.url)
        self.evidence = Evidence(self.deployment, world.target)
        self.executions = Executions(self.deployment)
        self.events: list[Event] = []
        self.dropped: list[DroppedObject] = []
        self.copies = 0  # of events, each with a request id of its own
        self.late_first = False
        world.outside.plan(Accident.NONE)

    @initialize(
        completion=st.sampled_from([100, 0, 5000, 5000]),
        most_rejected=st.sampled_from([10, 100]),
        first=rows,
        second=rows,
        shares=st.sampled_from([True, True, False]),
        late_first=st.booleans(),
        plan=plans,
        looks=st.sampled_from([None, None, None, 0]),
    )
    def begin(
        self,
        completion: int,
        most_rejected: int,
        first: list[str],
        second: list[str],
        shares: bool,
        late_first: bool,
        plan: Plan,
        looks: int | None,
    ) -> None:
        """Drop a file and deliver its event; in most examples another one with some of the same ids."""
        target = {"calls_per_minute": 0, "max_rows": 3, "completion_seconds": completion}
        self.world.restart(self.deployment.clock, simulator.Settings(**target | self.setting.target))
        if self.setting.first_answer:
            self.world.target.script(simulator.fault(self.setting.first_answer))
        # A short deadline: what somebody has stopped is waited for less often.
        common = {"deadline_hours": 4, "max_rejected_percent": most_rejected}
        self.deployment.configure(**common | self.setting.deployment)
        self.late_first = late_first
        for ids, name in ((first, "a"), (second, "b"))[: 1 + shares]:
            self.drop(["u1", *ids], name)
            self.deliver(0, plan, looks)
        self.reached["EXAMPLE"] += 1

    @precondition(lambda self: len(self.dropped) < _MOST_DROPS)
    @rule(
        ids=st.one_of(rows, rows, st.just([""])),
        name=st.sampled_from("aab"),
        lost=st.booleans(),
        replaced=st.sampled_from([True, True, False]),
    )
    def drop(self, ids: list[str], name: str, lost: bool = False, replaced: bool = False) -> None:
        """Drop a file, perhaps a new version of another one. Its event may be lost.

        Where it is `replaced`, another version follows at once, before either event is delivered.
        """
        if replaced and len(self.dropped) < _MOST_DROPS - 1:
            self.drop(ids, name)
        number = len(self.dropped) + 1
        lines = [f"{profile_id},{number}-{line}\n" for line, profile_id in enumerate(ids)]
        body = "thirdPartyId,name\n" + "".join(lines)
        with self._quiet():
            dropped = self.deployment.drop(body.encode(), f"drop/default/{name}.csv", f"event-{number}")
        self.dropped.append(dropped)
        values = {profile_id: f"{number}-{line}" for line, profile_id in enumerate(ids) if profile_id}
        self.evidence.values[_name(dropped)] = values
        self.evidence.versions[_name(dropped)] = name, number
        if not lost:
            self.events.append(Event(dropped))
        self.reached["DROP lost" if lost else "DROP"] += 1
        self.deployment.clock.advance(seconds=2)

    @rule(
        which=st.sampled_from([0, 1, -1]),
        plan=plans,
        looks=st.sampled_from([None, None, 0, 1]),
        again=st.booleans(),
    )
    def deliver(self, which: int, plan: Plan, looks: int | None, again: bool = False) -> None:
        """Run split_file for an event, or for a copy of an earlier one, which has another request id.

        `looks` at its time are in time, if that ends.
        """
        if again or not self.events:
            dropped = self.dropped[which % len(self.dropped)]
            self.events.insert(0, Event(dataclasses.replace(dropped, event_id=f"copy-{self._next()}")))
            self.reached["COPY"] += 1
        event = self.events[0 if again else which % len(self.events)]
        event.tries -= 1
        result = self._attempt("split", plan, lambda: self._split(event.dropped, looks))
        if result is not None or event.tries == 0:
            self.events.remove(event)
        if result is not None and result.unfinished:
            self.events.append(Event(dataclasses.replace(event.dropped, event_id=f"on-{self._next()}")))

    @precondition(lambda self: self.executions.due())
    @rule(which=st.integers(0, 3), plan=killed)
    def kill(self, which: int, plan: Plan) -> None:
        """Invoke the function of a child that is due soon, and have one of its calls go wrong."""
        children = self.executions.due()
        self._step(children[min(which, len(children) - 1)], plan)

    @precondition(lambda self: self.executions.due())
    @rule(which=st.integers(0, 3), plan=raced)
    def race(self, which: int, plan: Plan) -> None:
        """Invoke the function of a child that is due soon, while another function works too."""
        children = self.executions.due()
        self._step(children[min(which, len(children) - 1)], plan)

    @precondition(lambda self: self.executions.due())
    @rule(which=st.integers(0, 3), times=st.integers(1, 6))
    def follow(self, which: int, times: int) -> None:
        """Invoke the functions of some children one after the other, without an accident."""
        for _ in range(times):
            if children := self.executions.due():
                self._step(children[min(which, len(children) - 1)], Plan())

    @precondition(lambda self: self.executions.due())
    @rule(
        name=st.sampled_from(ANSWERS),
        status=st.sampled_from(STATUSES),
        on_submit=st.booleans(),
        times=st.sampled_from([1, 2, 3, ALWAYS]),
        retry_after=st.sampled_from(["", "", "300"]),
        plan=plans,
    )
    def answer(
        self, name: str, status: str, on_submit: bool, times: int, retry_after: str, plan: Plan
    ) -> None:
        """Script a fault as Target's answer to the next calls of a kind, and make the first of them.

        A fault of status calls may last beyond the deadline.
        """
        on, fault = ("submit", name) if on_submit else ("status", status)
        times = max(times, 1) if on_submit else times
        headers = {"Retry-After": retry_after} if retry_after else {}
        self.world.target.clear_script()  # an earlier fault that lasts would hide this one
        if not on_submit:
            for _ in range(3):
                if all(child.state != CHECK for child in self.executions.due()):
                    self._step_earliest(UPLOAD, Plan())
        self.world.target.script(simulator.fault(fault, on=on, times=times, headers=headers))
        self.reached[f"ANSWER {on}"] += 1
        self._step_earliest(UPLOAD if on_submit else CHECK, plan)
        if on_submit and self.executions.due():  # and somebody starts the import again at once
            child = dataclasses.replace(self.executions.due()[0], state=UPLOAD)
            if child.number:
                self._attempt("submit", Plan(), lambda: self._invoke(child))
        if times == ALWAYS:
            self.deployment.clock.advance(hours=self.deployment.check_settings.deadline_hours)
            self._step_earliest(CHECK, Plan())

    @precondition(lambda self: any(child.state == UPLOAD for child in self.executions.due()))
    @rule(
        name=st.sampled_from(
            ["unavailable", "too_many_requests", "server_error", "reset_after_body", "refused"]
        ),
        retry_after=st.sampled_from(["", "300", "300"]),
        again=st.sampled_from(["", "at once", "at once", "in time", "killed"]),
        at=st.integers(1, 12),
    )
    def turn_away(self, name: str, retry_after: str, again: str, at: int) -> None:
        """Let Target refuse the next submission once, and submit it again: at once, in time or killed."""
        self._resume_all()
        self.world.target.clear_script()
        headers = {"Retry-After": retry_after} if retry_after else {}
        self.world.target.script(simulator.fault(name, on="submit", headers=headers))
        children = [child for child in self.executions.due() if child.state == UPLOAD]
        child = min(children, key=lambda child: self.evidence.queued.index(child.import_id))
        self._step(child, Plan())
        if child.state == UPLOAD and again in {"in time", "killed"}:
            self._step(child, Plan(Accident.KILLED, at) if again == "killed" else Plan())
        if child.state == UPLOAD and again in {"at once", "killed"}:
            self._attempt("submit", Plan(), lambda: self._invoke(dataclasses.replace(child)))
        self.reached["TURN AWAY"] += 1

    @rule(
        operation=st.sampled_from(
            ["PutItem", "GetItem", "PutObject", "GetObject", "StartExecution", "Publish"]
        ),
        times=st.integers(1, 3),
        seconds=st.sampled_from([0, 1, 600, 3600, 30_000]),
    )
    def disturb(self, operation: str, times: int, seconds: int) -> None:
        """Refuse the next calls of an operation after all of boto3's tries, or advance the clock."""
        if seconds:
            self.deployment.clock.advance(seconds=seconds)
            self.reached["ADVANCE"] += 1
            return
        for service in self.deployment.services:
            service.refuse(operation, "ThrottlingException", times)
        self.reached["THROTTLE"] += 1

    @precondition(lambda self: any(child.state == CHECK for child in self.executions.due()))
    @rule(times=st.integers(1, 3))
    def run_out_of_time(self, times: int) -> None:
        """Let the next looks at the clock show no time left, and check what is due first."""
        self.executions.hurries = times
        self._step_earliest(CHECK, Plan())

    @rule(plan=plans)
    def sweep(self, plan: Plan) -> None:
        """Run the sweep; what it splits is queued as an event."""
        self._sweep(plan)

    @precondition(lambda self: self.deployment.machine.statuses and len(self.executions.due()) < 8)
    @rule(which=st.integers(0, 3))
    def start_again(self, which: int) -> None:
        """Start an execution with an earlier one's input, as the console does, whether that runs or not."""
        names = list(self.deployment.machine.inputs)
        self._start_again(names[which % len(names)])
        self.reached["START AGAIN"] += 1

    @precondition(lambda self: self.executions.due())
    @rule(
        which=st.integers(0, 3),
        status=st.sampled_from(["FAILED", "FAILED", "TIMED_OUT", "ABORTED"]),
        plan=plans,
    )
    def stop(self, which: int, status: str, plan: Plan) -> None:
        """End an execution in the middle; its import is reported all the same where only its map has died."""
        children = self.executions.due()
        child = children[min(which, len(children) - 1)]
        self.executions.end(child.execution, status)
        if status == "FAILED":
            self._attempt("finish", plan, lambda: self.deployment.finish(child.import_id))
        self.reached[f"STOP {status}"] += 1

    @precondition(lambda self: not self._paused())
    @rule(
        scope=st.sampled_from(["all", "feed:default", "import:"]),
        hours=st.sampled_from([None, 1, 6]),
        times=st.integers(1, 4),
    )
    def pause(self, scope: str, hours: int | None, times: int) -> None:
        """Pause something, and have some children look at it."""
        now = self.deployment.clock()
        scope += _name(self.dropped[-1]) if scope == "import:" else ""
        until = now + timedelta(hours=hours) if hours else None
        with self._quiet():
            self.deployment.ledger.pause(Pause(scope, now, until, "ana", "Why not."), now)
        self.reached["PAUSE"] += 1
        for _ in range(times):
            self._step_earliest(UPLOAD, Plan())

    @precondition(lambda self: self._paused())
    @rule()
    def resume(self) -> None:
        """End all pauses."""
        self._resume_all()
        self.reached["RESUME"] += 1

    @rule(which=st.integers(0, 3), sure=st.booleans())
    def give_up_import(self, which: int, sure: bool) -> None:
        """Give up an import, now and then: no more of it is sent."""
        name = _name(self.dropped[which % len(self.dropped)])
        machine, now = self.deployment.machine, self.deployment.clock()
        if not sure or not any(each.startswith(name) for each in machine.statuses):
            return
        with self._quiet(), suppress(BulkProfilesError):
            give_up(name, GivenUp("ana", now), self.deployment.ledger, self.executions.of_machine, now)
            self.reached["GIVE UP"] += 1

    @precondition(lambda self: self._ended())
    @rule(
        which=st.integers(0, 3),
        words=st.one_of(
            st.just(list(Resendable)), st.lists(st.sampled_from(Resendable), min_size=1, unique=True)
        ),
        plan=st.one_of(st.just(Plan()), killed, killed, raced),
        twice=st.booleans(),
    )
    def send_again(self, which: int, words: list[Resendable], plan: Plan, twice: bool) -> None:
        """Send parts of an import that has ended again; the first step may be disturbed, or done twice."""
        ended = self._ended(failed=True) or self._ended()
        execution = self._start_resend(ended[which % len(ended)], words)
        for _ in range(1 + twice):
            for child in self.executions.due():
                if child.execution == execution and child.state == RESEND:
                    self._step(dataclasses.replace(child) if twice else child, plan)
        self.reached["SEND AGAIN"] += 1

    @invariant()
    def holds(self) -> None:
        """Check the accounting, the order, the values and the budget."""
        if self.dropped:
            with self._quiet():
                self.evidence.hold()

    def teardown(self) -> None:
        """Bring every import to its end, undisturbed: with the sweep, the state machine, and the operator."""
        if not self.dropped:
            return
        self.world.outside.plan(Accident.NONE)
        self.world.target.clear_script()
        self.executions.hurries = 0
        self._resume_all()
        for service in self.deployment.services:
            service.refusals.clear()
        self._bring_to_an_end()
        if not self.late_first:
            self._send_failed_again()
            self._bring_to_an_end()
        if self.evidence.shared:
            self.reached["EXAMPLE with imports that share ids"] += 1
        for name in self.evidence.values:
            self.reached[f"END {self.evidence.hold_end(name)}"] += 1
        if len(self.dropped) > 1:
            self.reached["EXAMPLE with two imports"] += 1

    def _send_failed_again(self) -> None:
        """Send what failed of every import again; the first step is killed once, at any of its calls."""
        for name in self._ended(failed=True):
            execution = self._start_resend(name, Resendable)
            for child in self.executions.due():
                if child.execution == execution and child.state == RESEND:
                    self._step(child, Plan(Accident.KILLED, 1 + self._next() % 12))

    def _bring_to_an_end(self) -> None:
        """Walk, sweep and operate until nothing is left to do."""
        for _ in range(_MOST_ROUNDS):
            while self.events:
                self.deliver(0, Plan(), None)
            if not self.late_first:
                self._operate()  # otherwise what was stopped is waited for, and overtaken
            self._walk()
            self.evidence.hold()
            self.deployment.clock.advance(minutes=61)
            if not self._sweep(Plan()) and not self._operate() and not self.events:
                break
        else:
            raise AssertionError("the imports never end")

    def _walk(self) -> None:
        """Walk all children until every execution has ended."""
        for _ in range(_MOST_WALKED):
            children = self.executions.due()
            if not children:
                return
            # Later imports first, now and then: what waits for an earlier one must not overtake it.
            self._step(children[-1 if self.late_first and children[-1].due <= children[0].due else 0], Plan())
        raise AssertionError("a batch goes round in circles")

    def _operate(self) -> bool:
        """Start what no sweep starts: what somebody has stopped on purpose, also where it was named anew."""
        machine, before = self.deployment.machine, len(self.deployment.machine.inputs)
        for name in self.evidence.values:
            named = [each for each in machine.statuses if each.startswith(name)]
            stopped = bool(named) and machine.statuses[named[-1]] in {"ABORTED", "SUCCEEDED"}
            named = [each for each in named if not machine.resend_of(each)]  # it cannot be begun anew
            entry = self.deployment.ledger.get_import(name)
            unsettled = not all(batch.settled for batch in self.deployment.ledger.batches(name))
            if entry and stopped and (unsettled or not entry.status.final):
                self._start_again(named[-1])
        return len(machine.inputs) > before

    def _start_resend(self, name: str, words: Iterable[Resendable]) -> str:
        machine = self.deployment.machine
        execution = f"{name}-resend-{len(machine.inputs)}"
        state = {"importId": name, "resend": [word.value for word in words]}
        with self._quiet():
            machine.start_execution(stateMachineArn="arn", name=execution, input=json.dumps(state))
        return execution

    def _ended(self, *, failed: bool = False) -> list[str]:
        """Return the imports that have ended, but for rejected files; or only those that did not succeed."""
        with self._quiet():
            entries = [self.deployment.ledger.get_import(name) for name in self.evidence.values]
        final = {ImportStatus.PARTIAL, ImportStatus.FAILED} | (set() if failed else {ImportStatus.SUCCEEDED})
        return [entry.import_id for entry in entries if entry and entry.status in final]

    def _paused(self) -> list[Pause]:
        with self._quiet():
            return self.deployment.ledger.pauses(self.deployment.clock())

    def _resume_all(self) -> None:
        with self._quiet():
            for pause in self._paused():
                self.deployment.ledger.resume(pause.scope, self.deployment.clock())

    def _next(self) -> int:
        self.copies += 1
        return self.copies

    def _start_again(self, execution: str) -> None:
        machine = self.deployment.machine
        with self._quiet():
            machine.start_execution(
                stateMachineArn="arn", name=f"again-{len(machine.inputs)}", input=machine.inputs[execution]
            )

    def _attempt[T](
        self, function: str, plan: Plan, invocation: Callable[[], T], child: Child | None = None
    ) -> T | None:
        """Invoke a function, of a child if it has one, with an accident; return None where it failed."""
        outside = self.world.outside
        outside.plan(plan.accident, function, plan.at, lambda: self._meanwhile(plan, child))
        happened = False
        try:
            with outside.running(function):
                return invocation()
        except (KilledError, BulkProfilesError):
            self.reached[f"{function.upper()} failed"] += 1
            self.deployment.clock.advance(seconds=2)
            return None
        finally:
            happened = outside.happened
            outside.plan(Accident.NONE)
            if happened:
                self.reached[f"{function.upper()} {plan.accident} {plan.meanwhile}".strip()] += 1

    @contextmanager
    def _quiet(self) -> Iterator[None]:
        """Look at the ledger without an accident, and without counting as a call of a function."""
        refusals = [service.refusals for service in self.deployment.services]
        with self.world.outside.suspended():
            for service in self.deployment.services:
                service.refusals = {}
            try:
                yield
            finally:
                for service, refusal in zip(self.deployment.services, refusals, strict=True):
                    service.refusals = refusal

    def _meanwhile(self, plan: Plan, child: Child | None) -> None:
        """Do what happens while a function is between two calls."""
        if plan.accident is Accident.PAUSED:
            self.deployment.clock.advance(minutes=3)
        children = self.executions.due()
        with suppress(KilledError, BulkProfilesError):
            match plan.meanwhile:
                case "same" if child is not None:  # in another execution of the same import
                    self._invoke(dataclasses.replace(child))
                case "other" if children:
                    self._invoke(dataclasses.replace(children[-1]))
                case "same" | "copy":
                    for dropped in self.dropped:
                        self._split(dataclasses.replace(dropped, event_id="rival"), None)

    def _step_earliest(self, state: str, plan: Plan) -> None:
        """Invoke the function of a child in a state whose import nobody else has to wait for."""
        children = [child for child in self.executions.due() if child.state == state]
        if children:
            self._step(min(children, key=lambda child: self.evidence.queued.index(child.import_id)), plan)

    def _step(self, child: Child, plan: Plan) -> None:
        self.deployment.clock.reach(child.due)
        function = {UPLOAD: "submit", CHECK: "check", FINISH: "finish", RESEND: "resend"}[child.state]
        result = self._attempt(function, plan, lambda: self._invoke(child), child)
        if result is None:
            self.executions.fail(child)
            if child.state == ENDED:
                self.reached["CHILD gave up"] += 1
        elif isinstance(result, Outcome):
            child.go_on(result, self.deployment.clock())

    def _invoke(self, child: Child) -> Outcome | Summary | Resent:
        """Invoke the function of a child and note which branch of the step it took."""
        if child.state == RESEND:
            resent = self.executions.step(child)
            assert isinstance(resent, Resent)
            held_back = "held back" if "later import" in resent.says else "refused"
            self.reached[f"RESEND {'opened' if resent.batches else held_back}"] += 1
            return resent
        if child.state == FINISH:
            summary = self.executions.step(child)
            assert isinstance(summary, Summary)
            self.reached[f"FINISH {summary.status}"] += 1
            return summary
        state, now = child.state, self.deployment.clock()
        with self._quiet():
            before = self.deployment.ledger.get_batch(child.import_id, child.number)
            entry = self.deployment.ledger.import_of(before)
        calls = len(self.world.target.requests)
        outcome = self.executions.step(child)
        assert isinstance(outcome, Outcome)
        with self._quiet():
            after = self.deployment.ledger.get_batch(child.import_id, child.number)
        made = len(self.world.target.requests) - calls
        if state == UPLOAD:
            alive = before.sending_until is not None and now < before.sending_until
            if before.state is BatchState.SENDING and alive:
                assert not made, "a batch was sent while its sender may be alive"
            bodies = {after.sha256, *(follow_up.sha256 for follow_up in after.follow_ups)}
            for request in self.world.target.requests[calls:]:
                if request.sha256 not in bodies:  # what happened meanwhile has sent it
                    continue
                assert entry.given_up is None, "a batch of an import that was given up was sent"
                assert longest(self._paused(), entry) is None, "a batch was sent although it was paused"
                if after.sending_until is not None:
                    over = request.at + self.deployment.upload_settings.upload_timeout_seconds
                    assert over <= after.sending_until.timestamp(), "a batch was sent by one held to be dead"
            branch = _branch_of_submission(before, after, outcome, now, made)
            self.reached[
                f"SUBMIT {branch}" + (f" {self.setting.limit}" if branch.endswith("budget") else "")
            ] += 1
        else:
            self.reached[f"CHECK {_branch_of_check(before, after, outcome, made)}"] += 1
        return outcome

    def _split(self, dropped: DroppedObject, looks: int | None) -> SplitResult:
        with self._quiet():
            entry = self.deployment.ledger.get_import(_name(dropped))
        result = self.deployment.split(
            dropped, (lambda: False) if looks is None else out_of_time_after(looks)
        )
        with self._quiet():
            self.evidence.note_queue()
        held = (
            entry is not None
            and entry.status is ImportStatus.SPLITTING
            and entry.owner != dropped.event_id
            and entry.lease_until is not None
            and entry.lease_until > self.deployment.clock()
        )
        if held:
            assert result == SplitResult(_name(dropped)), "a split was begun under the lease of another"
        self.reached[f"SPLIT {_branch_of_split(result, held=held)}"] += 1
        return result

    def _sweep(self, plan: Plan) -> bool:
        """Sweep; return whether there was anything to do."""
        before = len(self.deployment.functions.events)
        result = self._attempt("sweep", plan, self.deployment.sweep_only)
        queued = self.deployment.functions.take()
        self.events += [Event(DroppedObject.from_event(event)) for event in queued]
        assert len(self.deployment.functions.events) == before == 0
        if result is None:
            return True
        assert result.unaccounted == 0
        self.reached["SWEEP split"] += result.split
        self.reached["SWEEP restarted"] += result.restarted
        self.reached["SWEEP idle"] += not result.split and not result.restarted
        return bool(result.split or result.restarted)


def _name(dropped: DroppedObject) -> str:
    return import_id(dropped.bucket, dropped.key, dropped.version_id)


def _branch_of_split(result: SplitResult, *, held: bool) -> str:
    if result.unfinished:
        return "unfinished"
    if result.summary is not None:
        return "older version" if "older_version" in result.summary.rejects else "rejected"
    if result.manifest is not None:
        return "uploading"
    return "leased" if held else "known"


def _branch_of_submission(
    before: BatchEntry, after: BatchEntry, outcome: Outcome, now: datetime, calls: int
) -> str:
    """Return the branch of upload_batch that was taken, as far as it shows from outside."""
    if outcome.word is not Word.DEFERRED:
        resent = after.possibly_duplicate and not before.possibly_duplicate
        given_up = outcome.word is Word.REFUSED and not calls and before.state is BatchState.PLANNED
        return f"{outcome.word}" + (" after a loss" if resent else " unsent" if given_up else "")
    alive = before.state is BatchState.SENDING and before.sending_until and now < before.sending_until
    reasons = (
        (alive, "may be alive"),
        (outcome.why is Why.PAUSED, "paused"),
        (after.state is BatchState.UNKNOWN, "lost"),
        (after.turned_away > before.turned_away, "turned away"),
        (before.next_check_at and now < before.next_check_at, "as Target asked"),
        (after.deferrals > before.deferrals, "budget"),
    )
    return "deferred: " + next((word for holds, word in reasons if holds), "earlier import")


def _branch_of_check(before: BatchEntry, after: BatchEntry, outcome: Outcome, calls: int) -> str:
    """Return the branch of check_status that was taken, as far as it shows from outside."""
    if outcome.word is Word.SETTLED:
        return "known" if before.settled else f"settled {after.state}"
    if outcome.word is Word.RESUBMIT:
        if len(after.follow_ups) == len(before.follow_ups):
            return "resubmit"
        return "resubmit: part" if after.isolation else "resubmit: follow-up"
    if after.profiles_written is not None:
        return "processing: out of time"
    if not calls:
        return "processing: unasked"
    return "processing: details" if after.terminal and not before.terminal else "processing"


# How often a run must have come there, at least: a third of how often it does, or less where it is rare.
FLOORS = {
    "DROP": 80,
    "DROP lost": 20,
    "COPY": 40,
    "ADVANCE": 50,
    "THROTTLE": 20,
    "ANSWER submit": 25,
    "ANSWER status": 40,
    "TURN AWAY": 40,
    "START AGAIN": 30,
    "STOP FAILED": 10,
    "STOP TIMED_OUT": 5,
    "STOP ABORTED": 5,
    "SPLIT uploading": 100,
    "SPLIT known": 80,
    "SPLIT leased": 4,
    "SPLIT older version": 2,
    "SPLIT rejected": 3,
    "SPLIT unfinished": 4,
    "SPLIT killed": 10,
    "SPLIT meanwhile same": 5,
    "SUBMIT accepted": 250,
    "SUBMIT accepted after a loss": 3,
    "SUBMIT deferred: as Target asked": 1,
    "SUBMIT deferred: budget calls": 15,
    "SUBMIT deferred: budget places": 50,
    "SUBMIT deferred: budget rows": 10,
    "SUBMIT deferred: budget window": 20,
    "SUBMIT deferred: earlier import": 500,
    "SUBMIT deferred: lost": 5,
    "SUBMIT deferred: paused": 20,
    "SUBMIT deferred: may be alive": 3,
    "SUBMIT deferred: turned away": 3,
    "SUBMIT refused": 3,
    "SUBMIT refused unsent": 5,
    "SUBMIT unknown": 2,
    "SUBMIT settled": 4,
    "SUBMIT killed": 8,
    "SUBMIT paused": 3,
    "SUBMIT meanwhile same": 5,
    "CHECK settled complete": 200,
    "CHECK settled refused": 5,
    "CHECK settled stuck": 1,
    "CHECK settled expired": 2,
    "CHECK settled unknown": 2,
    "CHECK processing": 300,
    "CHECK processing: out of time": 3,
    "CHECK processing: details": 80,
    "CHECK processing: unasked": 100,
    "CHECK resubmit: follow-up": 10,
    "CHECK resubmit: part": 10,
    "CHECK known": 50,
    "CHECK killed": 3,
    "CHECK meanwhile same": 1,
    "FINISH succeeded": 100,
    "FINISH partial": 25,
    "FINISH failed": 8,
    "SWEEP split": 25,
    "SWEEP restarted": 10,
    "SWEEP idle": 100,
    "PAUSE": 20,
    "RESUME": 10,
    "GIVE UP": 10,
    "SEND AGAIN": 20,
    "RESEND opened": 10,
    "RESEND refused": 5,
    "RESEND held back": 2,
    "RESEND killed": 2,
    "END succeeded": 80,
    "END partial": 20,
    "END failed": 5,
    "END rejected": 10,
}


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """The server of all examples, and what they reach."""
    with pytest.MonkeyPatch.context() as patch, simulator.running() as target:
        # One writer at a time: the n-th call is the same one each time. Nobody waits for rivals in real time.
        patch.setattr(ledger, "_WRITERS", 1)
        patch.setattr(profiles_table, "CONNECTIONS", 1)
        for module in (dynamodb, profiles_table, smart_open.s3):
            patch.setattr(module, "time", types.SimpleNamespace(sleep=lambda _: None))
        yield World(target, install(patch))


@pytest.mark.fault(
    51, "killed, raced or throttled at any call, in any order with drops, repeated events, answers and time"
)
@pytest.mark.fault(57, "stopped and started again at any step, in any order with other accidents")
@pytest.mark.parametrize("number", range(len(SETTINGS)))
def test_import_accidents_in_any_order_lose_no_row(world: World, number: int) -> None:
    """Nor is a row sent twice without a mark, under another's value, or before an older one."""
    fuzz = settings.get_current_profile_name() == "fuzz"

    def accidents() -> Accidents:
        return Accidents(world, SETTINGS[number])

    run_state_machine_as_test(
        accidents if fuzz else hypothesis.seed(number)(accidents),  # type: ignore[arg-type]  # a factory will do
        settings=settings(
            max_examples=settings().max_examples if fuzz else EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
            # To shrink an example takes minutes.
            phases=[hypothesis.Phase.generate, *[hypothesis.Phase.shrink] * fuzz],
        ),
    )
    world.settings.add(number)


@pytest.mark.parametrize(("branch", "least"), FLOORS.items())
def test_accidents_reach_every_rule_and_branch(world: World, branch: str, least: int) -> None:
    if len(world.settings) < len(SETTINGS):
        pytest.skip("not all examples were run")
    assert world.reached[branch] >= least


def test_accidents_have_imports_that_share_ids_in_a_third_of_the_examples(world: World) -> None:
    assert world.reached["EXAMPLE with imports that share ids"] * 3 >= world.reached["EXAMPLE"]
