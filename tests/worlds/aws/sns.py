"""SNS, as far as the code calls it: one topic that keeps what was published."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from .service import KIB, Service, error

MOST_MESSAGE_BYTES = 256 * KIB
# ASCII of one line, 1 to 100 characters, that begins with a letter, a digit or punctuation.
_SUBJECT = re.compile(r"[!-~][ -~]{0,99}")


@dataclass
class Topic(Service):
    """One topic. It has no subscribers."""

    messages: list[str] = field(default_factory=list)  # each with its subject as first line
    attributes: list[dict[str, str]] = field(default_factory=list)  # of these messages

    def publish(
        self, *, TopicArn: str, Subject: str, Message: str, MessageAttributes: dict[str, Any] | None = None
    ) -> Any:
        """Publish a message to all subscribers."""

        def publish() -> Any:
            if not _SUBJECT.fullmatch(Subject):
                raise error("Publish", "InvalidParameter", "Subject")
            if not 0 < len(Message.encode()) <= MOST_MESSAGE_BYTES:
                raise error("Publish", "InvalidParameter", "Message")
            values = {name: value["StringValue"] for name, value in (MessageAttributes or {}).items()}
            if not all(values.values()):
                raise error("Publish", "InvalidParameterValue", "MessageAttributes")
            self.messages.append(f"{Subject}\n{Message}")
            self.attributes.append(values)
            return {"MessageId": f"{TopicArn}/{len(self.messages)}"}

        return self.call("Publish", publish)
