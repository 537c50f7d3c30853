"""The lines of the first records that have a warning."""

from __future__ import annotations

import pytest

from bulk_profiles.core.feeds import Feed, Mapping
from bulk_profiles.core.models import Examples
from bulk_profiles.splitting.batches.cutter import Limits
from bulk_profiles.splitting.reading import delimited
from bulk_profiles.splitting.rows.faults import Warn
from bulk_profiles.splitting.rows.warnings import Warnings
from tests.worlds.splitting import run, run_in_slices


def test_records_of_a_warning_come_once_and_first() -> None:
    warnings = Warnings()
    warnings.add(Warn.LONG_VALUE, [1, 1, 2, 4, 5, 6, 9])
    warnings.add(Warn.PLUS_SIGN, [3], 7)
    assert warnings.counts == {Warn.LONG_VALUE: 6, Warn.PLUS_SIGN: 7}
    assert warnings.records == {Warn.LONG_VALUE: [1, 2, 4, 5, 6], Warn.PLUS_SIGN: [3]}


def test_example_is_the_line_where_the_record_starts_whatever_comes_before() -> None:
    """Blank lines, rejected rows, values that span lines, and the first byte that is encoded."""
    outcome = run(b'pcId,a,b\n\n1,x,y\n,x,y\n2,"two\nlines",\n\n3,tab\there,"x,y"\n')
    assert outcome.split.examples == Examples(
        {"empty_id": [4]}, {"control_character": [8], "separator_in_value": [5, 8]}
    )


def test_example_of_a_row_without_values_is_found_among_rows_too_large_and_merged() -> None:
    limits = Limits(max_batch_bytes=len(b"batch=pcId,a\n1,xyz"))
    once = run(b"pcId,a\n1,wxyz\n2,\n3,x\n4,\n", limits=limits)
    assert once.split.examples == Examples({"row_too_large": [2]}, {"no_values": [3, 5]})
    twice = run(b"pcId,a\n1,\n2,\n1,x\n5,wxyz\n2,\n3,\n", limits=limits)
    assert twice.split.examples == Examples({"row_too_large": [5]}, {"no_values": [3, 7]})
    assert twice.split.warnings == {"no_values": 2}


def test_example_of_json_lines_is_the_line() -> None:
    assert run(b'{"pcId": "1", "a": "x"}\n\n{"pcId": "2", "a": "x,y"}\n').split.examples == Examples(
        warnings={"separator_in_value": [3]}
    )


def test_warning_of_a_column_has_its_name_and_no_line() -> None:
    outcome = run(b"pcId,a\n1,x\n", Feed(mapping=Mapping(drop=("b",))))
    assert outcome.split.warnings == {"unknown_column": 1}
    assert outcome.split.examples == Examples(columns={"unknown_column": ["b"]})


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("block_bytes", [20, 300, 512 * 1024])
def test_examples_are_the_same_however_the_file_is_read(
    processes: int, block_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delimited, "BLOCK_BYTES", block_bytes)
    long = b"v" * 300
    pattern = [b"\xc3\xa9%d, x, y", b'%d, "a,b", y', b"%d, , ", b"%d, c\x01, " + long, b"%d,x,", b""]
    lines = [pattern[number % 6].replace(b"%d", b"%d" % number) for number in range(60)]
    data = b"pcId, a, b\n" + b"\n".join(lines) + b"\n"
    expected = Examples(
        warnings={
            "control_character": [5, 11, 17, 23, 29],
            "long_value": [5, 11, 17, 23, 29],
            "no_values": [4, 10, 16, 22, 28],
            "separator_in_value": [3, 9, 15, 21, 27],
            "space_after_delimiter": [2, 3, 4, 5, 8],
        }
    )
    split = run(data, processes=processes).split
    assert split.examples == expected
    limits = Limits(max_batch_rows=3)
    sliced, invocations = run_in_slices(data, Feed(), limits, lambda: lambda: True, processes)
    assert (sliced.split.examples, invocations > 3) == (expected, True)
    repeated, _ = run_in_slices(data + lines[1] + b"\n", Feed(), limits, lambda: lambda: True, processes)
    assert repeated.split.examples == expected
