"""Sweep imports: once an hour, begin what was lost, start again what died, and reconcile every import."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from bulk_profiles.steps.sweep_imports import SweepImports
from bulk_profiles.steps.wiring import connect

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
metrics = Metrics()
step = connect(SweepImports, os.environ)


@metrics.log_metrics
def lambda_handler(_event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Answer with what the sweep did, as counts."""
    result = step.run()
    counts = result.metrics()
    for name, count in counts.items():
        metrics.add_metric(name, MetricUnit.Count, count)
    if result.failures:
        logger.error("The sweep cannot work on some imports", failures=result.failures)
    logger.info("Swept", counts=counts)
    return counts
