"""An import whose batches are done is reconciled, reported and told."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from bulk_profiles.aws.dynamodb import VersionedTable
from bulk_profiles.aws.s3 import Storage
from bulk_profiles.aws.sns import Notices
from bulk_profiles.ledger.ledger import Ledger
from bulk_profiles.steps.finish_import import finish_import
from bulk_profiles.steps.messages import ImportEvent
from bulk_profiles.steps.settings import FinishImportSettings, load

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
metrics = Metrics()
settings = load(FinishImportSettings, os.environ)
storage = Storage(boto3.client("s3"), settings.data_bucket)
ledger = Ledger(
    VersionedTable(
        boto3.resource("dynamodb").Table(settings.imports_table), timedelta(days=settings.retention_days)
    )
)
notices = Notices(boto3.client("sns"), settings.topic_arn)


@metrics.log_metrics
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Give the import's status and the sentence that its execution ends with."""
    import_id = ImportEvent.from_event(event).import_id
    logger.append_keys(import_id=import_id)
    summary = finish_import(import_id, storage=storage, ledger=ledger, notices=notices, now=datetime.now(UTC))
    for name, count in summary.metrics().items():
        metrics.add_metric(name, MetricUnit.Count, count)
    logger.info("Import finished", status=summary.status.value, unaccounted=summary.unaccounted)
    return {"status": summary.status.value, "cause": summary.reason or "Every row reached Target."}
