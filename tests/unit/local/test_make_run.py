"""`make run` exits as the run does, which is not what make does by itself."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from local.engine import ROOT

SECONDS = 30
PROGRAM = """#!/bin/sh
printf '%s\\n' "$@"
exit {code}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The Makefile in a folder where everything is set up."""
    for name in ("Makefile", "local/run.mk"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    requirements = [f"requirements/{name}.txt" for name in ("local", "engine", "sam")]
    installed = [f"{folder}/.installed" for folder in (".venv", ".tools/engine", ".tools/sam")]
    for name in ("requirements-dev.txt", "pyproject.toml", *requirements, *installed):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def make_run(project: Path, code: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `make run`, as `make` does."""
    return make(project, code, "run", *arguments)


def make(project: Path, code: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make with a program in place of Python that prints its arguments and exits with `code`."""
    python = project / ".venv/bin/python"
    python.parent.mkdir(exist_ok=True)
    python.write_text(PROGRAM.format(code=code))
    python.chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        ["make", *arguments],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


@pytest.mark.parametrize(("code", "expected"), [(0, 0), (1, 1), (2, 2), (130, 2)])
def test_make_run_exits_with_the_code_of_the_run(project: Path, code: int, expected: int) -> None:
    assert make_run(project, code).returncode == expected
    assert list((project / ".run").iterdir()) == []


def test_make_run_without_its_setup_exits_with_2(project: Path) -> None:
    (project / "pyproject.toml").unlink()
    assert make_run(project, 0).returncode == 2


def test_make_run_passes_its_variables_as_options(project: Path) -> None:
    file = "it's a file [1].csv"
    result = make_run(
        project, 0, f"FILE={file}", "PARAMS=A=1 B=2", "OUT=out", "KEEP=1", "TARGET=", "DIALECT=d.txt"
    )
    options = ("--params", "A=1 B=2", "--out", "out", "--dialect", "d.txt", "--keep", "--variables")
    *others, variables = result.stdout.splitlines()
    assert others == ["-m", "local.run", "--file", file, *options]
    assert set(variables.split()) == {"FILE", "PARAMS", "OUT", "KEEP", "TARGET", "DIALECT"}


@pytest.mark.parametrize(("code", "expected"), [(0, 0), (1, 1), (2, 2)])
def test_commands_on_a_kept_run_get_their_variables_and_exit_as_they_do(
    project: Path, code: int, expected: int
) -> None:
    file = "it's a file [1].csv"
    result = make(project, code, "drop", f"FILE={file}", "fed=a b")
    assert result.returncode == expected
    module, *words = result.stdout.splitlines()[1:]
    assert (module, words[0], set(words[1:])) == ("local.commands", "drop", {f"FILE={file}", "fed=a b"})


def test_make_clean_stops_kept_runs_before_their_folders_go(project: Path) -> None:
    (project / ".run").mkdir()
    result = make(project, 0, "clean")
    assert result.stdout.startswith("-m\nlocal.commands\nclean\n")
    assert not (project / ".run").exists()


def test_make_help_fits_a_terminal_of_80_columns(project: Path) -> None:
    lines = make(project, 0, "help").stdout.splitlines()
    assert len(lines) > 20
    assert [line for line in lines if len(line) > 80] == []
