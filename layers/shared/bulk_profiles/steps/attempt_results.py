"""The results of a batch's profiles after an attempt: what was known before, and the verdict on this body."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import datetime

from bulk_profiles.accounting.profile_results import read_results, write_results
from bulk_profiles.aws.s3 import Storage
from bulk_profiles.core.models import Bases, ProfileResult, ProfileStatus
from bulk_profiles.core.names import attempt_name, object_key
from bulk_profiles.core.text import quantity
from bulk_profiles.ledger.batch_entry import BatchEntry
from bulk_profiles.target.verdict import Verdict

from .bodies import body_ids

_CLEAR = frozenset({ProfileStatus.SUCCESS, ProfileStatus.ERROR})
_FAILED_BEFORE = "Target named {} as failed in attempt {}."


def failed_before(batch: BatchEntry, verdict: Verdict) -> str:
    """Return, as a sentence, what is known of the profiles of a follow-up that has no clear end, or ""."""
    if batch.attempt == 1 or verdict.status in _CLEAR:
        return ""
    return _FAILED_BEFORE.format(quantity(batch.body_rows, "profile"), batch.attempt - 1)


def write_attempt(batch: BatchEntry, verdict: Verdict, storage: Storage, name: str, now: datetime) -> Bases:
    """Write what is known of all profiles of the batch after this attempt, and return its counts."""
    key = object_key(batch.import_id, name)
    return write_results(storage, key, batch.number, _results(batch, verdict, storage), now=now)


def _results(batch: BatchEntry, verdict: Verdict, storage: Storage) -> Iterator[ProfileResult]:
    if batch.attempt == 1:
        with body_ids(batch, storage) as ids:
            yield from map(verdict.result_of, ids)
        return
    earlier = object_key(batch.import_id, attempt_name(batch.number, batch.attempt - 1))
    for result in read_results(storage, earlier):
        if result.status is not ProfileStatus.ERROR:
            yield verdict.recall(result)
        else:  # it was sent again: the last word counts
            again = verdict.result_of(result.profile_id)
            reason = again.reason
            if again.status not in _CLEAR:
                reason = f"{reason} {_FAILED_BEFORE.format('this profile', result.attempt)}"
            yield dataclasses.replace(again, reason=reason, attempt=batch.attempt)
