"""Target is asked what became of a batch; when it knows, each profile has its result."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools import Logger

from bulk_profiles.aws.dynamodb import VersionedTable
from bulk_profiles.aws.profiles_table import ProfilesTable
from bulk_profiles.aws.s3 import Storage
from bulk_profiles.aws.secrets import Tokens
from bulk_profiles.ledger.ledger import Ledger
from bulk_profiles.steps.check_status import Checker
from bulk_profiles.steps.messages import BatchEvent
from bulk_profiles.steps.settings import CheckStatusSettings, load

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

_STOP_MS = 60_000  # left of the function's time, in which what is begun is ended

logger = Logger()
settings = load(CheckStatusSettings, os.environ)
checker = Checker(
    settings=settings,
    storage=Storage(boto3.client("s3"), settings.data_bucket),
    ledger=Ledger(
        VersionedTable(
            boto3.resource("dynamodb").Table(settings.imports_table), timedelta(days=settings.retention_days)
        )
    ),
    profiles=ProfilesTable(boto3.client("dynamodb"), settings.profiles_table),
    tokens=Tokens(settings.token_secret_arn),
    clock=lambda: datetime.now(UTC),
)


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Translate the state machine's event and the outcome."""
    batch = BatchEvent.from_event(event)
    outcome = checker.check(
        batch.import_id, batch.number, lambda: context.get_remaining_time_in_millis() < _STOP_MS
    )
    logger.info("Batch checked", import_id=batch.import_id, batch=batch.number, **outcome.to_json())
    return outcome.to_json()
