"""Every function has a sample event, which it can parse."""

from __future__ import annotations

from typing import Any

import pytest

from bulk_profiles.core.names import misplaced, passed_over
from bulk_profiles.steps.messages import BatchEvent, DroppedObject, ImportEvent
from tests.worlds.deployable import FUNCTIONS, ROOT, event, resources


def test_every_function_has_a_sample_event() -> None:
    assert {path.name for path in (ROOT / "events").iterdir()} == {f"{folder}.json" for folder in FUNCTIONS}


def test_split_file_event_names_a_dropped_file() -> None:
    dropped = DroppedObject.from_event(event("split_file"))
    assert not passed_over(dropped.key)
    assert not misplaced(dropped.key)
    assert all((dropped.event_id, dropped.bucket, dropped.version_id))


@pytest.mark.parametrize("folder", ["upload_batch", "check_status"])
def test_batch_event_names_the_first_batch(folder: str) -> None:
    assert BatchEvent.from_event(event(folder)).number == 1


def test_finish_import_event_names_an_import() -> None:
    assert ImportEvent.from_event(event("finish_import")).import_id


@pytest.mark.parametrize(
    ("changed", "wanted"),
    [
        ({}, True),
        ({"source": "another.source"}, False),
        ({"detail-type": "Object Deleted"}, False),
        ({"key": "elsewhere/customers.csv"}, True),  # a file beside drop/ is told, not ignored
        ({"key": "results/crm/customers.csv/x/report.html"}, False),  # no file that was dropped
        ({"bucket": "another-bucket"}, False),
    ],
)
def test_rule_matches_objects_created_in_the_drop_bucket(changed: dict[str, str], wanted: bool) -> None:
    sample = event("split_file")
    for name in ("source", "detail-type"):
        sample[name] = changed.get(name, sample[name])
    sample["detail"]["object"]["key"] = changed.get("key", sample["detail"]["object"]["key"])
    sample["detail"]["bucket"]["name"] = changed.get("bucket", "DropBucket")
    [rule] = resources("Serverless::Function")["SplitFileFunction"]["Events"].values()
    assert matches(rule["Properties"]["Pattern"], sample) is wanted


@pytest.mark.fault(9, "s3:TestEvent, which S3 sends where notifications are set up: it matches no rule")
def test_rule_matches_no_test_event() -> None:
    sample = event("split_file")
    sample["detail"] = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "DropBucket"}
    [rule] = resources("Serverless::Function")["SplitFileFunction"]["Events"].values()
    assert not matches(rule["Properties"]["Pattern"], sample)
    assert not matches(rule["Properties"]["Pattern"], sample["detail"])


def matches(pattern: dict[str, Any], event_: dict[str, Any]) -> bool:
    """Whether a pattern matches an event by EventBridge's rules; a `Ref` stands for its logical id."""
    for name, wanted in pattern.items():
        value = event_.get(name)
        if isinstance(wanted, dict):
            if not isinstance(value, dict) or not matches(wanted, value):
                return False
        elif not any(_alternative(one, value) for one in wanted):
            return False
    return True


def _alternative(wanted: Any, value: Any) -> bool:
    if isinstance(wanted, dict) and "anything-but" in wanted:
        return not str(value).startswith(wanted["anything-but"]["prefix"])
    return bool(value == (wanted["Ref"] if isinstance(wanted, dict) else wanted))
