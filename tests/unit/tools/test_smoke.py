"""The smoke test of a deployed stack says failed for whatever does not do what it should."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tools import smoke

SENT = {"small.csv": 5, "small.parquet": 2, "parts.csv": 6_000, "stopped.csv": 5}


AGAIN = "arn:again"


@dataclass
class FakeStack(smoke.Stack):
    """A stack in which all is well, unless a test changes an answer."""

    name: str = "bulk-profiles"
    patience: float = 0.0
    summary: dict[str, Any] = field(default_factory=dict)  # what differs in every summary
    refuses_to_stop: bool = False
    status: str = "RUNNING"
    status_again: str = "SUCCEEDED"  # of the execution with the same input
    answer: Any = None  # of split_file to a dead letter
    concurrency: int = 1_000
    lost: str = ""  # a file that never becomes an import
    removed: bool = False

    def __post_init__(self) -> None:
        self.outputs = {
            "StateMachineArn": "arn:aws:states:eu-west-1:1:stateMachine:m",
            "SplitFileFunctionName": "split",
        }
        self.states = SimpleNamespace(
            stop_execution=self._stop,
            describe_execution=self._describe,
            start_execution=lambda **_: {"executionArn": AGAIN},
        )

    def _describe(self, *, executionArn: str) -> dict[str, str]:  # noqa: N803  # the API's own name
        return {"status": self.status_again if executionArn == AGAIN else self.status, "input": "{}"}

    def client(self, service: str) -> Any:
        assert service == "lambda"
        return SimpleNamespace(
            get_account_settings=lambda: {"AccountLimit": {"ConcurrentExecutions": self.concurrency}},
            invoke=lambda **_: {"Payload": io.BytesIO(json.dumps(self._answer()).encode())},
        )

    def drop(self, name: str, body: bytes, *, multipart: bool = False) -> str:
        assert body
        assert multipart == (name == "parts.csv")
        if name == self.lost:
            raise smoke.SmokeError(f"waited 0 s in vain until {name} becomes an import")
        self.imports.append(name)
        return name

    def finished(self, import_id: str) -> dict[str, Any]:
        good = {"rows": {"sent": SENT[import_id]}, "unaccounted": 0, "status": "succeeded", "reason": ""}
        return good | self.summary

    def entry(self, import_id: str) -> dict[str, Any]:
        return {"source": {"bucket": "drop", "key": import_id, "versionId": "v1"}}

    def remove(self) -> None:
        self.removed = True

    def _answer(self) -> Any:
        return self.answer or {"importId": self.imports[0], "status": "known"}

    def _stop(self, **_: Any) -> None:
        if self.refuses_to_stop:
            raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "StopExecution")
        self.status = "ABORTED"


def failed(stack: smoke.Stack) -> set[str]:
    return {sentence for sentence, reason in smoke.check(stack) if reason}


IMPORTS = {smoke.small_file, smoke.parquet_file, smoke.multipart_file, smoke.stopped_execution}


@pytest.mark.parametrize(
    ("stack", "checks"),
    [
        (FakeStack(), set()),
        (FakeStack(summary={"status": "partial"}), IMPORTS),
        (FakeStack(summary={"unaccounted": 1}), IMPORTS),
        (FakeStack(summary={"rows": {"sent": 4}}), IMPORTS),
        (FakeStack(refuses_to_stop=True), {smoke.stopped_execution}),
        (FakeStack(status_again="RUNNING"), {smoke.stopped_execution}),
        (FakeStack(refuses_to_stop=True, status="SUCCEEDED"), set()),  # it has ended before
        (FakeStack(lost="parts.csv"), {smoke.multipart_file}),
        (FakeStack(answer={"errorMessage": "EventError"}), {smoke.dead_letter}),
        (FakeStack(answer={"importId": "small.csv", "status": "uploading"}), {smoke.dead_letter}),
        (FakeStack(concurrency=10), {smoke.quotas}),
    ],
)
def test_check_fails_where_the_stack_does_not_do_what_it_should(
    stack: FakeStack, checks: set[Callable[[smoke.Stack], None]]
) -> None:
    assert failed(stack) == {(check.__doc__ or "").strip() for check in checks}


def test_execution_that_must_not_be_stopped_is_told_at_once() -> None:
    reasons = [reason for _, reason in smoke.check(FakeStack(refuses_to_stop=True)) if reason]
    assert reasons == ["the execution was not stopped: AccessDeniedException"]


def test_execution_that_goes_on_after_it_was_stopped_is_a_failure() -> None:
    stack = FakeStack()
    stack.states.stop_execution = lambda **_: None
    assert failed(stack) == {(smoke.stopped_execution.__doc__ or "").strip()}


@pytest.mark.parametrize(("concurrency", "status"), [(1_000, 0), (10, 1)])
def test_a_failure_is_printed_and_is_the_exit_code_and_what_was_made_is_removed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], concurrency: int, status: int
) -> None:
    stack = FakeStack(concurrency=concurrency)
    monkeypatch.setattr(smoke, "Stack", lambda *_: stack)
    assert smoke.main(["--stack", "bulk-profiles", "--yes"]) == status
    assert capsys.readouterr().out.count("failed  ") == status
    assert stack.removed


def test_nothing_is_sent_without_a_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    stack = FakeStack()
    monkeypatch.setattr(smoke, "Stack", lambda *_: stack)
    monkeypatch.setattr("builtins.input", lambda _: "n")
    assert smoke.main(["--stack", "bulk-profiles"]) == 2
    assert not stack.imports
