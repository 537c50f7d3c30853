"""Notices: what people are told, and what happens where nobody can be."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from bulk_profiles.aws.sns import Notices
from bulk_profiles.core.errors import NoticeError


class Topic:
    """The method of the client that `Notices` calls."""

    def __init__(self, refusal: str = "") -> None:
        self.refusal = refusal
        self.published: list[dict[str, Any]] = []

    def publish(self, **parameters: Any) -> None:
        if self.refusal:
            raise ClientError({"Error": {"Code": self.refusal, "Message": "m"}}, "Publish")
        self.published.append(parameters)


def notices(topic: Topic, arn: str = "arn") -> Notices:
    return Notices(topic, arn)  # type: ignore[arg-type]  # stands at the boundary


def test_publish_sends_subject_and_message() -> None:
    topic = Topic()
    notices(topic).publish("Import crm-1: succeeded", "Rows: 3 read\n", {"feed": "crm"})
    assert topic.published == [
        {
            "TopicArn": "arn",
            "Subject": "Import crm-1: succeeded",
            "Message": "Rows: 3 read\n",
            "MessageAttributes": {"feed": {"DataType": "String", "StringValue": "crm"}},
        }
    ]


def test_publish_cuts_a_subject_that_sns_would_refuse() -> None:
    topic = Topic()
    notices(topic).publish("x" * 101, "m", {})
    assert topic.published[0]["Subject"] == "x" * 100


def test_publish_without_a_topic_sends_nothing() -> None:
    topic = Topic()
    notices(topic, "").publish("Import crm-1: succeeded", "m", {})
    assert topic.published == []


def test_publish_that_fails_is_a_notice_error() -> None:
    with pytest.raises(NoticeError, match=r"^SNS did not take the message: Throttling\.$"):
        notices(Topic("Throttling")).publish("s", "m", {})
