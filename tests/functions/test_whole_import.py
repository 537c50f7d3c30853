"""From the drop to the last profile: each generation of Target's answers, and what may be said of them."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from bulk_profiles.models import ApiVersion, Basis, BatchState, ImportStatus, ProfileCounts, ProfileStatus
from local import simulator
from tests.deployment import Deployment

FILE = (
    "thirdPartyId,name,note\n"
    "u1,Ada,50% & more\n"
    'u2,Zoë,"a, b"\n'
    "u3,Grace,x=y+z\n"
    ",Nobody,\n"
    "u1,,later\n"
    "u4,Łukasz,😀\n"
).encode()


@pytest.mark.parametrize("flattened", [False, True])
@pytest.mark.parametrize("generation", [1, 2, 3, 4])
@pytest.mark.parametrize("version", list(ApiVersion))
def test_every_row_arrives_and_is_accounted_for(
    deployment: Deployment,
    target: simulator.Simulator,
    generation: int,
    version: ApiVersion,
    *,
    flattened: bool,
) -> None:
    target.configure(generation=generation, flattened=flattened)
    deployment.configure(api_version=version)

    summary = deployment.run(FILE)

    assert summary.status is ImportStatus.SUCCEEDED
    assert summary.rows.to_json() == {"read": 6, "rejected": 1, "merged": 1, "skipped": 0, "sent": 4}
    assert summary.profiles == ProfileCounts(success=4)
    assert target.profile("u1") == {"name": "Ada", "note": "later"}
    assert target.profile("u2") == {"name": "Zoë", "note": "a, b"}
    assert target.profile("u3") == {"name": "Grace", "note": "x=y+z"}
    assert target.profile("u4") == {"name": "Łukasz", "note": "😀"}
    bodies = [request.sha256 for request in target.submissions]
    assert bodies == [batch.sha256 for batch in summary.batches]
    basis = Basis.REPORTED if generation == 1 else Basis.IMPLIED
    assert {result.basis for result in deployment.profiles(summary.entry.import_id, 1)} == {basis}


@pytest.mark.parametrize(
    ("generation", "failed", "other", "basis"),
    [
        (1, ProfileStatus.ERROR, ProfileStatus.SUCCESS, Basis.REPORTED),
        (2, ProfileStatus.ERROR, ProfileStatus.SUCCESS, Basis.IMPLIED),
        (4, ProfileStatus.UNKNOWN, ProfileStatus.UNKNOWN, Basis.COUNTS),
    ],
)
def test_a_failed_profile_is_said_to_be_what_target_said(
    deployment: Deployment,
    target: simulator.Simulator,
    generation: int,
    failed: ProfileStatus,
    other: ProfileStatus,
    basis: Basis,
) -> None:
    target.configure(generation=generation, failed_ids=frozenset({"u2"}))

    summary = deployment.run(FILE)

    first, second = deployment.profiles(summary.entry.import_id, 1)
    assert (first.profile_id, first.status, first.basis) == ("u1", other, basis)
    assert (second.profile_id, second.status) == ("u2", failed)
    assert summary.status is ImportStatus.PARTIAL


def test_a_refused_batch_carries_targets_own_message(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    target.script(simulator.fault("refused", message="Batch is not welcome"))

    summary = deployment.run(FILE)

    assert [batch.state for batch in summary.batches] == [BatchState.REFUSED, BatchState.COMPLETE]
    assert summary.profiles == ProfileCounts(success=2, error=2)
    assert "Batch is not welcome" in summary.reason
    results = deployment.profiles(summary.entry.import_id, 1)
    assert {(result.status, result.basis) for result in results} == {(ProfileStatus.ERROR, Basis.BATCH)}


def test_a_split_that_runs_out_of_time_goes_on_with_the_same_bytes(deployment: Deployment) -> None:
    rows = "".join(f"u{number % 40},name {number}\n" for number in range(60))
    file = b"thirdPartyId,name\n" + rows.encode()
    whole = deployment.split(deployment.drop(file, "drop/whole/a.csv"))
    assert whole.manifest is not None
    dropped = deployment.drop(file, "drop/parts/a.csv")
    invocations = 1
    while (part := deployment.split(dropped, out_of_time=_after(3))).unfinished:
        invocations += 1
        assert invocations < 200

    assert invocations > 2
    assert part.manifest is not None
    assert part.manifest.batches == whole.manifest.batches
    assert part.manifest.rows == whole.manifest.rows
    first, second = deployment.objects(whole.import_id), deployment.objects(part.import_id)
    assert first.keys() == second.keys()
    assert all(first[name] == second[name] for name in first if name != "manifest.json")


def _after(times: int) -> Callable[[], bool]:
    """Give a clock that is out of time when it has been asked so often."""
    asked = itertools.count()
    return lambda: next(asked) >= times
