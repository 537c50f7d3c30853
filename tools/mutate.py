"""Mutation testing: change the code in many small ways and see whether a test notices. `make mutate` runs it.

mutmut makes the changes, room by room, each on a copy below .run/mutate; the tests of a room are those that
mirror it below tests/unit, and for some rooms files of tests/faults, too (see `_TESTS`). A run resumes where
the last one of the same code stopped. A change that no test notices costs the time of all tests that
reach it, so only quick ones take part: no property tests.

Without a name, the rooms are tried whose code or tests differ from what the table in docs/reliability.md is
about: its last column is a digest of both.

mutmut changes the bodies of functions. What stands outside of them, or below a decorator, it does not change.
It does not see what only a fork runs, nor what runs while a module is loaded: what it says that no test
noticed is tried once more, by all tests of the room in a process of their own. What is the same to a user is
listed in `tools/equivalent.py` and does not count.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from local.engine import ROOT, TOOLS
from local.processes import last_line
from tools.equivalent import EQUIVALENT

_PACKAGE = Path("layers/shared/bulk_profiles")
_COPIED = (
    *("tests", "local", "simulator", "functions", "statemachine", "events", "docs"),
    *("template.yaml", "samconfig.toml", "pyproject.toml"),
)
# Rooms whose tests are not, or not only, those in the folder of the same name.
_TESTS = {
    "accounting": ("unit/accounting", "faults/test_failed_rows.py"),
    "aws": ("unit/aws", "unit/cli/test_forget.py", "unit/cli/test_drop.py", "unit/cli/test_feeds.py"),
    "cli": ("unit/cli", "unit/docs/test_generate.py"),
    "cli.commands": ("unit/cli", "unit/docs/test_generate.py"),
    "splitting.rows": (
        *("unit/splitting/rows", "unit/splitting/reading/test_repeated_header.py"),
        "unit/splitting/test_split.py",
    ),
    "splitting.batches": ("unit/splitting/batches", "unit/splitting/test_split.py"),
    "splitting.reading": ("unit/splitting/reading", "unit/splitting/test_split.py"),
    "splitting.parallel": ("unit/splitting/parallel", "unit/splitting/test_pending_blocks.py"),
    "steps": (
        *("unit/steps", "faults/test_upload_batch.py", "faults/test_check_status.py"),
        *("faults/test_resend.py", "faults/test_isolation.py", "faults/test_verify.py"),
    ),
}
_PROPERTIES = "*_properties.py"  # take no part; pytest ignores no file that it is given by name
_SURVIVED, _UNTESTED = 0, 33  # mutmut's exit codes; 33: no test reaches the change in its own process
_TIMEOUT = 8.0  # times the duration of the tests, plus as many seconds; then the change is an endless loop
_GOAL = 0.95
_WORK = ROOT / ".run/mutate"
_TABLE = ROOT / "docs/reliability.md"
_BEGIN, _END = "<!-- mutation: begin -->", "<!-- mutation: end -->"
_HEAD = "| Room | Changes | Tried | Noticed | Score | Of |\n|---|--:|--:|--:|--:|---|"
_ROW = re.compile(r"^\| ([a-z.]+) \| (\d+) \| (\d+) \| (\d+) \| [^|]+ \| `(\w+)` \|$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Room:
    """A room of the package, or the handlers."""

    name: str  # e.g. `splitting.rows`
    modules: tuple[str, ...]  # e.g. `splitting.rows.plain`

    @property
    def sources(self) -> list[Path]:
        """The files of the modules, from the project's root on."""
        folder = Path() if self.name == "functions" else _PACKAGE
        return [folder / f"{module.replace('.', '/')}.py" for module in self.modules]

    @property
    def tests(self) -> list[Path]:
        """The files and folders with the room's tests, from the project's root on."""
        if self.name == "splitting":  # its folder has the tests of the rooms in it, too
            paths = sorted((ROOT / "tests/unit/splitting").glob("test_*.py"))
            return [path.relative_to(ROOT) for path in paths if not path.match(_PROPERTIES)]
        names = _TESTS.get(self.name) or (f"unit/{self.name.replace('.', '/')}",)
        return [Path("tests") / name for name in names]

    @property
    def digest(self) -> str:
        """A digest of the code and of its tests."""
        tests = [path for test in self.tests for path in _files(ROOT / test)]
        contents = [(ROOT / source).read_bytes() for source in self.sources]
        contents += [path.read_bytes() for path in tests]
        return hashlib.sha256(b"\0".join(contents)).hexdigest()[:8]


@dataclass(frozen=True, slots=True)
class Score:
    """A row of the table."""

    room: str
    changes: int
    tried: int  # without those that are the same to a user
    noticed: int
    digest: str  # of what was tried

    @property
    def share(self) -> float:
        """The share of the tried changes that a test noticed; 1 where none was tried."""
        return self.noticed / self.tried if self.tried else 1.0

    def row(self) -> str:
        """Return the row in Markdown."""
        share = f"{self.share:.0%}" if self.tried else "-"
        counts = f"{self.changes} | {self.tried} | {self.noticed} | {share}"
        return f"| {self.room} | {counts} | `{self.digest}` |"


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(path.rglob("*.py"))


def rooms() -> list[Room]:
    """Return all rooms, in the order of their names."""
    modules = sorted(
        ".".join(path.relative_to(ROOT / _PACKAGE).with_suffix("").parts)
        for path in (ROOT / _PACKAGE).rglob("*.py")
        if path.stem not in {"__init__", "__main__"}
    )
    handlers = sorted((ROOT / "functions").glob("*/app.py"))
    names = [f"functions.{path.parent.name}.app" for path in handlers]
    by_room: dict[str, list[str]] = {"functions": names}
    for module in modules:
        by_room.setdefault(module.rpartition(".")[0], []).append(module)
    return [Room(name, tuple(by_room[name])) for name in sorted(by_room)]


def select(names: Sequence[str], scores: dict[str, Score]) -> list[Room]:
    """Return the rooms to try: those named, `all`, or without a name those that changed since their scores.

    A module stands for its room. Raises ValueError for an unknown name.
    """
    every = rooms()
    if "all" in names:
        return every
    if not names:
        return [room for room in every if room.name not in scores or scores[room.name].digest != room.digest]
    if unknown := [name for name in names if not any(_is_named(m, [name]) for r in every for m in r.modules)]:
        raise ValueError(
            f"no room or module {', '.join(unknown)}; there are {', '.join(r.name for r in every)}"
        )
    return [room for room in every if any(_is_named(module, names) for module in room.modules)]


def _is_named(module: str, names: Iterable[str]) -> bool:
    return any(f"{module}.".startswith(f"{name}.") for name in names)


def _module(change: str) -> str:
    """Return the module of a change, e.g. of `bulk_profiles.budget.policy.x_parse__mutmut_1`."""
    return change.removeprefix("bulk_profiles.").rpartition(".")[0]


def function_of(change: str) -> str:
    """Return the name of the changed function: `Pace.parse` of `budget.pace.xǁPaceǁparse__mutmut_1`."""
    name = change.rpartition(".")[2].rpartition("__mutmut_")[0]
    return name.removeprefix("xǁ").replace("ǁ", ".") if name.startswith("xǁ") else name.removeprefix("x_")


def new_lines(diff: str) -> str:
    """Return the lines that a change puts into a function, each stripped, in one line."""
    lines = [line[1:].strip() for line in diff.splitlines() if re.match(r"\+(?!\+\+)", line)]
    return " ".join(lines)


def read_scores(text: str) -> dict[str, Score]:
    """Return the scores in a document, by room."""
    rows = (Score(room, int(a), int(b), int(c), digest) for room, a, b, c, digest in _ROW.findall(text))
    return {score.room: score for score in rows}


def table(scores: dict[str, Score]) -> str:
    """Return the scores as a Markdown table."""
    return "\n".join([_HEAD, *(scores[name].row() for name in sorted(scores))])


def with_table(text: str, scores: dict[str, Score]) -> str:
    """Return a document with another table between its marks."""
    begin, _, rest = text.partition(_BEGIN)
    _, mark, end = rest.partition(_END)
    if not mark:
        raise ValueError(f"there is no {_BEGIN} ... {_END} for the table")
    return f"{begin}{_BEGIN}\n\n{table(scores)}\n\n{_END}{end}"


class Mutation:
    """The changes of one room and what became of them, on a copy of code and tests."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self._digest = room.digest
        self._work = _WORK / room.name

    def prepare(self) -> None:
        """Copy code and tests, unless the last run copied the same."""
        files = [path for name in (*_COPIED, "layers/shared") for path in _files(ROOT / name)]
        settings = self._settings()
        contents = [settings.encode(), *(path.read_bytes() for path in files)]
        digest = hashlib.sha256(b"".join(contents)).hexdigest()
        stamp = self._work / "sources"
        if stamp.exists() and stamp.read_text() == digest:
            return
        shutil.rmtree(self._work, ignore_errors=True)
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / _PACKAGE, self._work / "src/bulk_profiles", ignore=ignored)
        for name in _COPIED:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, self._work / name, ignore=ignored)
            else:
                shutil.copy(ROOT / name, self._work / name)
        (self._work / "setup.cfg").write_text(settings)
        stamp.write_text(digest)

    def _settings(self) -> str:
        handlers = self.room.name == "functions"
        settings = {
            "source_paths": ["functions" if handlers else "src"],
            "also_copy": [*_COPIED, "src"] if handlers else [*_COPIED],
            "only_mutate": [self._copy(source) for source in self.room.sources],
            "pytest_add_cli_args": [
                *("--import-mode=importlib", "-p", "no:cacheprovider", f"--ignore-glob={_PROPERTIES}"),
                *("-c", "setup.cfg"),
            ],
            "pytest_add_cli_args_test_selection": [str(test) for test in self.room.tests],
        }
        lines = ["[mutmut]", *(f"{name}=\n  " + "\n  ".join(values) for name, values in settings.items())]
        # Each change begins in a process where no test has run, and no cache is filled.
        lines += [f"timeout_multiplier={_TIMEOUT}", "process_isolation=forkserver"]
        lines += ["[tool:pytest]", "pythonpath = .", "markers = fault: a fault that a test shows"]
        return "\n".join(lines) + "\n"

    def _copy(self, source: Path) -> str:
        return str(
            source if self.room.name == "functions" else "src/bulk_profiles" / source.relative_to(_PACKAGE)
        )

    def run(self, names: Sequence[str], sample: int, seconds: float) -> None:
        """Try changes, one per processor at a time, until all are tried or the time is over.

        `names`: those of modules or rooms, unless all of the room's changes are meant.
        `sample`: how many of the changes are tried, the same ones every time; 0 for all.
        """
        end = time.monotonic() + seconds
        if not self._codes():  # a run for no change makes the changes and measures the tests
            self._mutmut(["nothing"], end - time.monotonic())
        untried = [name for name in self._chosen(names, sample) if self._codes()[name] is None]
        if untried:
            self._mutmut(untried, end - time.monotonic())
        self._try_all_tests(self.survivors(), end)

    def _chosen(self, names: Sequence[str], sample: int) -> list[str]:
        every = set(names) <= {"all"}
        changes = [change for change in sorted(self._codes()) if every or _is_named(_module(change), names)]
        if not sample or sample >= len(changes):
            return changes
        return sorted(random.Random(self.room.name).sample(changes, sample))  # noqa: S311  # the same each time

    def _mutmut(self, names: Sequence[str], seconds: float) -> None:
        # Tests start processes, too: these find the changed package by the path.
        path = os.pathsep.join([str(self._work / "mutants/src"), os.environ.get("PYTHONPATH", "")])
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": path}
        with (
            (self._work / "mutmut.log").open("w") as log,
            subprocess.Popen(
                ["nice", str(TOOLS / "mutate/bin/mutmut"), "run", *names],
                cwd=self._work,
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            ) as mutmut,
        ):
            try:
                mutmut.wait(max(0, seconds))
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(mutmut.pid, 15)

    def _try_all_tests(self, names: Sequence[str], end: float) -> None:
        """Try changes with all tests of the room, each in a process of its own, until the time is over."""
        if names and self._fails("", end):
            return  # for another reason
        for name in names:
            if self._fails(name, end):
                for meta in self._metas():
                    content = json.loads(meta.read_text())
                    if name in content["exit_code_by_key"]:
                        content["exit_code_by_key"][name] = 1
                        meta.write_text(json.dumps(content))

    def _fails(self, name: str, end: float) -> bool:
        """Whether a test fails with a change, or with none. Where the time is over, it does not."""
        place = self._work / "mutants"
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "MUTANT_UNDER_TEST": name}
        environment["PYTHONPATH"] = os.pathsep.join([str(place / "src"), os.environ.get("PYTHONPATH", "")])
        arguments = ["-x", "-q", "--import-mode=importlib", "-p", "no:cacheprovider", "-c", "setup.cfg"]
        try:
            tests = subprocess.run(
                [
                    *(str(TOOLS / "mutate/bin/python"), "-m", "pytest", *arguments),
                    *(f"--ignore-glob={_PROPERTIES}", *map(str, self.room.tests)),
                ],
                cwd=place,
                env=environment,
                capture_output=True,
                timeout=max(0, end - time.monotonic()),
                check=False,
            )
        except subprocess.TimeoutExpired:
            return False
        return tests.returncode != 0

    def _metas(self) -> list[Path]:
        """Return the files in which mutmut keeps what became of the changes."""
        paths = [self._work / f"mutants/{self._copy(source)}.meta" for source in self.room.sources]
        return [path for path in paths if path.exists()]

    def _codes(self) -> dict[str, int | None]:
        """Return the exit code of each change by its name, None for one that was not tried."""
        codes: dict[str, int | None] = {}
        for meta in self._metas():
            codes |= json.loads(meta.read_text())["exit_code_by_key"]
        return codes

    def survivors(self) -> list[str]:
        """Return the names of the changes that no test noticed, and that make a difference to a user."""
        return [name for name in self._unnoticed() if not self._is_equivalent(name)]

    def _unnoticed(self) -> list[str]:
        return [name for name, code in self._codes().items() if code in {_SURVIVED, _UNTESTED}]

    def _is_equivalent(self, name: str) -> bool:
        place = (_module(name), function_of(name))
        known = {each.change for each in EQUIVALENT if (each.module, each.function) == place}
        if not known:
            return False
        show = [str(TOOLS / "mutate/bin/mutmut"), "show", name]
        diff = subprocess.run(show, cwd=self._work, capture_output=True, text=True, check=True).stdout
        return new_lines(diff) in known

    def score(self) -> Score:
        """Count the changes."""
        codes, unnoticed, survivors = self._codes(), self._unnoticed(), self.survivors()
        tried = sum(code is not None for code in codes.values())
        noticed = tried - len(unnoticed)
        return Score(self.room.name, len(codes), noticed + len(survivors), noticed, self._digest)

    def failure(self) -> str:
        """Return the last line that mutmut wrote."""
        return last_line(self._work / "mutmut.log")


def main() -> int:
    """Try changes and print the table; 1 where too few were noticed, 2 where none could be tried."""
    parser = argparse.ArgumentParser(prog="python -m tools.mutate", description=__doc__)
    parser.add_argument("--seconds", type=float, default=1800, help="the longest time for all rooms")
    parser.add_argument("--sample", type=int, default=0, help="changes to try in each room (default: all)")
    parser.add_argument("--write", action="store_true", help=f"write the table to {_TABLE.relative_to(ROOT)}")
    parser.add_argument("names", nargs="*", metavar="name", help="a room or a module, or `all`")
    options = parser.parse_args()
    scores = read_scores(_TABLE.read_text())
    try:
        chosen = select(options.names, scores)
    except ValueError as error:
        parser.error(str(error))
    end, result = time.monotonic() + options.seconds, 0
    for room in chosen:
        mutation = Mutation(room)
        mutation.prepare()
        mutation.run(options.names, options.sample, end - time.monotonic())
        score = mutation.score()
        if not score.noticed:
            print(f"{room.name}: no change was tried: {mutation.failure()}")
            print("Do its tests pass, and is there time to run them once first? See --seconds.")
            result = 2
            continue
        scores[room.name] = score
        print(f"{room.name}: {score.noticed} of {score.tried} noticed; there are {score.changes}", flush=True)
        print("".join(f"  survived: {name}\n" for name in mutation.survivors()), end="")
        if score.share < _GOAL:
            result = result or 1
    print(table(scores))
    print(f"To see one: cd {_WORK.relative_to(ROOT)}/ROOM, then mutmut show NAME.")
    if options.write:
        _TABLE.write_text(with_table(_TABLE.read_text(), scores))
    return result


if __name__ == "__main__":
    sys.exit(main())
