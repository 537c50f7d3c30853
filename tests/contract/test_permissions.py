"""What is allowed is allowed to the right one, and only that. Which calls need what is in tests/security."""

from __future__ import annotations

import pytest

from tests.worlds.deployable import Json, condition, function, resources, template

NO_VALUE = {"Ref": "AWS::NoValue"}


def documents(**values: str) -> dict[str, list[Json]]:
    """Return the policy documents of each function and of the state machine with these parameters."""
    return {
        name: [document for policy in properties["Policies"] if (document := chosen(policy, values))]
        for kind in ("Serverless::Function", "Serverless::StateMachine")
        for name, properties in resources(kind).items()
    }


def chosen(policy: Json, values: dict[str, str]) -> Json | None:
    if "Fn::If" not in policy:
        return policy
    name, holds, otherwise = policy["Fn::If"]
    document: Json = holds if condition(name, **values) else otherwise
    return None if document == NO_VALUE else document


def statements() -> list[Json]:
    """Return all policy statements of the functions and the state machine."""
    with_token = documents(TokenSecretArn="arn").values()
    policies = [document for of_one in with_token for document in of_one]
    policies += [properties["PolicyDocument"] for properties in resources("IAM::Policy").values()]
    return [statement for document in policies for statement in document["Statement"]]


@pytest.mark.parametrize("statement", statements(), ids=lambda statement: statement["Sid"])
def test_permission_is_a_plain_allowance(statement: Json) -> None:
    """What tests/security compares with the calls of the code is action and resource."""
    assert set(statement) == {"Sid", "Effect", "Action", "Resource"}
    assert statement["Effect"] == "Allow"


@pytest.mark.parametrize("statement", statements(), ids=lambda statement: statement["Sid"])
def test_permission_has_no_wildcard_but_for_logs(statement: Json) -> None:
    actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
    assert not [action for action in actions if "*" in action]
    logs_only = all(action.startswith("logs:") for action in actions)
    assert statement["Resource"] != "*" or logs_only


def token_readers(arn: str) -> set[str]:
    return {
        name
        for name, policies in documents(TokenSecretArn=arn).items()
        for document in policies
        for statement in document["Statement"]
        if statement["Action"] == "secretsmanager:GetSecretValue"
        and statement["Resource"] == {"Ref": "TokenSecretArn"}
    }


def test_token_is_readable_for_the_callers_of_target_only() -> None:
    callers = {"UploadBatchFunction", "CheckStatusFunction", "VerifyImportFunction"}
    assert token_readers("arn:aws:secretsmanager:eu-west-1:123456789012:secret:target-AbC123") == callers
    assert token_readers("") == set()


def test_split_that_takes_long_may_invoke_itself() -> None:
    policy = resources("IAM::Policy")["SplitFileContinuationPolicy"]
    [statement] = policy["PolicyDocument"]["Statement"]
    assert policy["Roles"] == [{"Ref": "SplitFileFunctionRole"}]
    assert statement["Action"] == "lambda:InvokeFunction"
    assert statement["Resource"] == {"Fn::GetAtt": ["SplitFileFunction", "Arn"]}


def test_resend_sees_the_executions_of_the_state_machine_that_calls_it() -> None:
    policy = resources("IAM::Policy")["ResendImportAlonePolicy"]
    [statement] = policy["PolicyDocument"]["Statement"]
    assert policy["Roles"] == [{"Ref": "ResendImportFunctionRole"}]
    assert statement["Action"] == "states:ListExecutions"
    assert statement["Resource"] == {"Ref": "ImportProfiles"}


def test_map_may_start_its_children() -> None:
    """SAM gives a Distributed Map no permission."""
    policy = resources("IAM::Policy")["ImportProfilesMapPolicy"]
    actions = {
        action
        for statement in policy["PolicyDocument"]["Statement"]
        for action in (
            statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        )
    }
    assert policy["Roles"] == [{"Ref": "ImportProfilesRole"}]
    assert actions >= {"states:StartExecution", "states:DescribeExecution", "states:StopExecution"}


def test_sweep_splits_with_the_function_that_it_may_invoke() -> None:
    own = function("sweep_imports")
    [statement] = [
        statement
        for document in own["Policies"]
        for statement in document["Statement"]
        if statement["Action"] == "lambda:InvokeFunction"
    ]
    assert statement["Resource"] == {"Fn::GetAtt": ["SplitFileFunction", "Arn"]}
    assert own["Environment"]["Variables"]["SPLIT_FILE_FUNCTION"] == {"Ref": "SplitFileFunction"}


def test_state_machine_writes_its_log_without_the_data() -> None:
    """Into the group of its own whose name keeps CloudWatch's resource policy small."""
    [machine] = resources("Serverless::StateMachine").values()
    [destination] = machine["Logging"]["Destinations"]
    group = {"Fn::GetAtt": ["ImportProfilesLogGroup", "Arn"]}
    assert destination == {"CloudWatchLogsLogGroup": {"LogGroupArn": group}}
    assert machine["Logging"]["IncludeExecutionData"] is False
    assert machine["Logging"]["Level"] in {"ERROR", "ALL"}
    name = template()["Resources"]["ImportProfilesLogGroup"]["Properties"]["LogGroupName"]["Fn::Sub"]
    assert name.startswith("/aws/vendedlogs/states/${AWS::StackName}-")
