"""The steps on fakes in memory. `tests/unit/aws` and `tests/faults` run what they need of AWS on moto."""

from __future__ import annotations

import pytest

import simulator
from tests.worlds.in_memory import InMemoryDeployment


@pytest.fixture
def deployment(target: simulator.Simulator) -> InMemoryDeployment:
    """The whole application, in memory."""
    return InMemoryDeployment(target.url)
