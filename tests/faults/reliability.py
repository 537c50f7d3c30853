"""The table of faults in docs/reliability.md, made by a test run: `pytest --reliability docs/reliability.md`.

A test names the fault that it shows with `@pytest.mark.fault(14, "UTF-16 with and without BOM")`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest

MOST = 63
AREAS = {1: "Arrival", 11: "Content", 28: "Submitting", 42: "Status", 51: "Platform"}  # from number on
NOT_SHOWN: dict[int, str] = {}  # number -> why no test shows it

_BEGIN, _END = "<!-- faults: begin -->", "<!-- faults: end -->"
_ORDER = (
    "failed",
    "xfailed",
    "skipped",
    "passed",
)  # the first of these among the cases is the outcome of the test
_IN_WORDS = {
    "failed": "**did not hold**",
    "xfailed": "known fault",
    "skipped": "not tried here",
    "passed": "held",
}

type _Key = tuple[int, str, str]  # number, words, test


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--reliability", metavar="FILE", help="write the table of faults into this file")


def pytest_configure(config: pytest.Config) -> None:
    path: str | None = config.getoption("--reliability")
    if path and not hasattr(config, "workerinput"):  # the workers of a parallel run only report
        config.pluginmanager.register(_Table(Path(path)))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for mark in item.iter_markers("fault"):
            number, words = mark.args
            if not 1 <= number <= MOST:
                raise pytest.UsageError(f"{item.nodeid}: there is no fault {number}")
            item.user_properties.append(("fault", [number, words]))


class _Table:
    """A plugin that collects the outcome of each test and writes the table at the end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._outcomes: dict[_Key, list[str]] = defaultdict(list)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call" and report.passed:
            return
        outcome = "xfailed" if hasattr(report, "wasxfail") else report.outcome
        test = report.nodeid.partition("[")[0]
        for name, value in report.user_properties:
            if name == "fault" and isinstance(value, list):
                number, words = value
                self._outcomes[number, words, test].append(outcome)

    def pytest_sessionfinish(self) -> None:
        text = self._path.read_text(encoding="utf-8")
        table = f"{_BEGIN}\n\n{self._rows()}\n{_END}"
        inside = re.compile(re.escape(_BEGIN) + ".*" + re.escape(_END), re.DOTALL)
        self._path.write_text(inside.sub(lambda _: table, text), encoding="utf-8")

    def _rows(self) -> str:
        lines = []
        for number in range(1, MOST + 1):
            if number in AREAS:
                lines += [
                    "",
                    f"### {AREAS[number]}",
                    "",
                    "| | Fault | Shown by | Outcome |",
                    "|---|---|---|---|",
                ]
            keys = sorted(key for key in self._outcomes if key[0] == number)
            for place, key in enumerate(keys):
                _, words, test = key
                first = str(number) if place == 0 else ""
                lines.append(f"| {first} | {words} | {_link(test)} | {_in_words(self._outcomes[key])} |")
            if not keys:
                lines.append(f"| {number} | {NOT_SHOWN.get(number, 'no test of this run')} | | not shown |")
        return "\n".join(lines[1:]) + "\n"


def _link(test: str) -> str:
    path, _, name = test.partition("::")
    return f"[`{name}`](../{path})"


def _in_words(outcomes: list[str]) -> str:
    worst = next(word for word in _ORDER if word in outcomes)
    cases = f", {len(outcomes)} cases" if len(outcomes) > 1 else ""
    return _IN_WORDS[worst] + cases
