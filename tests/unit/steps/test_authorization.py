"""What is noted of a client's token while others note it, too."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bulk_profiles.aws.secrets import Tokens
from bulk_profiles.core.errors import ConflictError
from bulk_profiles.ledger.batch_entry import BatchEntry
from bulk_profiles.ledger.ledger import Ledger
from bulk_profiles.steps.authorization import Authorization
from tests.worlds.deployment import Deployment

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


def test_refusal_that_cannot_be_noted_is_taken_as_one_of_the_token(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch waits for another token, and the next refusal is noted."""

    def conflict(*_: object) -> None:
        raise ConflictError("The entry changes too often.")

    monkeypatch.setattr(Ledger, "change_token", conflict)
    authorization = Authorization(deployment.ledger, Tokens(""), "demo")
    batch = BatchEntry("crm-1", 1, 2, 30, "aa").change(renewals=1)
    assert authorization.refused(batch, "old-token", "HTTP 401", NOW) is False
