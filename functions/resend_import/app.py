"""Resend import: parts of an import that has ended are opened again, to be sent by the same execution."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger

from bulk_profiles.core.errors import ResendError
from bulk_profiles.steps.messages import ResendEvent
from bulk_profiles.steps.resend_import import ResendImport
from bulk_profiles.steps.wiring import connect

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
step = connect(ResendImport, os.environ)


def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Answer with the batches to be sent again, or with why nothing is."""
    try:
        asked = ResendEvent.from_event(event)
        resent = step.run(asked.import_id, asked.words, asked.execution, asked.machine)
    except ResendError as error:
        logger.warning("Nothing is sent again", reason=str(error))
        return {"outcome": "refused", "says": str(error)}
    logger.info("Sent again", import_id=asked.import_id, batches=len(resent.batches), says=resent.says)
    return {
        "outcome": "prepared",
        "importId": asked.import_id,
        "batches": resent.batches,
        "says": resent.says,
    }
