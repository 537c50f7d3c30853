"""What CloudFormation says of a stack."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from bulk_profiles.aws import stack
from bulk_profiles.aws.stack import StackDescription, describe_stack
from bulk_profiles.core.errors import StackError


def answer(monkeypatch: pytest.MonkeyPatch, **described: Any) -> None:
    def describe_stacks(**asked: str) -> Any:
        assert asked == {"StackName": "demo"}
        return {"Stacks": [described]}

    clients = {"cloudformation": SimpleNamespace(describe_stacks=describe_stacks)}
    monkeypatch.setattr(stack, "client", clients.__getitem__)


def test_outputs_and_parameters_of_a_stack_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(
        monkeypatch,
        Outputs=[
            {"OutputKey": "ImportsTableName", "OutputValue": "imports"},
            {"OutputKey": "DataBucketName", "OutputValue": "data"},
        ],
        Parameters=[{"ParameterKey": "ClientCode", "ParameterValue": "demo"}, {"ParameterKey": "Why"}],
    )
    assert describe_stack("demo") == StackDescription(
        {"ImportsTableName": "imports", "DataBucketName": "data"}, {"ClientCode": "demo", "Why": ""}
    )


def test_stack_without_parameters_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, Outputs=[{"OutputKey": "ImportsTableName", "OutputValue": "imports"}])
    assert describe_stack("demo").parameters == {}


@pytest.mark.parametrize("described", [{}, {"Outputs": [{"OutputKey": "Url", "OutputValue": "x"}]}])
def test_stack_of_another_application_is_refused(
    monkeypatch: pytest.MonkeyPatch, described: dict[str, Any]
) -> None:
    answer(monkeypatch, **described)
    with pytest.raises(StackError, match=r"^The stack demo is none of bulk-profiles: "):
        describe_stack("demo")
