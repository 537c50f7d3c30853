"""The outputs of a deployed stack, by which everything in it is found."""

from __future__ import annotations

from bulk_profiles.core.errors import StackError

from .clients import client
from .errors import translated


def stack_outputs(name: str) -> dict[str, str]:
    """Return the outputs of a stack by their names. Raises `StackError`."""
    absent = StackError(f"There is no stack {name} in this account and region: give its name with --stack.")
    with translated(
        f"CloudFormation did not describe the stack {name}", StackError, {"ValidationError": absent}
    ):
        stacks = client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    outputs = {
        output["OutputKey"]: output["OutputValue"] for stack in stacks for output in stack.get("Outputs", ())
    }
    if "ImportsTableName" not in outputs:
        raise StackError(f"The stack {name} is none of bulk-profiles: it has no output ImportsTableName.")
    return outputs
