"""The fake of SNS: what it refuses, and where it agrees with moto."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from bulk_profiles.aws.sns import Notices
from tests.worlds.aws.sns import MOST_MESSAGE_BYTES, Topic

type Refused = Callable[[Callable[[], object]], str]
type Publish = Callable[[str, str], object]


@pytest.fixture(params=["fake", "moto"])
def publish(request: pytest.FixtureRequest) -> Iterator[Publish]:
    with mock_aws():
        client: Any = Topic() if request.param == "fake" else boto3.client("sns")
        arn = "arn" if request.param == "fake" else client.create_topic(Name="t")["TopicArn"]
        yield lambda subject, message: client.publish(TopicArn=arn, Subject=subject, Message=message)


def test_message_of_more_than_256_kib_is_refused(publish: Publish, refused: Refused) -> None:
    publish("s", "x" * MOST_MESSAGE_BYTES)
    assert refused(lambda: publish("s", "x" * (MOST_MESSAGE_BYTES + 1))) == "InvalidParameter"


def test_subject_of_more_than_100_characters_is_refused(publish: Publish, refused: Refused) -> None:
    publish("s" * 100, "m")
    assert refused(lambda: publish("s" * 101, "m")) == "InvalidParameter"


@pytest.mark.parametrize(
    ("subject", "message"), [("é", "m"), ("a\nb", "m"), (" a", "m"), ("", "m"), ("a", "")]
)
def test_subject_of_other_than_one_line_of_ascii_is_refused(
    refused: Refused, subject: str, message: str
) -> None:
    topic = Topic()
    assert (
        refused(lambda: topic.publish(TopicArn="arn", Subject=subject, Message=message)) == "InvalidParameter"
    )
    assert not topic.messages


def test_notice_has_its_subject_as_first_line() -> None:
    topic = Topic()
    Notices(topic, "arn").publish("Import crm-1: succeeded", "All of it.", {})  # type: ignore[arg-type]  # stands at the boundary
    assert topic.messages == ["Import crm-1: succeeded\nAll of it."]
