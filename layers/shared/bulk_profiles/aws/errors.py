"""Errors of botocore, translated into those of this package."""

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
    """Call AWS: raise `kind` where the call fails, with `failure`, the service's error code and a full stop.

    `meanings` are errors of their own for some of the service's codes. The message never quotes the service's
    text, which may repeat keys and values.
    """
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        raise (meanings or {}).get(code) or kind(f"{failure}: {code}.") from error
    except (BotoCoreError, OSError) as error:
        raise kind(f"{failure}: {type(error).__name__}.") from error
