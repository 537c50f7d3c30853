"""Every path gives the batches that the receiver should get, on generated nasty files."""

from __future__ import annotations

import bz2
import csv
import dataclasses
import gzip
import io
import json
import lzma
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote

import pytest
from backports import zstd
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bulk_profiles.core.errors import FileRejectedError
from bulk_profiles.core.feeds import Feed, ShortRows
from bulk_profiles.splitting.batches import external_sort, repeated_ids
from bulk_profiles.splitting.batches.cutter import Limits
from bulk_profiles.splitting.reading import delimited, json_lines
from tests.worlds.splitting import Outcome, expected, is_blank, run, run_in_slices, sent_id

type Rows = list[list[str]]

_SIGNS = st.sampled_from(
    [*"ab1 ,;|\"\t\n\r%&+=#'/\\", "é", "ß", "\u2028", "\x85", "\x00", "\x1f", "漢", "😀", "힣"]
)
_NULLS = st.sampled_from([r"\N", "NULL", "nan", "N/A"])
_VALUES = st.one_of(st.text(_SIGNS, max_size=6), _NULLS)
_SOUND_IDS = st.text(st.sampled_from([*'abc,;"%', "é"]), min_size=1, max_size=3).filter(
    lambda text: not re.fullmatch('"[^"]+"', text)  # quoted twice
)
_IDS = st.one_of(
    _SOUND_IDS,
    st.text(st.sampled_from([*'ab=" \n\t\ufeff\x01+', "é"]), min_size=1, max_size=4),
    st.text(st.sampled_from([*"12.,eE-"]), min_size=1, max_size=6),
    _NULLS,
    st.sampled_from(['="01"', '="1.2E5"', "7.0", "'1"]),
)
_NAMES = st.lists(st.text(st.sampled_from("xyzé,; %"), min_size=1, max_size=3), min_size=1, max_size=4)
_END = st.sampled_from(["\n", "\r\n", "\r"])

# A long row, and short ones after it: read from there on, blocks of 50 bytes end in other places.
_SHIFTING = (
    ["thirdPartyId", "a"],
    [[f"x{n:03d}", "1"] for n in range(5)] + [["y" * 40, "1"], ["a", "1"], ["b", "1"], ["c", "1"]],
)


@st.composite
def tables(draw: st.DrawFn, ids: st.SearchStrategy[str] = _IDS) -> tuple[list[str], Rows]:
    names = [name.strip() for name in draw(_NAMES)]
    names = list(dict.fromkeys(name for name in names if name))
    names.insert(draw(st.integers(0, len(names))), "thirdPartyId")
    width = len(names)
    key = names.index("thirdPartyId")
    rows = draw(st.lists(st.lists(_VALUES, min_size=width, max_size=width), max_size=12))
    for row in rows:
        row[key] = draw(ids)
    return names, rows


def as_csv(
    names: Sequence[str], rows: Rows, *, end: str = "\n", delimiter: str = ",", style: int = csv.QUOTE_MINIMAL
) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=style)  # type: ignore[arg-type]  # an int
    writer.writerow(names)
    writer.writerows(rows)
    return text.getvalue().encode()


def as_loose_csv(
    names: Sequence[str], rows: Rows, *, end: str, delimiter: str, gap: str, bad_every: int
) -> tuple[bytes, list[str]]:
    """Write quotes only around values that start with one or hold a separator; not around others.

    `gap` comes after delimiters. After every so many rows comes one with text after a closing quote, unless
    `bad_every` is 0: then no value without quotes around it holds one, as that could close the value of such
    a row. Gives the numbers of the lines of these rows, too.
    """
    special = ("\n", "\r", delimiter, *('"' if bad_every else ""))

    def cell(value: str) -> str:
        if value.lstrip(" \t").startswith('"') or any(sign in value for sign in special):
            quoted = '"' + value.replace('"', '""') + '"'
            return quoted if value.startswith(" ") else gap + quoted
        return gap + value

    text, bad = "", list[str]()
    for number, row in enumerate([names, *rows]):
        if number and bad_every and number % bad_every == 0:
            bad.append(str(len(re.split("\r\n|\n|\r" if end == "\r" else "\n", text))))
            text += f'7{delimiter}{gap}"x""{delimiter}"y{end}'
        text += delimiter.join(map(cell, row)).removeprefix(gap) + end
    return text.encode(), bad


def as_json_lines(names: Sequence[str], rows: Rows) -> bytes:
    lines = [json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=len(row) % 2 == 0) for row in rows]
    return "\n".join(lines).encode()


def as_target(names: Sequence[str], rows: Rows) -> bytes:
    lines = [",".join(quote(cell, safe="") for cell in row) for row in [names, *rows]]
    return b"batch=" + "\n".join(lines).encode()


@pytest.fixture(autouse=True, params=[3, 50, 4096], ids=lambda size: f"blocks-of-{size}")
def _block_size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "BLOCK_BYTES", request.param)
    monkeypatch.setattr(delimited, "_MIN_WHOLE_BYTES", request.param // 2)
    monkeypatch.setattr(delimited, "_MIN_SOUND_BYTES", 0)
    monkeypatch.setattr(delimited, "_MIN_RECORDS", 1)
    monkeypatch.setattr(json_lines, "BLOCK_BYTES", request.param)


quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
forking = settings(quick, max_examples=15)  # examples that start processes


@pytest.mark.fault(27, "any text as a value")
@pytest.mark.fault(22, "ids that repeat anywhere")
@quick
@given(
    tables(),
    _END,
    st.sampled_from(",;\t|"),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
)
def test_split_of_any_csv_gives_the_expected_rows(
    table: tuple[list[str], Rows], end: str, delimiter: str, style: int
) -> None:
    names, rows = table
    outcome = run(as_csv(names, rows, end=end, delimiter=delimiter, style=style), Feed(delimiter=delimiter))
    assert outcome.received == expected(names, rows, "thirdPartyId")
    assert outcome.split.rows.read == sum(not is_blank(row) for row in rows)


@pytest.mark.fault(27, "quotes inside values without quotes")
@quick
@given(
    tables(_SOUND_IDS),
    _END,
    st.sampled_from(",;\t|"),
    st.booleans(),
    st.integers(0, 9),
    st.integers(1, 2),
)
def test_split_of_any_quotes_rejects_only_misplaced_ones(
    table: tuple[list[str], Rows], end: str, delimiter: str, spaced: bool, bad_every: int, processes: int
) -> None:
    rows = table[1]
    names = [name if name == "thirdPartyId" else f"c{number}" for number, name in enumerate(table[0])]
    gap = " " if spaced and len(names) > 1 and delimiter != "\t" else ""
    data, bad = as_loose_csv(names, rows * 2, end=end, delimiter=delimiter, gap=gap, bad_every=bad_every)
    outcome = run(data, Feed(delimiter=delimiter), processes=processes)
    assert outcome.received == expected(names, rows, "thirdPartyId")
    assert [line for line, *_ in outcome.rejects] == bad
    assert {reason for *_, reason in outcome.rejects} <= {"bad_quote"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delimited, "BLOCK_BYTES", 1024 * 1024)
        assert run(data, Feed(delimiter=delimiter)) == outcome


@pytest.mark.fault(19, "rows of any width among each other")
@quick
@given(
    st.lists(
        st.sampled_from(["{0},é,y", "{0},x,y", "{0},x", "{0}", "{0},x,y,,", "{0},x,y,,z", ",,", " ", ""])
    ),
    _END,
    st.sampled_from(",;\t|"),
    st.sampled_from(ShortRows),
    st.integers(1, 2),
)
def test_split_of_any_widths_rejects_only_rows_too_short_or_too_long(
    rows: list[str], end: str, delimiter: str, short_rows: ShortRows, processes: int
) -> None:
    lines = ["a1,b,c", *(row.format(f"A{line}") for line, row in enumerate(rows, 2))]
    data = end.join(lines).replace("a1", "pcId").replace(",", delimiter).encode()
    outcome = run(data, Feed(delimiter=delimiter, short_rows=short_rows), processes=processes)
    too_few = {2: "too_few_cells", 1: "too_few_cells"} if short_rows is ShortRows.REJECT else {}
    reasons = {5: "too_many_cells", **too_few}
    cells = {line: row.split(",") for line, row in enumerate(lines[1:], 2) if row.strip(", ")}
    same = {len(row) for row in cells.values()} == {5}  # surplus empty cells in all rows
    widths = {line: 3 if same and row[3:] == ["", ""] else len(row) for line, row in cells.items()}
    assert outcome.rejects == [
        [str(line), "", reasons[width]] for line, width in widths.items() if width in reasons
    ]
    assert outcome.split.rows.read == len(cells)
    sent = [row for line, row in cells.items() if widths[line] not in reasons and len(row) > 1]
    assert outcome.received == [(*row[:3], *[""] * (3 - len(row))) for row in sent]


@pytest.mark.fault(26, "Target's own format, of every kind")
@quick
@given(tables())
def test_split_of_encoded_rows_gives_the_expected_rows(table: tuple[list[str], Rows]) -> None:
    names, rows = table
    outcome = run(as_target(names, rows))
    assert outcome.received == expected(names, rows, "thirdPartyId")


@quick
@given(
    tables().filter(lambda table: bool(table[1])),
    st.sampled_from(
        [b"", b"{", b"[]", b'{"thirdPartyId":[]}', b'{"other":"x"}', b'{"thirdPartyId":"\xff"}', b"\n\n"]
    ),
    st.integers(1, 2),
)
def test_split_of_json_lines_gives_the_expected_rows(
    table: tuple[list[str], Rows], odd: bytes, processes: int
) -> None:
    names, rows = table
    lines = as_json_lines(names, rows)
    outcome = run(b"\n".join([lines, odd, lines]), processes=processes)
    if odd.startswith(b'{"other'):
        names, rows = [*names, "other"], [[*row, ""] for row in rows]
    assert outcome.received == expected(names, rows, "thirdPartyId", blank_rows=True)
    bad = [line for line, row in enumerate(rows, 1) if not sent_id(row[names.index("thirdPartyId")])]
    after = len(rows) + odd.count(b"\n") + 1
    lines_of_rejects = [*bad, *[len(rows) + 1] * bool(odd.strip()), *(after + line for line in bad)]
    assert [line for line, *_ in outcome.rejects] == list(map(str, lines_of_rejects))


@pytest.mark.fault(22, "an id twice, in what would be another batch")
def test_split_with_any_limits_gives_the_same_rows() -> None:
    batches = Counter[bool]()

    @quick
    @given(tables(), st.integers(1, 5), st.integers(0, 60))
    def check(table: tuple[list[str], Rows], most: int, room: int) -> None:
        names, rows = table
        data = as_csv(names, [*rows, *rows[:1]] or [["1"] * len(names), ["2"] * len(names)])
        whole = run(data)
        longest = max((len(line) for body in whole.bodies for line in body.split(b"\n")[1:]), default=0)
        head = len(b"batch=" + ",".join(quote(name, safe="") for name in names).encode())
        cut = run(data, limits=Limits(max_batch_rows=most, max_batch_bytes=head + 1 + longest + room))
        batches[len(cut.bodies) > len(whole.bodies)] += 1
        if not cut.split.rejects:  # a row that is merged into a longer one may be too large by itself
            assert cut.received == whole.received

    check()
    assert batches[True] >= 10


@pytest.mark.fault(25, "goes on past one invocation's time")
@forking
@given(tables(), st.integers(1, 3), st.integers(0, 7))
@example(_SHIFTING, 1, 3)
def test_split_interrupted_anywhere_gives_the_same_bytes(
    table: tuple[list[str], Rows], most: int, seed: int
) -> None:
    names, rows = table
    data = as_csv(names, rows) + b"\n,x\nlate,\xff\n"
    limits = Limits(max_batch_rows=most)
    whole = run(data, limits=limits)

    def budget() -> Callable[[], bool]:
        asked = 0

        def out_of_time() -> bool:
            nonlocal asked
            asked += 1
            return asked > seed

        return out_of_time

    for processes in (1, 2):
        sliced, _ = run_in_slices(data, Feed(), limits, budget, processes)
        assert sliced.split == whole.split
        assert all(sliced.objects[name] == whole.objects[name] for name in whole.objects)


@forking
@given(
    tables(),
    _END,
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.sampled_from([b"", b'x"y,"z"w\n', b'late,"never closed\n', b"late,\xff\n", b"\n,x\n"]),
    st.integers(1, 9),
)
def test_split_with_helpers_gives_the_same_bytes(
    table: tuple[list[str], Rows], end: str, style: int, odd: bytes, most: int
) -> None:
    names, rows = table
    header, *records = as_csv(names, [["é"] * len(names), *rows], end=end, style=style).splitlines(True)
    data = b"".join([header, *records, odd, *records * 2])
    limits = Limits(max_batch_rows=most)
    alone = _outcome(data, limits)
    assert _outcome(data, limits, processes=2) == alone


def _outcome(data: bytes, limits: Limits, **more: Any) -> Outcome | str:
    try:
        return run(data, limits=limits, **more)
    except FileRejectedError as error:
        return str(error)


@quick
@given(tables(), st.integers(1, 400))
def test_split_in_little_memory_gives_the_same_bytes(table: tuple[list[str], Rows], memory: int) -> None:
    names, rows = table
    data = as_csv(names, rows * 2)
    whole = run(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(external_sort, "MEMORY_BYTES", memory)
        patch.setattr(repeated_ids, "RUN_HASHES", 2)
        spilled = run(data)
    assert spilled.objects == whole.objects


@given(data=st.binary(max_size=200))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_split_of_any_bytes_accounts_for_rows_or_rejects(data: bytes) -> None:
    for start in (b"", b"pcId,a\n", b"batch=pcId,a\n", b'{"pcId":"1"}\n', b'pcId,"a"\n1,"x"\n'):
        try:
            outcome = run(start + data)
        except FileRejectedError:
            continue
        assert outcome.split.rows.unaccounted == 0


COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "gz-members": lambda data: gzip.compress(data[:40]) + gzip.compress(data[40:]) + b"\0" * 100,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstd.compress,
    "zst-frames": lambda data: zstd.compress(data[:40]) + zstd.compress(data[40:]),
}


def _zip(data: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("folder/", "")
        archive.writestr("folder/customers.csv", data)
        archive.writestr("__MACOSX/._customers.csv", b"x")
    return packed.getvalue()


COMPRESSIONS["zip"] = _zip
SAMPLE = 'thirdPartyId,city,note\n1,Łódź,"a, b"\n,x,y\n2,"São\nPaulo",\n1,,späť\n'.encode()


@pytest.mark.fault(23, "several members, wrong extension")
@pytest.mark.parametrize("name", COMPRESSIONS)
def test_split_of_a_compressed_file_gives_the_same(name: str) -> None:
    data = COMPRESSIONS[name](SAMPLE)
    outcome = run(data, name="wrong.extension")
    assert outcome.objects == run(SAMPLE).objects
    assert outcome.split == dataclasses.replace(run(SAMPLE).split, source_sha256=outcome.split.source_sha256)
    sliced, goes = run_in_slices(data, Feed(), Limits(max_batch_rows=1), lambda: lambda: True)
    assert goes > 1
    assert sliced.received == outcome.received


@pytest.mark.fault(14, "UTF-16 with a mark")
@pytest.mark.fault(13, "a byte order mark")
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_split_of_text_with_a_mark_gives_the_same(encoding: str) -> None:
    outcome = run(SAMPLE.decode().encode(encoding))
    assert outcome.bodies == run(SAMPLE).bodies
    assert outcome.rejects == run(SAMPLE).rejects
    corrected = outcome.rejected_rows.replace(b"\n,x", b"\n7,x")
    assert run(corrected).received == [("7", "x", "y")]


@pytest.mark.fault(14, "UTF-16 without a mark, named by the feed")
@pytest.mark.parametrize("encoding", ["cp1250", "utf-16-le", "utf-16-be", "iso8859_2", "utf-8"])
def test_split_in_the_encoding_of_the_feed_reads_it(encoding: str) -> None:
    outcome = run(SAMPLE.replace("ã".encode(), b"a").decode().encode(encoding), Feed(encoding=encoding))
    assert outcome.received == [("1", "Łódź", "späť"), ("2", "Sao\nPaulo", "")]


def test_byte_without_meaning_in_the_encoding_rejects_its_row() -> None:
    outcome = run(b"pcId,a\n1,\x81\n2,\xe9\n", Feed(encoding="cp1252"))
    assert outcome.rejects == [["2", "a", "invalid_utf8"]]
    assert outcome.received == [("2", "é")]


def test_json_lines_with_late_columns_and_all_values_are_read() -> None:
    lines: list[Any] = [
        '{"thirdPartyId": "1", "a": null, "n": 1.10}',
        "",
        '{"n": 12345678901234567890, "thirdPartyId": 2, "late": true, "a": "x,y"}',
        '{"thirdPartyId": "3", "a": [1]}',
        "[1, 2]",
        '{"thirdPartyId": "4", "a": "\\ud800"}',
        '{"thirdPartyId": "5", "a": NaN}',
        '{"a": "no id"}',
        "{",
    ]
    outcome = run("\n".join(lines).encode(), limits=Limits(max_batch_rows=1))
    assert outcome.bodies == [
        b"batch=thirdPartyId,a,n,late\n1,,1.10,",
        b"batch=thirdPartyId,a,n,late\n2,x%2Cy,12345678901234567890,true",
    ]
    assert outcome.rejects == [
        ["4", "a", "nested_value"],
        ["5", "", "bad_json"],
        ["6", "a", "invalid_utf8"],
        ["7", "", "bad_json"],
        ["8", "thirdPartyId", "empty_id"],
        ["9", "", "bad_json"],
    ]


@pytest.mark.fault(23, "an archive cut short, damaged, with junk after it")
def test_split_of_a_damaged_archive_is_rejected() -> None:
    big = b"".join(b"%d,Oslo,%x\n" % (number, hash(number * 7919)) for number in range(5000))
    for name, compress in COMPRESSIONS.items():
        packed = compress(SAMPLE + big)
        broken = bytearray(packed)
        broken[len(broken) // 2] ^= 0xFF
        for data in (packed[: len(packed) // 3], packed[: len(packed) * 2 // 3], bytes(broken)):
            if name.startswith("zst") and data == broken:
                continue  # without a checksum, a changed value is a value
            with pytest.raises(FileRejectedError, match=r"damaged|cut short"):
                run(data)
    with pytest.raises(FileRejectedError, match="follows the end"):
        run(gzip.compress(SAMPLE) + b"junk")
