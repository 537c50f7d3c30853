"""Change the code in many small ways and see whether a test notices: `make mutate`.

mutmut does it, on a copy below .run/mutate. A run goes on where the last one of the same code stopped; the
table says for each module how many changes were tried, and how many of them were noticed. A change that no
test notices costs all tests that come by it: so only quick ones take part, those of the modules themselves.
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
    "target.flat_reader",
)
_TESTS = (
    "target/test_answers",
    "target/test_verdict",
    "target/test_named_ids",
    "target/test_response",
    "target/test_xml_reader",
    "target/test_flat_reader",
    "budget/test_reserve",
    "splitting/batches/test_cutter",
    "splitting/batches/test_merged_rows",
    "splitting/rows/test_encoding",
    "splitting/test_split",
    "ledger/test_batch_entry",
    "ledger/test_ledger",
)
_COPIED = ("tests", "local", "simulator")
_SURVIVED, _UNNOTICEABLE = 0, 33  # mutmut's exit codes; 33: no test comes by
_PATIENCE = 8.0  # times what the tests take, and as many seconds: beyond it a change goes round in circles
_WORK = ROOT / ".run/mutate"


def prepare() -> None:
    """Copy code and tests, unless they are those of the last run."""
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
        "timeout_multiplier": [str(_PATIENCE)],
    }
    lines = ["[mutmut]", *(f"{name}=\n  " + "\n  ".join(values) for name, values in settings.items())]
    lines += ["[tool:pytest]", "pythonpath = .", "markers = fault: a fault that a test shows"]
    (_WORK / "setup.cfg").write_text("\n".join(lines) + "\n")
    stamp.write_text(digest)


def run(modules: Sequence[str], seconds: float) -> None:
    """Try changes, one for each processor at a time, until all are tried or the time is over."""
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
    """Give mutmut's names of a module's changes that are to be tried: one that is named is tried again."""
    codes = _codes(module)
    if codes is None:
        return [f"bulk_profiles.{module}.*"]
    return [name for name, code in codes.items() if code is None]


def _codes(module: str) -> dict[str, int | None] | None:
    """Give the exit code of each of a module's changes, None where it is untried; None: none is known yet."""
    meta = _WORK / f"mutants/src/bulk_profiles/{_path(module)}.py.meta"
    return json.loads(meta.read_text())["exit_code_by_key"] if meta.exists() else None


def _path(module: str) -> str:
    return module.replace(".", "/")


def outcomes(module: str) -> Counter[str]:
    """Count what became of a module's changes: noticed, survived, untried."""
    codes = _codes(module) or {}
    return Counter("untried" if code is None else _word(code) for code in codes.values())


def _word(code: int) -> str:
    return "survived" if code in {_SURVIVED, _UNNOTICEABLE} else "noticed"


def table() -> list[str]:
    """Give the score as a table in Markdown."""
    rows = {module: outcomes(module) for module in _MODULES}
    rows["all"] = sum(rows.values(), Counter())
    lines = ["| Module | Changes tried | Noticed | Score | Not tried |", "|---|--:|--:|--:|--:|"]
    for module, counts in rows.items():
        tried = counts["noticed"] + counts["survived"]
        score = f"{counts['noticed'] / tried:.0%}" if tried else "-"
        lines.append(f"| {module} | {tried} | {counts['noticed']} | {score} | {counts['untried']} |")
    return lines


def main() -> int:
    """Prepare, try, say."""
    parser = argparse.ArgumentParser(prog="python -m tools.mutate", description=__doc__)
    parser.add_argument("--seconds", type=float, default=1800)
    parser.add_argument("modules", nargs="*", metavar="module", help=f"of {', '.join(_MODULES)}; all if none")
    options = parser.parse_args()
    if unknown := set(options.modules) - set(_MODULES):
        parser.error(f"there is no module {', '.join(sorted(unknown))}")
    prepare()
    run(options.modules or _MODULES, options.seconds)
    if not any(outcomes(module)["noticed"] for module in _MODULES):
        print(f"No change was tried: {last_line(_WORK / 'mutmut.log')}; are all tests passing?")
        return 2
    print("\n".join(table()))
    print(f"What survived: cd {_WORK.relative_to(ROOT)} and ask mutmut results; its log is beside it.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
