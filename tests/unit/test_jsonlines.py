"""JSON Lines with any line end, in any encoding, and with names that come late."""

from __future__ import annotations

import pytest

from bulk_profiles.errors import FileRejectedError
from bulk_profiles.feeds import Feed, Mapping
from bulk_profiles.models import KeyColumn
from bulk_profiles.reading import jsonlines
from bulk_profiles.splitting import Limits
from tests.unit.splitting_world import run, run_in_slices

LINES = [
    '{"pcId": "1", "a": "é\\r\\n"}',
    '{"a": "no id"}',
    "",
    "[1]",
    '{"pcId": "2",\t"a": "ß"}',
    '{"pcId": "", "a": "ü"}',
    '{"pcId": "3", "a": "z"}',
]
RECEIVED = [("1", "é\r\n"), ("2", "ß"), ("3", "z")]
REJECTS = [["2", "pcId", "empty_id"], ["4", "", "bad_json"], ["6", "pcId", "empty_id"]]


@pytest.mark.parametrize("block", [*range(1, 40), 512 * 1024])
@pytest.mark.parametrize("ends", [["\n"], ["\r"], ["\r\n"], ["\r", "\r\n", "\n", "\r\n", "\r", "\r\n", "\r"]])
@pytest.mark.parametrize("last", [True, False])
def test_line_ends_do_not_matter(
    block: int, ends: list[str], last: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonlines, "BLOCK_BYTES", block)
    text = "".join(line + ends[number % len(ends)] for number, line in enumerate(LINES))
    outcome = run((text if last else text.rstrip()).encode())
    assert outcome.received == RECEIVED
    assert outcome.rejects == REJECTS
    mended = outcome.objects["rejected-rows.csv"].replace(b'""', b'"4"').replace(b"[1]", b"")
    assert run(mended).received == [("4", "ü")]


@pytest.mark.parametrize("end", ["\r", "\r\n"])
def test_it_goes_on_between_two_lines(end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonlines, "BLOCK_BYTES", 30)
    data = end.join(LINES).encode()
    sliced, goes = run_in_slices(data, Feed(), Limits(max_batch_rows=1), lambda: lambda: True)
    assert goes > 1
    assert (sliced.received, sliced.rejects) == (RECEIVED, REJECTS)


@pytest.mark.parametrize(
    ("encoding", "named"),
    [
        ("latin-1", "latin-1"),
        ("utf-16", None),
        ("utf-16", "latin-1"),
        ("utf-32", None),
        ("utf-8-sig", "cp1252"),
    ],
)
def test_rejected_rows_are_read_right_again_under_the_same_feed(encoding: str, named: str | None) -> None:
    feed = Feed(encoding=named)
    outcome = run("\n".join(LINES).encode(encoding), feed)
    assert (outcome.received, outcome.rejects) == (RECEIVED, REJECTS)
    mended = outcome.objects["rejected-rows.csv"].replace(b'""', b'"4"')
    assert run(mended, feed).received == [("4", "ü")]
    plain = run("\n".join(LINES).encode(), Feed(encoding=named and "utf-8"))
    assert plain.objects["rejected-rows.csv"].startswith(b"{")


@pytest.mark.parametrize(
    "feed",
    [Feed(), Feed(key_column=KeyColumn.PC_ID), Feed(mapping=Mapping(key="pcId")), Feed(encoding="latin-1")],
)
def test_a_key_column_may_come_late(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonlines, "BLOCK_BYTES", 30)
    data = b'{"a": "x"}\n' * 20 + b'{"pcId": "1", "a": "y"}\n{"late": 1}\n'
    outcome = run(data, feed)
    assert outcome.received == [("1", "y", "")]
    assert outcome.split.rejects == {"empty_id": 21}


def test_only_the_whole_file_can_have_no_key_column(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonlines, "BLOCK_BYTES", 30)
    monkeypatch.setattr(jsonlines, "_MAX_COLUMNS", 50)
    with pytest.raises(FileRejectedError, match="no key column"):
        run(b'{"a": "x"}\n' * 20)
    with pytest.raises(FileRejectedError, match="more than 50 names"):
        run(b"".join(b'{"a%d": "x"}\n' % number for number in range(60)))


@pytest.mark.parametrize("name", ["", " "])
@pytest.mark.parametrize("first", [0, 9])
def test_a_name_must_not_be_empty(name: str, first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonlines, "BLOCK_BYTES", 30)
    with pytest.raises(FileRejectedError, match="empty name: name it, or leave it out"):
        run(('{"pcId": "1", "a": "x"}\n' * first + f'{{"pcId": "2", "{name}": "x"}}\n').encode())
