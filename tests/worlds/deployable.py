"""What is deployed, as data: the template, the state machine, the sample events."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from cfnlint.decode import decode  # type: ignore[import-untyped]  # cfn-lint carries no types

from bulk_profiles.steps.settings import (
    CheckStatusSettings,
    FinishImportSettings,
    SplitFileSettings,
    SweepImportsSettings,
    UploadBatchSettings,
)

type Json = dict[str, Any]

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "template.yaml"
DEFINITION = ROOT / "statemachine/import_profiles.asl.json"
# Function folder -> the settings that its app.py reads.
SETTINGS: dict[str, type] = {
    "split_file": SplitFileSettings,
    "upload_batch": UploadBatchSettings,
    "check_status": CheckStatusSettings,
    "sweep_imports": SweepImportsSettings,
    "finish_import": FinishImportSettings,
}
FUNCTIONS = tuple(SETTINGS)


@cache
def template() -> Json:
    """Give template.yaml, its short forms (`!Ref`, `!Sub`) written out."""
    decoded, faults = decode(str(TEMPLATE))
    assert not faults
    plain: Json = json.loads(json.dumps(decoded))
    return plain


def parameters() -> Json:
    """Give the template's parameters by name."""
    found: Json = template()["Parameters"]
    return found


def resources(kind: str) -> dict[str, Json]:
    """Give the properties of all resources of a type (`AWS::` is understood) by logical id."""
    return {
        name: resource.get("Properties", {})
        for name, resource in template()["Resources"].items()
        if resource["Type"] == f"AWS::{kind}"
    }


def function_name(folder: str) -> str:
    """Give the logical id of a folder's function."""
    return folder.title().replace("_", "") + "Function"


def function(folder: str) -> Json:
    """Give the properties of a folder's function."""
    return resources("Serverless::Function")[function_name(folder)]


def variables(folder: str) -> Json:
    """Give the environment that a function has of its own."""
    found: Json = function(folder)["Environment"]["Variables"]
    return found


def environment(folder: str) -> dict[str, str]:
    """Give a function's environment as it is where every parameter has its default."""
    return {name: _resolved(value) for name, value in variables(folder).items()}


def _resolved(value: Any) -> str:
    if isinstance(value, dict):
        name = value["Ref"]
        return str(parameters()[name].get("Default", "demo")) if name in parameters() else f"the-{name}"
    return str(value)


@cache
def machine() -> Json:
    """Give the state machine's definition as it is deployed where every parameter has its default."""
    text = DEFINITION.read_text()
    for name, value in substitutions().items():
        text = text.replace(f"${{{name}}}", value)
    definition: Json = json.loads(text)
    return definition


def substitutions() -> dict[str, str]:
    """Give what the template puts in the definition's places; functions as ARNs that end in the folder."""
    [properties] = resources("Serverless::StateMachine").values()
    return {
        name: _resolved(value) if "Ref" in value else _arn(value["Fn::GetAtt"][0])
        for name, value in properties["DefinitionSubstitutions"].items()
    }


def _arn(logical_id: str) -> str:
    folder = re.sub(r"(?<!^)(?=[A-Z])", "_", logical_id.removesuffix("Function")).lower()
    return f"arn:aws:lambda:us-east-1:123456789012:function:{folder}"


def child() -> Json:
    """Give the machine that every batch goes through."""
    processor: Json = machine()["States"]["Upload batches"]["ItemProcessor"]
    return processor


def states() -> Iterator[tuple[str, Json]]:
    """Give every state of both machines with its name."""
    yield from machine()["States"].items()
    yield from child()["States"].items()


def tasks() -> dict[str, Json]:
    """Give every task by its function's folder."""
    return {state["Resource"].rsplit(":", 1)[-1]: state for _, state in states() if state["Type"] == "Task"}


def event(folder: str) -> Json:
    """Give a function's sample event."""
    loaded: Json = json.loads((ROOT / "events" / f"{folder}.json").read_text())
    return loaded
