"""What CloudFormation says of a stack."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, NoCredentialsError, NoRegionError

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


def test_stack_without_a_name_is_refused() -> None:
    with pytest.raises(StackError, match="The name after --stack is empty"):
        describe_stack("")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (NoCredentialsError(), "Unable to locate credentials."),
        (NoRegionError(), "You must specify a region."),
        (ValueError("Invalid endpoint: here"), "Invalid endpoint: here."),
    ],
)
def test_what_keeps_from_calling_aws_is_told_in_words(
    monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    def client(_service: str) -> Any:
        raise error

    monkeypatch.setattr(stack, "client", client)
    with pytest.raises(StackError, match=f"^CloudFormation did not describe the stack demo: {words}$"):
        describe_stack("demo")


@pytest.mark.parametrize("described", [{}, {"Outputs": [{"OutputKey": "Url", "OutputValue": "x"}]}])
def test_stack_of_another_application_is_refused(
    monkeypatch: pytest.MonkeyPatch, described: dict[str, Any]
) -> None:
    answer(monkeypatch, **described)
    with pytest.raises(StackError, match=r"^The stack demo is none of bulk-profiles: "):
        describe_stack("demo")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("ValidationError", "There is no stack demo in this account and region: give its name with --stack."),
        ("AccessDenied", "CloudFormation did not describe the stack demo: AccessDenied."),
    ],
)
def test_stack_that_cloudformation_refuses_is_told_with_its_name(
    monkeypatch: pytest.MonkeyPatch, code: str, words: str
) -> None:
    def refuse(**_asked: str) -> Any:
        raise ClientError({"Error": {"Code": code, "Message": "m"}}, "DescribeStacks")

    monkeypatch.setattr(stack, "client", lambda _: SimpleNamespace(describe_stacks=refuse))
    with pytest.raises(StackError, match=f"^{words}$"):
        describe_stack("demo")
