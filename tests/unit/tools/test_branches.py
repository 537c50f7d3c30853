"""What is said of lines and branches that are not reached."""

from __future__ import annotations

from typing import Any

import pytest

from tools.branches import Gap, faults, gaps
from tools.uncovered import UNCOVERED, Uncovered

S3 = "layers/shared/bulk_profiles/aws/s3.py"
WHOLE: dict[str, Any] = {"missing_lines": [], "missing_branches": []}
GAP = Gap("aws.s3", "Sink.abort", 3, f"{S3}:12")
LISTED = Uncovered("aws.s3", "Sink.abort", 3, "Nobody can stop it there.")


def test_gaps_count_lines_and_branches_of_each_function() -> None:
    abort = {"missing_lines": [13, 14], "missing_branches": [[12, 13]]}
    handler = {"missing_lines": [], "missing_branches": [[5, -3]]}
    report = {
        "files": {
            S3: {"functions": {"Sink.abort": abort, "Sink.write": WHOLE, "": WHOLE}},
            "functions/split_file/app.py": {"functions": {"lambda_handler": handler}},
        }
    }
    assert list(gaps(report)) == [
        Gap("functions.split_file.app", "lambda_handler", 1, "functions/split_file/app.py:5"),
        GAP,
    ]


@pytest.mark.parametrize(
    ("found", "listed", "sentences"),
    [
        ([], (), []),
        ([GAP], (LISTED,), []),
        ([GAP], (), [f"{S3}:12: aws.s3: Sink.abort: 3 lines and branches are not reached."]),
        (
            [GAP],
            (Uncovered("aws.s3", "Sink.abort", 2, "-"),),
            [f"{S3}:12: aws.s3: Sink.abort: 3 are not reached, not 2."],
        ),
        ([], (LISTED,), ["aws.s3: Sink.abort is reached: take it off the list."]),
    ],
)
def test_faults_are_what_is_not_as_the_list_says(
    found: list[Gap], listed: tuple[Uncovered, ...], sentences: list[str]
) -> None:
    assert faults(found, listed) == sentences


@pytest.mark.parametrize("room", ["steps", "budget", "ledger", "target"])
def test_faults_nothing_may_be_listed_in_a_whole_room(room: str) -> None:
    gap, entry = Gap(f"{room}.x", "f", 1, "x.py:1"), Uncovered(f"{room}.x", "f", 1, "-")
    assert faults([gap], (entry,)) == [f"{room}.x: f: nothing may be missing in this room."]


def test_every_entry_of_the_list_has_a_reason_in_a_sentence() -> None:
    assert all(entry.reason.endswith(".") and entry.missing > 0 for entry in UNCOVERED)
    assert len({(entry.module, entry.function) for entry in UNCOVERED}) == len(UNCOVERED)
