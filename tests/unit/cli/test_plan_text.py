"""The plan as text for people."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulk_profiles.accounting.split_verdict import SplitVerdict
from bulk_profiles.cli.main import main
from bulk_profiles.cli.plan import Plan
from bulk_profiles.cli.plan_text import render_plan
from bulk_profiles.core.models import ImportStatus


def rejected(reason: str) -> SplitVerdict:
    return SplitVerdict(ImportStatus.REJECTED, reason)


def test_render_plan_shows_rows_and_rejects(customers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(customers), "--max-rejected-percent", "25"]) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith(
        "succeeded  customers.csv, if Target takes every row: 1 row rejected of 4 read: rejected-rows.csv"
    )
    assert "4 read = 2 sent + 1 merged" in shown.out
    assert "empty_id: 1 (line 3)" in shown.out
    assert shown.err == ""


def test_render_plan_lists_twenty_batches(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "many.csv"
    path.write_bytes(b"pcId,a\n" + b"".join(b"%d,x\n" % number for number in range(50)))
    assert main(["plan", str(path), "--max-batch-rows", "1"]) == 0
    shown = capsys.readouterr().out
    assert "... and 30 more" in shown
    assert "batches    50 in all" in shown


def test_render_plan_of_a_rejected_file_shows_the_reason() -> None:
    plan = Plan("a\x1bb.csv", 10, 0, 30, rejected("The file is empty."))
    assert render_plan(plan, None, 0) == "rejected   a?b.csv would be rejected. The file is empty."


def test_render_plan_wraps_below_the_label() -> None:
    plan = Plan("crm.csv", 10, 0, 30, rejected("The file has no column with the ids."))
    assert render_plan(plan, None, 40).splitlines() == [
        "rejected   crm.csv would be rejected.",
        "           The file has no column with",
        "           the ids.",
    ]


def test_render_plan_shows_five_lines_of_a_code_at_most(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "c.csv"
    path.write_bytes(b"pcId,a\n1,x\n" + b",y\n" * 7)
    assert main(["plan", str(path)]) == 1
    assert "reject     empty_id: 7 (lines 3, 4, 5, 6, 7, ...). " in capsys.readouterr().out
