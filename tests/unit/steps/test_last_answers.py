"""Target's last usable answer about a body is kept whole, wherever it fits."""

from __future__ import annotations

import pytest

from bulk_profiles.aws.s3 import Storage
from bulk_profiles.core.models import ProfileStatus
from bulk_profiles.ledger.batch_entry import BatchEntry
from bulk_profiles.steps.last_answers import keep_answer, last_answer
from bulk_profiles.target.answers import StatusAnswer, TargetState
from tests.worlds.in_memory import InMemoryDeployment

BATCH = BatchEntry("crm-1", 7, 2, 30, "aa")
NAMES_NONE = StatusAnswer(TargetState.INCOMPLETE, batch_id="demo-1", successful=1)
NAMES_ONE = StatusAnswer(TargetState.INCOMPLETE, batch_id="demo-1", profiles={"u1": ProfileStatus.ERROR})


@pytest.fixture
def storage(deployment: InMemoryDeployment) -> Storage:
    return deployment.storage


def test_batch_without_an_answer_has_none(storage: Storage) -> None:
    assert keep_answer(BATCH, None, storage) == BATCH
    assert last_answer(BATCH, storage) is None


@pytest.mark.parametrize(("answer", "objects"), [(NAMES_NONE, 0), (NAMES_ONE, 1)])
def test_answer_is_kept_whole_and_its_profiles_beside_the_results(
    deployment: InMemoryDeployment, answer: StatusAnswer, objects: int
) -> None:
    batch = keep_answer(BATCH, answer, deployment.storage)
    assert last_answer(BatchEntry.from_json(batch.to_json()), deployment.storage) == answer
    assert len(deployment.objects("crm-1")) == objects
