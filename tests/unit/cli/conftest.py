"""What the tests of the command line share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def customers(tmp_path: Path) -> Path:
    """A file of four rows: one without an id, and two of one id."""
    path = tmp_path / "customers.csv"
    path.write_bytes(b"thirdPartyId,a\n1,x\n,y\n2,z\n1,w\n")
    return path
