"""Events on the default bus."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bulk_profiles.aws.events import Events
from bulk_profiles.core.errors import NoticeError


class Bus:
    """EventBridge, which answers as it is told."""

    def __init__(self, failed: list[dict[str, str]]) -> None:
        self.failed = failed
        self.put: list[Any] = []

    def put_events(self, *, Entries: list[Any]) -> Any:  # noqa: N803  # the API's own name
        self.put += Entries
        return {"FailedEntryCount": len(self.failed), "Entries": self.failed or [{"EventId": "1"}]}


def test_event_has_source_type_and_detail() -> None:
    bus = Bus([])
    Events(bus).put("Import ended", {"importId": "crm-1"})  # type: ignore[arg-type]  # stands at the boundary
    [entry] = bus.put
    assert (entry["Source"], entry["DetailType"]) == ("bulk-profiles", "Import ended")
    assert json.loads(entry["Detail"]) == {"importId": "crm-1"}


@pytest.mark.parametrize(
    ("failed", "why"), [({"ErrorCode": "ThrottlingException"}, "ThrottlingException."), ({}, "no code.")]
)
def test_event_that_was_not_taken_is_an_error_with_its_code(failed: dict[str, str], why: str) -> None:
    events = Events(Bus([failed]))  # type: ignore[arg-type]  # stands at the boundary
    with pytest.raises(NoticeError) as caught:
        events.put("Import ended", {})
    assert str(caught.value).endswith(f": {why}")
