"""The rows of wanted ids, out of a source file."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_profiles.core.feeds import Feed
from bulk_profiles.splitting.batches.cutter import Limits
from bulk_profiles.splitting.reading import delimited, json_lines
from bulk_profiles.splitting.selection import RowSelector, SelectionStoppedError, WantedIds
from tests.worlds.splitting import MemoryFile, MemoryFolder, run


def select(data: bytes, ids: list[str]) -> tuple[list[list[str]], int]:
    """Return the rows of these ids with their lines, and how many of the ids were found."""
    folder = MemoryFolder()
    selector = RowSelector(Feed(), Limits(), WantedIds(ids), ["n"], lambda number: {"n": str(number)})
    selection = selector.write(MemoryFile(data), lambda suffix: folder.create(f"rows{suffix}"))
    text = folder.objects["rows.csv"].decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(text, newline="")))[1:]
    assert selection.rows == len(rows)
    return rows, selection.ids


def test_rows_are_in_the_order_of_the_file_with_the_number_of_their_id() -> None:
    rows, found = select(b"pcId,a\n1,x\n2,y\n3,z\n1,w\n", ["3", "1", "9"])
    assert rows == [["1", "x", "2", "1"], ["3", "z", "4", "0"], ["1", "w", "5", "1"]]
    assert found == 2


def test_no_wanted_id_gives_no_row() -> None:
    assert select(b"pcId,a\n1,x\n", []) == ([], 0)


@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=12), min_size=1, max_size=30))
def test_every_id_that_is_sent_is_found(ids: list[str]) -> None:
    """By the spelling in which it is sent, whatever stands in the file."""
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows([("pcId", "a"), *((text, "x") for text in ids)])
    data = stream.getvalue().encode()
    sent = [row[0] for row in run(data).received]
    rows, found = select(data, sent)
    assert found == len(sent) == len({row[-1] for row in rows})


def test_selection_without_time_leaves_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 4)
    folder = MemoryFolder()
    selector = RowSelector(Feed(), Limits(), WantedIds(["1"]), ["n"], lambda _: {"n": ""})
    with pytest.raises(SelectionStoppedError):
        selector.write(MemoryFile(b"pcId,a\n1,x\n2,y\n"), folder.create, lambda: True)
    assert folder.objects == {}


def test_rows_with_a_column_that_comes_later_in_the_file_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_lines, "BLOCK_BYTES", 8)
    folder = MemoryFolder()
    selector = RowSelector(Feed(), Limits(), WantedIds(["2"]), ["n"], lambda _: {"n": ""})
    data = b'{"pcId":"1","a":"x"}\n{"pcId":"2","b":"y"}\n'
    selection = selector.write(MemoryFile(data), lambda suffix: folder.create(f"rows{suffix}"))
    assert selection.rows == 1
    assert b'"b": "y"' in folder.objects["rows.jsonl"].replace(b'":"', b'": "')


@pytest.mark.parametrize("spelling", ["a%2Bb", "a+b"])
def test_rows_of_a_batch_file_whose_id_has_a_plus_are_found(spelling: str) -> None:
    """Encoded, or raw, as no one encodes it by hand."""
    data = f"batch=pcId,a\nx,y\n{spelling},z\n".encode()
    folder = MemoryFolder()
    selector = RowSelector(Feed(), Limits(), WantedIds(["a+b"]), ["n"], lambda number: {"n": str(number)})
    selection = selector.write(MemoryFile(data), lambda suffix: folder.create(f"rows{suffix}"))
    assert (selection.rows, selection.ids) == (1, 1)
    assert b'{"pcId": "a+b", "a": "z"' in next(iter(folder.objects.values()))
