"""The fake of EventBridge: what it refuses, and what the code makes of that."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bulk_profiles.aws.events import Events
from bulk_profiles.core.errors import NoticeError
from tests.worlds.aws.events import MOST_ENTRY_BYTES, Bus

type Refused = Callable[[Callable[[], object]], str]


def test_event_of_more_than_256_kib_is_refused(refused: Refused) -> None:
    bus = Bus()
    entry = {"Source": "s", "DetailType": "t", "Detail": '"' + "x" * (MOST_ENTRY_BYTES - 1) + '"'}
    assert refused(lambda: bus.put_events(Entries=[entry])) == "ValidationException"


def test_event_is_put_with_source_and_type() -> None:
    bus = Bus()
    Events(bus).put("Import ended", {"importId": "crm-1"})  # type: ignore[arg-type]  # stands at the boundary
    assert bus.entries == [
        {"Source": "bulk-profiles", "DetailType": "Import ended", "Detail": {"importId": "crm-1"}}
    ]


def test_event_that_the_bus_does_not_keep_is_an_error() -> None:
    """The call succeeds, and its answer says that the entry has failed."""
    bus = Bus(refused=True)
    with pytest.raises(NoticeError, match=r"^EventBridge did not take the event: InternalFailure\.$"):
        Events(bus).put("Import ended", {})  # type: ignore[arg-type]  # stands at the boundary
