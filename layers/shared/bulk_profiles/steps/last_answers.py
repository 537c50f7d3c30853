"""Target's last usable answer about a body, kept for the looks to come: they may bring none.

The entry of the batch has the answer without its profiles, of which there may be too many for it. An answer
that names any is an object beside the results.
"""

from __future__ import annotations

from bulk_profiles.aws.s3 import Storage
from bulk_profiles.core.names import answer_name, object_key
from bulk_profiles.ledger.batch_entry import BatchEntry
from bulk_profiles.target.answers import StatusAnswer
from bulk_profiles.target.earlier_answers import from_bytes, to_bytes


def last_answer(batch: BatchEntry, storage: Storage) -> StatusAnswer | None:
    """Return the last usable answer about the body that is on its way, or None if there was none."""
    if batch.last_answer is None:
        return None
    if not batch.last_named:
        return StatusAnswer.from_json(batch.last_answer)
    with storage.open(_key(batch)) as stream:
        return from_bytes(stream.read())


def keep_answer(batch: BatchEntry, answer: StatusAnswer | None, storage: Storage) -> BatchEntry:
    """Keep an answer, if there is one, and return the entry with it, which is still to be saved."""
    if answer is None:
        return batch
    if answer.profiles:
        storage.write(_key(batch), to_bytes(answer), "application/gzip")
    return batch.change(last_answer=answer.to_json(), last_named=len(answer.profiles))


def _key(batch: BatchEntry) -> str:
    return object_key(batch.import_id, answer_name(batch.number, batch.attempt))
