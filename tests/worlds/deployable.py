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
    ResendImportSettings,
    SplitFileSettings,
    SweepImportsSettings,
    UploadBatchSettings,
    VerifyImportSettings,
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
    "resend_import": ResendImportSettings,
    "verify_import": VerifyImportSettings,
}
FUNCTIONS = tuple(SETTINGS)


def use(template_: Path | None = None, definition: Path | None = None) -> None:
    """Read the template and the definition from these files, by default from those of the project."""
    global TEMPLATE, DEFINITION  # noqa: PLW0603  # what all tests of a run are about
    TEMPLATE = template_ or ROOT / "template.yaml"
    DEFINITION = definition or ROOT / "statemachine/import_profiles.asl.json"
    template.cache_clear()
    machine.cache_clear()


@cache
def template() -> Json:
    """Return template.yaml, its short forms (`!Ref`, `!Sub`) written out."""
    decoded, faults = decode(str(TEMPLATE))
    assert not faults
    plain: Json = json.loads(json.dumps(decoded))
    return plain


def parameters() -> Json:
    """Return the template's parameters by name."""
    section: Json = template()["Parameters"]
    return section


def default(value: Any) -> Any:
    """Return a value of the template; the default where it is a parameter."""
    return parameters()[value["Ref"]]["Default"] if isinstance(value, dict) else value


def condition(name: str, **values: str) -> bool:
    """Whether a condition of the template holds with these parameters, the others at their defaults."""
    return bool(_evaluated(template()["Conditions"][name], values))


def _evaluated(node: Any, values: dict[str, str]) -> Any:
    if not isinstance(node, dict):
        return node
    [(function, argument)] = node.items()
    match function:
        case "Ref":
            return values.get(argument, parameters()[argument].get("Default"))
        case "Fn::Not":
            return not _evaluated(argument[0], values)
        case "Fn::Equals":
            return _evaluated(argument[0], values) == _evaluated(argument[1], values)
    raise AssertionError(f"a condition of the template has {function}, which no test evaluates")


def resources(kind: str) -> dict[str, Json]:
    """Return the properties of all resources of a type (`AWS::` is understood) by logical id."""
    return {
        name: resource.get("Properties", {})
        for name, resource in template()["Resources"].items()
        if resource["Type"] == f"AWS::{kind}"
    }


def function_name(folder: str) -> str:
    """Return the logical id of a folder's function."""
    return folder.title().replace("_", "") + "Function"


def function(folder: str) -> Json:
    """Return the properties of a folder's function."""
    return resources("Serverless::Function")[function_name(folder)]


def rules() -> dict[str, Json]:
    """Return the properties of every EventBridge rule by the logical id that SAM gives it."""
    return {
        f"{name}{event_name}": rule["Properties"]
        for name, properties in resources("Serverless::Function").items()
        for event_name, rule in properties.get("Events", {}).items()
    }


def variables(folder: str) -> Json:
    """Return the environment that a function has of its own."""
    own: Json = function(folder)["Environment"]["Variables"]
    return own


def common_variables() -> Json:
    """Return the environment that every function has."""
    common: Json = template()["Globals"]["Function"]["Environment"]["Variables"]
    return common


def environment(folder: str, **values: str) -> dict[str, str]:
    """Return a function's environment as it is with these parameters, the others at their defaults."""
    return {name: resolved(value, **values) for name, value in variables(folder).items()}


def resolved(value: Any, **values: str) -> str:
    """Return a value of the template as text; a resource by its logical id, e.g. `the-DropBucket`."""
    if isinstance(value, dict) and "Fn::Sub" in value:
        return "https://us-east-1.console.aws.amazon.com"  # the only one that a function has
    if isinstance(value, dict):
        name = value["Ref"]
        if name in values:
            return values[name]
        return str(parameters()[name].get("Default", "demo")) if name in parameters() else f"the-{name}"
    return str(value)


@cache
def machine() -> Json:
    """Return the state machine's definition as it is deployed where every parameter has its default."""
    text = DEFINITION.read_text()
    for name, value in substitutions().items():
        text = text.replace(f"${{{name}}}", value)
    definition: Json = json.loads(text)
    return definition


def substitutions() -> dict[str, str]:
    """Return what the template puts in the definition's places; functions as ARNs that end in the folder."""
    [properties] = resources("Serverless::StateMachine").values()
    return {
        name: resolved(value) if "Ref" in value else _arn(value["Fn::GetAtt"][0])
        for name, value in properties["DefinitionSubstitutions"].items()
    }


def _arn(logical_id: str) -> str:
    folder = re.sub(r"(?<!^)(?=[A-Z])", "_", logical_id.removesuffix("Function")).lower()
    return f"arn:aws:lambda:us-east-1:123456789012:function:{folder}"


def child() -> Json:
    """Return the machine that every batch goes through."""
    processor: Json = machine()["States"]["Upload batches"]["ItemProcessor"]
    return processor


def states() -> Iterator[tuple[str, Json]]:
    """Yield every state of both machines with its name."""
    yield from machine()["States"].items()
    yield from child()["States"].items()


def tasks() -> dict[str, Json]:
    """Return every task by its function's folder."""
    return {state["Resource"].rsplit(":", 1)[-1]: state for _, state in states() if state["Type"] == "Task"}


def event(folder: str) -> Json:
    """Return a function's sample event."""
    sample: Json = json.loads((ROOT / "events" / f"{folder}.json").read_text())
    return sample
