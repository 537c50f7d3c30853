"""The example of a dialect, from each batch's answer to the summary."""

from __future__ import annotations

from pathlib import Path

import pytest

import simulator
from bulk_profiles.core.models import ProfileCounts
from tests.worlds.deployment import Deployment

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
    assert summary.evidence == {"reported": 1, "implied": 9}
    assert "Batch 2 (2 rows): Target's answer has a part that is not known: failedProfiles" in summary.reason
    assert 'Batch 6 (2 rows): Target refused the batch: "The batch is not welcome".' in summary.reason
    assert [batch.unread for batch in summary.batches] == [0, 0, 0, 0, 2, 0, 0]
