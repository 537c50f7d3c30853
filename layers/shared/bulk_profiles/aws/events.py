"""EventBridge: what other programs are told of imports, on the account's default bus."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from bulk_profiles.core.errors import NoticeError
from bulk_profiles.core.json_object import Json

from .errors import translated

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

SOURCE = "bulk-profiles"
_FAILURE = "EventBridge did not take the event"


class Events:
    """The default event bus."""

    def __init__(self, client: EventBridgeClient) -> None:
        self._client = client

    def put(self, detail_type: str, detail: Json) -> None:
        """Put an event on the bus. Raises `NoticeError` where EventBridge does not take it."""
        entry = {"Source": SOURCE, "DetailType": detail_type, "Detail": json.dumps(detail)}
        with translated(_FAILURE, NoticeError):
            answer = self._client.put_events(Entries=[entry])  # type: ignore[list-item]  # a plain dict
        if answer["FailedEntryCount"]:
            raise NoticeError(f"{_FAILURE}: {answer['Entries'][0].get('ErrorCode', 'no code')}.")
