"""A dropped file is split into batches, and its import started."""

from __future__ import annotations

import dataclasses
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from bulk_profiles.aws.dynamodb import VersionedTable
from bulk_profiles.aws.functions import Invocations
from bulk_profiles.aws.s3 import Storage
from bulk_profiles.aws.sns import Notices
from bulk_profiles.aws.step_functions import Executions
from bulk_profiles.core.names import is_dropped_file
from bulk_profiles.ledger.ledger import Ledger
from bulk_profiles.steps.messages import DroppedObject
from bulk_profiles.steps.settings import SplitFileSettings, load
from bulk_profiles.steps.split_file import import_file

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

_STOP_MS = 120_000  # left of the function's time, in which the batch that is being written is ended

logger = Logger()
metrics = Metrics()
settings = load(SplitFileSettings, os.environ)
storage = Storage(boto3.client("s3"), settings.data_bucket)
ledger = Ledger(
    VersionedTable(
        boto3.resource("dynamodb").Table(settings.imports_table), timedelta(days=settings.retention_days)
    )
)
executions = Executions(boto3.client("stepfunctions"), settings.state_machine_arn)
lambda_client = boto3.client("lambda")
notices = Notices(boto3.client("sns"), settings.topic_arn)


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Translate S3's event into an import and the import into an answer."""
    dropped = DroppedObject.from_event(event)
    if not is_dropped_file(dropped.key):
        logger.info("Not a dropped file: nothing to do")
        return {"importId": None, "status": "ignored"}
    # The platform tries a dead invocation again under the same request id; copies of an event have others.
    invocation = dataclasses.replace(dropped, event_id=context.aws_request_id)
    imported = import_file(
        invocation,
        settings=settings,
        storage=storage,
        ledger=ledger,
        executions=executions,
        notices=notices,
        clock=lambda: datetime.now(UTC),
        out_of_time=lambda: context.get_remaining_time_in_millis() < _STOP_MS,
    )
    logger.append_keys(import_id=imported.import_id)
    if imported.unfinished:
        logger.info("Out of time: another invocation goes on")
        Invocations(lambda_client, context.function_name).invoke(dropped.to_event())
        return {"importId": imported.import_id, "status": "splitting"}
    if imported.summary is not None:
        logger.warning("File rejected", reason=imported.summary.reason)
        for name, count in imported.summary.metrics().items():
            metrics.add_metric(name, MetricUnit.Count, count)
        metrics.flush_metrics()
        return {"importId": imported.import_id, "status": imported.summary.status.value}
    if imported.manifest is None:
        logger.info("This version of the file is imported already, or being split: nothing to do")
        return {"importId": imported.import_id, "status": "known"}
    logger.info("File split", rows=imported.manifest.rows.to_json(), batches=len(imported.manifest.batches))
    return {"importId": imported.import_id, "status": "uploading"}
