"""The example of a dialect, from each batch's answer to the summary."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

import simulator
from bulk_profiles.core.models import ProfileCounts
from bulk_profiles.steps.messages import Word
from tests.worlds.deployment import START, Deployment

FOLDER = Path(__file__).parents[2] / "simulator"


@pytest.mark.fault(46, "answers scripted by batch: each batch's results are by its own answer")
def test_dialect_of_the_example_comes_to_these_results(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    target.speak((FOLDER / "dialect.txt").read_text())

    summary = deployment.run((FOLDER / "dialect.csv").read_bytes())

    assert [batch.profiles for batch in summary.batches] == [
        ProfileCounts(success=2),
        ProfileCounts(unknown=2),
        ProfileCounts(success=2),
        ProfileCounts(success=2),
        ProfileCounts(success=2),
        ProfileCounts(error=2),
        ProfileCounts(success=2),
    ]
    assert +summary.evidence == {"reported": 1, "implied": 9}
    assert "Batch 2 (2 rows): Target's answer has a part that is not known: failedProfiles" in summary.reason
    assert 'Batch 6 (2 rows): Target refused the batch: "The batch is not welcome".' in summary.reason
    assert [batch.unread for batch in summary.batches] == [0, 0, 0, 0, 2, 0, 0]


def _side_by_side(deployment: Deployment, import_id: str) -> None:
    """Walk all batches as a map run does: whichever is due first takes the next step."""
    due = [
        (deployment.clock(), number, deployment.submit) for number in deployment.machine.started[import_id]
    ]
    for _ in range(5_000):
        if not due:
            return
        due.sort(key=lambda step: step[:2])
        at, number, step = due.pop(0)
        deployment.clock.reach(at)
        outcome = step(import_id, number)
        if outcome.word is Word.SETTLED and step == deployment.check:
            continue
        again = outcome.word in {Word.DEFERRED, Word.RESUBMIT}
        due.append((outcome.resume_at or at, number, deployment.submit if again else deployment.check))
    raise AssertionError("the batches go round in circles")


@pytest.mark.fault(30, "401 and 403 for some batches among many, side by side: they stop no other")
def test_batches_that_target_does_not_authorize_stop_no_other(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    sections = ["submit with u0\ncode 401", "submit with u4\ncode 403", "submit with u8\ncode 401"]
    sections += ["status with u12\ncode 401", "status with u16\ncode 403", "status with u20\ncode 401"]
    target.speak("\n".join(sections))
    deployment.configure(deadline_hours=2)
    rows = b"".join(b"u%d,Ada\n" % number for number in range(40))
    import_id = deployment.split(deployment.drop(b"thirdPartyId,name\n" + rows)).import_id

    _side_by_side(deployment, import_id)

    summary = deployment.finish(import_id)
    assert summary.profiles == ProfileCounts(success=28, error=6, pending=6)
    assert summary.unaccounted == 0
    ended = {batch.number: batch.settled_at - START for batch in summary.batches if batch.settled_at}
    authorized = [number for number in ended if (number - 1) * 2 not in {0, 4, 8, 12, 16, 20}]
    assert max(ended[number] for number in authorized) < timedelta(minutes=20)
    assert max(ended.values()) < timedelta(hours=3)


@pytest.mark.fault(
    30, "a token that is dead for all batches of an import, side by side: few calls, then renewed"
)
def test_batches_of_a_dead_token_wait_side_by_side(
    deployment: Deployment, target: simulator.Simulator
) -> None:
    target.speak("submit *\ncode 401")
    deployment.configure(deadline_hours=2)
    rows = b"".join(b"u%d,Ada\n" % number for number in range(40))
    import_id = deployment.split(deployment.drop(b"thirdPartyId,name\n" + rows)).import_id

    _side_by_side(deployment, import_id)

    summary = deployment.finish(import_id)
    assert summary.profiles == ProfileCounts(not_sent=40)
    assert len(target.submissions) < 12
    assert deployment.clock() - START < timedelta(hours=3)
