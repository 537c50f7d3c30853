"""PARAMS are checked before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from local import parameters
from local.errors import LocalRunError
from tests.worlds.deployable import ROOT

TEMPLATE = """
Parameters:
  Code: {Type: String, AllowedPattern: "[a-z]+", MaxLength: 4}
  Calls: {Type: Number, MinValue: 1, MaxValue: 3000, Default: 50}
  Backoff: {Type: Number, MinValue: 1, MaxValue: 10, Default: 1.5}
  Version: {Type: String, AllowedValues: [v1, v2], ConstraintDescription: v1 or v2}
Resources:
  Thing: {Type: !Sub "${AWS::Region}", Value: !GetAtt [A, B], Other: !If [x, {a: !Ref C}, y]}
"""


def test_parse_returns_values_by_name() -> None:
    assert parameters.parse('A=1 B="two words" C=') == {"A": "1", "B": "two words", "C": ""}
    assert parameters.parse("") == {}


@pytest.mark.parametrize("text", ["A", "=1", 'A="1'])
def test_parse_of_another_form_raises(text: str) -> None:
    with pytest.raises(LocalRunError, match="PARAMS"):
        parameters.parse(text)


@pytest.fixture
def defined(tmp_path: Path) -> dict[str, parameters.Definition]:
    template = tmp_path / "template.yaml"
    template.write_text(TEMPLATE)
    return parameters.definitions(template)


def test_check_accepts_what_the_template_accepts(defined: dict[str, parameters.Definition]) -> None:
    parameters.check({"Code": "demo", "Calls": "3000", "Backoff": "2.5", "Version": "v1"}, defined)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("Nope", "1", "no parameter Nope; it has Code, Calls, Backoff, Version"),
        ("call", "1", r"no parameter call \(did you mean Calls\?\)"),
        ("Code", "Demo", r"Code=Demo is not possible: AllowedPattern \[a-z\]\+"),
        ("Code", "abcde", "MaxLength 4"),
        ("Calls", "0", "a whole number, 1 to 3,000"),
        ("Calls", "3001", "a whole number, 1 to 3,000"),
        ("Calls", "many", "a whole number, 1 to 3,000"),
        ("Calls", "1.5", "a whole number, 1 to 3,000"),
        ("Backoff", "11", "a number, 1 to 10"),
        ("Version", "v3", "v1 or v2"),
    ],
)
def test_check_of_a_wrong_value_raises_with_the_rule(
    defined: dict[str, parameters.Definition], name: str, value: str, sentence: str
) -> None:
    with pytest.raises(LocalRunError, match=sentence):
        parameters.check({name: value}, defined)


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("TimeZone", "Europe/Pariss", "write it as Europe/Paris"),
        ("UploadWindow", "22:00-22:00", "never opens"),
        ("UploadWindow", "Mon-Fry 20:00-06:00", "none of Mon Tue"),
    ],
)
def test_a_time_that_the_template_accepts_and_nobody_can_read_is_refused(
    name: str, value: str, remedy: str
) -> None:
    defined = parameters.definitions(ROOT / "template.yaml")
    parameters.check({"TimeZone": "Europe/Paris", "UploadWindow": ""}, defined)
    with pytest.raises(LocalRunError, match=remedy):
        parameters.check({name: value}, defined)
