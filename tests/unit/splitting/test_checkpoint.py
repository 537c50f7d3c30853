"""A checkpoint holds all that a split needs to go on."""

from __future__ import annotations

import json
from collections import Counter

from bulk_profiles.core.models import PlannedBatch
from bulk_profiles.splitting.batches.rejects import Tally
from bulk_profiles.splitting.checkpoint import Phase, Progress
from bulk_profiles.splitting.reading.blocks import Position


def test_progress_read_from_its_json_is_the_same() -> None:
    progress = Progress(
        phase=Phase.FINAL,
        names=("pcId", "a"),
        start=Position(7, 2),
        done=3,
        batches=(PlannedBatch(1, 2, 30, "ab"),),
        tally=Tally(5, Counter(empty_id=1), Counter(long_id=2), {"empty_id": [4]}),
        hash_runs=(4, 5),
        oversized=("cd",),
    )
    assert Progress.from_json(json.loads(json.dumps(progress.to_json()))) == progress


def test_progress_at_the_start_of_a_split_is_the_same() -> None:
    assert Progress.from_json(json.loads(json.dumps(Progress().to_json()))) == Progress()
