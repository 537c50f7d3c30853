"""The table of the reasons to wait has every one of them."""

from __future__ import annotations

import re
from pathlib import Path

from bulk_profiles.core.models import Why

OPERATING = Path(__file__).parents[3] / "docs/operating.md"


def test_operating_explains_every_reason_to_wait() -> None:
    text = OPERATING.read_text()
    table = text[text.index("| `why` |") :].split("\n\n", 1)[0]
    assert re.findall(r"^\| `(\w+)` \| (?!The batch)", table, re.MULTILINE) == [why.value for why in Why]
