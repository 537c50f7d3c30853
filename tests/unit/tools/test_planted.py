"""The planted faults: each changes one place of template, state machine or code and names a promise."""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from tools.planted import _read, plant, plant_text
from tools.planted_faults import FAULTS, REMOVED, Fault
from tools.planted_in_code import CODE_FAULTS

DOCUMENT: dict[str, Any] = {"Queue": {"Days": 14, "Rules": [{"Name": "first"}, {"Name": "second"}]}}


def fault(path: str, value: Any) -> Fault:
    return replace(FAULTS[0], path=path, value=value)


@pytest.mark.parametrize(
    ("path", "value", "changed"),
    [
        ("Queue/Days", 4, {"Queue": DOCUMENT["Queue"] | {"Days": 4}}),
        ("Queue/Key", "alias", {"Queue": DOCUMENT["Queue"] | {"Key": "alias"}}),
        ("Queue/Rules/0", REMOVED, {"Queue": {"Days": 14, "Rules": [{"Name": "second"}]}}),
        ("Queue", REMOVED, {}),
    ],
)
def test_plant_changes_one_place_of_a_copy(path: str, value: Any, changed: dict[str, Any]) -> None:
    before = copy.deepcopy(DOCUMENT)
    assert plant(DOCUMENT, fault(path, value)) == changed
    assert before == DOCUMENT


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("Queue/Hours/Most", 1, "there is no Queue/Hours/Most"),
        ("Queue/Rules/2", REMOVED, "there is no Queue/Rules/2"),
        ("Queue/Days/Most", 1, "there is no Queue/Days/Most"),
        ("Queue/Days", 14, "Queue/Days is so already"),
    ],
)
def test_plant_without_an_effect_is_refused(path: str, value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plant(DOCUMENT, fault(path, value))


@pytest.mark.parametrize(("text", "times"), [("b = 2", 0), ("a = 1; a = 1", 2)])
def test_plant_text_needs_one_place(text: str, times: int) -> None:
    with pytest.raises(ValueError, match=f"'a = 1' is there {times} times"):
        plant_text(text, fault("a = 1", "a = 3"))


def test_plant_text_changes_one_place() -> None:
    assert plant_text("a = 1; b = 2", fault("a = 1", "a = 3")) == "a = 3; b = 2"


def test_every_fault_changes_its_file() -> None:
    documents = {file: _read(file) for file in {fault_.file for fault_ in FAULTS}}
    assert all(plant(documents[fault_.file], fault_) for fault_ in FAULTS)
    assert all(plant_text(fault_.file.read_text(), fault_) for fault_ in CODE_FAULTS)


def test_every_fault_has_a_name_of_its_own() -> None:
    names = Counter(fault_.name for fault_ in (*FAULTS, *CODE_FAULTS))
    assert names.most_common(1)[0][1] == 1
