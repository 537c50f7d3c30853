"""The wiring of a step: its settings from the environment, and its edges to AWS from its settings.

A step is a dataclass whose fields name what it needs; here is how each of these is made.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from bulk_profiles.aws.dynamodb import VersionedTable
from bulk_profiles.aws.functions import Invocations
from bulk_profiles.aws.profiles_table import ProfilesTable
from bulk_profiles.aws.s3 import Storage
from bulk_profiles.aws.secrets import Tokens
from bulk_profiles.aws.sns import Notices
from bulk_profiles.aws.step_functions import Executions
from bulk_profiles.ledger.ledger import Ledger

from .settings import load

_EDGES: dict[str, Callable[[Any], object]] = {
    "storage": lambda settings: Storage.connect(settings.data_bucket),
    "ledger": lambda settings: Ledger(
        VersionedTable.connect(settings.imports_table, settings.retention_days)
    ),
    "profiles": lambda settings: ProfilesTable.connect(settings.profiles_table),
    "executions": lambda settings: Executions.connect(settings.state_machine_arn),
    "invocations": lambda settings: Invocations.connect(settings.split_file_function),
    "notices": lambda settings: Notices.connect(settings.topic_arn),
    "tokens": lambda settings: Tokens(settings.token_secret_arn),
    "clock": lambda _settings: lambda: datetime.now(UTC),
}


def connect[Step](step: Callable[..., Step], environment: Mapping[str, str]) -> Step:
    """Make a step for the deployment that the environment names. Raises `SettingsError`."""
    fields = typing.get_type_hints(step)
    settings = load(fields.pop("settings"), environment)
    edges: dict[str, Any] = {name: _EDGES[name](settings) for name in fields}
    return step(**edges, settings=settings)
