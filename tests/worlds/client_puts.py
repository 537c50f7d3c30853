"""The puts of the Profiles table through a client: for moto and the fakes, which know no HTTP."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from bulk_profiles.aws.signed_puts import UnavailableError, refusal
from bulk_profiles.core.errors import LedgerError

_FAULTS = frozenset({"InternalServerError", "ServiceUnavailable"})  # answers with 500 and 503


class ClientPuts:
    """What `SignedPuts` does, by `batch_write_item` of a client."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

        self._answer: list[str] | LedgerError = []

    def send(self, puts: Sequence[str]) -> None:
        """Send the requests."""
        requests = [json.loads(put) for put in puts]
        try:
            answer = self._client.batch_write_item(RequestItems={self._table: requests})
        except ClientError as error:
            code = error.response["Error"]["Code"]
            self._answer = refusal(code, server=code in _FAULTS)
        except BotoCoreError as error:  # no answer at all
            self._answer = UnavailableError(type(error).__name__)
        else:
            left = answer.get("UnprocessedItems", {}).get(self._table, ())
            self._answer = [json.dumps(put) for put in left]

    def receive(self) -> list[str]:
        """Return the requests that are left unprocessed."""
        if isinstance(self._answer, LedgerError):
            raise self._answer
        return self._answer

    def close(self) -> None:
        """Leave the client as it is."""
