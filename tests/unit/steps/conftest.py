"""The steps on fakes in memory. `tests/unit/aws` and `tests/faults` run what they need of AWS on moto."""

from __future__ import annotations

import pytest

from tests.worlds.in_memory import InMemoryDeployment


@pytest.fixture
def deployment(in_memory: InMemoryDeployment) -> InMemoryDeployment:
    return in_memory
