"""The file of failed rows: the rows, as they were dropped, of every profile that is not known to be updated.

An import makes it when it is finished. Where there is no time for that, `bulk-profiles results` makes the
same file on a person's machine.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from bulk_profiles.core.feeds import Feed
from bulk_profiles.core.models import Basis, ProfileResult, ProfileStatus
from bulk_profiles.core.names import FAILED_ROWS, attempt_name, object_key, profiles_name
from bulk_profiles.ledger.batch_entry import BatchEntry
from bulk_profiles.ledger.import_entry import ImportEntry
from bulk_profiles.splitting.batches.cutter import Limits
from bulk_profiles.splitting.files import Output, Sink
from bulk_profiles.splitting.reading.blocks import Notes
from bulk_profiles.splitting.rows.notes import BATCH, REASON, STATUS, WHAT_TO_DO
from bulk_profiles.splitting.selection import RowSelector, WantedIds

from .bodies import body_ids
from .profile_results import read_results
from .summary import FailedRows, batch_profiles, open_status

if TYPE_CHECKING:
    from bulk_profiles.aws.s3 import Storage

_TITLES = (REASON, WHAT_TO_DO, BATCH, STATUS)
_WHOLE_BATCH = "Target refused or gave up the whole batch: drop the row again once the cause is mended."
_TO_DO = {
    ProfileStatus.ERROR: "Mend the row if its values are wrong, and drop it again.",
    ProfileStatus.UNKNOWN: "Drop the row again: if Target has it already, the same values do no harm.",
    ProfileStatus.PENDING: "Wait a day, and drop the row again if the profile is not updated by then.",
    ProfileStatus.NOT_SENT: "Drop the row again, unless its import goes on.",
}


def write_failed_rows(
    entry: ImportEntry,
    batches: Iterable[BatchEntry],
    storage: Storage,
    output: Output,
    out_of_time: Callable[[], bool] = lambda: False,
) -> FailedRows:
    """Write the file of failed rows to an output, if there are any.

    Raises an error of `core.errors` where the source file cannot be read any more, or the time is up.
    """
    reasons: dict[tuple[ProfileStatus, Basis, str, int], int] = {}
    places = array("L")  # in `reasons`, for each profile

    def ids() -> Iterator[str]:
        for batch in batches:
            for result in failed_profiles(batch, storage):
                reason = (result.status, result.basis, result.reason, batch.number)
                places.append(reasons.setdefault(reason, len(reasons)))
                yield result.profile_id

    wanted = WantedIds(ids())
    if not wanted.count:
        return FailedRows()
    notes = [_notes(*reason) for reason in reasons]
    name = ""

    def create(suffix: str) -> Sink:
        nonlocal name
        name = FAILED_ROWS + suffix
        return output.create(name)

    selector = RowSelector(
        Feed.from_json(entry.settings["feed"]),
        Limits(max_batch_bytes=int(entry.settings["maxBatchBytes"])),
        wanted,
        _TITLES,
        lambda number: notes[places[number]],
    )
    selection = selector.write(storage.source_file(entry.source), create, out_of_time)
    return FailedRows(name, selection.ids, selection.rows, wanted.count - selection.ids)


def failed_profiles(batch: BatchEntry, storage: Storage) -> Iterator[ProfileResult]:
    """Yield the profiles of a batch that are not known to be updated: as many as `batch_profiles` counts."""
    counts = batch_profiles(batch)
    if counts.success == counts.total:
        return
    if batch.settled:
        key = object_key(batch.import_id, profiles_name(batch.number))
        yield from (result for result in read_results(storage, key) if _failed(result))
        return
    status = open_status(batch)
    reason = batch.words or f"The batch is {batch.state}, and not settled."
    with body_ids(batch, storage) as ids:
        if batch.follow_ups:  # what is known of the profiles that are not in the body that is on its way
            key = object_key(batch.import_id, attempt_name(batch.number, batch.attempt - 1))
            sent_again = next(ids, None)  # in the order of the batch's rows, as the results are
            for result in read_results(storage, key):
                if result.profile_id == sent_again:
                    yield ProfileResult(result.profile_id, status, Basis.BATCH, reason)
                    sent_again = next(ids, None)
                elif _failed(result):
                    yield result
            return
        for profile_id in ids:
            yield ProfileResult(profile_id, status, Basis.BATCH, reason)


def _failed(result: ProfileResult) -> bool:
    return result.status is not ProfileStatus.SUCCESS


def _notes(status: ProfileStatus, basis: Basis, reason: str, number: int) -> Notes:
    words = reason or f"The profile is {status}."
    whole = status is ProfileStatus.ERROR and basis is Basis.BATCH
    return {
        REASON: words,
        WHAT_TO_DO: _WHOLE_BATCH if whole else _TO_DO[status],
        BATCH: str(number),
        STATUS: status.value,
    }
