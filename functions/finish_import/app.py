"""Finish import: an import whose batches have ended is reconciled, reported and told."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from bulk_profiles.steps.finish_import import FinishImport
from bulk_profiles.steps.messages import ImportEvent
from bulk_profiles.steps.wiring import connect

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

_STOP_MS = 60_000  # left of the function's time, for what is written after the failed rows

logger = Logger()
metrics = Metrics()
step = connect(FinishImport, os.environ)


@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer with the import's status, the sentence that its execution ends with, and counts of profiles."""
    import_id = ImportEvent.from_event(event).import_id
    logger.append_keys(import_id=import_id)
    summary = step.run(import_id, lambda: context.get_remaining_time_in_millis() < _STOP_MS)
    for name, count in summary.metrics().items():
        metrics.add_metric(name, MetricUnit.Count, count)
    logger.info(
        "Import finished",
        status=summary.status.value,
        rows_rejected=summary.rows.rejected,
        reason=summary.reason,
        unaccounted=summary.unaccounted,
    )
    for why in summary.untold:
        logger.warning("Something was not told", reason=why)
    counts = {name: summary.to_json()[name] for name in ("profiles", "bases")}
    return {"status": summary.status.value, "cause": summary.conclusion, **counts}
