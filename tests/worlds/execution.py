"""Executions of the state machine in this process, by the rules of the Amazon States Language.

Only the fields that the definition uses are understood, and any other is an error: a field that no test has
run does not slip in. Children run one after the other, and the clock jumps to the end of each wait. An
execution with more events in its history, or a larger state, than Step Functions takes ends as it does there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.worlds.aws.step_functions import MOST_INPUT_BYTES
from tests.worlds.deployment import Clock

type Json = dict[str, Any]
type Function = Callable[[Json], Json]  # raises `StateError`

_COMMON = {"Type", "Comment", "Next", "End"}
_FIELDS = {
    "Map": {
        *("Label", "ItemsPath", "ItemSelector", "MaxConcurrency", "ToleratedFailurePercentage"),
        *("ItemProcessor", "ResultPath", "Catch"),
    },
    "Task": {"Resource", "Parameters", "ResultPath", "TimeoutSeconds", "Retry", "Catch"},
    "Choice": {"Choices", "Default"},
    "Wait": {"TimestampPath"},
    "Pass": {"Result", "InputPath"},
    "Succeed": set[str](),
    "Fail": {"Error", "ErrorPath", "Cause", "CausePath"},
}
_RETRIER = {
    "ErrorEquals",
    "IntervalSeconds",
    "BackoffRate",
    "MaxDelaySeconds",
    "JitterStrategy",
    "MaxAttempts",
}
_CATCHER = {"ErrorEquals", "ResultPath", "Next"}
_COMPARISONS = {"StringEquals", "IsPresent", "IsString", "IsNumeric"}
MOST_EVENTS = 25_000  # in the history of one execution
# In the history, by the type of a state: a Task is entered, scheduled, started, succeeded and exited.
_EVENTS = {"Task": 5, "Map": 4}
_EVENTS_OF_OTHERS = 2
_EVENTS_OF_RETRY = 3  # failed, scheduled, started
_EVENTS_OF_EXECUTION = 2


class StateError(Exception):
    """What a function or a state fails with; `name` is the error's name in the States Language."""

    def __init__(self, name: str, cause: str = "") -> None:
        super().__init__(f"{name}: {cause}")
        self.name = name
        self.cause = cause


@dataclass(frozen=True, slots=True)
class End:
    """How an execution ended; without an error it succeeded."""

    error: str = ""
    cause: str = ""
    output: Any = None


@dataclass(slots=True)
class StateMachine:
    """A state machine with the functions that its tasks call, by the last part of the resource."""

    definition: Json
    functions: Mapping[str, Function]
    clock: Clock = field(default_factory=Clock)
    map_error: StateError | None = None  # what the map run ends with, whatever its children do
    states: list[str] = field(default_factory=list)  # those that were entered, in order
    inputs: dict[str, Any] = field(default_factory=dict)  # of each of them, the last one
    events: list[tuple[str, Json]] = field(default_factory=list)  # function and event of every call
    waits: list[timedelta] = field(default_factory=list)  # the longest that each wait for a retry may be
    children: list[Any] = field(default_factory=list)  # what each child ended with
    history: list[int] = field(default_factory=list)  # events of each execution, the children's first
    _counts: list[int] = field(default_factory=list)  # events so far, of the execution and of its child

    def run(self, state: Json, name: str = "execution") -> End:
        """Run an execution from its input to its end."""
        try:
            # Without an ARN, resend_import does not look for other executions, which never end in moto.
            context = {"Execution": {"Name": name}, "StateMachine": {"Id": ""}}
            return End(output=self._run(self.definition, state, context))
        except StateError as error:
            return End(error.name, error.cause)

    def _run(self, definition: Json, value: Any, context: Json) -> Any:
        self._counts.append(_EVENTS_OF_EXECUTION)
        try:
            return self._walk(definition, value, context)
        finally:
            self.history.append(self._counts.pop())

    def _walk(self, definition: Json, value: Any, context: Json) -> Any:
        following: str | None = definition["StartAt"]
        while following is not None:
            self.states.append(following)
            self.inputs[following] = value
            state = definition["States"][following]
            self._count(_EVENTS.get(state["Type"], _EVENTS_OF_OTHERS))
            value, following = self._enter(state, value, context)
            _check_size(value)
        return value

    def _count(self, events: int) -> None:
        self._counts[-1] += events
        if self._counts[-1] > MOST_EVENTS:
            raise StateError("States.Runtime", f"more than {MOST_EVENTS} events: {self.states[-4:]}")

    def _enter(self, state: Json, value: Any, context: Json) -> tuple[Any, str | None]:
        """Return the output of a state and the name of the next one, None at the end."""
        _check(state, _FIELDS[state["Type"]] | _COMMON)
        following = None if state.get("End") else state.get("Next")
        match state["Type"]:
            case "Task" | "Map":
                work = self._map if state["Type"] == "Map" else self._call
                return self._guarded(state, value, lambda: work(state, value, context))
            case "Choice":
                return value, _choice(state, value)
            case "Wait":
                self.clock.reach(_timestamp(_read(state["TimestampPath"], value, context)))
            case "Pass":
                value = state.get("Result", _read(state.get("InputPath", "$"), value, context))
            case "Fail":
                raise StateError(*(_word(state, word, value, context) for word in ("Error", "Cause")))
        return value, following

    def _guarded(self, state: Json, value: Any, work: Callable[[], Any]) -> tuple[Any, str | None]:
        """Do the work of a state with its retries; return its output and the next state."""
        attempts = [0] * len(state.get("Retry", ()))
        while True:
            try:
                return _placed(state, value, work()), None if state.get("End") else state["Next"]
            except StateError as error:
                wait = _retry(state, attempts, error)
                if wait is None:
                    return _caught(state, value, error)
                self._count(_EVENTS_OF_RETRY)
                self.waits.append(wait)
                self.clock.advance(seconds=wait.total_seconds())

    def _call(self, state: Json, value: Any, context: Json) -> Any:
        folder = state["Resource"].rsplit(":", 1)[-1]
        event = _template(state["Parameters"], value, context)
        self.events.append((folder, event))
        return self.functions[folder](event)

    def _map(self, state: Json, value: Any, context: Json) -> Any:
        items, errors, outputs = _read(state["ItemsPath"], value, context), 0, []
        processor = state["ItemProcessor"]
        _check(processor, {"ProcessorConfig", "StartAt", "States"})
        for item in items:
            own = _template(state["ItemSelector"], value, {"Map": {"Item": {"Value": item}}})
            try:
                outputs.append(self._run(processor, own, {}))
            except StateError:
                errors += 1
        self.children += outputs
        if self.map_error is not None:
            raise self.map_error
        if errors * 100 > len(items) * state.get("ToleratedFailurePercentage", 0):
            raise StateError("States.ExceedToleratedFailureThreshold", f"{errors} of {len(items)} failed")
        _check_size(outputs)
        return outputs


def _check(fields: Json, known: set[str]) -> None:
    assert set(fields) <= known, f"no test runs {set(fields) - known}"


def _check_size(value: Any) -> None:
    """Raise what Step Functions raises for a state that is too large, which no wildcard catches."""
    if len(json.dumps(value)) > MOST_INPUT_BYTES:
        raise StateError("States.DataLimitExceeded", "a state has more than 256 KiB")


def _read(path: str, value: Any, context: Json) -> Any:
    root, *names = path.split(".")
    result = {"$": value, "$$": context}[root]
    for name in filter(None, names):
        field_, _, index = name.removesuffix("]").partition("[")
        if not isinstance(result, dict) or field_ not in result:
            raise StateError("States.ParameterPathFailure", path)
        result = result[field_]
        if index:
            if not isinstance(result, list) or int(index) >= len(result):
                raise StateError("States.ParameterPathFailure", path)
            result = result[int(index)]
    return result


def _template(template: Json, value: Any, context: Json) -> Json:
    return {
        name.removesuffix(".$"): _read(given, value, context) if name.endswith(".$") else given
        for name, given in template.items()
    }


def _placed(state: Json, value: Any, result: Any) -> Any:
    """Return a state's input with its result at `ResultPath`; None discards the result."""
    path = state.get("ResultPath", "$")
    if path is None:
        return value
    if path == "$":
        return result
    return value | {path.removeprefix("$."): result}


def _choice(state: Json, value: Any) -> str:
    for rule in state["Choices"]:
        following: str = rule["Next"]
        if _holds({name: given for name, given in rule.items() if name != "Next"}, value):
            return following
    default: str = state["Default"]
    return default


def _holds(rule: Json, value: Any) -> bool:
    """Whether a rule holds. Only `IsPresent` takes a variable that is not there, as in Step Functions."""
    if set(rule) == {"And"}:
        return all(_holds(part, value) for part in rule["And"])
    [(comparison, wanted)] = ((name, given) for name, given in rule.items() if name != "Variable")
    assert comparison in _COMPARISONS
    try:
        found = _read(rule["Variable"], value, {})
    except StateError as error:
        if comparison != "IsPresent":
            raise StateError("States.Runtime", str(error)) from error
        return wanted is False
    match comparison:
        case "IsPresent":
            return wanted is True
        case "IsString":
            return isinstance(found, str) is wanted
        case "IsNumeric":
            return (isinstance(found, int | float) and not isinstance(found, bool)) is wanted
        case _:
            return bool(found == wanted)


def _timestamp(text: Any) -> datetime:
    # RFC 3339 with a capital T and a capital Z: Step Functions takes no other.
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", str(text)):
        raise StateError("States.Runtime", f"{text} is no timestamp")
    return datetime.fromisoformat(text)


def _word(state: Json, name: str, value: Any, context: Json) -> str:
    if f"{name}Path" in state:
        return str(_read(state[f"{name}Path"], value, context))
    return str(state.get(name, ""))


def _matches(names: list[str], error: str) -> bool:
    if error in {"States.Runtime", "States.DataLimitExceeded"}:  # no wildcard names them
        return error in names
    wildcard = error != "States.Timeout" and "States.TaskFailed" in names
    return error in names or wildcard or names == ["States.ALL"]


def _retry(state: Json, attempts: list[int], error: StateError) -> timedelta | None:
    """Return the longest wait before the next attempt, None where there is none."""
    for place, retrier in enumerate(state.get("Retry", ())):
        _check(retrier, _RETRIER)
        if _matches(retrier["ErrorEquals"], error.name):
            if attempts[place] >= retrier.get("MaxAttempts", 3):
                return None
            wait = retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2.0) ** attempts[place]
            attempts[place] += 1
            return timedelta(seconds=min(wait, retrier.get("MaxDelaySeconds", wait)))
    return None


def _caught(state: Json, value: Any, error: StateError) -> tuple[Any, str]:
    for catcher in state.get("Catch", ()):
        _check(catcher, _CATCHER)
        if _matches(catcher["ErrorEquals"], error.name):
            return _placed(catcher, value, {"Error": error.name, "Cause": error.cause}), catcher["Next"]
    raise error


def script(*answers: Json | StateError) -> Function:
    """Return a function that gives these answers in order, the last one for ever."""
    remaining = _forever(answers)

    def function(_event: Json) -> Json:
        answer = next(remaining)
        if isinstance(answer, StateError):
            raise answer
        return answer

    return function


def _forever(answers: tuple[Json | StateError, ...]) -> Iterator[Json | StateError]:
    yield from answers
    while True:
        yield answers[-1]
