"""The splitter on small files: what is sent, what is not, and why."""

from __future__ import annotations

import io
from typing import Any
from unittest import mock

import pytest

from bulk_profiles.core.errors import AccountingError, FileRejectedError
from bulk_profiles.core.feeds import Feed
from bulk_profiles.core.models import KeyColumn
from bulk_profiles.splitting.batches import repeated_ids
from bulk_profiles.splitting.batches.cutter import Limits
from bulk_profiles.splitting.checkpoint import OutOfTimeError
from bulk_profiles.splitting.parallel.processes import HelperProcesses
from bulk_profiles.splitting.pending_blocks import PendingBlocks
from bulk_profiles.splitting.reading import delimited, json_lines
from bulk_profiles.splitting.split import split
from tests.worlds.splitting import MemoryFile, MemoryFolder, MemorySink, run

PLAIN = b"thirdPartyId,city,age\n1,Oslo,40\n2,Rome,50\n"


def test_split_of_a_plain_file_is_one_body() -> None:
    """The body does not end in a line feed."""
    outcome = run(PLAIN)
    assert outcome.bodies == [b"batch=thirdPartyId,city,age\n1,Oslo,40\n2,Rome,50"]
    assert outcome.split.key_column is KeyColumn.THIRD_PARTY_ID
    assert [*outcome.objects] == ["batches/00001.batch"]
    assert outcome.split.rejected_rows == ""


@pytest.mark.fault(12, "a header and no rows")
def test_split_of_a_header_alone_has_no_batches() -> None:
    outcome = run(b"thirdPartyId,city\n")
    assert outcome.split.batches == ()
    assert outcome.split.rows.read == 0


@pytest.mark.fault(19, "duplicate column, no key column")
@pytest.mark.fault(14, "UTF-16 without a mark, not named")
@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "empty"),
        (b"\n\r\n", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        ("\u00a0".encode(), "is empty: it has no header"),
        ("\u3000\n\u3000\u2003\t\r\n".encode(), "is empty: it has no header"),
        ("\ufeff\n\ufeff\u200b".encode(), "is empty: it has no header"),
        (("\u3000" * 30_000).encode(), "is empty: it has no header"),
        ("\u00a0\n\u00ad".encode("utf-16"), "is empty: it has no header"),
        (b"\xa0\n", "header is not UTF-8"),
        (b"name,city\n1,2\n", "no key column"),
        (b"thirdpartyid,PCID\n1,2\n", "more than one that can be meant"),
        (b"pcId,thirdPartyId\n1,2\n", "choose one"),
        (b"pcId,a,b,a\n1,2,3,4\n", 'Columns 2 and 4 of the file have one name, "a"'),
        (b'pcId,a\n1,"x\n2,y\n', "line 2 is not closed"),
        (b'pcId,a\n1,x\n2,"x\n3,y\n', "line 3 is not closed"),
        (b'pcId\ta\n1\t"x\n', '"quoting": "none" in the feed'),
        ("pcId,ä\n1,2\n".encode("latin-1"), "header is not UTF-8"),
        ("pcId,a\n1,2\n".encode("utf-16-le"), "UTF-16 without"),
        ("pcId,a\n1,2\n".encode("utf-16-be"), "UTF-16 without"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"\x00\x01\x02\x03\n", "not text"),
        (b'[{"pcId": "1"}]', "JSON array"),
    ],
)
def test_split_of_an_unreadable_file_is_rejected_with_a_reason(data: bytes, sentence: str) -> None:
    with pytest.raises(FileRejectedError) as caught:
        run(data)
    assert sentence in str(caught.value)


@pytest.mark.parametrize("block", [1, 7, 64])
def test_split_in_blocks_of_any_size_gives_the_same(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = 'thirdPartyId,a,b\r\n1,"x\r\ny",é\r\n,q,"r"\r\n2,p""q,"""z"\r\n'.encode()
    whole = run(data)
    monkeypatch.setattr(delimited, "BLOCK_BYTES", block)
    parts = run(data)
    assert parts.objects == whole.objects
    assert parts.split == whole.split


def test_split_of_a_file_that_changes_fails() -> None:
    before, after = b"pcId,a\n1,x\n1,y\n2,z\n", b"pcId,a\n1,x\n1,y\n1,z\n"
    opened = mock.Mock(side_effect=lambda _: io.BytesIO(before))
    source = mock.Mock(size=len(before), open=opened)
    split(source, Feed(), Limits(), MemoryFolder())
    opened.side_effect = [
        *(io.BytesIO(before) for _ in range(opened.call_count - 1)),
        io.BytesIO(after),
    ]
    with pytest.raises(AccountingError, match="did the file change"):
        split(source, Feed(), Limits(), MemoryFolder())


@pytest.mark.parametrize("rows", [1, 2000])
def test_split_that_cannot_write_leaves_no_batch(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    aborted = list[str]()

    class FullSink(MemorySink):
        def write(self, data: bytes | bytearray | memoryview, /) -> None:
            if b"id0" in bytes(data):
                raise OSError("disk full")

        def abort(self) -> None:
            aborted.append(self._name)

    class FullOutput(MemoryFolder):
        def create(self, name: str) -> MemorySink:
            return FullSink(self.objects, name)

    monkeypatch.setattr(delimited, "BLOCK_BYTES", 1000)
    output = FullOutput()
    source = MemoryFile(b"pcId,a\n" + b"".join(b"id%d,x\n" % number for number in range(rows)))
    with pytest.raises(OSError, match="disk full"):
        split(source, Feed(), Limits(), output)
    assert aborted == ["batches/00001.batch"]
    assert output.objects == {}


def test_rows_that_no_batch_can_hold_are_rejected_after_an_id_came_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 12)
    monkeypatch.setattr(repeated_ids, "_FIRST_LOOK", 1)
    data = b"pcId,a\n1,x\n1,y\n2,z\n3,%b\n4,%b\n" % (b"w" * 40, b"v" * 20)
    outcome = run(data, limits=Limits(max_batch_bytes=40))
    assert outcome.rejects == [["5", "", "row_too_large"]]
    assert [cells[0] for cells in outcome.received] == ["1", "2", "4"]


def test_split_where_no_process_can_be_forked_is_that_of_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows."""
    file = MemoryFile(b"thirdPartyId,city\n1,a b\n2,c d\n")
    whole = MemoryFolder()
    split(file, Feed(), Limits(), whole, processes=1)
    monkeypatch.delattr("os.fork")
    monkeypatch.setattr("multiprocessing.get_context", None)
    folder = MemoryFolder()
    split(file, Feed(), Limits(), folder, processes=2)
    assert folder.objects == whole.objects


def test_split_that_release_0_1_0_began_with_rejects_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its rejected rows in the scratch have no notes."""
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 3)
    data = MemoryFile(b"pcId,a\n,x\n1,y\n2,z\n")
    output, scratch, limits = MemoryFolder(), MemoryFolder(), Limits(max_batch_rows=1)
    with pytest.raises(OutOfTimeError) as stopped:
        split(data, Feed(), limits, output, scratch=scratch, out_of_time=lambda: True)
    checkpoint = stopped.value.checkpoint
    assert (checkpoint["parts"], checkpoint.pop("noted")) == (1, True)
    scratch.objects = {"rejected-rows.csv-00000": b",x\n", "rejects.csv-00000": b"2,pcId,empty_id,x\n"}
    result = split(data, Feed(), limits, output, scratch=scratch, checkpoint=checkpoint)
    assert (result.rows.rejected, result.rows.sent) == (1, 2)
    assert output.objects["rejected-rows.csv"].count(b"empty_id") == 1


def test_ids_that_repeat_far_apart_are_merged_though_blocks_between_have_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 12)
    between = b"".join(b"%d,y,\n" % number for number in range(100, 150))
    outcome = run(b"pcId,a,b\n1,x,\n2,x,\n" + between + b"1,,z\n2,w,\n")
    assert outcome.received[:2] == [("1", "x", "z"), ("2", "w", "")]
    assert outcome.split.rows.merged == 2


def test_merged_rows_stand_at_the_place_of_the_first_row_in_any_block(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 12)
    rows = [b"%d,y,\n" % number for number in range(100, 130)]
    rows[8:8], rows[20:20] = [b"7,x,\n"], [b"7,,z\n"]
    received = run(b"pcId,a,b\n" + b"".join(rows)).received
    assert received[8] == ("7", "x", "z")
    assert [cells[0] for cells in received[:8] + received[9:]] == [str(n) for n in range(100, 130)]


def test_row_that_no_batch_can_hold_is_not_merged_and_the_others_of_its_id_are() -> None:
    data = b"pcId,a,b\n1,x,\n1,%b,\n2,y,\n1,,z\n2,w,\n" % (b"v" * 60)
    outcome = run(data, limits=Limits(max_batch_bytes=60))
    assert outcome.rejects == [["3", "", "row_too_large"]]
    assert outcome.received == [("1", "x", "z"), ("2", "w", "")]


def test_rows_without_values_are_named_by_their_lines_beside_merged_rows() -> None:
    outcome = run(b"pcId,a\n1,x\n1,y\n2,z\n3,\n4,w\n5,\n")
    assert outcome.split.warnings == {"no_values": 2}
    assert outcome.split.examples.warnings == {"no_values": [5, 7]}


def test_split_of_a_file_in_another_encoding_advises_to_name_it() -> None:
    outcome = run("pcId,city\n1,K\xf6ln\n2,Ulm\n".encode("cp1252"))
    assert "cp1252" in outcome.split.advice
    assert run(PLAIN).split.advice == ""


@pytest.mark.parametrize("again", [b"", b"1,z\n"])
def test_warnings_are_counted_once_however_often_the_file_is_read(
    again: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 300)
    outcome = run(b"pcId,a\n1,x\n2,%b\n3,y\n" % (b"w" * 257) + again)
    assert outcome.split.warnings == {"long_value": 1}
    assert outcome.split.examples.warnings == {"long_value": [3]}


def test_column_that_comes_late_in_the_file_is_one_of_all_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_lines, "BLOCK_BYTES", 30)
    rows = b"".join(b'{"pcId": "%d", "a": "x"}\n' % number for number in range(2000))
    outcome = run(rows + b'{"pcId": "last", "b": "y"}\n', name="customers.jsonl")
    assert (outcome.received[0], outcome.received[-1]) == (("0", "x", ""), ("last", "", "y"))


def test_split_names_the_columns_whose_names_raise_doubts() -> None:
    outcome = run(b"pcId,city,profile.plan\n1,x,y\n")
    assert outcome.split.warnings == {"prefix_stripped": 1}
    assert outcome.split.examples.columns == {"prefix_stripped": ["profile.plan"]}


@pytest.mark.parametrize(("processors", "used"), [(None, 1), (1, 1), (3, 3), (64, 4)])
def test_split_of_a_large_file_uses_four_processors_at_most(
    processors: int | None, used: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.process_cpu_count", lambda: processors)
    monkeypatch.setattr("bulk_profiles.splitting.split._LARGE_BYTES", len(PLAIN))
    with mock.patch("bulk_profiles.splitting.split.PendingBlocks", wraps=PendingBlocks) as blocks:
        run(PLAIN)
        assert blocks.call_args.kwargs == {"processes": used}
        run(PLAIN[:-10])
        assert blocks.call_args.kwargs == {"processes": 1}


def test_helpers_work_on_a_file_with_something_to_encode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 20)
    taken = mock.Mock()
    take = HelperProcesses.take

    def count(helpers: HelperProcesses[Any, Any], data: bytes, task: Any) -> None:
        taken(data)
        take(helpers, data, task)

    monkeypatch.setattr(HelperProcesses, "take", count)
    rows = b"".join(b"%d,a b\n" % number for number in range(100))
    run(b"pcId,a\n" + rows.replace(b" ", b""), processes=2)
    assert not taken.called
    run(b"pcId,a\n" + rows, processes=2)
    assert taken.called


def test_split_that_begins_anew_is_continued_from_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that began anew in each invocation would never end."""
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 3)
    data = MemoryFile(b"pcId,a\n,x\n" + b"".join(b"%d,y\n" % number for number in range(1, 7)))
    output, scratch, limits = MemoryFolder(), MemoryFolder(), Limits(max_batch_rows=1)
    with pytest.raises(OutOfTimeError) as stopped:
        split(data, Feed(), limits, output, scratch=scratch, out_of_time=lambda: True)
    checkpoint = stopped.value.checkpoint
    del checkpoint["noted"]
    for _ in range(20):
        try:
            split(
                data, Feed(), limits, output, scratch=scratch, checkpoint=checkpoint, out_of_time=lambda: True
            )
            break
        except OutOfTimeError as error:
            checkpoint = error.checkpoint
            assert checkpoint["noted"]
    assert output.objects["batches/00006.batch"] == b"batch=pcId,a\n6,y"
