"""A day at scale, by discrete events: files arrive, are split, sent, followed and written down.

What the application decides is decided by its own code: slots and waits of the budget, what a 503 means, when
the next status check is due, when an import waits for an earlier one. The way of a batch is that of the state
machine's definition, and settings, memory and time-outs are those of the template. What is modelled here is
what is outside: how long things take, Target, Lambda's concurrency, and the Profiles table.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import cast

import simpy

from benchmarks.scale import quotas
from benchmarks.scale.executions import Execution, Function, Json, Process
from benchmarks.scale.quotas import Meter, Quota, Window
from benchmarks.scale.scenario import Scenario, Template, planned
from bulk_profiles.aws.s3 import Storage
from bulk_profiles.budget.reserve import Slot
from bulk_profiles.budget.state import BudgetState
from bulk_profiles.cli.cost import BYTES_PER_ENCODED_ROW, BYTES_PER_ROW, PRICES, estimate_cost, estimate_month
from bulk_profiles.core.models import BatchState, PlannedBatch
from bulk_profiles.ledger.batch_entry import BatchEntry
from bulk_profiles.ledger.ledger import Ledger
from bulk_profiles.steps.check_status import next_check
from bulk_profiles.steps.limits import policy_of
from bulk_profiles.steps.messages import Outcome, Word
from bulk_profiles.steps.settings import CheckStatusSettings, UploadBatchSettings, load
from bulk_profiles.steps.shared_ids import MAX_ROWS
from bulk_profiles.steps.slots import Slots
from bulk_profiles.steps.upload_batch import TokenState, decide, turn
from bulk_profiles.target.answers import StatusAnswer
from bulk_profiles.target.outcomes import Accepted, Answered, CheckOutcome, Deferred, SubmissionOutcome

START = datetime(2026, 1, 5, tzinfo=UTC)
SPLIT, UPLOAD, CHECK, FINISH = (
    f"{name}Function" for name in ("SplitFile", "UploadBatch", "CheckStatus", "FinishImport")
)
_STOP_SECONDS = 60  # left of check_status' time, in which it ends what it has begun: functions/check_status
_ROUND = 4_000  # items between two looks at the time; aws/profiles_table looks more often
_BUSY = Deferred("Target is busy (503).", None)


@dataclass(slots=True)
class Import:
    """A file on its way. Times in seconds from the beginning of the day."""

    client: str
    number: int
    rows: int
    batches: list[PlannedBatch]
    dropped_at: float
    started_at: float = 0.0  # when its execution began
    ended_at: float | None = None
    after: list[Import] = field(default_factory=list)  # imports with ids in common that go first

    @property
    def name(self) -> str:
        """Its id."""
        return f"{self.client}-{self.number}"

    @property
    def hours(self) -> float:
        """The hours from the drop to the end."""
        return ((self.ended_at or 0.0) - self.dropped_at) / 3600


@dataclass(frozen=True, slots=True)
class Day:
    """What became of a day."""

    scenario: Scenario
    imports: list[Import]
    quotas: list[Quota]
    peaks: dict[str, int]
    transitions: int
    calls: int  # of functions
    gb_seconds: float
    throttled: float  # seconds for which writers of the Profiles table waited, all together
    refused: int  # calls that Target turned away because there were too many
    cost: dict[str, float]  # US dollars: by the cost model, and with what was counted here in its place

    @property
    def passed(self) -> list[Quota]:
        """Return the quotas that were passed."""
        return [quota for quota in self.quotas if self.peaks[quota.name] > quota.limit]


class _Budget:
    """The ledger, as far as slots need it: one client's budget."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._state = BudgetState()

    def change_budget(
        self, _client: str, _now: datetime, change: Callable[[BudgetState], tuple[BudgetState, Slot | None]]
    ) -> Slot | None:
        self._state, answer = change(self._state)
        self._meter.reach(quotas.IN_FLIGHT, len(self._state.places))
        return answer

    def note_deferral(self, _entry: BatchEntry, _now: datetime) -> None:
        pass


class _NoFiles:
    """The Data bucket, without a file of limits."""

    def read_json(self, _key: str) -> None:
        return None


class _Client:
    """A client code: its imports, its budget, and Target as it sees it."""

    def __init__(self, day: _World, name: str) -> None:
        self.name = name
        self.imports: list[Import] = []
        self.slots = Slots(cast("Ledger", _Budget(day.meter)), day.upload, name)
        self.policy = policy_of(name, day.upload, cast("Storage", _NoFiles()))
        self._day = day
        self._window = Window(60.0)

    def call(self) -> bool:
        """Call Target; whether it deals with the call."""
        day = self._day
        calls = self._window.count(day.env.now)
        day.meter.reach(quotas.CALLS, calls)
        day.too_many += calls > self.policy.calls_per_minute
        return calls <= self.policy.calls_per_minute and day.choose.random() >= day.scenario.target.refused


class _World:
    """Everything that a day has: the host of its executions."""

    def __init__(self, scenario: Scenario, definition: Json, template: Template, seed: int) -> None:
        self.env = simpy.Environment()
        self.meter = Meter()
        self.choose = random.Random(seed)  # noqa: S311 not a secret, but the same day every time
        self.scenario = scenario
        self.definition = definition
        self.template = template
        parameters = template.environment(scenario.parameters)
        self.upload = load(UploadBatchSettings, parameters)
        self.check = load(CheckStatusSettings, parameters)
        self.table = scenario.table(float(parameters["WARM_WRITES_PER_SECOND"]))
        self.imports: list[Import] = []
        self.transitions = self.calls = self.too_many = 0
        self.gb_seconds = 0.0
        self._running = 0
        cores = scenario.timings.cores
        self._cores = simpy.Resource(self.env, cores) if cores else None

    # --- the host of executions ---

    def now(self) -> datetime:
        return START + timedelta(seconds=self.env.now)

    def transition(self) -> None:
        self.transitions += 1
        self.meter.tick(quotas.TRANSITIONS, self.env.now)

    def opened(self, *, child: bool) -> None:
        if not child:
            self.meter.tick(quotas.STARTS, self.env.now)
        self.meter.level(quotas.EXECUTIONS, 1)

    def closed(self, events: int) -> None:
        self.meter.level(quotas.EXECUTIONS, -1)
        self.meter.reach(quotas.HISTORY, events)

    def invoke(self, resource: str, retry: Json, work: Process, retried: Callable[[], None]) -> Process:
        """Run a function. Above the concurrency of the account it is tried again, with full jitter."""
        self.meter.level(quotas.FUNCTIONS, 1)
        tries = 0
        while self._running >= self.scenario.functions:
            longest = min(retry["MaxDelaySeconds"], retry["IntervalSeconds"] * retry["BackoffRate"] ** tries)
            yield self.env.timeout(self.choose.uniform(0, longest))
            retried()
            tries += 1
        self._running += 1
        began = self.env.now
        yield from self.work(self.scenario.timings.start)
        answer = yield from work
        self._running -= 1
        self.meter.level(quotas.FUNCTIONS, -1)
        self.calls += 1
        self.gb_seconds += (self.env.now - began) * self.template.memory(resource) / 1024
        return answer

    def work(self, seconds: float) -> Process:
        """Compute for so long; on one machine not before a core is free."""
        if self._cores is None:
            yield self.env.timeout(seconds)
        else:
            with self._cores.request() as core:
                yield core
                yield self.env.timeout(seconds)

    # --- a client, and a file ---

    def client(self, number: int) -> None:
        """Let a client drop its files, at a random moment of each part of the day."""
        scenario = self.scenario
        client = _Client(self, f"client{number + 1}")
        rows, more = divmod(scenario.profiles, scenario.clients * scenario.files)
        part = scenario.spread / scenario.files
        for file in range(scenario.files):
            own = rows + (number * scenario.files + file < more)
            batches = list(planned(own, self.template, scenario.parameters))
            at = (file + self.choose.random()) * part
            import_ = Import(client.name, file, own, batches, at)
            self.imports.append(import_)
            self.env.process(self._file(client, import_))

    def _file(self, client: _Client, import_: Import) -> Process:
        yield self.env.timeout(import_.dropped_at)
        retry = {"IntervalSeconds": 60, "BackoffRate": 2, "MaxDelaySeconds": 300}  # of asynchronous calls
        split = self.work(import_.rows * BYTES_PER_ROW / self.scenario.timings.split)
        yield from self.invoke(SPLIT, retry, split, lambda: None)
        import_.after = self._earlier(client, import_)
        client.imports.append(import_)
        import_.started_at = self.env.now
        self.meter.reach(quotas.CHILDREN, len(import_.batches))
        self.meter.level(quotas.MAP_RUNS, 1)
        functions = Way(self, client, import_).functions()
        yield from Execution(self, self.definition, functions).run(
            {"importId": import_.name, "batches": [batch.number for batch in import_.batches]}
        )
        self.meter.level(quotas.MAP_RUNS, -1)
        import_.ended_at = self.env.now

    def _earlier(self, client: _Client, import_: Import) -> list[Import]:
        """Return the imports under way that have, or for all that is looked at may have, ids in common."""
        left, earlier = MAX_ROWS - import_.rows, []
        for other in client.imports:
            if other.ended_at is None:
                left -= other.rows
                if self.scenario.shared or left < 0:
                    earlier.append(other)
        return earlier


class Way:
    """What the functions do with the batches of one import."""

    def __init__(self, world: _World, client: _Client, import_: Import) -> None:
        self._world = world
        self._client = client
        self._import = import_
        self._entries = {batch.number: BatchEntry.planned(import_.name, batch) for batch in import_.batches}
        self._complete_at: dict[int, float] = {}

    def functions(self) -> dict[str, Function]:
        """Return the functions, by the resource that the definition calls them by."""
        return {
            f"${{{name}Arn}}": function
            for name, function in ((UPLOAD, self._upload), (CHECK, self._check), (FINISH, self._finish))
        }

    def _upload(self, state: Json) -> Process:
        world, client, number = self._world, self._client, state["batch"]
        now, batch = world.now(), self._entries[number]
        if any(other.ended_at is None for other in self._import.after):
            elapsed = timedelta(seconds=world.env.now - self._import.started_at)
            until = now + turn(elapsed, timedelta(seconds=world.upload.max_check_seconds))
            return Outcome(Word.DEFERRED, until).to_json()
        batch, ask_at = client.slots.take_submission(batch, client.policy, now)
        self._entries[number] = batch
        if ask_at is not None:
            return Outcome(Word.DEFERRED, ask_at).to_json()
        taken, submitted_at = client.call(), world.env.now
        timings = world.scenario.timings
        yield world.env.timeout(timings.call + (batch.body_size / timings.upload if taken else 0.0))
        reply: SubmissionOutcome = Accepted(self._status_url(number), "") if taken else _BUSY
        decision = decide(
            batch.sending(now),
            reply,
            world.upload,
            client_code=client.name,
            token=None,
            token_state=TokenState.REFUSED,
            now=world.now(),
        )
        self._entries[number] = decision.batch
        if decision.gives_back:
            client.slots.withdraw(decision.batch, client.policy, now)
        self._complete_at[number] = submitted_at + world.scenario.target.seconds(world.choose)
        return decision.outcome.to_json()

    def _status_url(self, number: int) -> str:
        client = self._client.name
        return f"https://{client}.tt.omtrdc.net/m2/{client}/v2/profile/batchStatus?batchId={self._import.name}-{number}"

    def _check(self, state: Json) -> Process:
        number, began = state["batch"], self._world.env.now
        if self._entries[number].profiles_written is None:
            waits = yield from self._ask(number)
            if waits:
                return Outcome(Word.PROCESSING, self._entries[number].next_check_at).to_json()
            batch = self._entries[number]
            yield from self._world.work(batch.rows / self._world.scenario.timings.results)
            self._entries[number] = batch.change(profiles_written=0)
        return (yield from self._fill(number, began))

    def _ask(self, number: int) -> Process:
        """Ask Target once; whether the batch waits for another check."""
        world, client, batch = self._world, self._client, self._entries[number]
        batch, ask_at = client.slots.take_check(batch, client.policy, world.now())
        if ask_at is not None:
            self._entries[number] = batch.change(next_check_at=ask_at)
            return True
        taken = client.call()
        yield world.env.timeout(world.scenario.timings.call)
        complete = world.env.now >= self._complete_at[number]
        reply: CheckOutcome = Answered(StatusAnswer(None)) if taken else _BUSY
        batch, now = batch.asked(), world.now()
        details = taken and complete and batch.terminal is not None
        if not details:  # the first `complete` is asked for its details at once
            at_once = taken and complete
            ask_at = now if at_once else next_check(batch, reply, world.check, now)
            batch = batch.change(next_check_at=ask_at, terminal={} if at_once else batch.terminal)
        self._entries[number] = batch
        return not details

    def _fill(self, number: int, began: float) -> Process:
        """Write the results into the Profiles table, until all are there or the function's time is up."""
        world, batch = self._world, self._entries[number]
        written, timings = batch.profiles_written or 0, world.scenario.timings
        until = began + world.template.timeout(CHECK) - _STOP_SECONDS
        while written < batch.rows:
            if world.env.now >= until:
                self._entries[number] = batch.change(profiles_written=written)
                return Outcome(Word.PROCESSING, world.now()).to_json()
            items = min(_ROUND, batch.rows - written)
            written_at = world.env.now + world.table.write(items, world.env.now)
            yield from world.work(items / timings.writer)
            yield world.env.timeout(max(0.0, min(written_at, until) - world.env.now))
            written += items if written_at <= until else 0  # a round that is cut off is written again
        batch = batch.change(profiles_written=written).settled_as(BatchState.COMPLETE, world.now())
        self._entries[number] = batch
        self._client.slots.free(batch, world.now())
        return Outcome.settled(batch).to_json()

    def _finish(self, _state: Json) -> Process:
        yield from self._world.work(self._world.scenario.timings.finish)
        return {"status": "succeeded"}


def simulate(scenario: Scenario, definition: Json, template: Template, seed: int = 1) -> Day:
    """Run a day until its last import has ended. The same seed gives the same day."""
    world = _World(scenario, definition, template, seed)
    for number in range(scenario.clients):
        world.client(number)
    world.env.run()
    world.meter.reach(quotas.WRITES, world.table.peak)
    limits = quotas.quotas(
        world.upload.calls_per_minute, world.upload.max_in_flight, scenario.functions, world.table.most
    )
    return Day(
        scenario,
        world.imports,
        limits,
        dict(world.meter.peaks),
        world.transitions,
        world.calls,
        world.gb_seconds,
        world.table.throttled,
        world.too_many,
        _cost(world),
    )


def _cost(world: _World) -> dict[str, float]:
    """Return the cost of the day by the cost model, and with the transitions and functions counted here."""
    retention = world.check.retention_days
    files = [
        estimate_cost(
            one.rows * BYTES_PER_ROW, len(one.batches), one.rows, one.rows * BYTES_PER_ENCODED_ROW, retention
        )
        for one in world.imports
    ]
    estimated = {name: sum(file[name] for file in files) for name in files[0]}
    idle = estimate_month(0)["total"] / 30
    counted = {
        "stateMachine": world.transitions * PRICES["Step Functions: transition of a standard execution"],
        "functions": world.gb_seconds * PRICES["Lambda: GB-second on arm64"]
        + world.calls * PRICES["Lambda: call"],
    }
    difference = sum(value - estimated[name] for name, value in counted.items())
    return {
        "estimated": round(estimated["total"] + idle, 2),
        "simulated": round(estimated["total"] + idle + difference, 2),
    }
