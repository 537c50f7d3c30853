"""Split file: a dropped file is split into batches, and its import started."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from bulk_profiles.aws.clients import client
from bulk_profiles.aws.functions import Invocations
from bulk_profiles.core.names import passed_over
from bulk_profiles.steps.messages import DroppedObject
from bulk_profiles.steps.split_file import SplitFile
from bulk_profiles.steps.wiring import connect

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

_STOP_MS = 120_000  # left of the function's time, in which the batch that is being written is ended

logger = Logger()
metrics = Metrics()
step = connect(SplitFile, os.environ)


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Translate S3's event into an import and the import into an answer."""
    dropped = DroppedObject.from_event(event)
    if reason := passed_over(dropped.key):
        logger.info("Not a dropped file: nothing to do", reason=reason)
        return {"importId": None, "status": "ignored"}
    # The platform tries a dead invocation again under the same request id; copies of an event have others.
    invocation = dataclasses.replace(dropped, event_id=context.aws_request_id)
    result = step.run(invocation, lambda: context.get_remaining_time_in_millis() < _STOP_MS)
    logger.append_keys(import_id=result.import_id)
    if result.unfinished:
        logger.info("Out of time: another invocation goes on")
        Invocations(client("lambda"), context.function_name).invoke(dropped.to_event())
        return {"importId": result.import_id, "status": "splitting"}
    if result.summary is not None:
        logger.warning("File rejected", reason=result.summary.reason)
        for why in result.summary.untold:
            logger.warning("Something was not told", reason=why)
        for name, count in result.summary.metrics().items():
            metrics.add_metric(name, MetricUnit.Count, count)
        metrics.flush_metrics()
        return {"importId": result.import_id, "status": result.summary.status.value}
    if result.manifest is None:
        logger.info("This version of the file is imported already, or being split: nothing to do")
        return {"importId": result.import_id, "status": "known"}
    logger.info("File split", rows=result.manifest.rows.to_json(), batches=len(result.manifest.batches))
    return {"importId": result.import_id, "status": "uploading"}
