"""The puts of the Profiles table through a client: for moto and the fakes, which know no HTTP."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from bulk_profiles.aws.signed_puts import UnavailableError, refusal

_FAULTS = frozenset({"InternalServerError", "ServiceUnavailable"})  # answers with 500 and 503


class ClientPuts:
    """What `SignedPuts` does, by `batch_write_item` of a client."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def __call__(self, puts: Sequence[str]) -> list[str]:
        """Send the requests; return those that are left unprocessed."""
        requests = [json.loads(put) for put in puts]
        try:
            answer = self._client.batch_write_item(RequestItems={self._table: requests})
        except ClientError as error:
            code = error.response["Error"]["Code"]
            raise refusal(code, server=code in _FAULTS) from error
        except BotoCoreError as error:  # no answer at all
            raise UnavailableError(type(error).__name__) from error
        return [json.dumps(put) for put in answer.get("UnprocessedItems", {}).get(self._table, ())]
