"""Every fault is shown by a test, or a reason says why not."""

from __future__ import annotations

import re
from pathlib import Path

from tests.faults.reliability import MOST, NOT_SHOWN

TESTS = Path(__file__).parents[1]
MARK = re.compile(r"mark\.fault\(\s*([0-9]+),")


def test_fault_table_has_a_test_or_a_reason_for_each_fault() -> None:
    shown = {int(number) for path in TESTS.rglob("test_*.py") for number in MARK.findall(path.read_text())}

    assert shown.isdisjoint(NOT_SHOWN)
    assert sorted(shown | NOT_SHOWN.keys()) == list(range(1, MOST + 1))
