"""Verify import: profiles of an import are read back from Target and compared with what was sent."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger

from bulk_profiles.core.errors import VerifyError
from bulk_profiles.core.timestamps import timestamp
from bulk_profiles.steps.messages import VerifyEvent
from bulk_profiles.steps.verify_import import VerifyImport
from bulk_profiles.steps.wiring import connect

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

_RESERVE_MS = 60_000  # for the last reading, and to write down what is known

logger = Logger()
step = connect(VerifyImport, os.environ)


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer with when to go on, that all is done, or why nothing can be verified."""

    def out_of_time() -> bool:
        return context.get_remaining_time_in_millis() < _RESERVE_MS

    asked = None
    try:
        asked = VerifyEvent.from_event(event)
        resume_at = step.run(asked.import_id, asked.wanted, asked.execution, out_of_time)
    except VerifyError as error:
        logger.warning("Nothing is verified", reason=str(error))
        if asked is not None and asked.wanted is None:  # at the end of an import, which ends all the same
            return {"outcome": "verified"}
        return {"outcome": "refused", "says": str(error)}
    if resume_at is not None:
        logger.info("Verification waits", import_id=asked.import_id, resume_at=timestamp(resume_at))
        return {"outcome": "waits", "resumeAt": timestamp(resume_at)}
    logger.info("Import verified", import_id=asked.import_id)
    return {"outcome": "verified"}
