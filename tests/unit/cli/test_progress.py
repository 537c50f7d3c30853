"""The progress bar: nothing in a pipe, a bar on a terminal."""

from __future__ import annotations

import io
import sys

import pytest

from bulk_profiles.cli.progress import progress_bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_bar_in_a_pipe_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("crm.csv") as show:
        assert show is None
    assert capsys.readouterr().err == ""


def test_progress_bar_on_a_terminal_shows_title_and_share(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with progress_bar("[crm].csv") as show:
        assert show
        show(50, 100)
        show(60, 100)  # too soon to be shown
    assert "[crm].csv" in terminal.getvalue()
    assert "50%" in terminal.getvalue()
    assert "60%" not in terminal.getvalue()
