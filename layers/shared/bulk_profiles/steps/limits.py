"""The limits of a client code: those of the deployment, and over them what `clients/<client code>.json` says.

The file is read anew for every call to Target, so that a change holds at once, for imports under way as well.
A damaged one stops the step: no batch is sent with other limits than were meant.
"""

from __future__ import annotations

from bulk_profiles.aws.s3 import Storage
from bulk_profiles.budget.client_limits import ClientLimits, unusable
from bulk_profiles.budget.policy import Policy
from bulk_profiles.core.errors import DeniedObjectError, InvalidJsonError, StorageError
from bulk_profiles.core.names import client_key

from .settings import BudgetSettings


def limits_of(client_code: str, storage: Storage) -> ClientLimits:
    """Return a client code's own limits.

    Raises `SettingsError`, which names the file and every fault; `StorageError` where S3 does not give it.
    """
    try:
        data = storage.read_json(client_key(client_code))
    except InvalidJsonError as error:
        raise unusable(client_code, "is not JSON") from error
    except DeniedObjectError as error:  # a right that a deployment has just given may take a moment to hold
        raise StorageError(str(error)) from error
    return ClientLimits.read(data, client_code)


def policy_of(client_code: str, settings: BudgetSettings, storage: Storage) -> Policy:
    """Return the limits that hold for a client code. Raises the errors of `limits_of`."""
    deployed = Policy(
        calls_per_minute=settings.calls_per_minute,
        max_in_flight=settings.max_in_flight,
        rows_per_day=settings.rows_per_day,
        reset_hour=settings.reset_hour,
        time_zone=settings.time_zone,
        upload_window=settings.upload_window,
    )
    return limits_of(client_code, storage).over(deployed)
