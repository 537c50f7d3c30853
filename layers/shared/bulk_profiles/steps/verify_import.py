"""Verify import: profiles of a sample are read back and compared with what was sent.

Nothing here changes what became of a batch. All that it knows is in the object of the sample, so that it
goes on wherever it was interrupted; a reading that was not yet written down is made again.
"""

from __future__ import annotations

import csv
import dataclasses
import io
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from bulk_profiles.accounting.verification import Verification, differences
from bulk_profiles.aws.s3 import Storage
from bulk_profiles.aws.secrets import Tokens
from bulk_profiles.budget.policy import Policy
from bulk_profiles.budget.reserve import Slot, reserve_check, usable
from bulk_profiles.budget.state import BudgetState
from bulk_profiles.core.errors import ConflictError, MissingObjectError, VerifyError
from bulk_profiles.core.feeds import MOST_SAMPLE
from bulk_profiles.core.models import ImportStatus, KeyColumn
from bulk_profiles.core.names import DIFFERENCES, VERIFICATION, object_key, sample_name
from bulk_profiles.ledger.import_entry import ImportEntry
from bulk_profiles.ledger.ledger import Ledger
from bulk_profiles.target import calls
from bulk_profiles.target.addresses import profile_url
from bulk_profiles.target.outcomes import Deferred, Found, Gone, ReadOutcome, Unanswered, Unauthorized

from .authorization import remedy
from .limits import policy_of
from .precedence import later_imports
from .sampling import Sample, Sampled, choose
from .settings import VerifyImportSettings

_LOOKS = 2  # at a profile that differs: an update may take an hour to show
_MOST_FAILURES = 3  # to read a profile
_READ_SECONDS = 30.0
_LONGEST_PAUSE = timedelta(seconds=10)  # for a slot, within an invocation
_POSTPONED = timedelta(minutes=5)  # by Target, at least
_TRIED_AGAIN = timedelta(minutes=1)  # after a reading that failed
_CONTENTION = timedelta(seconds=2)
_CHANGED_AFTER = timedelta(hours=1)  # after a batch has settled, all that it wrote shows
_LONGEST = timedelta(hours=24)  # then what was not read is left
_MOST_WAITS = 3  # for one slot
# Target drops profiles after 14 days without activity; a batch settles at most a day after it was sent.
_MAY_EXPIRE = timedelta(days=13)
_EXPIRED = "Profiles that are not there may have expired since."
_TOO_LONG = "The readings took longer than a day."


class _Since(NamedTuple):
    """From when on what is read may be somebody else's."""

    settled: datetime  # the first batch
    changed: datetime  # a value: a later import's, or the site's
    replaced: datetime | None  # a missing attribute: a later import's


@dataclass(frozen=True, slots=True)
class VerifyImport:
    """The step with one deployment's edges and settings."""

    settings: VerifyImportSettings
    storage: Storage
    ledger: Ledger
    tokens: Tokens
    clock: Callable[[], datetime]
    sleep: Callable[[float], None]

    def run(
        self, import_id: str, wanted: int | None, execution: str, out_of_time: Callable[[], bool]
    ) -> datetime | None:
        """Bring the verification of an import further; return when to go on, None once it is done.

        `wanted`: profiles that a person wants to be read back; None: as many as the import's settings say.
        Raises `VerifyError` where that cannot be, with the reason.
        """
        entry = self.ledger.get_import(import_id)
        if entry is None:
            raise VerifyError(f"There is no import {import_id} (any more): is the name right?")
        if wanted is not None and not entry.status.final:
            raise VerifyError(f"Import {import_id} has not ended: verify it when it has.")
        sample = self._sample(entry, wanted, execution)
        if sample is None or sample.done:
            return None
        if not sample.chosen:
            batches = [batch for batch in self.ledger.batches(import_id) if batch.settled]
            try:
                sample = choose(sample, batches, f"{import_id} {execution}", self.storage, out_of_time)
            except MissingObjectError as error:
                raise VerifyError(
                    f"The batches of import {import_id} have been deleted, as all are after RetentionDays."
                ) from error
            self._save(entry, sample)
            if not sample.chosen:
                return self.clock()
        if sample.look_at > self.clock():
            return sample.look_at
        return self._read(entry, sample, out_of_time)

    def _sample(self, entry: ImportEntry, wanted: int | None, execution: str) -> Sample | None:
        """Return the sample of this execution, or None where nothing is to be verified."""
        data = self.storage.read_json(object_key(entry.import_id, sample_name(execution)))
        if data is not None:
            return Sample.from_json(data)
        wanted = entry.verify_sample if wanted is None else wanted
        batches = [batch for batch in self.ledger.batches(entry.import_id) if batch.settled]
        successes = sum(batch.profiles.success for batch in batches)
        if not wanted or not successes or entry.status is ImportStatus.REJECTED:
            return None
        now, delay = self.clock(), timedelta(minutes=self.settings.verify_delay_minutes)
        settled = max(batch.settled_at for batch in batches if batch.settled_at)
        return Sample(execution, min(wanted, MOST_SAMPLE), now, settled + delay, successes)

    def _read(self, entry: ImportEntry, sample: Sample, out_of_time: Callable[[], bool]) -> datetime | None:
        """Read all profiles that are due, as far as time and budget allow; return when to go on."""
        profiles, since = list(sample.profiles), self._since(entry)
        policy = policy_of(entry.client_code, self.settings, self.storage)
        reason, deferrals = sample.reason, sample.deferrals
        for place, profile in enumerate(profiles):
            if not _is_due(profile, sample.looks):
                continue
            reply = self._ask(entry, policy, profile, deferrals, out_of_time)
            if isinstance(reply, datetime):
                sample, deferrals = dataclasses.replace(sample, look_at=reply), deferrals + _MOST_WAITS
                break
            deferrals = 0
            if isinstance(reply, Gone) and self.clock() - since.settled > _MAY_EXPIRE:
                reply = Unanswered(_EXPIRED)
            reason = reason if isinstance(reply, Found | Gone) else reply.reason
            if isinstance(reply, Deferred):
                wait = max(reply.retry_after or _POSTPONED, _POSTPONED)
                sample = dataclasses.replace(sample, look_at=self.clock() + wait)
                break
            if isinstance(reply, Unauthorized):
                reason = remedy(reply, self.tokens.get(entry.client_code))
                sample = dataclasses.replace(sample, done=True)
                break
            profiles[place] = _looked(profile, reply, since)
        else:
            sample = self._next_round(sample, profiles)
        sample = dataclasses.replace(sample, profiles=tuple(profiles), reason=reason, deferrals=deferrals)
        if not sample.done and sample.look_at - sample.begun_at > _LONGEST:
            sample = dataclasses.replace(sample, done=True, reason=reason or _TOO_LONG)
        key = object_key(entry.import_id, sample_name(sample.execution))
        if self.storage.read_json(key) is None:  # one of its profiles has been forgotten meanwhile
            raise VerifyError(f"The sample of import {entry.import_id} has been deleted: verify it again.")
        if sample.done:
            self._conclude(entry, sample)
            return None
        self._save(entry, sample)
        return sample.look_at

    def _next_round(self, sample: Sample, profiles: list[Sampled]) -> Sample:
        """Return the sample after a look at every profile: what failed or differs is read again."""
        now = self.clock()
        if any(_is_due(profile, sample.looks) for profile in profiles):
            return dataclasses.replace(sample, look_at=now + _TRIED_AGAIN)
        if sample.looks < _LOOKS and any(profile.differs for profile in profiles):
            delay = timedelta(minutes=self.settings.verify_delay_minutes)
            return dataclasses.replace(sample, looks=_LOOKS, look_at=now + delay)
        return dataclasses.replace(sample, done=True)

    # Five parameters: of which import, within which limits, which profile, and two facts about time.
    def _ask(
        self,
        entry: ImportEntry,
        policy: Policy,
        profile: Sampled,
        deferrals: int,
        out_of_time: Callable[[], bool],
    ) -> ReadOutcome | datetime:
        """Read a profile once; where time or budget do not allow it, return when to come back."""
        if out_of_time():
            return self.clock()
        client = entry.client_code
        token = self.tokens.get(client)  # what may take long comes before the slot
        key_column = entry.key_column or KeyColumn.THIRD_PARTY_ID
        url = profile_url(self.settings.target_endpoint, client, key_column, profile.profile_id)
        go_on = self._slot(entry, policy, deferrals)
        if go_on is not None:
            return go_on
        named = profile.profile_id if key_column is KeyColumn.THIRD_PARTY_ID else ""
        reply = calls.read_back(url, client, token, _READ_SECONDS, third_party_id=named)
        if isinstance(reply, Unauthorized) and self.tokens.renew(client) != token:
            return Unanswered(reply.reason)  # so that it is tried again, with the other token
        return reply

    def _slot(self, entry: ImportEntry, policy: Policy, deferrals: int) -> datetime | None:
        """Take a call of the client's budget, after a short wait if need be, or return when to come back.

        `deferrals`: how often in a row it has come back already; at 0, batches that wait go first.
        """

        def reserve(state: BudgetState) -> tuple[BudgetState, Slot]:
            return reserve_check(state, now=now, policy=policy, waited=deferrals + waits)

        for waits in range(_MOST_WAITS):  # noqa: B007 `reserve` uses it
            now = self.clock()
            try:
                slot = self.ledger.change_budget(entry.client_code, now, reserve)
            except ConflictError:
                return now + _CONTENTION
            if slot.granted and usable(now, self.clock()):
                return None
            if slot.at - now > _LONGEST_PAUSE:
                return slot.at
            self.sleep(max(0.0, (slot.at - now).total_seconds()))
        return self.clock() + _LONGEST_PAUSE

    def _since(self, entry: ImportEntry) -> _Since:
        settled = [batch.settled_at for batch in self.ledger.batches(entry.import_id) if batch.settled_at]
        later = [other.started_at for other in later_imports(entry, self.ledger)]
        changed = min([max(settled) + _CHANGED_AFTER, *later])
        return _Since(min(settled), changed, min(later, default=None))

    def _conclude(self, entry: ImportEntry, sample: Sample) -> None:
        """Write what the sample has shown; of the sample itself nothing is kept but that it is done."""
        verification = _verification(sample)
        self.storage.write_json(object_key(entry.import_id, VERIFICATION), verification.to_json())
        if table := _table(sample):
            self.storage.write(object_key(entry.import_id, DIFFERENCES), table, "text/csv; charset=utf-8")
        self._save(entry, dataclasses.replace(sample, done=True, profiles=()))

    def _save(self, entry: ImportEntry, sample: Sample) -> None:
        key = object_key(entry.import_id, sample_name(sample.execution))
        self.storage.write_json(key, sample.to_json())


def _is_due(profile: Sampled, looks: int) -> bool:
    return profile.failures < _MOST_FAILURES and profile.looks < (looks if profile.differs else 1)


def _is_known(profile: Sampled) -> bool:
    """Whether the readings of a profile are enough: one that differs is looked at twice."""
    return profile.looks >= (_LOOKS if profile.differs else 1)


def _looked(profile: Sampled, reply: ReadOutcome, since: _Since) -> Sampled:
    """Return what is known of a profile after a reading."""
    if not isinstance(reply, Found | Gone):
        return dataclasses.replace(profile, failures=profile.failures + 1)
    found = differences(
        profile.values,
        reply.profile if isinstance(reply, Found) else None,
        sent_at=profile.sent_at,
        changed_after=since.changed,
        replaced_after=since.replaced,
    )
    return dataclasses.replace(profile, looks=profile.looks + 1, failures=0, found=found)


def _verification(sample: Sample) -> Verification:
    kinds: dict[str, Counter[str]] = defaultdict(Counter)
    known = [profile for profile in sample.profiles if _is_known(profile)]
    for profile in known:
        for name, kind in profile.found.items():
            kinds[kind.value][name] += 1
    different = sum(profile.differs for profile in known)
    newer = sum(bool(profile.found) and not profile.differs for profile in known)
    not_read = len(sample.profiles) - len(known)
    return Verification(
        wanted=sample.wanted,
        successes=sample.successes,
        as_sent=len(known) - different - newer,
        different=different,
        newer=newer,
        not_read=not_read,
        kinds={kind: dict(names) for kind, names in kinds.items()},
        reason=sample.reason if not_read else "",
    )


def _table(sample: Sample) -> bytes:
    """Return the profiles that differ as CSV, without their values; nothing where there are none."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("profile_id", "attribute", "difference"))
    known = [profile for profile in sample.profiles if _is_known(profile)]
    rows = [(one.profile_id, name, kind.value) for one in known for name, kind in one.found.items()]
    writer.writerows(rows)
    return text.getvalue().encode() if rows else b""
