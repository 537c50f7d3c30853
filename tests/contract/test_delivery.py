"""A dropped file becomes an import, or a message in the dead-letter queue: no event is lost in silence."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from tests.worlds.deployable import ROOT, Json, function, resources, rules

QUEUE = {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]}
EACH_RULE = pytest.mark.parametrize("rule", rules())
OPERATING = (ROOT / "docs/operating.md").read_text()
DAY = int(timedelta(days=1).total_seconds())
HOUR = int(timedelta(hours=1).total_seconds())


def queue_statements(effect: str) -> list[Json]:
    """Return the statements of the dead-letter queue's policy that allow, or those that deny."""
    [policy] = resources("SQS::QueuePolicy").values()
    assert policy["Queues"] == [{"Ref": "DeadLetterQueue"}]
    statements = policy["PolicyDocument"]["Statement"]
    return [statement for statement in statements if statement["Effect"] == effect]


def senders() -> set[str]:
    """Return the rules that may put messages into the dead-letter queue, by logical id."""
    [statement] = queue_statements("Allow")
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert statement["Action"] == "sqs:SendMessage"
    assert statement["Resource"] == QUEUE
    [(comparison, names)] = statement["Condition"].items()
    assert comparison == "ArnEquals"
    [(key, arns)] = names.items()
    assert key == "aws:SourceArn"
    return {arn["Fn::GetAtt"][0] for arn in (arns if isinstance(arns, list) else [arns])}


# --- from the drop to the split ---


def test_dropped_file_is_announced_to_eventbridge() -> None:
    notification = resources("S3::Bucket")["DropBucket"]["NotificationConfiguration"]
    assert notification == {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}


def test_dropped_file_and_the_hour_are_what_starts_functions() -> None:
    """Which files the rule takes is in test_events."""
    assert {name: rule.get("Schedule") for name, rule in rules().items()} == {
        "SplitFileFunctionFileDropped": None,
        "SweepImportsFunctionHourly": "rate(1 hour)",
    }


@EACH_RULE
def test_rule_is_enabled_and_passes_on_the_whole_event(rule: str) -> None:
    settings = set(rules()[rule])
    assert settings <= {"Pattern", "Schedule", "Description", "RetryPolicy", "DeadLetterConfig"}


def test_event_of_a_drop_is_delivered_within_a_day_or_kept() -> None:
    """EventBridge tries again while Lambda does not take the event."""
    rule = rules()["SplitFileFunctionFileDropped"]
    assert rule["RetryPolicy"] == {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": DAY}
    assert rule["DeadLetterConfig"] == {"Arn": QUEUE}
    assert "could not deliver to `split_file` within a day" in re.sub(r"\s+", " ", OPERATING)


def test_file_whose_split_fails_three_times_waits_in_the_queue() -> None:
    """The first try and two more; an event that finds no free function waits for one for six hours."""
    invocation = function("split_file")["EventInvokeConfig"]
    assert 1 + invocation["MaximumRetryAttempts"] == 3
    assert invocation["MaximumEventAgeInSeconds"] >= 6 * HOUR
    assert invocation["DestinationConfig"] == {"OnFailure": {"Type": "SQS", "Destination": QUEUE}}


# --- the sweep ---


def test_sweep_that_cannot_be_started_is_kept_before_the_next() -> None:
    rule = rules()["SweepImportsFunctionHourly"]
    assert rule["RetryPolicy"]["MaximumRetryAttempts"] >= 1
    assert rule["RetryPolicy"]["MaximumEventAgeInSeconds"] <= HOUR
    assert rule["DeadLetterConfig"] == {"Arn": QUEUE}


def test_sweep_ends_before_the_next_one_begins() -> None:
    assert function("sweep_imports")["Timeout"] < HOUR


# --- the queue ---


def test_queue_takes_undelivered_events_of_every_rule() -> None:
    """A rule that the queue's policy does not name loses its event, and nobody learns of it."""
    assert senders() == {name for name, rule in rules().items() if "DeadLetterConfig" in rule}


def test_queue_refuses_requests_without_tls() -> None:
    [statement] = queue_statements("Deny")
    assert statement["Principal"] == "*"
    assert statement["Action"] == "sqs:*"
    assert statement["Resource"] == QUEUE
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_queue_keeps_messages_for_as_long_as_documented() -> None:
    days = resources("SQS::Queue")["DeadLetterQueue"]["MessageRetentionPeriod"] / DAY
    assert f"Messages are kept for {days:g} days." in re.sub(r"\s+", " ", OPERATING)


def test_queue_is_encrypted_without_a_key_that_senders_need() -> None:
    """EventBridge cannot use the key that AWS manages for SQS, and takes no queue that keeps an order."""
    queue: Any = resources("SQS::Queue")["DeadLetterQueue"]
    assert queue["SqsManagedSseEnabled"] is True
    assert not {"KmsMasterKeyId", "FifoQueue", "RedrivePolicy"} & set(queue)
