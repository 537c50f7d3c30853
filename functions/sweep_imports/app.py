"""Once an hour: what was lost is begun, what died is started again, every sum is held."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from bulk_profiles.aws.dynamodb import VersionedTable
from bulk_profiles.aws.functions import Invocations
from bulk_profiles.aws.s3 import Storage
from bulk_profiles.aws.step_functions import Executions
from bulk_profiles.ledger.ledger import Ledger
from bulk_profiles.steps.settings import SweepImportsSettings, load
from bulk_profiles.steps.sweep_imports import sweep

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
metrics = Metrics()
settings = load(SweepImportsSettings, os.environ)
storage = Storage(boto3.client("s3"), settings.data_bucket)
ledger = Ledger(
    VersionedTable(
        boto3.resource("dynamodb").Table(settings.imports_table), timedelta(days=settings.retention_days)
    )
)
executions = Executions(boto3.client("stepfunctions"), settings.state_machine_arn)
splits = Invocations(boto3.client("lambda"), settings.split_file_function)


@metrics.log_metrics
def lambda_handler(_event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Give what the sweep did, as counts."""
    swept = sweep(
        settings.drop_bucket,
        storage=storage,
        ledger=ledger,
        executions=executions,
        splits=splits,
        now=datetime.now(UTC),
    ).metrics()
    for name, count in swept.items():
        metrics.add_metric(name, MetricUnit.Count, count)
    logger.info("Swept", counts=swept)
    return swept
