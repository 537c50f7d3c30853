"""What must hold at every moment of a deployment, whatever has gone wrong: the ledger held against Target.

Target is the simulator on the deployment's clock. What it received is believed, not what the ledger says.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import simulator
from bulk_profiles.accounting.summary import Summary, reconcile
from bulk_profiles.budget.local_time import UploadWindow, time_zone
from bulk_profiles.budget.policy import LATENESS
from bulk_profiles.core.models import BatchState, ImportStatus, Manifest, ProfileStatus
from bulk_profiles.core.names import MANIFEST, object_key
from bulk_profiles.ledger.batch_entry import BatchEntry
from simulator.target import Request

from .deployment import Deployment

_LEASE = timedelta(minutes=35)  # after its next call is due, a batch may have lost its place in flight


@dataclass
class Evidence:
    """Checks of one deployment, over its whole life."""

    deployment: Deployment
    target: simulator.Simulator
    values: dict[str, dict[str, str]] = field(default_factory=dict)  # import to id to the value to be sent
    # Import to the key of its file and the place of its version among all drops.
    versions: dict[str, tuple[str, int]] = field(default_factory=dict)
    queued: list[str] = field(default_factory=list)  # imports, in the order in which their batches have to go
    shared: set[tuple[str, str]] = field(default_factory=set)  # pairs that were seen to share ids
    _owners: dict[str, tuple[str, int]] = field(default_factory=dict)  # digest of a body to its batch
    _seen: int = 0  # submissions whose rows were checked
    _limited: int = 0  # and those whose time was checked
    _newest: dict[str, int] = field(default_factory=dict)  # id to the import whose value Target took last
    _versions: dict[tuple[str, str], int] = field(default_factory=dict)  # the same, for each key by itself
    _applied: set[tuple[str, str]] = field(default_factory=set)  # id and value

    def hold(self) -> None:
        """Assert what must be true of all imports now."""
        self.note_queue()
        for name in self.values:
            summary = self._reconciled(name)
            if summary is not None:
                self._hold_accounting(summary)
        self._hold_new_submissions()
        self.hold_limits()

    def hold_end(self, name: str) -> ImportStatus:
        """Assert what must be true of an import whose batches have all settled; return its status."""
        entry = self.deployment.ledger.get_import(name)
        assert entry is not None
        if entry.status is ImportStatus.REJECTED:
            return entry.status
        summary = self._reconciled(name)
        assert summary is not None
        assert all(batch.settled for batch in summary.batches)
        assert summary.profiles.total == summary.rows.sent
        assert entry.status is summary.status
        for batch in summary.batches:
            self._hold_results(batch)
        return entry.status

    def _reconciled(self, name: str) -> Summary | None:
        batches = list(self.deployment.ledger.batches(name))
        for batch in batches:
            self._owners[batch.sha256] = (name, batch.number)
            for follow_up in batch.follow_ups:
                self._owners[follow_up.sha256] = (name, batch.number)
        data = self.deployment.storage.read_json(object_key(name, MANIFEST))
        entry = self.deployment.ledger.get_import(name)
        if data is None or entry is None or entry.status in {ImportStatus.SPLITTING, ImportStatus.REJECTED}:
            return None
        return reconcile(entry, Manifest.from_json(data), batches, self.deployment.clock())

    def _hold_accounting(self, summary: Summary) -> None:
        """Assert that every row is accounted for, and that Target received no body oftener than is said."""
        assert summary.unaccounted == 0
        for batch in summary.batches:
            bodies = [batch.sha256, *(follow_up.sha256 for follow_up in batch.follow_ups)]
            for sha256 in bodies:
                arrivals = sum(request.sha256 == sha256 for request in self._accepted())
                assert arrivals <= batch.submissions, "a body was sent oftener than the ledger says"
                assert arrivals <= 1 or batch.possibly_duplicate, "a body arrived twice without a mark"
            if batch.accepted_at is not None:
                assert any(request.sha256 == bodies[-1] for request in self.target.submissions)
            most = self.deployment.upload_settings.max_submissions
            assert batch.tries <= most, "a batch was submitted too often"

    def _hold_new_submissions(self) -> None:
        """Assert that what Target took is what was dropped, and that earlier imports went first."""
        accepted = self._accepted()
        for request in accepted[self._seen :]:
            assert request.sha256 in self._owners, "Target took a body of which the ledger knows nothing"
            name, _ = self._owners[request.sha256]
            place = self.queued.index(name)
            batch = self._batches()[request.batch_id]
            for row in self.target.body(request.number).decode().splitlines()[1:]:
                profile_id, _, value = row.partition(",")
                assert self.values[name].get(profile_id) == value, "a profile has the value of another"
                assert self._newest.get(profile_id, 0) <= place, "an older value came after a newer one"
                self._newest[profile_id] = place
                key, version = self.versions[name]
                assert self._versions.get((key, profile_id), 0) <= version, "an older version came later"
                self._versions[key, profile_id] = version
                if profile_id not in batch.failed | batch.not_found:
                    self._applied.add((profile_id, value))
        self._seen = len(accepted)

    def _hold_results(self, batch: BatchEntry) -> None:
        """Assert that no success is claimed that is none, and no failure of what was updated."""
        for result in self.deployment.profiles(batch.import_id, batch.number):
            value = self.values[batch.import_id][result.profile_id]
            updated = (result.profile_id, value) in self._applied
            if result.status is ProfileStatus.SUCCESS:
                assert updated, "a success was claimed of a profile that was not updated"
            if result.status is ProfileStatus.ERROR and batch.state is not BatchState.STUCK:
                assert not updated, "a failure was claimed of a profile that was updated"

    def hold_limits(self) -> None:
        """Assert the limits of a minute and of a day, the upload window, and the batches in flight."""
        settings = self.deployment.upload_settings
        zone = time_zone(settings.time_zone)
        assert self.target.load["callsInAnyMinute"] <= settings.calls_per_minute
        rows: dict[date, int] = defaultdict(int)
        accepted = self._accepted()
        for request in accepted:
            begun = _time(request).astimezone(zone) - timedelta(hours=settings.reset_hour)
            rows[begun.date()] += request.rows
        if settings.rows_per_day:
            assert max(rows.values(), default=0) <= settings.rows_per_day, "too many rows in a day"
        for request in accepted[self._limited :]:
            self._hold_window(request)
            self._hold_in_flight(request)
        self._limited = len(accepted)

    def _hold_window(self, request: Request) -> None:
        settings = self.deployment.upload_settings
        zone = time_zone(settings.time_zone)
        opened = not settings.upload_window or any(
            UploadWindow.parse(settings.upload_window).next_open(moment, zone) == moment
            for moment in (_time(request) - LATENESS, _time(request))
        )
        assert opened, "a batch was sent outside the window"

    def _hold_in_flight(self, request: Request) -> None:
        """Assert that Target works on no more batches than it may when this one arrives."""
        now, last_calls = request.at, self._last_calls(request)
        completion = self._settings().completion_seconds
        settings = self.deployment.check_settings
        wait = timedelta(seconds=max(settings.first_check_seconds, settings.max_check_seconds))
        bodies = {request.sha256}
        for other in self._accepted():
            batch = self._batches()[other.batch_id]
            at_work = other.at <= now < batch.accepted_at + completion and batch.accepted_at < now
            settled = batch.settled_at is not None and batch.settled_at <= now
            forgotten = now - last_calls.get(other.batch_id, other.at) > (wait + _LEASE).total_seconds()
            if at_work and not settled and not forgotten:
                bodies.add(other.sha256)
        assert len(bodies) <= self.deployment.upload_settings.max_in_flight, "too many batches in flight"

    def _last_calls(self, until: Request) -> dict[str, float]:
        """Return when each batch was asked for last before a request."""
        calls: dict[str, float] = {}
        for request in self.target.requests:
            if request.number < until.number and request.method == "GET":
                [batch_id] = parse_qs(urlsplit(request.path).query).get("batchId", [""])
                calls[batch_id] = request.at
        return calls

    def note_queue(self) -> None:
        """Note which imports have entered the queue: to be called after each split."""
        clock = self.deployment.clock
        self.deployment.ledger.change_queue("demo", clock(), self._note)
        for name in self.values:
            entry = self.deployment.ledger.get_import(name)
            if entry is not None:
                self.shared.update((earlier, name) for earlier in entry.after)

    def _note(self, queue: list[str]) -> tuple[list[str], list[str]]:
        self.queued += [name for name in queue if name not in self.queued]
        # An overtaken one sends nothing any more; where its split ends after that, it enters once more.
        # One that is sent again enters it once more as well: it sends no id that a later one has.
        sending = [name for name in queue if not self._has_ended_before(name)]
        assert [name for name in self.queued if name in sending] == sending, "imports changed their order"
        return queue, []

    def _has_ended_before(self, name: str) -> bool:
        entry = self.deployment.ledger.get_import(name)
        return entry is not None and bool(entry.overtaken_by or entry.resend)

    def _accepted(self) -> list[Request]:
        return [request for request in self.target.submissions if request.batch_id]

    def _batches(self) -> dict[str, simulator.target.Batch]:
        return self.target._server.target.batches

    def _settings(self) -> simulator.Settings:
        return self.target._server.target.settings


def _time(request: Request) -> datetime:
    return datetime.fromtimestamp(request.at, UTC)
