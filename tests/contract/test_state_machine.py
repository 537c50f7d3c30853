"""The state machine holds together, and speaks the words that the functions speak."""

from __future__ import annotations

import copy
import inspect
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import pytest
from cfnlint.api import lint_all  # type: ignore[import-untyped]  # cfn-lint carries no types

from bulk_profiles.aws.step_functions import Executions
from bulk_profiles.core.models import ImportStatus
from bulk_profiles.steps import check_status, upload_batch
from bulk_profiles.steps.messages import BatchEvent, ImportEvent, Outcome, Word
from tests.worlds.deployable import (
    DEFINITION,
    Json,
    child,
    function,
    machine,
    parameters,
    states,
    substitutions,
    tasks,
)

MACHINES = pytest.mark.parametrize("scope", [machine, child])
TASKS = pytest.mark.parametrize("folder", tasks())
LAMBDA_FAULTS = {
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.Unknown",
}
MAX_EVENTS = 25_000  # of one execution's history
EVENTS_OF_A_CHECK = 9  # a wait, a task, a choice


def targets(state: Json) -> Iterator[str]:
    """Give the names of the states that may come after a state."""
    for step in (state, *state.get("Choices", ()), *state.get("Catch", ())):
        yield from (step[word] for word in ("Next", "Default") if word in step)


def faults(definition: Json) -> list[str]:
    """Give what cfn-lint says against the structure of a definition."""
    properties = {"RoleArn": "arn:aws:iam::123456789012:role/machine", "Definition": definition}
    resource = {"Type": "AWS::StepFunctions::StateMachine", "Properties": properties}
    template = {"AWSTemplateFormatVersion": "2010-09-09", "Resources": {"Machine": resource}}
    return [str(found) for found in lint_all(json.dumps(template)) if found.rule.id.startswith(("E", "W"))]


def test_its_structure_is_that_of_the_states_language() -> None:
    assert faults(machine()) == []


def test_a_wrong_structure_would_be_found() -> None:
    wrong = copy.deepcopy(machine())
    wrong["States"]["Finish import"]["TimeoutSecond"] = 1
    assert any("TimeoutSecond" in fault for fault in faults(wrong))


def test_the_file_is_plain_json() -> None:
    """Any editor, and the console's Workflow Studio, can open it as it is."""
    assert json.loads(DEFINITION.read_text())["States"].keys() == machine()["States"].keys()


def test_places_and_substitutions_match() -> None:
    assert set(re.findall(r"\$\{(\w+)\}", DEFINITION.read_text())) == set(substitutions())


@MACHINES
def test_every_target_is_a_state(scope: Callable[[], Json]) -> None:
    named = {target for state in scope()["States"].values() for target in targets(state)}
    assert named <= set(scope()["States"])


@MACHINES
def test_every_state_can_be_reached(scope: Callable[[], Json]) -> None:
    reached, new = set[str](), {scope()["StartAt"]}
    while new:
        reached |= new
        new = {target for name in new for target in targets(scope()["States"][name])} - reached
    assert reached == set(scope()["States"])


@MACHINES
def test_every_state_goes_on_or_ends(scope: Callable[[], Json]) -> None:
    for name, state in scope()["States"].items():
        ends = state.get("End") is True or state["Type"] in {"Succeed", "Fail"}
        assert ends != bool(list(targets(state))), name


def test_names_are_used_once() -> None:
    names = [name for name, _ in states()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(("name", "state"), list(states()))
def test_every_state_has_a_sentence(name: str, state: Json) -> None:
    assert re.fullmatch(r"[A-Z][^\n.]+\.", state["Comment"]), name


@TASKS
def test_a_task_outlives_its_function(folder: str) -> None:
    assert tasks()[folder]["TimeoutSeconds"] > function(folder)["Timeout"]


@TASKS
def test_a_task_is_tried_again(folder: str) -> None:
    retried = {error for retry in tasks()[folder]["Retry"] for error in retry["ErrorEquals"]}
    wanted = LAMBDA_FAULTS | {"States.TaskFailed", "States.Timeout"}
    assert retried >= wanted or retried == {"States.ALL"}


@TASKS
def test_nothing_that_a_task_raises_goes_uncaught(folder: str) -> None:
    assert tasks()[folder]["Catch"][-1]["ErrorEquals"] == ["States.ALL"]


@pytest.mark.fault(57, "a child dies")
def test_a_child_never_fails() -> None:
    assert not [name for name, state in child()["States"].items() if state["Type"] == "Fail"]
    assert {state.get("Result") == {} for state in child()["States"].values() if state.get("End")} == {True}


def test_no_batch_stops_another() -> None:
    batches = machine()["States"]["Upload batches"]
    assert batches["ToleratedFailurePercentage"] == 100
    assert batches["ResultPath"] is None  # ten thousand results do not fit a state
    assert child()["ProcessorConfig"] == {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}


def test_the_map_runs_as_many_children_as_may_be_in_flight() -> None:
    """A smaller MaxInFlight is held by the budget: the other children only wait."""
    concurrency = machine()["States"]["Upload batches"]["MaxConcurrency"]
    assert concurrency == parameters()["MaxInFlight"]["MaxValue"] == 10


@pytest.mark.fault(57, "the map run is stopped")
def test_whatever_becomes_of_the_batches_the_import_is_finished() -> None:
    batches = machine()["States"]["Upload batches"]
    assert set(targets(batches)) == {"Finish import"}
    assert batches["Catch"][-1]["ErrorEquals"] == ["States.ALL"]
    assert batches["Catch"][-1]["ResultPath"] is None  # the import's name goes on to Finish import


def test_an_import_ends_as_its_status_says() -> None:
    """A rejected file starts no execution; a status that is no word of ours is a failure too."""
    choice = machine()["States"]["Import complete?"]
    assert {rule["StringEquals"]: rule["Next"] for rule in choice["Choices"]} == {
        ImportStatus.SUCCEEDED: "Import succeeded",
        ImportStatus.PARTIAL: "Import incomplete",
        ImportStatus.FAILED: "Import incomplete",
    }
    ends = {name: machine()["States"][name]["Type"] for name in set(targets(choice))}
    assert ends == {
        "Import succeeded": "Succeed",
        "Import incomplete": "Fail",
        "Import not reconciled": "Fail",
    }
    assert choice["Default"] == "Import not reconciled"
    assert catchers("Finish import") == ["Import not reconciled"]


def catchers(name: str) -> list[str]:
    return [catch["Next"] for catch in machine()["States"][name]["Catch"]]


@pytest.mark.parametrize(
    ("step", "question", "next_states"),
    [
        (
            upload_batch,
            "Upload outcome?",
            {
                Word.DEFERRED: "Wait for slot",
                Word.ACCEPTED: "Wait for Target",
                Word.REFUSED: "Check status",  # it writes the results of a batch that is not sent again
                Word.UNKNOWN: "Check status",
                Word.SETTLED: "Check status",  # it frees the place of a batch that was settled before
            },
        ),
        (
            check_status,
            "Check outcome?",
            {
                Word.PROCESSING: "Wait for Target",
                Word.RESUBMIT: "Upload batch",
                Word.SETTLED: "Batch settled",
            },
        ),
    ],
    ids=["upload_batch", "check_status"],
)
def test_every_outcome_of_a_step_is_named(
    step: ModuleType, question: str, next_states: dict[Word, str]
) -> None:
    words = {Word[name] for name in re.findall(r"\bWord\.([A-Z]+)\b", inspect.getsource(step))}
    assert words == set(next_states)
    rules = child()["States"][question]["Choices"]
    assert {rule["StringEquals"]: rule["Next"] for rule in rules} == next_states


@pytest.mark.parametrize("question", ["Upload outcome?", "Check outcome?"])
def test_an_outcome_of_no_known_word_fails_the_batch(question: str) -> None:
    assert child()["States"][question]["Default"] == "Batch failed"


def test_a_wait_is_only_for_an_outcome_with_a_time() -> None:
    """`Outcome.resume_at` is given with these three words, and no others."""
    waiting = {
        rule["StringEquals"]
        for _, state in child_states("Choice")
        for rule in state["Choices"]
        if child()["States"][rule["Next"]]["Type"] == "Wait"
    }
    assert waiting == {Word.DEFERRED, Word.ACCEPTED, Word.PROCESSING}


def test_choices_and_waits_read_what_an_outcome_says() -> None:
    answer = Outcome(Word.DEFERRED, datetime(2026, 11, 24, 18, tzinfo=UTC)).to_json()
    read = {choice["Variable"] for _, state in child_states("Choice") for choice in state["Choices"]}
    read |= {state["TimestampPath"] for _, state in child_states("Wait")}
    assert read == {f"$.answer.{name}" for name in answer}
    assert {state["ResultPath"] for _, state in child_states("Task")} == {"$.answer"}


def child_states(kind: str) -> Iterator[tuple[str, Json]]:
    return ((name, state) for name, state in child()["States"].items() if state["Type"] == kind)


class Recorded:
    """Step Functions' client, as far as it is asked to start something."""

    def __init__(self) -> None:
        self.input: Json = {}

    def start_execution(self, **request: Any) -> None:
        self.input = json.loads(request["input"])


def test_the_machine_takes_what_it_is_started_with() -> None:
    client: Any = Recorded()
    Executions(client, "arn").start("customers-0a1b2c3d4e5f", [1, 2])
    batches = machine()["States"]["Upload batches"]
    selected = {name.removesuffix(".$"): path for name, path in batches["ItemSelector"].items()}
    assert selected == {"importId": "$.importId", "batch": "$$.Map.Item.Value"}
    assert {batches["ItemsPath"], selected["importId"]} == {f"$.{name}" for name in client.input}


@TASKS
def test_a_function_takes_what_its_task_gives(folder: str) -> None:
    values: Json = {"$.importId": "customers-0a1b2c3d4e5f", "$.batch": 2}
    given = {name.removesuffix(".$"): values[path] for name, path in tasks()[folder]["Parameters"].items()}
    if folder == "finish_import":
        assert ImportEvent.from_event(given).import_id == "customers-0a1b2c3d4e5f"
        assert len(given) == 1
    else:
        assert BatchEvent.from_event(given) == BatchEvent("customers-0a1b2c3d4e5f", 2)
        assert len(given) == 2


@pytest.mark.fault(44, "a day of asking fits a history")
def test_the_longest_wait_for_target_fits_a_history() -> None:
    """With defaults; an operator who asks more often has the template's sentence about it."""
    wait, most, backoff = (
        float(parameters()[name]["Default"])
        for name in ("FirstCheckSeconds", "MaxCheckSeconds", "CheckBackoff")
    )
    left, checks = float(parameters()["DeadlineHours"]["MaxValue"]) * 3600, 0
    while left > 0:
        left, wait, checks = left - wait, min(wait * backoff, most), checks + 1
    assert checks * EVENTS_OF_A_CHECK < MAX_EVENTS / 2  # the other half is for deferrals and retries
