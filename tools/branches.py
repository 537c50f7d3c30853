"""Branch coverage: what no test reaches of the package and the handlers. `make coverage` runs it.

coverage.py measures them, also in the processes that tests start. What is missing must be listed in
`tools.uncovered`, with its reason; in the rooms of `_WHOLE` nothing may be missing.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.engine import ROOT
from tools.uncovered import UNCOVERED, Uncovered

_REPORT = ROOT / ".run/coverage/report.json"
_PACKAGE = "layers/shared/bulk_profiles/"
_WHOLE = ("steps", "budget", "ledger", "target")


@dataclass(frozen=True, slots=True)
class Gap:
    """A function of which a part is not reached."""

    module: str  # e.g. `aws.s3`, or `functions.split_file.app`
    function: str  # e.g. `Sink.abort`; empty: outside of functions
    missing: int  # lines and branches
    where: str  # the first of them, e.g. `layers/shared/bulk_profiles/aws/s3.py:12`


def gaps(report: dict[str, Any]) -> Iterator[Gap]:
    """Yield the gaps in a report of coverage.py in JSON."""
    for path, file in sorted(report["files"].items()):
        module = path.removeprefix(_PACKAGE).removesuffix(".py").replace("/", ".")
        for function, part in file["functions"].items():
            lines = [*part["missing_lines"], *(start for start, _ in part["missing_branches"])]
            if lines:
                yield Gap(module, function, len(lines), f"{path}:{min(lines)}")


def faults(found: list[Gap], listed: tuple[Uncovered, ...]) -> list[str]:
    """Return in sentences which gaps are not listed, and which entries of the list are not true."""
    reasons = {(entry.module, entry.function): entry for entry in listed}
    sentences = []
    for gap in found:
        entry = reasons.pop((gap.module, gap.function), None)
        name = f"{gap.module}: {gap.function or 'the module itself'}"
        if entry is None:
            sentences.append(f"{gap.where}: {name}: {gap.missing} lines and branches are not reached.")
        elif entry.missing != gap.missing:
            sentences.append(f"{gap.where}: {name}: {gap.missing} are not reached, not {entry.missing}.")
    sentences += [f"{module}: {function} is reached: take it off the list." for module, function in reasons]
    sentences += [
        f"{entry.module}: {entry.function}: nothing may be missing in this room."
        for entry in listed
        if entry.module.startswith(tuple(f"{room}." for room in _WHOLE))
    ]
    return sentences


def main() -> int:
    """Compare the report with the list; 1 where they differ."""
    report = json.loads(Path(_REPORT).read_text())
    sentences = faults(list(gaps(report)), UNCOVERED)
    print("\n".join(sentences))
    totals = report["totals"]
    print(
        f"{totals['covered_branches']} of {totals['num_branches']} branches"
        f" and {totals['covered_lines']} of {totals['num_statements']} lines are reached;"
        f" {len(UNCOVERED)} functions are listed with a reason why not all of theirs are."
    )
    return 1 if sentences else 0


if __name__ == "__main__":
    sys.exit(main())
