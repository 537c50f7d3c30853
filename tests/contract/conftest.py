"""The functions as the template deploys them, in this process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto import mock_aws

from simulator import Simulator
from tests.worlds.application import Application, deployed
from tests.worlds.deployable import common_variables, resolved


@pytest.fixture
def application(target: Simulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Application]:
    """The functions, with the whole environment that the template gives them."""
    with mock_aws():
        application = deployed(target, monkeypatch)
        for name, value in common_variables().items():
            monkeypatch.setenv(name, resolved(value))
        yield application
