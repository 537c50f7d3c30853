"""What the units of several rooms share."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from moto import mock_aws

from tests.worlds.watched_table import WatchedTable, create_table, empty_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table


@pytest.fixture(scope="module")
def _table() -> Iterator[Table]:
    with mock_aws():
        yield create_table()


@pytest.fixture
def table(_table: Table) -> WatchedTable:
    """An empty table."""
    empty_table(_table)
    return WatchedTable(_table)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The longest that each pause might have been, in seconds; nobody waits."""
    longest: list[float] = []
    monkeypatch.setattr(random, "uniform", lambda least, most: most - least)
    monkeypatch.setattr(time, "sleep", longest.append)
    monkeypatch.setattr("bulk_profiles.aws.profiles_table._LONGEST_WAIT", 5.0)  # as it is
    return longest
