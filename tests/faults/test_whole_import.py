"""Whole imports, from the drop to the last profile, for each generation of Target's answers."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import pytest

import simulator
from bulk_profiles.core.errors import TokenError
from bulk_profiles.core.models import (
    ApiVersion,
    Basis,
    BatchState,
    ImportStatus,
    ProfileCounts,
    ProfileStatus,
)
from bulk_profiles.splitting import split
from bulk_profiles.splitting.parallel import processes
from bulk_profiles.splitting.reading import delimited
from bulk_profiles.steps.messages import Word
from tests.worlds.deployment import Deployment

FILE = (
    "thirdPartyId,name,note\n"
    "u1,Ada,50% & more\n"
    'u2,Zoë,"a, b"\n'
    "u3,Grace,x=y+z\n"
    ",Nobody,\n"
    "u1,,later\n"
    "u4,Łukasz,😀\n"
).encode()


@pytest.mark.fault(50, "all generations of the answer, and the flattened text, from drop to end")
@pytest.mark.fault(27, 'values with & % + = , " and emoji, as the receiver decodes them')
@pytest.mark.parametrize("flattened", [False, True])
@pytest.mark.parametrize("generation", [1, 2, 3, 4])
@pytest.mark.parametrize("version", list(ApiVersion))
def test_import_every_row_arrives_and_is_accounted_for(
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
    assert {batch.reason for batch in summary.batches} == {""}
    basis = Basis.REPORTED if generation == 1 else Basis.IMPLIED
    assert {result.basis for result in deployment.profiles(summary.entry.import_id, 1)} == {basis}


def test_import_with_helper_processes_splits_the_same(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    with (
        patch.multiple(split, _LARGE_BYTES=1),
        patch.multiple(delimited, BLOCK_BYTES=32),
        patch.multiple(os, process_cpu_count=lambda: 2),
        patch.object(processes.HelperProcesses, "close", autospec=True) as closed,
    ):
        summary = deployment.run(FILE)
    [[helpers]] = [call.args for call in closed.mock_calls]
    helpers.close()

    assert helpers.count == 5
    assert summary.status is ImportStatus.SUCCEEDED
    assert summary.profiles == ProfileCounts(success=4)
    assert target.profile("u1") == {"name": "Ada", "note": "later"}
    assert target.profile("u2") == {"name": "Zoë", "note": "a, b"}


@pytest.mark.fault(50, "the flattened text with spaces in the ids, from drop to end")
@pytest.mark.parametrize("generation", [1, 2])
def test_import_flattened_ids_with_spaces_are_found(
    deployment: Deployment, target: simulator.Simulator, generation: int
) -> None:
    target.configure(generation=generation, flattened=True, failed_ids=frozenset({"id 2"}))

    summary = deployment.run(b"thirdPartyId,name\nid one,Ada\nid 2,Grace\n")

    statuses = {r.profile_id: r.status for r in deployment.profiles(summary.entry.import_id, 1)}
    assert statuses == {"id one": ProfileStatus.SUCCESS, "id 2": ProfileStatus.ERROR}


@pytest.mark.parametrize(
    ("generation", "failed", "other", "basis"),
    [
        (1, ProfileStatus.ERROR, ProfileStatus.SUCCESS, Basis.REPORTED),
        (2, ProfileStatus.ERROR, ProfileStatus.SUCCESS, Basis.IMPLIED),
        (4, ProfileStatus.ERROR, ProfileStatus.SUCCESS, Basis.ISOLATED),
    ],
)
def test_import_failed_profile_has_what_target_reported(
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


def test_import_failed_profiles_are_sent_again_and_succeed(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    target.configure(failed_once_ids=frozenset({"u2", "u3"}))

    summary = deployment.run(FILE)

    assert summary.status is ImportStatus.SUCCEEDED
    assert target.profile("u2") == {"name": "Zoë", "note": "a, b"}
    assert [batch.submissions for batch in summary.batches] == [2, 2]
    assert [len(batch.follow_ups) for batch in summary.batches] == [1, 1]
    first, second = deployment.profiles(summary.entry.import_id, 1)
    assert (first.status, first.attempt) == (ProfileStatus.SUCCESS, 1)
    assert (second.status, second.attempt) == (ProfileStatus.SUCCESS, 2)
    follow_up = target.submissions[1]
    assert follow_up.sha256 == summary.batches[0].follow_ups[0].sha256
    assert follow_up.rows == 1
    history = deployment.objects(summary.entry.import_id)
    assert {"follow-ups/00001-1.csv.gz", "follow-ups/00001-2.batch"} <= history.keys()


def test_import_profile_that_keeps_failing_is_sent_three_times(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    target.configure(failed_ids=frozenset({"u2"}))

    summary = deployment.run(FILE)

    assert summary.profiles == ProfileCounts(success=3, error=1)
    assert summary.batches[0].submissions == 3
    assert [request.rows for request in target.submissions] == [2, 1, 1, 2]


@pytest.mark.parametrize(
    ("failed", "failed_once", "duplicate"),
    [
        ({"u1", "u2"}, set(), True),  # all of the batch: its own bytes again
        ({"u2"}, set(), True),  # the same one twice: the first follow-up's bytes again
        ({"u2"}, {"u1"}, True),
        (set(), {"u2"}, False),
        (set(), set(), False),
    ],
)
def test_import_body_arrives_twice_only_if_marked(
    deployment: Deployment,
    target: simulator.Simulator,
    failed: set[str],
    failed_once: set[str],
    *,
    duplicate: bool,
) -> None:
    target.configure(failed_ids=frozenset(failed), failed_once_ids=frozenset(failed_once))

    summary = deployment.run(FILE)

    first, second = summary.to_json()["batches"]
    assert (first["possiblyDuplicate"], second["possiblyDuplicate"]) == (duplicate, False)
    assert first["submissions"] + second["submissions"] == len(target.submissions)
    arrived = [(request.rows, request.size, request.sha256) for request in target.submissions]
    bodies = [first, *first["followUps"], second]
    assert arrived == [(body["rows"], body["bytes"], body["sha256"]) for body in bodies]
    attempts = [follow_up["attempt"] for follow_up in first["followUps"]]
    assert attempts == list(range(2, 2 + len(attempts)))
    assert (len(set(arrived)) < len(arrived)) is duplicate


def test_import_refused_batch_has_the_message_of_target(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    target.script(simulator.fault("refused", message="Batch is not welcome"))

    summary = deployment.run(FILE)

    assert [batch.state for batch in summary.batches] == [BatchState.REFUSED, BatchState.COMPLETE]
    assert summary.profiles == ProfileCounts(success=2, error=2)
    assert "Batch is not welcome" in summary.reason
    results = deployment.profiles(summary.entry.import_id, 1)
    assert {(result.status, result.basis) for result in results} == {(ProfileStatus.ERROR, Basis.BATCH)}


def test_split_leaves_no_batch_that_is_not_in_the_manifest(deployment: Deployment) -> None:
    rows = "".join(f"u{number % 4},name {number}\n" for number in range(60_000))
    deployment.configure(max_batch_rows=10_000)

    imported = deployment.split(deployment.drop(b"thirdPartyId,name\n" + rows.encode()))

    batches = [name for name in deployment.objects(imported.import_id) if name.startswith("batches/")]
    assert batches == ["batches/00001.batch"]


@pytest.mark.fault(53, "a split that outlasts one invocation")
def test_split_out_of_time_goes_on_with_the_same_bytes(deployment: Deployment) -> None:
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


@pytest.mark.fault(38, "two files with the same ids at once")
def test_import_with_shared_ids_waits_for_the_earlier_one(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    first = deployment.split(deployment.drop(b"thirdPartyId,name\nu1,first\nu2,first\n", "drop/a/a.csv"))
    second = deployment.split(deployment.drop(b"thirdPartyId,name\nu9,x\nu2,second\n", "drop/b/b.csv"))
    other = deployment.split(deployment.drop(b"thirdPartyId,name\nu3,x\n", "drop/c/c.csv"))

    assert deployment.submit(second.import_id, 1).word is Word.DEFERRED
    assert deployment.submit(other.import_id, 1).word is Word.ACCEPTED
    assert len(target.submissions) == 1

    deployment.resume(first.import_id)
    deployment.resume(second.import_id)

    assert target.profile("u2") == {"name": "second"}


@pytest.mark.fault(3, "the event of an older version after that of a newer one")
def test_split_older_version_after_a_newer_one_is_rejected(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    older = deployment.drop(b"thirdPartyId,name\nu1,older\n")
    with freeze_s3_a_minute_later():
        newer = deployment.drop(b"thirdPartyId,name\nu1,newer\n")
    second = deployment.split(newer)
    first = deployment.split(older)

    assert first.summary is not None
    assert "newer version" in first.summary.reason
    assert second.import_id in first.summary.reason
    summary = json.loads(deployment.objects(first.import_id)["summary.json"])
    assert summary["rows"] == {"read": 1, "rejected": 1, "merged": 0, "skipped": 0, "sent": 0}
    assert (summary["rejects"], summary["batches"]) == ({"older_version": 1}, [])
    assert summary["unaccounted"] == 0
    deployment.resume(second.import_id)
    assert target.profile("u1") == {"name": "newer"}
    assert len(target.submissions) == 1


@pytest.mark.fault(3, "the event of an older version while a newer one is queued and about to start")
def test_split_older_version_than_one_being_started_is_rejected(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = deployment.drop(b"thirdPartyId,name\nu1,older\n")
    with freeze_s3_a_minute_later():
        newer = deployment.drop(b"thirdPartyId,name\nu1,newer\n")
    with monkeypatch.context() as patch:
        patch.setattr(deployment.machine, "start_execution", lambda **_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            deployment.split(newer)

    first = deployment.split(older)

    assert first.summary is not None
    assert "newer version" in first.summary.reason
    assert deployment.machine.started == {}


@pytest.mark.fault(3, "two versions dropped within one second, with their events in either order")
@pytest.mark.parametrize("turned", [False, True])
def test_split_two_versions_in_one_second_the_last_one_wins(
    deployment: Deployment, target: simulator.Simulator, *, turned: bool
) -> None:
    moment = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    with patch("moto.s3.models.utcnow", lambda: moment):
        older = deployment.drop(b"thirdPartyId,name\nu1,older\n")
        newer = deployment.drop(b"thirdPartyId,name\nu1,newer\n")
    imports = [deployment.split(dropped) for dropped in ((newer, older) if turned else (older, newer))]

    for imported in imports:
        if imported.summary is None:
            deployment.resume(imported.import_id)

    assert [imported.summary is None for imported in imports] == [True, not turned]
    assert target.profile("u1") == {"name": "newer"}


@pytest.mark.fault(5, "the same content under another key")
def test_import_same_content_under_another_key_is_marked(deployment: Deployment) -> None:
    first = deployment.run(FILE, "drop/default/a.csv")
    second = deployment.run(FILE, "drop/default/b.csv")

    assert first.to_json()["duplicateOf"] == ""
    assert second.to_json()["duplicateOf"] == first.entry.import_id
    assert second.status is ImportStatus.SUCCEEDED


@contextmanager
def freeze_s3_a_minute_later() -> Iterator[None]:
    later = datetime.now(UTC) + timedelta(minutes=1)
    with patch("moto.s3.models.utcnow", lambda: later.replace(tzinfo=None)):
        yield


def _after(times: int) -> Callable[[], bool]:
    """Return an `out_of_time` that is true from the given call on."""
    asked = itertools.count()
    return lambda: next(asked) >= times


def test_import_without_its_token_sends_nothing(deployment: Deployment, target: simulator.Simulator) -> None:
    deployment.configure(token_secret_arn="arn:aws:secretsmanager:us-east-1:123456789012:secret:none")
    imported = deployment.split(deployment.drop(FILE))
    with pytest.raises(TokenError):
        deployment.submit(imported.import_id, 1)

    summary = deployment.finish(imported.import_id)

    assert target.submissions == []
    assert summary.status is ImportStatus.FAILED
    assert "Secrets Manager did not give the token" in summary.reason
    assert summary.unaccounted == 0
