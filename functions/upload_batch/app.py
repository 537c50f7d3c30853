"""Upload batch: one batch is submitted to Target, or told when to come back."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from bulk_profiles.core.models import Why
from bulk_profiles.steps.messages import BatchEvent
from bulk_profiles.steps.upload_batch import UploadBatch
from bulk_profiles.steps.wiring import connect

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
metrics = Metrics()
step = connect(UploadBatch, os.environ)


def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Translate the state machine's event and the outcome."""
    batch = BatchEvent.from_event(event)
    outcome = step.run(batch.import_id, batch.number)
    logger.info("Batch brought further", import_id=batch.import_id, batch=batch.number, **outcome.to_json())
    if outcome.why is Why.TOKEN:
        metrics.add_metric("BatchesWithoutToken", MetricUnit.Count, 1)
        metrics.flush_metrics()
    return outcome.to_json()
