"""The deployed functions, with a record of every call that they make."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.client import BaseClient
from moto import mock_aws

from simulator import Simulator
from tests.worlds.application import Application, deployed


@pytest.fixture
def application(target: Simulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Application]:
    """The functions, deployed in this process; every call that they make to AWS is recorded."""
    call = BaseClient._make_api_call  # type: ignore[attr-defined]  # where all calls of all clients meet
    with mock_aws():
        application = deployed(target, monkeypatch)

        def record(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
            return application.record(call, client, operation, parameters)

        monkeypatch.setattr(BaseClient, "_make_api_call", record)
        yield application
