"""Every function has a sample event that it takes."""

from __future__ import annotations

from typing import Any

import pytest

from bulk_profiles.core.names import is_dropped_file
from bulk_profiles.steps.messages import BatchEvent, DroppedObject, ImportEvent
from tests.worlds.deployable import FUNCTIONS, ROOT, event, resources


def test_there_is_one_for_every_function() -> None:
    assert {path.name for path in (ROOT / "events").iterdir()} == {f"{folder}.json" for folder in FUNCTIONS}


def test_split_file_is_told_of_a_dropped_file() -> None:
    dropped = DroppedObject.from_event(event("split_file"))
    assert is_dropped_file(dropped.key)
    assert all((dropped.event_id, dropped.bucket, dropped.version_id))


@pytest.mark.parametrize("folder", ["upload_batch", "check_status"])
def test_a_batch_is_named(folder: str) -> None:
    assert BatchEvent.from_event(event(folder)).number == 1


def test_finish_import_is_given_an_import() -> None:
    assert ImportEvent.from_event(event("finish_import")).import_id


@pytest.mark.parametrize(
    ("changed", "wanted"),
    [
        ({}, True),
        ({"source": "another.source"}, False),
        ({"detail-type": "Object Deleted"}, False),
        ({"key": "elsewhere/customers.csv"}, False),
        ({"bucket": "another-bucket"}, False),
    ],
)
def test_the_rule_lets_dropped_files_through_and_nothing_else(changed: dict[str, str], wanted: bool) -> None:
    sample = event("split_file")
    for name in ("source", "detail-type"):
        sample[name] = changed.get(name, sample[name])
    sample["detail"]["object"]["key"] = changed.get("key", sample["detail"]["object"]["key"])
    sample["detail"]["bucket"]["name"] = changed.get("bucket", "DropBucket")
    [rule] = resources("Serverless::Function")["SplitFileFunction"]["Events"].values()
    assert matches(rule["Properties"]["Pattern"], sample) is wanted


def matches(pattern: dict[str, Any], given: dict[str, Any]) -> bool:
    """Match as EventBridge does, as far as the template uses it; a `Ref` is its logical id."""
    for name, wanted in pattern.items():
        value = given.get(name)
        if isinstance(wanted, dict):
            if not isinstance(value, dict) or not matches(wanted, value):
                return False
        elif not any(_alternative(one, value) for one in wanted):
            return False
    return True


def _alternative(wanted: Any, value: Any) -> bool:
    if isinstance(wanted, dict) and "prefix" in wanted:
        return isinstance(value, str) and value.startswith(wanted["prefix"])
    return bool(value == (wanted["Ref"] if isinstance(wanted, dict) else wanted))
