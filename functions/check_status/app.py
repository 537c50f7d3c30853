"""Check status: Target is asked what became of a batch; when it knows, each profile has its result."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from bulk_profiles.core.models import Why
from bulk_profiles.steps.check_status import CheckStatus
from bulk_profiles.steps.messages import BatchEvent
from bulk_profiles.steps.wiring import connect

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

_STOP_MS = 60_000  # left of the function's time, in which what is begun is ended

logger = Logger()
metrics = Metrics()
step = connect(CheckStatus, os.environ)


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Translate the state machine's event and the outcome."""
    batch = BatchEvent.from_event(event)
    outcome = step.run(
        batch.import_id, batch.number, lambda: context.get_remaining_time_in_millis() < _STOP_MS
    )
    logger.info("Batch checked", import_id=batch.import_id, batch=batch.number, **outcome.to_json())
    if outcome.why is Why.TOKEN:
        metrics.add_metric("BatchesWithoutToken", MetricUnit.Count, 1)
        metrics.flush_metrics()
    return outcome.to_json()
