"""PARAMS are checked before anything is started."""

from __future__ import annotations

from pathlib import Path

import pytest

from local import parameters
from local.errors import LocalRunError

TEMPLATE = """
Parameters:
  Code: {Type: String, AllowedPattern: "[a-z]+", MaxLength: 4}
  Calls: {Type: Number, MinValue: 1, MaxValue: 3000}
  Version: {Type: String, AllowedValues: [v1, v2], ConstraintDescription: v1 or v2}
Resources:
  Thing: {Type: !Sub "${AWS::Region}", Value: !GetAtt [A, B], Other: !If [x, {a: !Ref C}, y]}
"""


def test_reads_names_and_values() -> None:
    assert parameters.parse('A=1 B="two words" C=') == {"A": "1", "B": "two words", "C": ""}
    assert parameters.parse("") == {}


@pytest.mark.parametrize("text", ["A", "=1", 'A="1'])
def test_says_what_cannot_be_read(text: str) -> None:
    with pytest.raises(LocalRunError, match="PARAMS"):
        parameters.parse(text)


@pytest.fixture
def defined(tmp_path: Path) -> dict[str, parameters.Definition]:
    template = tmp_path / "template.yaml"
    template.write_text(TEMPLATE)
    return parameters.definitions(template)


def test_takes_what_the_template_takes(defined: dict[str, parameters.Definition]) -> None:
    parameters.check({"Code": "demo", "Calls": "3000", "Version": "v1"}, defined)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("Nope", "1", "no parameter Nope; it has Code, Calls, Version"),
        ("Code", "Demo", r"Code=Demo is not possible: AllowedPattern \[a-z\]\+"),
        ("Code", "abcde", "MaxLength 4"),
        ("Calls", "0", "MinValue 1"),
        ("Calls", "3001", "MaxValue 3000"),
        ("Calls", "many", "Type Number"),
        ("Version", "v3", "v1 or v2"),
    ],
)
def test_refuses_what_it_does_not(
    defined: dict[str, parameters.Definition], name: str, value: str, sentence: str
) -> None:
    with pytest.raises(LocalRunError, match=sentence):
        parameters.check({name: value}, defined)
