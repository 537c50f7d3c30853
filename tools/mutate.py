"""Mutation testing: change the code in many small ways and see whether a test notices. `make mutate` runs it.

mutmut makes the changes, on a copy below .run/mutate. A run resumes where the last one of the same code
stopped. The table counts for each module how many changes were tried and how many of them a test noticed. A
change that no test notices costs the time of all tests that reach it, so only quick ones take part: those of
the modules themselves.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence

from local.engine import ROOT, TOOLS
from local.processes import last_line

_MODULES = (
    "splitting.rows.plain",
    "splitting.rows.encoding",
    "splitting.batches.cutter",
    "splitting.batches.merged_rows",
    "splitting.batches.repeated_ids",
    "splitting.batches.writer",
    "ledger.import_entry",
    "ledger.batch_entry",
    "ledger.ledger",
    "aws.dynamodb",
    "budget.policy",
    "budget.state",
    "budget.reserve",
    "target.answers",
    "target.verdict",
    "target.named_ids",
    "target.response",
    "target.xml_reader",
    "target.xml_parser",
    "target.flat_reader",
    "target.charset",
    "target.content_coding",
    "target.own_words",
)
_TESTS = (
    "target/test_answers",
    "target/test_verdict",
    "target/test_named_ids",
    "target/test_response",
    "target/test_xml_reader",
    "target/test_flat_reader",
    "target/test_charset",
    "target/test_content_coding",
    "target/test_own_words",
    "budget/test_reserve",
    "splitting/batches/test_cutter",
    "splitting/batches/test_merged_rows",
    "splitting/batches/test_repeated_ids",
    "splitting/batches/test_writer",
    "splitting/rows/test_encoding",
    "splitting/rows/test_plain",
    "splitting/rows/test_prepare",
    "splitting/rows/test_row_check",
    "splitting/test_split",
    "ledger/test_batch_entry",
    "ledger/test_ledger",
)
_COPIED = ("tests", "local", "simulator")
_SURVIVED, _UNTESTED = 0, 33  # mutmut's exit codes; 33: no test reaches the change
_TIMEOUT = 8.0  # times the duration of the tests, plus as many seconds; then the change is an endless loop
_WORK = ROOT / ".run/mutate"


def prepare() -> None:
    """Copy code and tests, unless the last run copied the same."""
    files = [path for name in (*_COPIED, "layers") for path in sorted((ROOT / name).rglob("*.py"))]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
    stamp = _WORK / "sources"
    if stamp.exists() and stamp.read_text() == digest:
        return
    shutil.rmtree(_WORK, ignore_errors=True)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(
        ROOT / "layers/shared/bulk_profiles", _WORK / "src/bulk_profiles", dirs_exist_ok=True, ignore=ignored
    )
    for name in _COPIED:
        shutil.copytree(ROOT / name, _WORK / name, ignore=ignored)
    settings = {
        "source_paths": ["src"],
        "also_copy": list(_COPIED),
        "only_mutate": [f"src/bulk_profiles/{_path(name)}.py" for name in _MODULES],
        "pytest_add_cli_args": ["--import-mode=importlib", "-p", "no:cacheprovider"],
        "pytest_add_cli_args_test_selection": [f"tests/unit/{name}.py" for name in _TESTS],
        "timeout_multiplier": [str(_TIMEOUT)],
    }
    lines = ["[mutmut]", *(f"{name}=\n  " + "\n  ".join(values) for name, values in settings.items())]
    lines += ["[tool:pytest]", "pythonpath = .", "markers = fault: a fault that a test shows"]
    (_WORK / "setup.cfg").write_text("\n".join(lines) + "\n")
    stamp.write_text(digest)


def select(names: Sequence[str]) -> list[str]:
    """Return the modules that the names of modules or rooms stand for; no name stands for all of them.

    Raises ValueError for a name without any module.
    """
    if unknown := [name for name in names if not any(_is_in(module, name) for module in _MODULES)]:
        raise ValueError(f"no module or room {', '.join(unknown)}; there are {', '.join(_MODULES)}")
    return [module for module in _MODULES if not names or any(_is_in(module, name) for name in names)]


def _is_in(module: str, room: str) -> bool:
    return f"{module}.".startswith(f"{room}.")


def run(modules: Sequence[str], seconds: float) -> None:
    """Try changes, one per processor at a time, until all are tried or the time is over."""
    untried = [name for module in modules for name in _untried(module)]
    if not untried:
        return
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    command = ["nice", str(TOOLS / "mutate/bin/mutmut"), "run", *untried]
    with (
        (_WORK / "mutmut.log").open("w") as log,
        subprocess.Popen(
            command, cwd=_WORK, env=environment, stdout=log, stderr=log, start_new_session=True
        ) as mutmut,
    ):
        try:
            mutmut.wait(seconds)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(mutmut.pid, 15)


def _untried(module: str) -> list[str]:
    """Return mutmut's names of the changes to try; it would try again what it has tried before."""
    codes = _codes(module)
    if codes is None:
        return [f"bulk_profiles.{module}.*"]
    return [name for name, code in codes.items() if code is None]


def _codes(module: str) -> dict[str, int | None] | None:
    """Return the exit code of each change of a module, None for an untried one; None before the first run."""
    meta = _WORK / f"mutants/src/bulk_profiles/{_path(module)}.py.meta"
    return json.loads(meta.read_text())["exit_code_by_key"] if meta.exists() else None


def _path(module: str) -> str:
    return module.replace(".", "/")


def outcomes(module: str) -> Counter[str]:
    """Count a module's changes by their outcome: noticed, survived, untried."""
    codes = _codes(module) or {}
    return Counter("untried" if code is None else _word(code) for code in codes.values())


def _word(code: int) -> str:
    return "survived" if code in {_SURVIVED, _UNTESTED} else "noticed"


def table() -> list[str]:
    """Return the scores as a Markdown table."""
    rows = {module: outcomes(module) for module in _MODULES}
    rows["all"] = sum(rows.values(), Counter())
    lines = ["| Module | Changes tried | Noticed | Score | Not tried |", "|---|--:|--:|--:|--:|"]
    for module, counts in rows.items():
        tried = counts["noticed"] + counts["survived"]
        score = f"{counts['noticed'] / tried:.0%}" if tried else "-"
        lines.append(f"| {module} | {tried} | {counts['noticed']} | {score} | {counts['untried']} |")
    return lines


def main() -> int:
    """Try the changes of the chosen modules and print the scores of all."""
    parser = argparse.ArgumentParser(prog="python -m tools.mutate", description=__doc__)
    parser.add_argument("--seconds", type=float, default=1800)
    parser.add_argument(
        "names", nargs="*", metavar="name", help="a module or a room, e.g. budget.policy or budget"
    )
    options = parser.parse_args()
    try:
        modules = select(options.names)
    except ValueError as error:
        parser.error(str(error))
    prepare()
    run(modules, options.seconds)
    if not any(outcomes(module)["noticed"] for module in _MODULES):
        print(f"No change was tried: {last_line(_WORK / 'mutmut.log')}.")
        print("Do all tests pass, and is there time to run them all once first? See --seconds.")
        return 2
    print("\n".join(table()))
    print(f"For the survivors: cd {_WORK.relative_to(ROOT)}, then mutmut results. mutmut.log is there, too.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
