"""Executions of the state machine by discrete events: the definition says what comes next.

Only what the definition uses on the way of a batch is understood. Retries are those of Lambda's throttling.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Mapping
from datetime import datetime
from typing import Any, Protocol

import simpy

type Json = dict[str, Any]
type Process = Generator[simpy.Event, Any, Any]
type Function = Callable[[Json], Process]  # takes the state, returns the function's answer

# Events in the history, by the type of a state: a Task is entered, scheduled, started, succeeded and exited.
# A Map is entered, its run started and succeeded, and exited. A child's events are in its own history:
# https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html
_EVENTS = {"Task": 5, "Map": 4}
_EVENTS_OF_OTHERS = 2  # entered, exited
EVENTS_OF_RETRY = 3  # failed, scheduled, started
EVENTS_OF_EXECUTION = 2  # started, succeeded or failed
_STEP = re.compile(r"\.(\w+)(?:\[(\d+)\])?")  # of a path
DISPATCH_SECONDS = 0.01  # standard children are started at 100 a second, by Step Functions' own measure


class Host(Protocol):
    """Where executions run: a clock, Lambda, and somebody who counts."""

    env: simpy.Environment

    def now(self) -> datetime:
        """Return the time."""

    def invoke(self, resource: str, retry: Json, work: Process, retried: Callable[[], None]) -> Process:
        """Run a function, after as many throttled tries as it takes."""

    def transition(self) -> None:
        """Count a state that is entered."""

    def opened(self, *, child: bool) -> None:
        """Count an execution that begins."""

    def closed(self, events: int) -> None:
        """Count an execution that ends, with so many events in its history."""


class Execution:
    """One execution, or one child of its map."""

    def __init__(self, host: Host, definition: Json, functions: Mapping[str, Function]) -> None:
        self._host = host
        self._definition = definition
        self._functions = functions
        self.events = EVENTS_OF_EXECUTION

    def run(self, value: Json, *, child: bool = False) -> Process:
        """Run from the first state to the last."""
        self._host.opened(child=child)
        following: str | None = self._definition["StartAt"]
        while following is not None:
            state = self._definition["States"][following]
            self.events += _EVENTS.get(state["Type"], _EVENTS_OF_OTHERS)
            self._host.transition()
            value = yield from self._enter(state, value)
            following = _choice(state, value) if state["Type"] == "Choice" else state.get("Next")
        self._host.closed(self.events)

    def _enter(self, state: Json, value: Json) -> Process:
        """Do the work of a state, and return what the next one gets."""
        match state["Type"]:
            case "Task":
                work = self._functions[state["Resource"]](value)
                answer = yield from self._host.invoke(
                    state["Resource"], state["Retry"][0], work, self._retried
                )
                return _placed(state, value, answer)
            case "Map":
                yield from self._map(state, value)
            case "Wait":
                until = datetime.fromisoformat(_read(state["TimestampPath"], value))
                yield self._host.env.timeout(max(0.0, (until - self._host.now()).total_seconds()))
        return value

    def _map(self, state: Json, value: Json) -> Process:
        env, children = self._host.env, []
        places = simpy.Resource(env, state["MaxConcurrency"])
        for item in value["batches"]:
            place = places.request()
            yield place
            yield env.timeout(DISPATCH_SECONDS)
            child = Execution(self._host, state["ItemProcessor"], self._functions)
            children.append(env.process(_in_place(child.run({**value, "batch": item}, child=True), place)))
        yield env.all_of(children)

    def _retried(self) -> None:
        self.events += EVENTS_OF_RETRY


def _in_place(work: Process, place: Any) -> Process:
    with place:
        yield from work


def _read(path: str, value: Any) -> Any:
    """Return what a path such as `$.batches[0]` names, or None."""
    for name, index in _STEP.findall(path):
        value = value.get(name) if isinstance(value, dict) else None
        if index:
            value = value[int(index)] if isinstance(value, list) and len(value) > int(index) else None
    return value


def _placed(state: Json, value: Json, answer: Json) -> Json:
    path = state.get("ResultPath", "$")
    return answer if path == "$" else {**value, path.removeprefix("$."): answer}


def _choice(state: Json, value: Json) -> str:
    return next(
        (str(rule["Next"]) for rule in state["Choices"] if _holds(rule, value)), str(state["Default"])
    )


def _holds(rule: Json, value: Json) -> bool:
    if "And" in rule:
        return all(_holds(part, value) for part in rule["And"])
    found = _read(rule["Variable"], value)
    if "StringEquals" in rule:
        return bool(found == rule["StringEquals"])
    if "IsString" in rule:
        return isinstance(found, str) is rule["IsString"]
    if "IsNumeric" in rule:
        return isinstance(found, int) is rule["IsNumeric"]
    return (found is not None) is bool(rule["IsPresent"])
