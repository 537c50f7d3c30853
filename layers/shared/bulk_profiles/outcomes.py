"""What a function answers the state machine: one word it decides by, and when to come back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from .models import Json, timestamp


class Word(StrEnum):
    """The words that the state machine's choices know."""

    DEFERRED = "deferred"  # the batch waits for a slot
    ACCEPTED = "accepted"  # Target has the batch: ask what became of it
    REFUSED = "refused"  # Target will not have the batch: write that down
    UNKNOWN = "unknown"  # the batch left, nobody answered, and it is not sent again: write that down
    PROCESSING = "processing"  # Target is not done: ask again
    RESUBMIT = "resubmit"  # the batch, or what failed of it, is to be sent again
    SETTLED = "settled"  # every profile of the batch has its result


@dataclass(frozen=True, slots=True)
class Outcome:
    """An answer. `resume_at` where the word asks for a wait."""

    word: Word
    resume_at: datetime | None = None

    def to_json(self) -> Json:
        """Give the function's answer."""
        answer: Json = {"outcome": self.word.value}
        if self.resume_at is not None:
            answer["resumeAt"] = timestamp(self.resume_at)
        return answer
