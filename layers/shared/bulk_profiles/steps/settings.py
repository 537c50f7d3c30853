"""The settings of a function: one frozen dataclass each, read once from the environment.

A field `max_batch_rows` is the variable `MAX_BATCH_ROWS`. A field with a default may be missing or empty.
"""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any

from bulk_profiles.budget.local_time import UploadWindow, time_zone
from bulk_profiles.core.errors import SettingsError
from bulk_profiles.core.models import ApiVersion, ProfileResultsPolicy


class UnknownPolicy(StrEnum):
    """What is done with a batch that left but was never answered."""

    RESEND = "resend"  # the same values again, marked as possibly a duplicate
    HOLD = "hold"  # left alone, reported as unknown


class UnknownFeeds(StrEnum):
    """What is done with a file in a feed that has no configuration."""

    ACCEPT = "accept"  # it is imported with the settings of the deployment
    REJECT = "reject"  # with the list of the feeds that have one


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalTimeSettings:
    """When uploads may go. Raises `SettingsError` for what the template accepts and nobody can read.

    Also split_file has these settings: an import whose batches could not be sent must not begin.
    """

    time_zone: str
    upload_window: str = ""

    def __post_init__(self) -> None:
        time_zone(self.time_zone)
        if self.upload_window:
            UploadWindow.parse(self.upload_window)


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitFileSettings(LocalTimeSettings):
    """The environment of split_file."""

    data_bucket: str
    imports_table: str
    state_machine_arn: str
    topic_arn: str = ""
    client_code: str
    api_version: ApiVersion
    max_batch_rows: int
    max_batch_bytes: int
    rows_per_day: int
    separator_in_value: str
    counts_only: str
    verify_sample: int
    max_rejected_percent: int
    deadline_hours: int
    retention_days: int
    console_url: str = ""
    stack_name: str = ""
    unknown_feeds: UnknownFeeds = UnknownFeeds.ACCEPT


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetSettings(LocalTimeSettings):
    """What it takes to call Target: where, with which token, within which budget."""

    data_bucket: str
    imports_table: str
    target_endpoint: str
    client_code: str
    token_secret_arn: str = ""
    calls_per_minute: int
    max_in_flight: int
    rows_per_day: int
    reset_hour: int
    retention_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetSettings(BudgetSettings):
    """What it takes to bring a batch to its end."""

    max_submissions: int
    first_check_seconds: int
    max_check_seconds: int
    deadline_hours: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadBatchSettings(TargetSettings):
    """The environment of upload_batch."""

    unknown_policy: UnknownPolicy
    upload_timeout_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckStatusSettings(TargetSettings):
    """The environment of check_status."""

    profiles_table: str
    check_backoff: float
    isolate_submissions: int
    profile_results: ProfileResultsPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyImportSettings(BudgetSettings):
    """The environment of verify_import."""

    verify_delay_minutes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishImportSettings:
    """The environment of finish_import."""

    data_bucket: str
    imports_table: str
    topic_arn: str = ""
    client_code: str
    retention_days: int
    console_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResendImportSettings:
    """The environment of resend_import."""

    data_bucket: str
    imports_table: str
    retention_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepImportsSettings:
    """The environment of sweep_imports."""

    drop_bucket: str
    data_bucket: str
    imports_table: str
    state_machine_arn: str
    topic_arn: str = ""
    split_file_function: str
    retention_days: int
    waits_told_after_hours: int


def load[T](settings: type[T], environment: Mapping[str, str]) -> T:
    """Read a settings class from the environment.

    Raises `SettingsError` that names every variable that is missing or makes no sense, never its value.
    """
    values: dict[str, Any] = {}
    faults: list[str] = []
    hints = typing.get_type_hints(settings)
    for field in dataclasses.fields(settings):  # type: ignore[arg-type]  # T is one of the classes above
        variable = field.name.upper()
        text = environment.get(variable, "")
        if text == "":
            if field.default is dataclasses.MISSING:
                faults.append(f"{variable} is missing")
            continue
        try:
            values[field.name] = _convert(text, hints[field.name])
        except ValueError:
            faults.append(f"{variable} must be {_expectation(hints[field.name])}")
    if faults:
        raise SettingsError("The function's environment makes no sense: " + "; ".join(faults) + ".")
    return settings(**values)


def _convert(text: str, kind: type) -> Any:
    value = kind(text)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError
    return value


def _expectation(kind: type) -> str:
    if issubclass(kind, Enum):
        return "one of " + ", ".join(str(member.value) for member in kind)
    return "a whole number" if kind is int else "a number"
