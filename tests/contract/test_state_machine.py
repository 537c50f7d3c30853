"""The definition is consistent in itself, and with the functions, the template and the settings.

What an execution does by it is in test_execution.
"""

from __future__ import annotations

import copy
import inspect
import json
import re
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest
from cfnlint.api import lint_all  # type: ignore[import-untyped]  # cfn-lint carries no types

from bulk_profiles.steps import check_status, upload_batch
from bulk_profiles.steps.messages import Word
from tests.worlds.deployable import (
    DEFINITION,
    Json,
    child,
    function,
    machine,
    parameters,
    resources,
    states,
    substitutions,
    tasks,
)

MACHINES = pytest.mark.parametrize("scope", [machine, child])
TASKS = pytest.mark.parametrize("folder", tasks())
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


def test_task_calls_the_function_of_its_name() -> None:
    called = {name.lower().replace(" ", "_"): state for name, state in states() if state["Type"] == "Task"}
    assert called == tasks()


@TASKS
def test_task_is_given_up_soon_after_its_function(folder: str) -> None:
    """Never before the function's own time-out, because the function would go on; and hardly later."""
    own = function(folder)["Timeout"]
    assert own < tasks()[folder]["TimeoutSeconds"] <= own + 60


@TASKS
def test_batches_that_failed_together_do_not_retry_together(folder: str) -> None:
    assert {retrier["JitterStrategy"] for retrier in tasks()[folder]["Retry"]} == {"FULL"}


def test_state_machine_is_the_definition_that_is_tested() -> None:
    """Standard, because an express execution ends after five minutes."""
    [properties] = resources("Serverless::StateMachine").values()
    assert properties["Type"] == "STANDARD"
    assert properties["DefinitionUri"] == "statemachine/import_profiles.asl.json"


def test_map_tolerates_all_failures_and_discards_results() -> None:
    batches = machine()["States"]["Upload batches"]
    assert batches["ToleratedFailurePercentage"] == 100
    assert batches["ResultPath"] is None
    assert child()["ProcessorConfig"] == {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}


def test_map_runs_max_in_flight_children_at_once() -> None:
    """A smaller MaxInFlight is held by the budget: the other children only wait."""
    concurrency = machine()["States"]["Upload batches"]["MaxConcurrency"]
    assert concurrency == parameters()["MaxInFlight"]["MaxValue"] == 10


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
    source = inspect.getsource(step).replace("Outcome.settled(", "Word.SETTLED ")
    words = {Word[name] for name in re.findall(r"\bWord\.([A-Z]+)\b", source)}
    assert words == set(next_states)
    rules = child()["States"][question]["Choices"]
    assert {rule["StringEquals"]: rule["Next"] for rule in rules} == next_states


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
