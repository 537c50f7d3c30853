"""The template's parameters as a run sets them, checked before anything starts."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from bulk_profiles.budget.local_time import UploadWindow, time_zone
from bulk_profiles.core.errors import SettingsError
from local.errors import LocalRunError
from local.variables import did_you_mean

type Definition = Mapping[str, Any]


def parse(text: str) -> dict[str, str]:
    """Parse `A=1 B="two words"` to values by name; raise LocalRunError for any other form."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise LocalRunError(
            f'PARAMS has a quote that does not end: write PARAMS="Name=value": {error}'
        ) from error
    parameters: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise LocalRunError(f'PARAMS must look like "Name=value Other=value": {word} does not')
        parameters[name] = value
    return parameters


def definitions(template: Path, section: str = "Parameters") -> dict[str, Definition]:
    """Return the `Parameters`, or another section, of a CloudFormation template."""
    loaded = yaml.load(template.read_text(), _CloudFormationLoader)  # noqa: S506 - a safe loader's child
    defined: dict[str, Definition] = loaded[section]
    return defined


def check(parameters: Mapping[str, str], defined: Mapping[str, Definition]) -> None:
    """Raise LocalRunError for the first parameter that the template does not accept."""
    for name, value in parameters.items():
        if name not in defined:
            near = did_you_mean(name, defined) or f"; it has {', '.join(defined)}"
            raise LocalRunError(f"PARAMS: the template has no parameter {name}{near}")
        for rule, violates in _RULES.items():
            if rule in defined[name] and violates(value, defined[name][rule]):
                raise LocalRunError(
                    f"PARAMS: {name}={value} is not possible: {_expected(defined[name], rule)}"
                )
        try:
            _READERS.get(name, _accept)(value)
        except SettingsError as error:
            raise LocalRunError(f"PARAMS: {name}={value} is not possible: {error}") from error


def _expected(definition: Definition, rule: str) -> str:
    """Return in words what a parameter takes, where a value violates a rule."""
    if described := definition.get("ConstraintDescription"):
        return str(described)
    if rule in {"Type", "Default", "MinValue", "MaxValue"} and {"MinValue", "MaxValue"} <= definition.keys():
        kind = "a number" if isinstance(definition.get("Default"), float) else "a whole number"
        return f"{kind}, {definition['MinValue']:,} to {definition['MaxValue']:,}"
    return f"{rule} {definition[rule]}"


def _accept(_value: str) -> None:
    """Accept a value that no function has to read."""


# What no rule of a template can hold, by the code that reads it.
_READERS: dict[str, Callable[[str], object]] = {
    "TimeZone": time_zone,
    "UploadWindow": lambda value: value and UploadWindow.parse(value),
}


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")  # compares false with any bound


_RULES: dict[str, Callable[[str, Any], bool]] = {
    "Type": lambda value, kind: kind == "Number" and _number(value) != _number(value),
    # A parameter whose default is a whole number takes no other: the functions read it as one.
    "Default": lambda value, default: isinstance(default, int) and not re.fullmatch(r"-?\d+", value),
    "AllowedValues": lambda value, allowed: value not in map(str, allowed),
    "AllowedPattern": lambda value, pattern: not re.fullmatch(pattern, value),
    "MinValue": lambda value, bound: not _number(value) >= float(bound),
    "MaxValue": lambda value, bound: not _number(value) <= float(bound),
    "MinLength": lambda value, bound: len(value) < int(bound),
    "MaxLength": lambda value, bound: len(value) > int(bound),
}


class _CloudFormationLoader(yaml.SafeLoader):
    """A loader that reads `!Ref` and its like as None: nobody here asks for such values."""


_CloudFormationLoader.add_multi_constructor("!", lambda _loader, _suffix, _node: None)
