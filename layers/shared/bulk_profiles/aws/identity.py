"""Who calls: the identity of the credentials, to be named beside what a person has decided."""

from __future__ import annotations

from bulk_profiles.core.errors import StackError

from .clients import client
from .errors import translated


def caller() -> str:
    """Return the name of the user, or of the role and its session, as the credentials have it.

    Raises `StackError` where STS does not say it.
    """
    with translated("STS did not say whose the credentials are", StackError):
        arn: str = client("sts").get_caller_identity()["Arn"]
    return arn.partition("/")[2] or arn.rpartition(":")[2]
