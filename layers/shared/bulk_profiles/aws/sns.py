"""SNS: notices to people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from bulk_profiles.core.errors import NoticeError

from .errors import translated

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

_SUBJECT_LENGTH = 100  # SNS's limit


class Notices:
    """The topic that people subscribe to. Without a topic nothing is sent."""

    def __init__(self, client: SNSClient, topic_arn: str) -> None:
        self._client = client
        self._topic_arn = topic_arn

    def publish(self, subject: str, message: str, attributes: Mapping[str, str]) -> None:
        """Send a message to all subscribers, but those who choose others by the attributes."""
        if not self._topic_arn:
            return
        with translated("SNS did not take the message", NoticeError):
            self._client.publish(
                TopicArn=self._topic_arn,
                Subject=subject[:_SUBJECT_LENGTH],
                Message=message,
                MessageAttributes={
                    name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
                },
            )
