"""The results of a batch's profiles after an attempt: what was known before, and the verdict on this body."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import datetime

from bulk_profiles.accounting.bodies import body_ids
from bulk_profiles.accounting.profile_results import read_results, write_results
from bulk_profiles.aws.s3 import Storage
from bulk_profiles.core.errors import LedgerError
from bulk_profiles.core.models import Bases, ProfileCounts, ProfileResult, ProfileStatus
from bulk_profiles.core.names import attempt_name, object_key
from bulk_profiles.core.text import quantity
from bulk_profiles.ledger.batch_entry import BatchEntry
from bulk_profiles.target.verdict import Verdict

_CLEAR = frozenset({ProfileStatus.SUCCESS, ProfileStatus.ERROR})
_FAILED_BEFORE = "Target named {} as failed in attempt {}."
_BEFORE = "In attempt {attempt}, {counts}."


def failed_before(batch: BatchEntry, verdict: Verdict) -> str:
    """Return, as a sentence, what is known of the profiles of a follow-up that has no clear end, or ""."""
    if batch.attempt == 1 or verdict.status in _CLEAR:
        return ""
    if batch.follow_ups[-1].sends.keys() - {ProfileStatus.ERROR}:
        counts = ProfileCounts.of(batch.follow_ups[-1].sends).to_json()
        words = ", ".join(f"{count} were {status}" for status, count in counts.items() if count)
        return _BEFORE.format(attempt=batch.attempt - 1, counts=words)
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
    with body_ids(batch, storage) as ids:  # in the order of the batch's rows, as the results are
        sent_again = next(ids, None)
        for result in read_results(storage, earlier):
            if result.profile_id != sent_again:
                yield verdict.recall(result)
                continue
            yield _after(result, verdict.result_of(result.profile_id), batch.attempt)
            sent_again = next(ids, None)
    if sent_again is not None:
        raise LedgerError(f"Batch {batch.number} has results of other profiles than its follow-up.")


def _after(before: ProfileResult, again: ProfileResult, attempt: int) -> ProfileResult:
    """Return the result of a profile that was sent again: the last word counts."""
    reason = again.reason
    if again.status not in _CLEAR:
        earlier = (
            _FAILED_BEFORE.format("this profile", before.attempt)
            if before.status is ProfileStatus.ERROR
            else _BEFORE.format(attempt=before.attempt, counts=f"it was {before.status}")
        )
        reason = f"{reason} {earlier}"
    return dataclasses.replace(again, reason=reason, attempt=attempt)
