"""The errors of botocore, as errors of this package."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from bulk_profiles.core.errors import BulkProfilesError


@contextmanager
def translated(
    failure: str,
    kind: type[BulkProfilesError],
    meanings: Mapping[str, BulkProfilesError] | None = None,
) -> Iterator[None]:
    """Raise `kind` where a call to AWS fails inside the `with` block.

    The message is `failure` and the service's error code, such as "S3 did not read 'a.csv': AccessDenied."
    It never quotes the service's text, which may repeat keys and values. `meanings` are the errors to raise
    instead for some of the codes.
    """
    try:
        yield
    except (ClientError, BotoCoreError, OSError) as error:
        answer = error if isinstance(error, ClientError) else error.__cause__  # smart-open wraps it
        if isinstance(answer, ClientError):
            code = answer.response.get("Error", {}).get("Code", "")
            raise (meanings or {}).get(code) or kind(f"{failure}: {code}.") from answer
        raise kind(f"{failure}: {type(error).__name__}.") from error
