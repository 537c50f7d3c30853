"""The files of rejects."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from bulk_profiles.core.feeds import Feed
from bulk_profiles.core.models import MOST_EXAMPLES
from bulk_profiles.splitting.batches.cutter import Limits
from bulk_profiles.splitting.batches.rejects import RejectLog, Tally
from bulk_profiles.splitting.reading.blocks import Block, Position, Record
from bulk_profiles.splitting.reading.mendable import MendableJson
from bulk_profiles.splitting.rows.faults import Warn
from tests.worlds.splitting import MemoryFolder, run, run_in_slices


def test_rejects_are_in_the_order_of_the_file() -> None:
    outcome = run(b"pcId,a\n1,%b\n,q\n2,%b\n" % (b"x" * 50, b"x" * 50), limits=Limits(max_batch_bytes=40))
    assert [reject[0] for reject in outcome.rejects] == ["2", "3", "4"]


def test_rejected_rows_once_corrected_can_be_split() -> None:
    first = run(b"thirdPartyId;a\n1;x\n;y\n")
    corrected = first.rejected_rows.replace(b"\n;y", b"\n2;y")
    assert run(corrected).received == [("2", "y")]


GERMAN = "thirdPartyId,city\nA1,Köln\nA2,München\nA3,Ulm\n"
ADVICE = "2 rejected rows are not UTF-8 but valid Windows-1252"


@pytest.mark.parametrize(
    ("encoding", "city"),
    [
        ("cp1251", "Москва"),
        ("koi8-r", "Москва"),
        ("shift_jis", "東京都"),
        ("gb18030", "北京市"),
        ("cp1253", "Αθήνα"),
    ],
)
def test_words_in_other_scripts_are_not_said_to_be_windows_1252(encoding: str, city: str) -> None:
    data = f"pcId,city\nA1,{city}\nA2,{city}\n".encode(encoding)
    split = run(data).split
    assert split.rejects == {"invalid_utf8": 2}
    assert split.advice == ""
    assert run(data, Feed(encoding=encoding)).split.rows.sent == 2


def test_rows_in_windows_1252_are_told_with_the_encoding() -> None:
    split = run(GERMAN.encode("cp1252")).split
    assert split.advice.startswith(ADVICE)
    assert '"encoding": "cp1252"' in split.advice
    assert run(GERMAN.encode("cp1252"), Feed(encoding="cp1252")).split.advice == ""
    lines = "\n".join(f'{{"pcId": "{number}", "a": "é"}}' for number in range(2))
    assert run(lines.encode("cp1252")).split.advice.startswith(ADVICE)
    one = run(GERMAN.encode("cp1252").replace(b"M\xfc", b"Mu")).split
    assert one.advice.startswith("1 rejected row is not UTF-8 but")


@pytest.mark.parametrize(
    "data",
    [
        GERMAN.encode("cp1252").replace(b"Ulm", b"\x81"),  # a byte that Windows-1252 does not have
        GERMAN.encode("cp1252") + b",x\n,y\n",  # most rejects are others
        GERMAN.encode("utf-16") + b"\x00\xd8A\x00\n\x00",  # half a character of UTF-16
        b"batch=pcId,a\n1,%E9\n",
    ],
)
def test_rows_that_may_be_anything_are_told_without_an_encoding(data: bytes) -> None:
    outcome = run(data)
    assert outcome.split.rejects["invalid_utf8"] > 0
    assert outcome.split.advice == ""


@pytest.mark.parametrize("processes", [1, 2])
def test_advice_is_the_same_however_the_file_is_read(processes: int) -> None:
    data = GERMAN.encode("cp1252") + b"A4,\xe9\nA5,\xe9\n"
    sliced, _ = run_in_slices(data, Feed(), Limits(max_batch_rows=1), lambda: lambda: True, processes)
    assert sliced.split.advice == run(data).split.advice != ""


@pytest.mark.parametrize(
    ("data", "row"),
    [
        (b"pcId,a\n1,x\n,y", b",y,3,"),
        (b"pcId,a\r1,x\r,y", b",y,3,"),
        (b"batch=pcId,a\n1,x\n,y", b'{"pcId": "", "a": "y", '),
        (b'pcId,a\n1,x\n2,"y" z', b',"2,""y"" z",3,'),
        (b'{"pcId": "1", "a": "x"}\n[1]', b'{"pcId": "", "_row": "[1]", '),
        ("pcId,a\n1,x\n,y".encode("utf-16"), b",y,3,"),
    ],
)
def test_last_line_of_a_file_needs_no_end_to_be_a_line_of_the_rejected_rows(data: bytes, row: bytes) -> None:
    assert run(data).rejected_rows.splitlines()[-1].startswith(row)


def test_examples_of_a_warning_end_at_the_first_few_over_all_blocks() -> None:
    tally = Tally()
    log = RejectLog(MemoryFolder(), MendableJson(marked=False), ["pcId"], tally)
    for start in (10, 20, 30):

        def find(numbers: Sequence[int], start: int = start) -> list[Record]:
            return [Record(start + number, b"") for number in numbers]

        block = Block(Position(0, start), b"", find)
        log.add_examples(block, Warn.NO_VALUES, range(MOST_EXAMPLES - 1))
    assert tally.warning_examples == {"no_values": [*range(10, 9 + MOST_EXAMPLES), 20]}
