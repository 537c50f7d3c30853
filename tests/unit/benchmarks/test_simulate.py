"""The simulator of days at scale: it keeps the application's rules, and says where a quota is passed."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import simpy

from benchmarks import simulate
from benchmarks.scale import model, quotas
from benchmarks.scale.executions import Execution, Json, Process
from benchmarks.scale.quotas import Meter, Table, Window
from benchmarks.scale.scenario import Scenario, TargetModel, local
from bulk_profiles.steps.messages import Outcome, Word
from tests.worlds.deployable import machine
from tests.worlds.execution import StateMachine, script

QUICK = TargetModel(60.0, 120.0, refused=0.0)
MINUTE = 60.0


def day(scenario: Scenario, seed: int = 1) -> model.Day:
    return model.simulate(scenario, simulate.definition(), simulate.template(), seed)


def small(**changes: Any) -> Scenario:
    return replace(Scenario(100_000, files=2, target=QUICK), **changes)


# --- executions ---


class _Host:
    """Counts, and gives the answers of functions."""

    def __init__(self) -> None:
        self.env = simpy.Environment()
        self.transitions = 0
        self.histories: list[int] = []

    def now(self) -> Any:
        return model.START + timedelta(seconds=self.env.now)

    def invoke(self, _resource: str, _retry: Json, work: Process, _retried: Callable[[], None]) -> Process:
        return (yield from work)

    def transition(self) -> None:
        self.transitions += 1

    def opened(self, *, child: bool) -> None:
        pass

    def closed(self, events: int) -> None:
        self.histories.append(events)


def _answers(*answers: Json) -> Callable[[Json], Process]:
    remaining = list(answers)

    def function(_state: Json) -> Process:
        yield from ()
        return remaining.pop(0)

    return function


def _word(word: Word, *, wait: bool = False) -> Json:
    return Outcome(word, model.START if wait else None).to_json()


WAYS = [
    ([_word(Word.ACCEPTED, wait=True)], [_word(Word.SETTLED)]),
    ([_word(Word.DEFERRED, wait=True)] * 3 + [_word(Word.ACCEPTED, wait=True)], [_word(Word.SETTLED)]),
    ([_word(Word.ACCEPTED, wait=True)], [_word(Word.PROCESSING, wait=True)] * 7 + [_word(Word.SETTLED)]),
    ([_word(Word.REFUSED)], [_word(Word.SETTLED)]),
    (
        [_word(Word.ACCEPTED, wait=True)] * 2,
        [_word(Word.RESUBMIT), _word(Word.PROCESSING, wait=True), _word(Word.SETTLED)],
    ),
    ([{"outcome": "none of ours"}], []),
]


@pytest.mark.parametrize(("uploads", "checks"), WAYS)
def test_history_is_that_of_the_state_machine(uploads: list[Json], checks: list[Json]) -> None:
    """Held against the other reader of the definition, which the contract tests use."""
    finished = {"status": "succeeded"}
    host = _Host()
    functions = {
        "${UploadBatchFunctionArn}": _answers(*uploads),
        "${CheckStatusFunctionArn}": _answers(*checks),
        "${FinishImportFunctionArn}": _answers(finished),
    }
    host.env.process(Execution(host, simulate.definition(), functions).run({"importId": "a", "batches": [1]}))
    host.env.run()

    other = StateMachine(
        machine(),
        {
            "upload_batch": script(*uploads),
            "check_status": script(*checks or [{}]),
            "finish_import": script(finished),
        },
    )
    other.run({"importId": "a", "batches": [1]})
    assert host.histories == other.history
    assert host.transitions == len(other.states)


def test_import_of_one_batch_has_twenty_events_and_its_child_as_many() -> None:
    """Of the child's tasks each has five; of the import's own, the map has four and the task five."""
    one = day(small(profiles=10, files=1, target=TargetModel(1.0, 1.0, refused=0.0)))
    again = 9  # the second status call, for details
    assert one.peaks[quotas.HISTORY] == 2 + (5 + 2 + 2) + (5 + 2) + again + 2
    assert one.transitions == (1 + 1 + 1 + 1 + 1 + 1) + (1 + 1 + 1) + (1 + 1) + 3 + 1


def test_poll_of_a_batch_that_waits_takes_nine_events() -> None:
    slow, quick = (
        day(small(profiles=10, files=1, target=TargetModel(seconds, seconds, refused=0.0)))
        for seconds in (100.0, 30.0)
    )
    checks = (slow.calls - quick.calls, slow.peaks[quotas.HISTORY] - quick.peaks[quotas.HISTORY])
    assert checks == (1, 9)


# --- the budget ---


def test_calls_and_batches_in_flight_keep_to_the_budget() -> None:
    """Many small batches of several imports at once, all of one client."""
    parameters = {"MaxBatchRows": "100", "CallsPerMinute": "20", "MaxInFlight": "6", "FirstCheckSeconds": "1"}
    quick = TargetModel(1.0, 2.0, refused=0.0)
    busy = day(small(profiles=10_000, files=5, spread=MINUTE, parameters=parameters, target=quick))
    assert 17 <= busy.peaks[quotas.CALLS] <= 20
    assert busy.peaks[quotas.IN_FLIGHT] == 6
    assert (busy.refused, busy.passed) == (0, [])
    assert all(one.ended_at for one in busy.imports)


def test_import_waits_for_an_earlier_one_with_the_same_customers() -> None:
    together, apart = (
        day(small(profiles=2_000_000, files=4, spread=MINUTE, shared=shared)) for shared in (True, False)
    )
    assert max(one.hours for one in together.imports) > 1.5 * max(one.hours for one in apart.imports)
    ends = [one.ended_at or 0.0 for one in together.imports]
    assert ends == sorted(ends)


def test_ids_of_more_rows_than_are_looked_at_count_as_common() -> None:
    many = day(small(profiles=4 * 6_000_000, files=4, spread=MINUTE))
    assert [[other.number for other in one.after] for one in many.imports] == [[], [], [], [2]]


# --- quotas ---


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"functions": 3, "clients": 4, "spread": 0.0}, quotas.FUNCTIONS),
        ({"clients": 160, "files": 1, "spread": 0.0}, quotas.STARTS),
        ({"clients": 900, "files": 1, "spread": 0.0}, quotas.TRANSITIONS),
    ],
)
def test_quota_that_is_passed_is_named(changes: dict[str, Any], name: str) -> None:
    passed = day(small(**changes)).passed
    assert name in {quota.name for quota in passed}


def test_throttled_function_is_tried_again_until_the_import_ends() -> None:
    throttled, free = (day(small(clients=20, spread=0.0, functions=functions)) for functions in (1, 1_000))
    assert all(one.ended_at for one in throttled.imports)
    assert throttled.peaks[quotas.HISTORY] > free.peaks[quotas.HISTORY]


def test_peaks_of_one_import_are_those_of_its_batches() -> None:
    one = day(small(profiles=2_000, files=1, parameters={"MaxBatchRows": "100"}))
    assert one.peaks[quotas.CHILDREN] == 20
    assert one.peaks[quotas.MAP_RUNS] == 1
    assert one.peaks[quotas.EXECUTIONS] == 11  # ten children at once


def test_quotas_are_those_of_aws_and_of_the_deployment() -> None:
    limits = {quota.name: quota.limit for quota in day(small()).quotas}
    assert limits == {
        quotas.CALLS: 50,
        quotas.IN_FLIGHT: 10,
        quotas.FUNCTIONS: 1_000,
        quotas.TRANSITIONS: 800,
        quotas.STARTS: 150,
        quotas.EXECUTIONS: 1_000_000,
        quotas.MAP_RUNS: 1_000,
        quotas.CHILDREN: 10_000,
        quotas.HISTORY: 25_000,
        quotas.WRITES: 40_000,
    }


def test_every_quota_is_measured() -> None:
    measured = day(small())
    assert all(measured.peaks[quota.name] > 0 for quota in measured.quotas)


# --- the Profiles table ---


def test_new_table_takes_4_000_writes_a_second_and_twice_its_peak_half_an_hour_later() -> None:
    table, now, seconds = Table(), 0.0, {}
    while now < 2 * 3600:
        seconds[now] = table.write(4_000, now)
        now += seconds[now]
    assert seconds[0.0] == 1.0
    assert max(wait for at, wait in seconds.items() if at < 1_800) == 1.0
    assert min(wait for at, wait in seconds.items() if at < 3_500) == pytest.approx(0.5, rel=0.05)
    assert min(seconds.values()) >= 0.1
    assert table.peak <= 40_000


def test_writers_wait_for_each_other() -> None:
    table = Table(1_000.0, 1_000.0)
    assert [table.write(500, 0.0) for _ in range(3)] == [0.5, 1.0, 1.5]
    assert table.throttled == 1.5


def test_results_that_take_longer_than_a_function_lives_are_written_by_several() -> None:
    slow = small(profiles=100_000, files=1, table=lambda _: Table(100.0, 100.0))
    [one] = day(slow).imports
    assert one.hours * 3600 > 1_000
    assert day(slow).calls > day(replace(slow, table=Table)).calls


# --- measures ---


def test_window_counts_what_happened_within_it() -> None:
    window = Window(60.0)
    assert [window.count(at) for at in (0.0, 30.0, 59.9, 60.0, 120.0)] == [1, 2, 3, 3, 1]


def test_meter_keeps_peaks() -> None:
    meter = Meter()
    for now in (0.1, 0.9, 1.0, 5.0):
        meter.tick("ticks", now)
    for change in (1, 1, -1, 1, -1):
        meter.level("levels", change)
    assert meter.peaks == {"ticks": 2, "levels": 2}


# --- what is told ---


def test_every_row_is_sent_and_the_same_seed_gives_the_same_day() -> None:
    scenario = small(profiles=1_000_001, clients=3)
    first, again, other = day(scenario, 1), day(scenario, 1), day(scenario, 2)
    assert sum(batch.rows for one in first.imports for batch in one.batches) == 1_000_001
    assert simulate.to_json(first) == simulate.to_json(again) != simulate.to_json(other)


def test_cost_with_what_was_counted_is_near_the_cost_model() -> None:
    cost = day(Scenario(10**7)).cost
    assert cost["simulated"] == pytest.approx(cost["estimated"], rel=0.1)


def test_table_of_six_days_fits_80_columns() -> None:
    table = simulate.table([day(small(profiles=10_000, clients=clients)) for clients in (1, 1, 1, 2, 2, 9)])
    assert max(map(len, table.splitlines())) <= 80


def test_command_exits_with_1_and_names_the_quota_that_is_passed(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--profiles", "100000", "--clients", "4", "--json", "--functions"]
    assert simulate.main([*options, "1000"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["quotas"][quotas.FUNCTIONS]["passed"] is False
    assert simulate.main([*options, "1"]) == 1
    captured = capsys.readouterr()
    assert json.loads(captured.out)[0]["quotas"][quotas.FUNCTIONS]["passed"] is True
    assert quotas.FUNCTIONS in captured.err


def test_target_is_as_slow_as_it_is_said_to_be() -> None:
    choose = random.Random(1)
    drawn = sorted(TargetModel(1_200.0, 3_600.0).seconds(choose) for _ in range(2_000))
    assert drawn[1_000] == pytest.approx(1_200, rel=0.1)
    assert drawn[1_900] == pytest.approx(3_600, rel=0.1)


def test_import_on_one_machine_takes_as_long_as_its_cores_need() -> None:
    parameters = {"MaxBatchRows": "10000", "FirstCheckSeconds": "1", "CallsPerMinute": "3000"}
    one, four = (day(local(rows, parameters)).imports[0].hours for rows in (100_000, 400_000))
    assert 3.5 < four / one < 4.5


def test_times_of_minutes_are_told_in_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate.main(["--local", "100000"]) == 0
    [seconds] = {line.split()[-2] for line in capsys.readouterr().out.splitlines() if line.endswith(" s")}
    assert 20 < int(seconds) < 45
