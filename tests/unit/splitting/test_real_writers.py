"""Tables as real writers write them, and damaged: what is sent is a row of the table, or it is a reject."""

from __future__ import annotations

import gzip
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bulk_profiles.core.errors import FileRejectedError
from bulk_profiles.core.feeds import Feed
from bulk_profiles.splitting.reading import delimited, json_lines
from tests.worlds.splitting import Outcome, expected, run
from tests.worlds.writers import (
    BOM,
    DAMAGES,
    DUCKDB,
    KEY,
    QUOTINGS,
    Dialect,
    Effect,
    Rows,
    as_json_lines,
    by_duckdb,
    with_batch_prefix,
)

_SIGNS = st.sampled_from([*"ab1 ,;|\"\t\n\r%&+=#'/\\:-", "é", "€"])
_VALUES = st.one_of(st.text(_SIGNS, max_size=5), st.sampled_from(["", KEY, "---", '"', '5" pipe', "a\nb"]))
_PLAIN = st.text(st.sampled_from("ab1 -é"), max_size=4)
_DIALECTS = st.builds(
    Dialect, st.sampled_from(",;\t|"), st.sampled_from(["\n", "\r\n", "\r"]), st.sampled_from(QUOTINGS)
)
_ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252")
few = settings(max_examples=60, deadline=None)


@st.composite
def tables(draw: st.DrawFn, values: st.SearchStrategy[str] = _VALUES) -> tuple[list[str], list[list[str]]]:
    """Return names and rows of a table. Each row has a value beside its id, which no other row has."""
    width = draw(st.integers(2, 4))
    names = [KEY, *(f"c{number}" for number in range(1, width))]
    count = draw(st.integers(1, 12))
    rows = [[f"A{n}", *(draw(values) for _ in names[2:]), f"{draw(values)}x"] for n in range(count)]
    return names, rows


def split_in_blocks(data: bytes, feed: Feed, size: int, processes: int) -> Outcome:
    with pytest.MonkeyPatch.context() as patch:
        for module in (delimited, json_lines):
            patch.setattr(module, "BLOCK_BYTES", size)
        patch.setattr(delimited, "_MIN_WHOLE_BYTES", size // 2)
        patch.setattr(delimited, "_MIN_SOUND_BYTES", 0)
        patch.setattr(delimited, "_MIN_RECORDS", 1)
        return run(data, feed, processes=processes)


_BLOCKS = st.sampled_from([3, 50, 4096])
_PROCESSES = st.sampled_from([1, 1, 1, 2])


@few
@given(tables(), _DIALECTS, st.sampled_from(_ENCODINGS), st.booleans(), st.booleans(), _BLOCKS, _PROCESSES)
def test_table_of_any_csv_writer_is_received(
    table: tuple[list[str], Rows],
    dialect: Dialect,
    encoding: str,
    last_line: bool,
    packed: bool,
    size: int,
    processes: int,
) -> None:
    names, rows = table
    text = dialect.end.join(dialect.records(names, rows)) + dialect.end * last_line
    data = text.encode(encoding)
    feed = Feed(encoding=encoding if encoding == "cp1252" else None)
    if encoding == "cp1252" and not text.isascii() and _is_utf8(data):
        return
    outcome = split_in_blocks(gzip.compress(data) if packed else data, feed, size, processes)
    assert outcome.received == expected(names, rows, KEY)
    assert outcome.rejects == []


@few
@given(tables(), st.sampled_from([*DUCKDB, "json", "batch"]), _BLOCKS)
def test_table_of_any_other_writer_is_received(table: tuple[list[str], Rows], writer: str, size: int) -> None:
    names, rows = table
    others = {"json": as_json_lines, "batch": with_batch_prefix}
    data = others[writer](names, rows) if writer in others else by_duckdb(names, rows, writer)
    outcome = split_in_blocks(data, Feed(), size, 1)
    assert outcome.received == expected(names, rows, KEY)
    assert outcome.rejects == []


def check_damaged(
    kind: str, table: tuple[list[str], Rows], dialect: Dialect, place: int, blocks: tuple[int, int]
) -> None:
    """Split a table with a damage of this kind and check what becomes of its rows."""
    names, rows = table
    damage, place = DAMAGES[kind], place % len(rows)
    assume(len(names) >= damage.least)
    records = dialect.records(names, rows)
    first_line = place + 2  # the values have no line breaks
    damaged = damage.apply(dialect, names, rows[place])
    records[place + 1 : place + 2] = damaged
    text = dialect.end.join([*records, ""]).encode("utf-8", "surrogateescape")
    try:
        outcome = split_in_blocks(text, Feed(), *blocks)
    except FileRejectedError as error:
        reason = str(error)
    else:
        reason = ""
    all_rows = expected(names, rows, KEY)
    other_rows = all_rows[:place] + all_rows[place + 1 :]
    if damage.effect is Effect.FILE:
        assert f"Line {first_line} is another header" in reason
        return
    if reason:  # few rows show too little of their delimiter, and a quote may be closed nowhere
        assert damage.effect is Effect.QUOTES or "use one delimiter in all lines" in reason
        return
    lines = [int(line) for line, *_ in outcome.rejects]
    if damage.effect is Effect.NO_ROW:
        assert (outcome.received, lines) == (all_rows, [])
    elif damage.effect is Effect.ROW:
        assert (outcome.received, lines) == (other_rows, [*range(first_line, first_line + len(damaged))])
    else:
        swallowing = outcome.split.examples.warnings.get("swallowed_rows", [])
        third = [row for row in outcome.received if row not in other_rows]
        assert lines + swallowing == [first_line]
        assert len(third) == len(swallowing)


CASES = st.tuples(tables(_PLAIN), _DIALECTS, st.integers(0, 11), st.tuples(_BLOCKS, _PROCESSES))


@given(st.sampled_from(sorted(DAMAGES)), CASES)
def check_any_damage(kind: str, case: Any) -> None:
    """Check a damage of any kind: for `make fuzz`."""
    check_damaged(kind, *case)


@pytest.mark.parametrize("kind", DAMAGES)
@settings(max_examples=12, deadline=None)
@given(case=CASES)
def test_damaged_table_gives_rows_and_rejects_and_never_a_third_thing(kind: str, case: Any) -> None:
    check_damaged(kind, *case)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


@pytest.mark.parametrize("header", [BOM * 2 + KEY, KEY + "\u200b", "\u2060" + KEY, f" {KEY}\u00a0"])
def test_table_of_names_with_invisible_characters_is_received(header: str) -> None:
    assert run(f"{header},c1\nA1,x\n".encode()).received == [("A1", "x")]
