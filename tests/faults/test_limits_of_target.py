"""Fault 40: many batches of several imports at once, before a Target that counts calls."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

import pytest

import simulator
from bulk_profiles.core.models import ImportStatus
from bulk_profiles.steps.messages import Word
from tests.worlds.deployment import Clock, Deployment

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CALLS_PER_MINUTE, MAX_IN_FLIGHT = 12, 3
IMPORTS, BATCHES = 3, 3


def run_side_by_side(deployment: Deployment, import_ids: list[str]) -> None:
    """Walk all batches of all imports to their end, each at the times that it is given."""
    due = [
        (deployment.clock(), import_id, number, "submit")
        for import_id in import_ids
        for number in deployment.machine.started[import_id]
    ]
    while due:
        moment, import_id, number, verb = heapq.heappop(due)
        deployment.clock.reach(moment)
        outcome = getattr(deployment, verb)(import_id, number)
        if verb == "check" and outcome.word is Word.SETTLED:
            continue
        following = "submit" if outcome.word in {Word.DEFERRED, Word.RESUBMIT} else "check"
        heapq.heappush(due, (outcome.resume_at or moment, import_id, number, following))


@pytest.mark.fault(40, "imports side by side, before a Target that counts: no call is turned away")
def test_import_of_many_batches_stays_within_the_limits_of_target(s3: S3Client) -> None:
    clock = Clock()
    settings = simulator.Settings(completion_seconds=20, calls_per_minute=CALLS_PER_MINUTE)
    with simulator.running(settings, clock=lambda: clock().timestamp()) as target:
        deployment = Deployment(target.url, s3, clock)
        deployment.configure(
            calls_per_minute=CALLS_PER_MINUTE, max_in_flight=MAX_IN_FLIGHT, first_check_seconds=1
        )
        import_ids = []
        for import_ in range(IMPORTS):
            rows = b"".join(b"u%d-%d,Ada\n" % (import_, number) for number in range(2 * BATCHES))
            dropped = deployment.drop(b"thirdPartyId,name\n" + rows, f"drop/feed{import_}/customers.csv")
            import_ids.append(deployment.split(dropped).import_id)

        run_side_by_side(deployment, import_ids)

        assert {request.code for request in target.requests} == {200}
        load = target.load
        assert CALLS_PER_MINUTE - 4 <= load["callsInAnyMinute"] <= CALLS_PER_MINUTE  # the limit was met
        assert load["batchesInFlight"] == MAX_IN_FLIGHT
        for import_id in import_ids:
            assert deployment.finish(import_id).status is ImportStatus.SUCCEEDED
