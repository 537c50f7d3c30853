"""What a step fails with stands where people look, until a step goes on."""

from __future__ import annotations

from typing import Any

import pytest

from bulk_profiles.aws.s3 import Storage
from bulk_profiles.core.errors import ConflictError, StorageError
from bulk_profiles.core.models import ImportStatus
from bulk_profiles.ledger.ledger import Ledger
from tests.worlds.deployment import Deployment

FILE = b"thirdPartyId,name\nu1,Ada\nu2,Grace\n"
DENIED = "S3 did not read 'a': AccessDenied."


def fails_with(error: Exception) -> Any:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    return fail


@pytest.mark.parametrize("step", ["submit", "check"])
@pytest.mark.parametrize(
    ("error", "words"),
    [(StorageError(DENIED), DENIED), (ValueError("Ada"), "The step failed: ValueError.")],
)
def test_a_batch_whose_steps_fail_says_why_until_one_goes_on(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, step: str, error: Exception, words: str
) -> None:
    import_id = deployment.split(deployment.drop(FILE)).import_id
    if step == "check":
        deployment.submit(import_id, 1)
        deployment.clock.advance(hours=1)
    with monkeypatch.context() as patch:
        patch.setattr(Storage, "open", fails_with(error))
        for _ in range(2):
            with pytest.raises(type(error)):
                getattr(deployment, step)(import_id, 1)
        assert deployment.ledger.get_batch(import_id, 1).failure == words
    summary = deployment.finish(import_id)
    assert f"Batch 1 (2 rows): {words}" in summary.reason
    assert summary.to_json()["batches"][0]["reason"] == words

    assert deployment.resume(import_id).status is ImportStatus.SUCCEEDED
    assert deployment.ledger.get_batch(import_id, 1).failure == ""


def test_another_execution_that_was_faster_is_no_failure(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_id = deployment.split(deployment.drop(FILE)).import_id
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "save_batch", fails_with(ConflictError("The entry changed.")))
        with pytest.raises(ConflictError):
            deployment.submit(import_id, 1)
    assert deployment.ledger.get_batch(import_id, 1).failure == ""
