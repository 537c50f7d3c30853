"""The wiring of a step: its settings from the environment, and its edges to AWS from its settings.

A step is a dataclass whose fields name what it needs; here is how each of these is made.
"""

from __future__ import annotations

import functools
import time
import typing
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from bulk_profiles.aws.clients import client, table
from bulk_profiles.aws.dynamodb import VersionedTable
from bulk_profiles.aws.events import Events
from bulk_profiles.aws.functions import Invocations
from bulk_profiles.aws.profiles_table import ProfilesTable
from bulk_profiles.aws.s3 import Storage
from bulk_profiles.aws.secrets import Tokens
from bulk_profiles.aws.sns import Notices
from bulk_profiles.aws.step_functions import Executions
from bulk_profiles.ledger.ledger import Ledger

from .settings import load

_EDGES: dict[str, Callable[[Any], object]] = {
    "storage": lambda settings: Storage(client("s3"), settings.data_bucket),
    "ledger": lambda settings: Ledger(
        VersionedTable(table(settings.imports_table), timedelta(days=settings.retention_days))
    ),
    "profiles": lambda settings: ProfilesTable(client("dynamodb"), settings.profiles_table),
    "executions": lambda settings: Executions(client("stepfunctions"), settings.state_machine_arn),
    # The event tells the state machine: its ARN in the environment would be a circle in the template.
    "executions_of": lambda _settings: functools.partial(Executions, client("stepfunctions")),
    "invocations": lambda settings: Invocations(client("lambda"), settings.split_file_function),
    "events": lambda _settings: Events(client("events")),
    "notices": lambda settings: Notices(client("sns"), settings.topic_arn),
    "tokens": lambda settings: Tokens(settings.token_secret_arn),
    "sleep": lambda _settings: time.sleep,
    "clock": lambda _settings: lambda: datetime.now(UTC),
}


def connect[Step](step: Callable[..., Step], environment: Mapping[str, str]) -> Step:
    """Make a step for the deployment that the environment names. Raises `SettingsError`."""
    fields = typing.get_type_hints(step)
    settings = load(fields.pop("settings"), environment)
    edges: dict[str, Any] = {name: _EDGES[name](settings) for name in fields}
    return step(**edges, settings=settings)
