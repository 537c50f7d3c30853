"""The exit code of a run: 0 only for an import that has succeeded, of which every row is accounted for."""

from __future__ import annotations

import contextlib
import io
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from rich.console import Console

from local import run
from local.errors import LocalRunError

CONSOLE = Console(file=io.StringIO())


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> run.Options:
    """The options of a run whose engine is not started."""
    process = SimpleNamespace(alive=True, log=tmp_path / "engine.log")

    @contextlib.contextmanager
    def folder() -> Iterator[Path]:
        yield tmp_path

    @contextlib.contextmanager
    def deployment(*_: Any, **__: Any) -> Iterator[SimpleNamespace]:
        yield SimpleNamespace(engine=SimpleNamespace(process=process))

    monkeypatch.setattr(run, "run_folder", folder)
    monkeypatch.setattr(run, "deployment", deployment)
    file = tmp_path / "customers.csv"
    file.write_bytes(b"thirdPartyId,name\nu1,Ada\n")
    return run.Options(file, "", {}, tmp_path / "out", "default", None, False, 1, 0, None)


def ends(monkeypatch: pytest.MonkeyPatch, result: dict[str, Any] | Exception) -> None:
    """Let the import end with this summary, or fail."""

    def import_(*_: Any) -> dict[str, Any]:
        if isinstance(result, Exception):
            raise result
        return result

    monkeypatch.setattr(run, "_import", import_)


@pytest.mark.parametrize(
    ("status", "unaccounted", "code"),
    [
        ("succeeded", 0, 0),
        ("succeeded", 1, 1),
        ("partial", 0, 1),
        ("failed", 0, 1),
        ("rejected", 0, 1),
    ],
)
def test_run_exits_with_0_only_if_every_row_is_accounted_for(
    options: run.Options, monkeypatch: pytest.MonkeyPatch, status: str, unaccounted: int, code: int
) -> None:
    ends(monkeypatch, {"status": status, "unaccounted": unaccounted})
    assert run.run(options, CONSOLE) == code


@pytest.mark.parametrize(
    "error",
    [LocalRunError("Nothing moved"), ClientError({"Error": {"Code": "Nothing moved"}}, "GetObject")],
)
def test_run_that_fails_names_the_log_of_the_engine(
    options: run.Options, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    ends(monkeypatch, error)
    with pytest.raises(LocalRunError, match=r"Nothing moved.*; see .*engine\.log"):
        run.run(options, CONSOLE)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--failing", "20000"], "FAILING=20000 is not possible: a whole number, 0 to 10,000"),
        (["--failing", "-1"], "FAILING=-1 is not possible: a whole number, 0 to 10,000"),
        (["--failing", "many"], "FAILING=many is not possible: a whole number, 0 to 10,000"),
        (["--failing", "3", "--file", "x.csv"], "FAILING is for the sample and the simulator: leave FILE"),
        (["--failing", "3", "--target", "http://t"], "FAILING is for the sample and the simulator: leave"),
        (["--variables", "PARAMS file"], "There is no variable file (did you mean FILE?)"),
        (["--variables", "QUICK"], "There is no variable QUICK; make run has FILE, TARGET, PARAMS,"),
    ],
)
def test_options_that_mean_nothing_are_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    monkeypatch.setattr(run, "run", lambda *_: 0)
    monkeypatch.setattr(os, "environ", {})
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    given = ["=".join(pair) for pair in zip(arguments[::2], arguments[1::2], strict=True)]
    assert run.main(given) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(("text", "failing"), [("", 3), ("0", 0), ("10000", 10_000)])
def test_failing_counts_ids_of_the_sample(monkeypatch: pytest.MonkeyPatch, text: str, failing: int) -> None:
    monkeypatch.setattr(run, "run", lambda options, _: options.failing)
    monkeypatch.setattr(os, "environ", {})
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    assert run.main([f"--failing={text}", "--variables=FAILING"]) == failing


@pytest.mark.parametrize(
    ("outcome", "code", "words"),
    [
        (0, 0, ""),
        (1, 1, ""),
        (LocalRunError("There is no file x"), 2, "Could not run: There is no file x.\n"),
        (KeyboardInterrupt(), 130, "Interrupted: everything that was started is stopped.\n"),
    ],
)
def test_main_returns_the_exit_code(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    outcome: int | BaseException,
    code: int,
    words: str,
) -> None:
    def ending(*_: Any) -> int:
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    monkeypatch.setattr(run, "run", ending)
    monkeypatch.setattr(run, "clean_environment", dict)
    monkeypatch.setattr(os, "environ", {})
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    assert run.main([]) == code
    assert capsys.readouterr().err == words
