"""Planted faults: change template, state machine or code in one place each and see whether a test notices.

`make mutate` runs it. Each fault of `tools.planted_faults` and `tools.planted_in_code` is put into a scratch
copy below .run/planted, and the test whose promise it breaks must fail on that copy. A new promise of the
template or of the state machine is a test in tests/contract and at least one fault.
"""

from __future__ import annotations

import contextlib
import copy
import io
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from local.engine import ROOT
from tests.worlds import deployable
from tools.planted_faults import FAULTS, Fault, Removed
from tools.planted_in_code import CODE_FAULTS

type Document = dict[str, Any]

_WORK = ROOT / ".run/planted"
_PROJECT = (
    *("layers/shared/bulk_profiles", "functions", "local", "simulator", "statemachine", "events", "tests"),
    *("template.yaml", "samconfig.toml", "pyproject.toml"),
)
# What costs more time here than it can show: rewritten assertions, a search for objects that nobody closed.
_OPTIONS = ("-x", "--assert=plain", "-p", "no:cacheprovider", "-p", "no:unraisableexception")


def plant(document: Document, fault: Fault) -> Document:
    """Return a copy of a document with one fault in it.

    Raises ValueError where the document has no such place, or has the fault already.
    """
    changed = copy.deepcopy(document)
    *parents, last = fault.path.split("/")
    node: Any = changed
    try:
        for name in parents:
            node = node[_key(node, name)]
        key = _key(node, last)
        if isinstance(fault.value, Removed):
            del node[key]
        else:
            node[key] = fault.value
    except (KeyError, IndexError, TypeError) as error:
        raise ValueError(f"{fault.name}: there is no {fault.path}") from error
    if changed == document:
        raise ValueError(f"{fault.name}: {fault.path} is so already")
    return changed


def plant_text(text: str, fault: Fault) -> str:
    """Return a text with one fault in it. Raises ValueError where the text has no such place, or several."""
    if text.count(fault.path) != 1:
        raise ValueError(f"{fault.name}: {fault.path!r} is there {text.count(fault.path)} times")
    return text.replace(fault.path, fault.value)


def _key(node: Any, name: str) -> str | int:
    return int(name) if isinstance(node, list) else name


def failures(tests: Sequence[str], template: Path | None = None, definition: Path | None = None) -> list[str]:
    """Run tests on a template and a definition, those of the project by default; return what failed.

    Stops at the first failure. Raises RuntimeError where there are no such tests.
    """
    deployable.use(template, definition)
    # The tests are loaded anew, because their parameters are read from what is tested.
    for name in [name for name in sys.modules if name.startswith("tests.contract.")]:
        del sys.modules[name]
    report = _Report()
    paths = [str(ROOT / test) for test in tests]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        code = pytest.main([*_OPTIONS, "--rootdir", str(ROOT), *paths], plugins=[report])
    if code not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED} and not report.failed:
        raise RuntimeError(f"pytest could not run {', '.join(tests)}: exit code {int(code)}")
    return report.failed


class _Report:
    """Collects the tests that fail, in their calls, their fixtures or where they are collected."""

    def __init__(self) -> None:
        self.failed: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.append(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.failed.append(report.nodeid)


def node_id(promise: str) -> str:
    """Return pytest's name of a promise's test: `alarms.test_x` is in tests/contract/test_alarms.py."""
    if "::" in promise:
        return promise
    module, _, test = promise.partition(".")
    return f"tests/contract/test_{module}.py::{test}"


def is_noticed(fault: Fault) -> bool:
    """Whether the test of the promise that a fault breaks fails with it."""
    if fault.file.suffix == ".py":
        return _is_noticed_in_code(fault)
    _WORK.mkdir(parents=True, exist_ok=True)
    scratch = _WORK / f"{os.getpid()}-{fault.file.name}"
    scratch.write_text(json.dumps(plant(_read(fault.file), fault), indent=2))
    is_template = fault.file.suffix == ".yaml"
    files = {"template": scratch} if is_template else {"definition": scratch}
    try:
        failed = failures([node_id(fault.promise)], **files)
        return any(name.startswith(node_id(fault.promise)) for name in failed)
    finally:
        scratch.unlink()


def _is_noticed_in_code(fault: Fault) -> bool:
    """Run the test in a process of its own, on a copy of the project: this one has the code loaded already.

    Raises RuntimeError where there is no such test.
    """
    copy_ = _WORK / f"{os.getpid()}-project"
    if not copy_.exists():
        for name in _PROJECT:
            source, target = ROOT / name, copy_ / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, target)
    changed = copy_ / fault.file.relative_to(ROOT)
    before = changed.read_text()
    changed.write_text(plant_text(before, fault))
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "pytest", *_OPTIONS, fault.promise],
            cwd=copy_,
            env={**os.environ, "PYTHONPATH": "layers/shared:.", "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        changed.write_text(before)
    if ended.returncode not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}:
        raise RuntimeError(f"{fault.name}: pytest could not run {fault.promise}: {ended.stdout[-500:]}")
    return ended.returncode == pytest.ExitCode.TESTS_FAILED


def _read(file: Path) -> Document:
    deployable.use()
    document: Document = deployable.template() if file.suffix == ".yaml" else json.loads(file.read_text())
    return document


def main() -> int:
    """Plant all faults and print the table; 1 where a fault is not noticed."""
    begin = time.monotonic()
    shutil.rmtree(_WORK, ignore_errors=True)
    faults = (*CODE_FAULTS, *FAULTS)
    promises = sorted({node_id(fault.promise) for fault in faults})
    if broken := failures(promises):
        print(f"Without any fault, {broken[0]} fails: mend that first.")
        return 2
    print("| Planted fault | Noticed by |\n|---|---|")
    unnoticed = 0
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as processes:
        for fault, noticed in zip(faults, processes.map(is_noticed, faults, chunksize=4), strict=True):
            unnoticed += not noticed
            print(f"| {fault.name} | {fault.promise if noticed else 'NOT NOTICED'} |", flush=True)
    seconds = time.monotonic() - begin
    print(f"{len(faults) - unnoticed} of {len(faults)} planted faults are noticed; {seconds:.0f} seconds.")
    return 1 if unnoticed else 0


if __name__ == "__main__":
    sys.exit(main())
