"""A client code's own limits: `clients/<client code>.json`, over what the deployment sets for every client.

Every field is optional, and the deployment's parameter of the same name holds where it is missing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from bulk_profiles.core.errors import SettingsError
from bulk_profiles.core.json_fields import JsonFields
from bulk_profiles.core.names import client_key

from .local_time import UploadWindow, time_zone
from .policy import Policy

# The least and the most of each number, as the template has them.
BOUNDS = {
    "callsPerMinute": (1, 100_000),
    "maxInFlight": (1, 10),
    "rowsPerDay": (0, 10_000_000_000),
    "resetHour": (0, 23),
}


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """The limits of one client code. What is None is set by the deployment."""

    calls_per_minute: int | None = None
    max_in_flight: int | None = None
    rows_per_day: int | None = None
    reset_hour: int | None = None
    time_zone: str | None = None
    upload_window: str | None = None  # empty: always, whatever the deployment sets

    @classmethod
    def read(cls, data: Any, client_code: str) -> Self:
        """Read the JSON of a client code's file; None where there is none.

        Raises `SettingsError`, which names the file and every fault at once.
        """
        if data is None:
            return cls()
        faults: list[str] = []
        fields = JsonFields(data, "the file", faults)
        limits = cls(
            calls_per_minute=fields.number("callsPerMinute", *BOUNDS["callsPerMinute"]),
            max_in_flight=fields.number("maxInFlight", *BOUNDS["maxInFlight"]),
            rows_per_day=fields.number("rowsPerDay", *BOUNDS["rowsPerDay"]),
            reset_hour=fields.number("resetHour", *BOUNDS["resetHour"]),
            time_zone=_readable(fields, "timeZone", time_zone),
            upload_window=_readable(fields, "uploadWindow", _window),
        )
        fields.refuse_others()
        if faults:
            raise unusable(client_code, f"makes no sense: {'; '.join(faults)}")
        return limits

    def over(self, deployed: Policy) -> Policy:
        """Return the deployment's limits with those of the client in their places."""
        own = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return dataclasses.replace(
            deployed, **{name: value for name, value in own.items() if value is not None}
        )


def unusable(client_code: str, fault: str) -> SettingsError:
    """Return the error for a file that cannot be used: no other limits take its place."""
    return SettingsError(
        f"{client_key(client_code)} in the Data bucket {fault}. Mend it, or delete it: without it, the "
        "parameters of the stack hold."
    )


def _readable(fields: JsonFields, key: str, read: Callable[[str], object]) -> str | None:
    """Take a text that can be read as what it stands for."""
    text = fields.take(key)
    if text is None:
        return None
    if not isinstance(text, str):
        fields.faults.append(f"{key} must be text")
        return None
    try:
        read(text)
    except SettingsError as error:
        fields.faults.append(f"{key}: {str(error).removesuffix('.')}")
    return text


def _window(text: str) -> None:
    if text:
        UploadWindow.parse(text)
