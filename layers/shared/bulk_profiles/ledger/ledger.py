"""The Imports table: imports, batches and budgets. Every write is conditional on what was read.

IMPORT#<id>     / IMPORT         an `ImportEntry`
IMPORT#<id>     / BATCH#00001    a `BatchEntry`
CLIENT#<client> / BUDGET         a `BudgetState`
CLIENT#<client> / TOKEN          a `TokenEntry`
CLIENT#<client> / RECEIPT#<id>   the bodies that Target took under an id, which should be one
CLIENT#<client> / QUEUE          the imports under way, in their order
CLIENTS         / CLIENTS        the client codes that have had a queue
NOTICES         / NOTICES        the imports whose notice was refused
PAUSES          / PAUSES         the pauses, each a `Pause`

An import and its batches expire once it is over, however long that takes. Queues and budgets never expire.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from bulk_profiles.aws.dynamodb import VersionedTable
from bulk_profiles.budget.state import BudgetState
from bulk_profiles.core.errors import ConflictError, LedgerError, UnreadableEntryError
from bulk_profiles.core.json_object import Json
from bulk_profiles.core.models import ImportStatus, PlannedBatch
from bulk_profiles.core.timestamps import timestamp

from .batch_entry import BatchEntry
from .import_entry import GivenUp, ImportEntry
from .pauses import Pause
from .token_entry import TokenEntry

_WRITERS = 8
_UNREADABLE = (KeyError, TypeError, ValueError, AttributeError)  # what an item of another form raises
_QUEUE_TRIES = 100  # hundreds of files may be dropped at once, and none can come back later
_NOTICES = {"pk": "NOTICES", "sk": "NOTICES"}
_CLIENTS = {"pk": "CLIENTS", "sk": "CLIENTS"}
_PAUSES = {"pk": "PAUSES", "sk": "PAUSES"}


class Ledger:
    """The Imports table of one deployment."""

    def __init__(self, table: VersionedTable) -> None:
        self._table = table

    def claim_import(self, entry: ImportEntry, now: datetime) -> ImportEntry | None:
        """Begin a split, or take it over; return None where it is done or another invocation holds its lease.

        It may be taken over by its owner (the platform tries a dead invocation again under the same name) and
        by anybody once its lease has ended.
        """
        try:
            self._table.create(
                _import_key(entry.import_id), entry.to_json() | {"version": 1}, now, over=False
            )
        except ConflictError:
            pass
        else:
            return entry

        def take_over(current: ImportEntry) -> ImportEntry:
            free = current.lease_until is None or current.lease_until <= now
            if current.status is not ImportStatus.SPLITTING or not (free or current.owner == entry.owner):
                return current
            return dataclasses.replace(
                current, owner=entry.owner, lease_until=entry.lease_until, tries=current.tries + 1
            )

        claimed = self.change_import(entry.import_id, now, take_over)
        ours = claimed.status is ImportStatus.SPLITTING and claimed.owner == entry.owner
        return claimed if ours else None

    def get_import(self, import_id: str) -> ImportEntry | None:
        """Return an import's entry, or None where there is none. Raises `UnreadableEntryError`."""
        item = self._table.get(_import_key(import_id))
        try:
            return ImportEntry.from_json(item) if item else None
        except _UNREADABLE as error:
            raise UnreadableEntryError(f"The ledger's entry of import {import_id} cannot be read.") from error

    def imports(self) -> Iterator[ImportEntry]:
        """Yield the entries of all imports, in no order, but those that cannot be read."""
        for item in self._table.scan("IMPORT"):
            with contextlib.suppress(*_UNREADABLE):
                yield ImportEntry.from_json(item)

    def import_of(self, batch: BatchEntry) -> ImportEntry:
        """Return the entry of a batch's import. Raises `LedgerError` where there is none."""
        entry = self.get_import(batch.import_id)
        if entry is None:
            raise LedgerError(f"The ledger has batches of import {batch.import_id}, but not the import.")
        return entry

    def change_import(
        self, import_id: str, now: datetime, change: Callable[[ImportEntry], ImportEntry]
    ) -> ImportEntry:
        """Apply a change to an import's entry, under optimistic locking, and return the changed entry."""

        def apply(item: Json | None) -> tuple[Json | None, ImportEntry]:
            if item is None:
                raise LedgerError(f"The ledger has no import {import_id}: is the name right?")
            before = ImportEntry.from_json(item)
            after = change(before)
            return (None if after == before else after.to_json()), after

        return self._table.change(_import_key(import_id), now, apply, _is_over)

    def queue_import(self, client_code: str, import_id: str, now: datetime) -> list[str]:
        """Enter an import in the client's queue; return the imports that were entered before it."""
        self._enter_client(client_code, now)
        return self.change_queue(client_code, now, lambda queue: _entered(queue, import_id))

    def place_in_queue(self, client_code: str, import_id: str) -> int:
        """Return the number of an import in the client's queue among all that ever entered it, or 0."""
        item = self._table.get({"pk": f"CLIENT#{client_code}", "sk": "QUEUE"}) or {}
        return int(item.get("places", {}).get(import_id, 0))

    def queued(self, client_code: str) -> list[str]:
        """Return the imports in the client's queue, in their order."""
        item = self._table.get({"pk": f"CLIENT#{client_code}", "sk": "QUEUE"})
        return list(item["imports"]) if item else []

    def is_queued(self, client_code: str, import_id: str) -> bool:
        """Whether an import is in the client's queue."""
        return import_id in self.queued(client_code)

    def leave_queue(self, client_code: str, import_id: str, now: datetime) -> None:
        """Take an import that has ended out of the client's queue."""
        self.change_queue(client_code, now, lambda queue: ([i for i in queue if i != import_id], []))

    def change_queue(
        self, client_code: str, now: datetime, change: Callable[[list[str]], tuple[list[str], list[str]]]
    ) -> list[str]:
        """Apply a change to the client's queue of imports under way, and return the answer of the change."""

        def apply(item: Json | None) -> tuple[Json | None, list[str]]:
            before = list(item["imports"]) if item else []
            after, answer = change(before)
            return (None if after == before else _queue(item or {}, before, after)), answer

        return self._table.change(
            {"pk": f"CLIENT#{client_code}", "sk": "QUEUE"}, now, apply, _never, _QUEUE_TRIES
        )

    def under_way(self) -> Iterator[str]:
        """Yield the imports of all clients that have been entered in a queue and have not left it.

        Raises `LedgerError` for a queue that cannot be read, once those of the other clients have been.
        """
        failure: LedgerError | None = None
        for client_code in self.clients():
            try:
                names = self.queued(client_code)
            except LedgerError as error:
                failure = error
            except _UNREADABLE:
                failure = UnreadableEntryError(f"The queue of client {client_code} cannot be read.")
            else:
                yield from names
        if failure is not None:
            raise failure

    def clients(self) -> list[str]:
        """Return the client codes that have had a queue."""
        item = self._table.get(_CLIENTS)
        return list(item["clients"]) if item else []

    def untold(self) -> list[str]:
        """Return the imports whose notice was refused."""
        item = self._table.get(_NOTICES)
        return list(item["imports"]) if item else []

    def note_notice(self, import_id: str, now: datetime, *, told: bool) -> None:
        """Enter an import whose notice was refused, or take it out once it was told."""

        def apply(item: Json | None) -> tuple[Json | None, None]:
            before = list(item["imports"]) if item else []
            after = [name for name in before if name != import_id] + ([] if told else [import_id])
            return (None if after == before else {"imports": after}), None

        self._table.change(_NOTICES, now, apply, _never, _QUEUE_TRIES)

    def pauses(self, now: datetime) -> list[Pause]:
        """Return the pauses that have not ended, the oldest first."""
        return _pauses_in(self._table.get(_PAUSES), now)

    def pause(self, pause: Pause, now: datetime) -> None:
        """Begin a pause, in place of an earlier one of the same scope."""

        def begin(pauses: list[Pause]) -> list[Pause]:
            return [*(other for other in pauses if other.scope != pause.scope), pause]

        self._change_pauses(now, begin)

    def resume(self, scope: str, now: datetime) -> bool:
        """End the pause of a scope. Returns whether there was one."""
        paused = self._change_pauses(now, lambda pauses: [one for one in pauses if one.scope != scope])
        return any(pause.scope == scope for pause in paused)

    def _change_pauses(self, now: datetime, change: Callable[[list[Pause]], list[Pause]]) -> list[Pause]:
        """Apply a change to the pauses that have not ended, and return those before it."""

        def apply(item: Json | None) -> tuple[Json | None, list[Pause]]:
            before = _pauses_in(item, now)
            after = change(before)
            return (None if after == before else {"pauses": [one.to_json() for one in after]}), before

        return self._table.change(_PAUSES, now, apply, _never)

    def give_up(self, import_id: str, given_up: GivenUp, now: datetime) -> ImportEntry:
        """Give up an import: no more of it is sent. The first to give it up stays named.

        Raises `LedgerError` where there is no such import, or nothing of it is left to be sent.
        """

        def change(entry: ImportEntry) -> ImportEntry:
            if entry.over:
                raise LedgerError(f"Import {import_id} has ended: nothing of it is left to be given up.")
            return dataclasses.replace(entry, given_up=entry.given_up or given_up)

        changed = self.change_import(import_id, now, change)
        self.resume(f"import:{import_id}", now)
        return changed

    def _enter_client(self, client_code: str, now: datetime) -> None:
        def apply(item: Json | None) -> tuple[Json | None, None]:
            known = list(item["clients"]) if item else []
            return (None if client_code in known else {"clients": [*known, client_code]}), None

        self._table.change(_CLIENTS, now, apply, _never)

    def first_of(self, kind: str, name: str, import_id: str, rank: str, now: datetime) -> str:
        """Keep the import of highest `rank` for a name, the first among equals; return its id."""
        digest = hashlib.sha256(name.encode()).hexdigest()

        def apply(item: Json | None) -> tuple[Json | None, str]:
            if item is not None and item["rank"] >= rank:
                return None, str(item["importId"])
            return {"importId": import_id, "rank": rank}, import_id

        return self._table.change({"pk": f"{kind}#{digest}", "sk": kind}, now, apply, _always)

    def add_batches(self, import_id: str, batches: tuple[PlannedBatch, ...], now: datetime) -> None:
        """Enter the batches of an import as planned. Batches that were entered before are not changed."""

        def add(batch: PlannedBatch) -> None:
            item = BatchEntry.planned(import_id, batch).to_json()
            try:
                self._table.create(_batch_key(import_id, batch.number), item, now, over=False)
            except ConflictError:
                return  # an earlier try of the same split entered it; the split is deterministic

        with ThreadPoolExecutor(_WRITERS) as pool:
            for _ in pool.map(add, batches):
                pass

    def get_batch(self, import_id: str, number: int) -> BatchEntry:
        """Return a batch's entry. Raises `LedgerError` where there is none."""
        item = self._table.get(_batch_key(import_id, number))
        if item is None:
            raise LedgerError(
                f"The ledger has no batch {number} of import {import_id}: was it started by hand?"
            )
        return BatchEntry.from_json(item)

    def save_batch(self, entry: BatchEntry, now: datetime) -> BatchEntry:
        """Write a changed entry. Raises `ConflictError` where it changed meanwhile."""
        saved = entry.change(version=entry.version + 1, failure="")
        key = _batch_key(entry.import_id, entry.number)
        self._table.replace(key, saved.to_json(), now, entry.version, over=False)
        return saved

    def expire_batches(self, batches: Iterable[BatchEntry], now: datetime) -> None:
        """Let the settled batches of an import that is over expire, as its own entry does."""

        def expire(batch: BatchEntry) -> None:
            key = _batch_key(batch.import_id, batch.number)
            self._table.replace(key, batch.to_json(), now, batch.version, over=True)

        with ThreadPoolExecutor(_WRITERS) as pool:
            for _ in pool.map(expire, (batch for batch in batches if batch.settled)):
                pass

    def note_deferral(self, entry: BatchEntry, now: datetime) -> None:
        """Write how often the budget deferred a batch, without disturbing another execution that works on it.

        Its version stays, so that what they write is not refused; and where it has changed, that stands.
        """
        key = _batch_key(entry.import_id, entry.number)
        with contextlib.suppress(ConflictError):
            self._table.replace(key, entry.to_json(), now, entry.version, over=False)

    def change_token[T](
        self, client_code: str, now: datetime, change: Callable[[TokenEntry], tuple[TokenEntry, T]]
    ) -> T:
        """Apply a change to what is known of the client's token, and return the answer of the change."""

        def apply(item: Json | None) -> tuple[Json | None, T]:
            before = TokenEntry.from_json(item) if item else TokenEntry()
            after, answer = change(before)
            return (None if after == before else after.to_json()), answer

        return self._table.change({"pk": f"CLIENT#{client_code}", "sk": "TOKEN"}, now, apply, _never)

    def shares_id(self, client_code: str, batch: BatchEntry, now: datetime, lifetime: timedelta) -> bool:
        """Note that Target took a batch's body under its id; return whether it took another one under it too.

        One that was taken `lifetime` before the batch, or earlier, does not count: Target has forgotten it.
        """
        taken_at = batch.accepted_at or now
        body, since = f"{batch.import_id}/{batch.body_name}", timestamp(taken_at - lifetime)

        def apply(item: Json | None) -> tuple[Json | None, bool]:
            before = item["bodies"] if item else {}
            bodies = {name: at for name, at in before.items() if at > since} | {body: timestamp(taken_at)}
            return (None if bodies == before else {"bodies": bodies}), len(bodies) > 1

        key = {"pk": f"CLIENT#{client_code}", "sk": f"RECEIPT#{batch.batch_id}"}
        return self._table.change(key, now, apply, _always)

    def note_failure(self, import_id: str, number: int, words: str, now: datetime) -> None:
        """Write what a step of a batch has failed with, without disturbing another execution."""
        batch = self.get_batch(import_id, number)
        if not batch.settled and batch.failure != words:
            self.note_deferral(batch.change(failure=words), now)

    def batches(self, import_id: str) -> Iterator[BatchEntry]:
        """Yield all batches of an import in order."""
        return map(BatchEntry.from_json, self._table.query(f"IMPORT#{import_id}", "BATCH#"))

    def budget(self, client_code: str) -> BudgetState:
        """Return the client's budget as it stands."""
        item = self._table.get(_budget_key(client_code))
        return BudgetState.from_json(json.loads(item["state"])) if item else BudgetState()

    def change_budget[T](
        self, client_code: str, now: datetime, change: Callable[[BudgetState], tuple[BudgetState, T]]
    ) -> T:
        """Apply a change to the client's budget, under optimistic locking, and return the change's answer.

        Raises `ConflictError` when others were faster each of a dozen times: come back a little later.
        """

        def apply(item: Json | None) -> tuple[Json | None, T]:
            before = BudgetState.from_json(json.loads(item["state"])) if item else BudgetState()
            after, answer = change(before)
            return (None if item and after == before else {"state": json.dumps(after.to_json())}), answer

        return self._table.change(_budget_key(client_code), now, apply, _never)


def _queue(item: Json, before: list[str], after: list[str]) -> Json:
    """Return the item of a queue after a change. Who enters it gets a number that nobody gets again."""
    places, entered = item.get("places", {}), int(item.get("entered", 0))
    new = {name: entered + count for count, name in enumerate((n for n in after if n not in before), 1)}
    kept = {name: int(place) for name, place in places.items() if name in after}
    return {"imports": after, "places": kept | new, "entered": entered + len(new)}


def _pauses_in(item: Json | None, now: datetime) -> list[Pause]:
    pauses = map(Pause.from_json, item["pauses"]) if item else ()
    return [pause for pause in pauses if not pause.over(now)]


def _is_over(item: Json) -> bool:
    return ImportEntry.from_json(item).over


def _never(_item: Json) -> bool:
    return False


def _always(_item: Json) -> bool:
    return True


def _entered(queue: list[str], import_id: str) -> tuple[list[str], list[str]]:
    entered = queue if import_id in queue else [*queue, import_id]
    return entered, entered[: entered.index(import_id)]


def _import_key(import_id: str) -> dict[str, str]:
    return {"pk": f"IMPORT#{import_id}", "sk": "IMPORT"}


def _budget_key(client_code: str) -> dict[str, str]:
    return {"pk": f"CLIENT#{client_code}", "sk": "BUDGET"}


def _batch_key(import_id: str, number: int) -> dict[str, str]:
    return {"pk": f"IMPORT#{import_id}", "sk": f"BATCH#{number:05d}"}
