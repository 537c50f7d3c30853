"""The state machine in this process: its limits are those of Step Functions."""

from __future__ import annotations

from tests.worlds.execution import MOST_EVENTS, End, Json, StateMachine, script

ROUND = {"outcome": "processing", "resumeAt": "2026-11-24T09:00:00Z"}


def _polling() -> Json:
    """Return a machine that asks until it is told to stop: nine events a round."""
    function = "arn:aws:lambda:us-east-1:123456789012:function:check_status"
    stop = {"Variable": "$.outcome", "StringEquals": "settled", "Next": "End"}
    return {
        "StartAt": "Ask",
        "States": {
            "Ask": {"Type": "Task", "Resource": function, "Parameters": {}, "Next": "Over?"},
            "Over?": {"Type": "Choice", "Choices": [stop], "Default": "Wait"},
            "Wait": {"Type": "Wait", "TimestampPath": "$.resumeAt", "Next": "Ask"},
            "End": {"Type": "Succeed"},
        },
    }


def _run(*answers: Json) -> tuple[End, StateMachine]:
    machine = StateMachine(_polling(), {"check_status": script(*answers)})
    return machine.run({}), machine


def test_a_poll_has_nine_events() -> None:
    end, machine = _run(ROUND, ROUND, {"outcome": "settled"})
    assert end.error == ""
    assert machine.history == [2 + 2 * 9 + 5 + 2 + 2]


def test_execution_of_more_than_25_000_events_fails() -> None:
    end, machine = _run(ROUND)
    assert end.error == "States.Runtime"
    assert MOST_EVENTS < machine.history[0] < MOST_EVENTS + 9
    assert machine.states.count("Ask") == MOST_EVENTS // 9 + 1


def test_state_of_more_than_256_kib_fails() -> None:
    end, _ = _run({"outcome": "settled", "rows": "x" * 262_144})
    assert end.error == "States.DataLimitExceeded"
