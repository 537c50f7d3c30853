"""One batch is submitted to Target, or told when to come back."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools import Logger

from bulk_profiles.aws.dynamodb import VersionedTable
from bulk_profiles.aws.s3 import Storage
from bulk_profiles.aws.secrets import Tokens
from bulk_profiles.ledger.ledger import Ledger
from bulk_profiles.steps.messages import BatchEvent
from bulk_profiles.steps.settings import UploadBatchSettings, load
from bulk_profiles.steps.upload_batch import Submitter

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
settings = load(UploadBatchSettings, os.environ)
submitter = Submitter(
    settings=settings,
    storage=Storage(boto3.client("s3"), settings.data_bucket),
    ledger=Ledger(
        VersionedTable(
            boto3.resource("dynamodb").Table(settings.imports_table), timedelta(days=settings.retention_days)
        )
    ),
    tokens=Tokens(settings.token_secret_arn),
    clock=lambda: datetime.now(UTC),
)


def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Translate the state machine's event and the outcome."""
    batch = BatchEvent.from_event(event)
    outcome = submitter.submit(batch.import_id, batch.number)
    logger.info("Batch brought further", import_id=batch.import_id, batch=batch.number, **outcome.to_json())
    return outcome.to_json()
