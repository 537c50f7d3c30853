"""The state machine is consistent in itself, and with the functions, the template and the settings."""

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
    """Yield the names of the states that may follow a state."""
    for step in (state, *state.get("Choices", ()), *state.get("Catch", ())):
        yield from (step[word] for word in ("Next", "Default") if word in step)


def faults(definition: Json) -> list[str]:
    """Return the faults that cfn-lint finds in the structure of a definition."""
    properties = {"RoleArn": "arn:aws:iam::123456789012:role/machine", "Definition": definition}
    resource = {"Type": "AWS::StepFunctions::StateMachine", "Properties": properties}
    template = {"AWSTemplateFormatVersion": "2010-09-09", "Resources": {"Machine": resource}}
    return [str(match) for match in lint_all(json.dumps(template)) if match.rule.id.startswith(("E", "W"))]


def test_definition_is_valid_states_language() -> None:
    assert faults(machine()) == []


def test_definition_with_a_wrong_field_is_found_invalid() -> None:
    wrong = copy.deepcopy(machine())
    wrong["States"]["Finish import"]["TimeoutSecond"] = 1
    assert any("TimeoutSecond" in fault for fault in faults(wrong))


def test_definition_file_is_plain_json() -> None:
    """Any editor can open it, and so can Workflow Studio in the console."""
    assert json.loads(DEFINITION.read_text())["States"].keys() == machine()["States"].keys()


def test_placeholders_equal_the_substitutions_of_the_template() -> None:
    assert set(re.findall(r"\$\{(\w+)\}", DEFINITION.read_text())) == set(substitutions())


@MACHINES
def test_next_state_of_every_state_exists(scope: Callable[[], Json]) -> None:
    named = {target for state in scope()["States"].values() for target in targets(state)}
    assert named <= set(scope()["States"])


@MACHINES
def test_every_state_is_reachable(scope: Callable[[], Json]) -> None:
    reached, new = set[str](), {scope()["StartAt"]}
    while new:
        reached |= new
        new = {target for name in new for target in targets(scope()["States"][name])} - reached
    assert reached == set(scope()["States"])


@MACHINES
def test_every_state_has_a_next_state_or_ends(scope: Callable[[], Json]) -> None:
    for name, state in scope()["States"].items():
        ends = state.get("End") is True or state["Type"] in {"Succeed", "Fail"}
        assert ends != bool(list(targets(state))), name


def test_state_names_are_unique() -> None:
    names = [name for name, _ in states()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(("name", "state"), list(states()))
def test_every_state_has_a_comment_of_one_sentence(name: str, state: Json) -> None:
    assert re.fullmatch(r"[A-Z][^\n.]+\.", state["Comment"]), name


@TASKS
def test_task_timeout_exceeds_that_of_its_function(folder: str) -> None:
    assert tasks()[folder]["TimeoutSeconds"] > function(folder)["Timeout"]


@TASKS
def test_task_retries_lambda_faults_failures_and_timeouts(folder: str) -> None:
    retried = {error for retry in tasks()[folder]["Retry"] for error in retry["ErrorEquals"]}
    wanted = LAMBDA_FAULTS | {"States.TaskFailed", "States.Timeout"}
    assert retried >= wanted or retried == {"States.ALL"}


@TASKS
def test_task_catches_every_error(folder: str) -> None:
    assert tasks()[folder]["Catch"][-1]["ErrorEquals"] == ["States.ALL"]


@pytest.mark.fault(57, "a child dies")
def test_child_never_fails() -> None:
    assert not [name for name, state in child()["States"].items() if state["Type"] == "Fail"]
    assert {state.get("Result") == {} for state in child()["States"].values() if state.get("End")} == {True}


def test_map_tolerates_all_failures_and_discards_results() -> None:
    batches = machine()["States"]["Upload batches"]
    assert batches["ToleratedFailurePercentage"] == 100
    assert batches["ResultPath"] is None  # ten thousand results do not fit a state
    assert child()["ProcessorConfig"] == {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}


def test_map_runs_max_in_flight_children_at_once() -> None:
    """A smaller MaxInFlight is held by the budget: the other children only wait."""
    concurrency = machine()["States"]["Upload batches"]["MaxConcurrency"]
    assert concurrency == parameters()["MaxInFlight"]["MaxValue"] == 10


@pytest.mark.fault(57, "the map run is stopped")
def test_import_is_finished_whatever_happens_to_its_batches() -> None:
    batches = machine()["States"]["Upload batches"]
    assert set(targets(batches)) == {"Finish import"}
    assert batches["Catch"][-1]["ErrorEquals"] == ["States.ALL"]
    assert batches["Catch"][-1]["ResultPath"] is None  # the import's name goes on to Finish import


def test_execution_ends_as_the_import_status_says() -> None:
    """A rejected file starts no execution. An unknown status is a failure, too."""
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
def test_choice_names_every_outcome_of_its_step(
    step: ModuleType, question: str, next_states: dict[Word, str]
) -> None:
    words = {Word[name] for name in re.findall(r"\bWord\.([A-Z]+)\b", inspect.getsource(step))}
    assert words == set(next_states)
    rules = child()["States"][question]["Choices"]
    assert {rule["StringEquals"]: rule["Next"] for rule in rules} == next_states


@pytest.mark.parametrize("question", ["Upload outcome?", "Check outcome?"])
def test_choice_with_an_unknown_outcome_fails_the_batch(question: str) -> None:
    assert child()["States"][question]["Default"] == "Batch failed"


def test_wait_follows_only_an_outcome_with_a_time() -> None:
    """These three words have a `resume_at`, and no others."""
    waiting = {
        rule["StringEquals"]
        for _, state in child_states("Choice")
        for rule in state["Choices"]
        if child()["States"][rule["Next"]]["Type"] == "Wait"
    }
    assert waiting == {Word.DEFERRED, Word.ACCEPTED, Word.PROCESSING}


def test_choices_and_waits_read_the_fields_of_an_outcome() -> None:
    answer = Outcome(Word.DEFERRED, datetime(2026, 11, 24, 18, tzinfo=UTC)).to_json()
    read = {choice["Variable"] for _, state in child_states("Choice") for choice in state["Choices"]}
    read |= {state["TimestampPath"] for _, state in child_states("Wait")}
    assert read == {f"$.answer.{name}" for name in answer}
    assert {state["ResultPath"] for _, state in child_states("Task")} == {"$.answer"}


def child_states(kind: str) -> Iterator[tuple[str, Json]]:
    return ((name, state) for name, state in child()["States"].items() if state["Type"] == kind)


class Client:
    """A client of Step Functions that records the input of an execution."""

    def __init__(self) -> None:
        self.input: Json = {}

    def start_execution(self, **request: Any) -> None:
        self.input = json.loads(request["input"])


def test_map_reads_the_input_that_starts_an_execution() -> None:
    client: Any = Client()
    Executions(client, "arn").start("customers-0a1b2c3d4e5f", [1, 2])
    batches = machine()["States"]["Upload batches"]
    selected = {name.removesuffix(".$"): path for name, path in batches["ItemSelector"].items()}
    assert selected == {"importId": "$.importId", "batch": "$$.Map.Item.Value"}
    assert {batches["ItemsPath"], selected["importId"]} == {f"$.{name}" for name in client.input}


@TASKS
def test_function_parses_the_parameters_of_its_task(folder: str) -> None:
    values: Json = {"$.importId": "customers-0a1b2c3d4e5f", "$.batch": 2}
    event = {name.removesuffix(".$"): values[path] for name, path in tasks()[folder]["Parameters"].items()}
    if folder == "finish_import":
        assert ImportEvent.from_event(event).import_id == "customers-0a1b2c3d4e5f"
        assert len(event) == 1
    else:
        assert BatchEvent.from_event(event) == BatchEvent("customers-0a1b2c3d4e5f", 2)
        assert len(event) == 2


@pytest.mark.fault(44, "a day of asking fits a history")
def test_status_checks_until_the_deadline_fit_a_history() -> None:
    """With the default waits. The template's description of MaxCheckSeconds warns of shorter ones."""
    wait, most, backoff = (
        float(parameters()[name]["Default"])
        for name in ("FirstCheckSeconds", "MaxCheckSeconds", "CheckBackoff")
    )
    remaining, checks = float(parameters()["DeadlineHours"]["MaxValue"]) * 3600, 0
    while remaining > 0:
        remaining, wait, checks = remaining - wait, min(wait * backoff, most), checks + 1
    assert checks * EVENTS_OF_A_CHECK < MAX_EVENTS / 2  # the other half is for deferrals and retries
