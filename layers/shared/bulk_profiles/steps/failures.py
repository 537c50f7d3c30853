"""What a step fails with, where people look: in the ledger's entry of the batch."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import datetime

from bulk_profiles.core.errors import BulkProfilesError, ConflictError
from bulk_profiles.ledger.ledger import Ledger


def words_of(error: Exception) -> str:
    """Return an error's message, if it is ours. Another one could quote a row, so only its type is named."""
    return str(error) if isinstance(error, BulkProfilesError) else f"The step failed: {type(error).__name__}."


@contextlib.contextmanager
def noted(ledger: Ledger, import_id: str, number: int, clock: Callable[[], datetime]) -> Iterator[None]:
    """Note in the batch's entry what the `with` block fails with, if the ledger can be written.

    The state machine tries the step again. If it gives up, the entry says why, and the next step that goes on
    forgets it. That another execution was faster is no failure of the batch.
    """
    try:
        yield
    except ConflictError:
        raise
    except Exception as error:
        with contextlib.suppress(BulkProfilesError):
            ledger.note_failure(import_id, number, words_of(error), clock())
        raise
