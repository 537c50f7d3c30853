"""What of an import that has ended would be sent again, and what keeps some of it from that.

Profiles are chosen by what became of them. A batch that Target refused, or that was lost, as a whole is
sent again with its own body; of any other batch the chosen rows become a follow-up. A batch with an id that a
later import has is not sent again, because its values are older.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from bulk_profiles.accounting.profile_results import read_results
from bulk_profiles.aws.s3 import Storage
from bulk_profiles.core.errors import MissingObjectError, ResendError
from bulk_profiles.core.json_object import Json
from bulk_profiles.core.models import (
    Bases,
    Basis,
    BatchState,
    ImportStatus,
    Manifest,
    ProfileCounts,
    ProfileStatus,
    Resendable,
    add_bases,
    resend_word,
)
from bulk_profiles.core.names import MANIFEST, object_key, profiles_name
from bulk_profiles.core.text import quantity
from bulk_profiles.ledger.batch_entry import BatchEntry
from bulk_profiles.ledger.import_entry import ImportEntry
from bulk_profiles.ledger.ledger import Ledger

from .bodies import batch_rows
from .precedence import later_imports
from .shared_ids import RowsToResend

_NEEDED = timedelta(days=1)  # for which batches and results must still be there
_WHOLE = frozenset({BatchState.REFUSED, BatchState.UNKNOWN})  # these never got an answer on their profiles
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Chosen:
    """The profiles of one batch that are sent again."""

    batch: BatchEntry
    words: frozenset[Resendable]
    sends: Bases  # what is known of them

    @property
    def whole(self) -> bool:
        """Whether the batch is sent again with its own body."""
        everything = ProfileCounts.of(self.sends).total == self.batch.rows
        return everything and self.batch.state in _WHOLE and not self.batch.follow_ups

    @property
    def may_have_arrived(self) -> bool:
        """Whether Target may have applied one of the rows already."""
        if self.sends.keys() & {ProfileStatus.UNKNOWN, ProfileStatus.PENDING}:
            return True
        bases = self.sends.get(ProfileStatus.ERROR, Counter()).keys()
        return self.batch.state is not BatchState.REFUSED and bool(bases - {Basis.REPORTED, Basis.ISOLATED})

    def rows(self, storage: Storage) -> Iterator[bytes]:
        """Yield the rows that are sent again, as they are in the batch."""
        return batch_rows(self.batch, storage, None if self.whole else self.marks(storage))

    def marks(self, storage: Storage) -> Iterator[bool]:
        """Yield for each row of the batch whether it is sent again."""
        results = read_results(storage, _results_key(self.batch))
        return (
            resend_word(result.status, result.basis, self.batch.state) in self.words for result in results
        )


@dataclass(frozen=True, slots=True)
class ResendPlan:
    """What is sent again of an import, and what is not because a later import has some of its ids."""

    entry: ImportEntry
    chosen: tuple[Chosen, ...]
    held_back: dict[int, str]  # by batch, the later import

    @property
    def profiles(self) -> ProfileCounts:
        """The profiles that are sent again, by what became of them."""
        return ProfileCounts.of(add_bases(chosen.sends for chosen in self.chosen))

    @property
    def says(self) -> str:
        """The plan as sentences; empty where there is nothing to send again."""
        counts = {name: count for name, count in self.profiles.to_json().items() if count}
        are = ", ".join(f"{count} {name}" for name, count in counts.items())
        total = quantity(self.profiles.total, "profile")
        batches = quantity(len(self.chosen), "batch")
        return " ".join([*([f"{total} of {batches}: {are}."] if counts else []), *self.held_back_says])

    @property
    def held_back_says(self) -> list[str]:
        """Return, as sentences, which batches are not sent again, and because of which later import."""
        batches: dict[str, list[int]] = {}
        for number, other in sorted(self.held_back.items()):
            batches.setdefault(other, []).append(number)
        return [
            f"{_numbered(numbers)} {'is' if len(numbers) == 1 else 'are'} not sent again: the later import "
            f"{other} has, or may have, some of the same ids, and its values are newer. Drop again what is "
            "still wanted."
            for other, numbers in batches.items()
        ]

    def to_json(self) -> Json:
        """Return the plan as the command line prints it."""
        return {
            "importId": self.entry.import_id,
            "profiles": self.profiles.to_json(),
            "batches": [
                {
                    "batch": chosen.batch.number,
                    "state": chosen.batch.state.value,
                    "profiles": ProfileCounts.of(chosen.sends).to_json(),
                    "reason": chosen.batch.words,
                    "possiblyDuplicate": chosen.may_have_arrived,
                }
                for chosen in self.chosen
            ],
            "heldBack": {str(number): other for number, other in self.held_back.items()},
        }


def plan_resend(
    import_id: str,
    words: frozenset[Resendable],
    storage: Storage,
    ledger: Ledger,
    *,
    retention: timedelta,
    now: datetime,
) -> ResendPlan:
    """Return what would be sent again of an import. Nothing is changed.

    Raises `ResendError` where nothing can be sent again, with the reason.
    """
    entry = ledger.get_import(import_id)
    if entry is None:
        raise ResendError(f"There is no import {import_id} (any more): is the name right?")
    check_ended(entry)
    # The sweep writes bodies again that are half as old while their import is under way.
    kept_until = max(entry.started_at + retention, (entry.finished_at or now) + retention / 2)
    if kept_until - _NEEDED <= now:
        raise ResendError(
            f"The batches of import {import_id} are deleted after RetentionDays, or will be within a day: "
            "drop the file again."
        )
    plan = hold_back(entry, list(ledger.batches(import_id)), words, storage, ledger)
    if not plan.chosen:
        raise ResendError(plan.says or _nothing(import_id, words))
    return plan


def check_ended(entry: ImportEntry) -> None:
    """Raise `ResendError` for an import of which nothing can be sent again as it stands."""
    name = entry.import_id
    if entry.status is ImportStatus.REJECTED:
        raise ResendError(
            f"Nothing of import {name} can be sent, it was rejected: mend the file and drop it again."
        )
    if not entry.status.final:
        again = f" Execution {entry.resend} is sending parts of it again." if entry.resend else ""
        raise ResendError(f"Import {name} has not ended.{again} What failed can be sent again when it has.")
    if entry.unsettled:
        raise ResendError(
            f"Import {name} has batches that are not settled. Start the state machine again with the input "
            "of the import first."
        )


def _choice(batch: BatchEntry, words: frozenset[Resendable], storage: Storage) -> Chosen:
    bases = batch.bases
    if ProfileCounts.of(bases) != batch.profiles:  # an earlier version did not keep the evidence
        pairs = Counter((one.status, one.basis) for one in read_results(storage, _results_key(batch)))
        bases = add_bases({status: Counter({basis: count})} for (status, basis), count in pairs.items())
    sends: Bases = {}
    for status, counter in bases.items():
        kept = Counter(
            {b: n for b, n in counter.items() if n and resend_word(status, b, batch.state) in words}
        )
        if kept:
            sends[status] = kept
    return Chosen(batch, words, sends)


def hold_back(
    entry: ImportEntry,
    batches: list[BatchEntry],
    words: frozenset[Resendable],
    storage: Storage,
    ledger: Ledger,
) -> ResendPlan:
    """Return what is sent again of settled batches: not those of which a later import may have an id.

    Raises `ResendError` where the batches have been deleted.
    """
    rows = RowsToResend(_manifest(entry.import_id, storage), storage)
    try:
        choices = [_choice(batch, words, storage) for batch in batches if batch.settled]
        chosen = [one for one in choices if one.sends]
        for one in chosen:
            rows.add(one.batch.number, one.rows(storage))
    except MissingObjectError as error:
        raise _deleted(entry.import_id) from error
    held_back = rows.found_in([other.import_id for other in later_imports(entry, ledger)])
    return ResendPlan(entry, tuple(one for one in chosen if one.batch.number not in held_back), held_back)


def earlier_imports(
    entry: ImportEntry, plan: ResendPlan, storage: Storage, ledger: Ledger
) -> tuple[str, ...]:
    """Return the earlier imports under way that have, or may have, an id that is sent again."""
    later = {other.import_id for other in later_imports(entry, ledger)} | {entry.import_id}
    names = [name for name in ledger.queued(entry.client_code) if name not in later]
    rows = RowsToResend(_manifest(entry.import_id, storage), storage)
    for one in plan.chosen if names else ():
        rows.add(one.batch.number, one.rows(storage))
    return tuple(name for name in names if rows.found_in([name]))


def _manifest(import_id: str, storage: Storage) -> Manifest:
    data = storage.read_json(object_key(import_id, MANIFEST))
    if data is None:
        raise _deleted(import_id)
    return Manifest.from_json(data)


def _deleted(import_id: str) -> ResendError:
    return ResendError(
        f"The batches of import {import_id} have been deleted, after RetentionDays or by `forget`: drop the "
        "file again."
    )


def _nothing(import_id: str, words: frozenset[Resendable]) -> str:
    named = " or ".join(word.value for word in Resendable if word in words)
    return f"Import {import_id} has no profile that is {named}: there is nothing to send again."


def _numbered(numbers: list[int]) -> str:
    shown, more = numbers[:_SHOWN], len(numbers) - _SHOWN
    words = ", ".join(map(str, shown)) + (f" and {more} more" if more > 0 else "")
    return f"Batch {words}" if len(numbers) == 1 else f"Batches {words}"


def _results_key(batch: BatchEntry) -> str:
    return object_key(batch.import_id, profiles_name(batch.number))
