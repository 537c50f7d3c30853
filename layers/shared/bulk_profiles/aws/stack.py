"""A deployed stack as CloudFormation describes it: everything in it is found by its outputs."""

from __future__ import annotations

from dataclasses import dataclass

from botocore.exceptions import BotoCoreError

from bulk_profiles.core.errors import StackError

from .clients import client
from .errors import translated


@dataclass(frozen=True, slots=True)
class StackDescription:
    """The outputs and the parameters of a stack, by their names."""

    outputs: dict[str, str]
    parameters: dict[str, str]


def describe_stack(name: str) -> StackDescription:
    """Return what CloudFormation knows of a stack. Raises `StackError`."""
    absent = StackError(f"There is no stack {name} in this account and region: give its name with --stack.")
    if not name:
        raise StackError("Which stack? The name after --stack is empty.")
    failure = f"CloudFormation did not describe the stack {name}"
    with translated(failure, StackError, {"ValidationError": absent}):
        try:
            [stack] = client("cloudformation").describe_stacks(StackName=name)["Stacks"]
        except (BotoCoreError, ValueError) as error:  # of credentials, region or address: no data is in it
            raise StackError(f"{failure}: {str(error).rstrip('.')}.") from error
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", ())}
    if "ImportsTableName" not in outputs:
        raise StackError(f"The stack {name} is none of bulk-profiles: it has no output ImportsTableName.")
    parameters = {
        parameter["ParameterKey"]: parameter.get("ParameterValue", "")
        for parameter in stack.get("Parameters", ())
    }
    return StackDescription(outputs, parameters)
