"""Dataclasses as JSON objects: every type, every declaration, both ways."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, ClassVar, NamedTuple

import pytest

from bulk_profiles.core import json_object
from bulk_profiles.core.json_object import Json, JsonObject, SparseJsonObject, as_json

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _unresolved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each test resolve the type hints that it needs."""
    monkeypatch.setattr(json_object, "_FIELDS", {})


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True, slots=True)
class Part(JsonObject):
    number: int
    size: int = field(metadata=as_json(name="bytes"))


class Position(NamedTuple):
    offset: int
    line: int


@dataclass(frozen=True, slots=True)
class Whole(JsonObject):
    """A field of every type that has a form."""

    client_code: str
    sha256: str
    rows: int
    is_held: bool
    colour: Colour
    started_at: datetime
    day: date
    put_off: timedelta
    part: Part
    anything: Any
    settings: Json
    names: tuple[str, ...]
    lines: list[int]
    position: Position
    ends: Mapping[str, datetime]
    counts: dict[date, int]
    tally: Counter[str]
    parts: dict[str, tuple[Part, ...]]


WHOLE = Whole(
    client_code="demo",
    sha256="ab",
    rows=7,
    is_held=True,
    colour=Colour.RED,
    started_at=NOON,
    day=NOON.date(),
    put_off=timedelta(seconds=90),
    part=Part(1, 2),
    anything=[None, 0.5],
    settings={"b_c": 1, "a": {"d": "e"}},
    names=("x", "y"),
    lines=[3, 4],
    position=Position(5, 6),
    ends={"b": NOON, "a": NOON},
    counts={date(2026, 11, 25): 1, date(2026, 11, 24): 2},
    tally=Counter({"z": 1, "y": 2}),
    parts={"p": (Part(1, 2), Part(3, 4))},
)
WHOLE_TEXT = (
    '{"clientCode": "demo", "sha256": "ab", "rows": 7, "isHeld": true, "colour": "red",'
    ' "startedAt": "2026-11-24T12:00:00.000Z", "day": "2026-11-24", "putOff": 90,'
    ' "part": {"number": 1, "bytes": 2}, "anything": [null, 0.5], "settings": {"b_c": 1, "a": {"d": "e"}},'
    ' "names": ["x", "y"], "lines": [3, 4], "position": [5, 6],'
    ' "ends": {"b": "2026-11-24T12:00:00.000Z", "a": "2026-11-24T12:00:00.000Z"},'
    ' "counts": {"2026-11-25": 1, "2026-11-24": 2}, "tally": {"z": 1, "y": 2},'
    ' "parts": {"p": [{"number": 1, "bytes": 2}, {"number": 3, "bytes": 4}]}}'
)


def test_to_json_writes_every_type_in_the_fields_order() -> None:
    assert json.dumps(WHOLE.to_json()) == WHOLE_TEXT


def test_to_json_writes_enums_as_plain_strings() -> None:
    """Whoever prints a value must not see `Colour.RED`."""
    assert type(WHOLE.to_json()["colour"]) is str


@pytest.mark.parametrize("parse_int", [int, Decimal])
def test_from_json_reads_every_type_back(parse_int: type) -> None:
    read = Whole.from_json(json.loads(WHOLE_TEXT, parse_int=parse_int))

    assert read == WHOLE
    assert (type(read.rows), type(read.names), type(read.tally)) == (int, tuple, Counter)
    assert type(read.position) is Position
    assert type(read.parts["p"][1].size) is int


def test_from_json_ignores_other_keys() -> None:
    assert Part.from_json({"number": 1, "bytes": 2, "pk": "PART"}) == Part(1, 2)


@pytest.mark.parametrize("key", ["number", "bytes"])
def test_from_json_without_a_field_is_refused(key: str) -> None:
    data = {"number": 1, "bytes": 2}
    del data[key]
    with pytest.raises(KeyError, match=key):
        Part.from_json(data)


def test_field_with_another_name_is_required_as_any_other() -> None:
    @dataclass(frozen=True, slots=True)
    class Renamed(JsonObject):
        size: int = field(metadata=as_json(name="bytes"))

    with pytest.raises(KeyError, match="bytes"):
        Renamed.from_json({"size": 1})


@pytest.mark.parametrize(
    "change",
    [
        {"rows": None},
        {"rows": "7"},
        {"rows": 0.5},
        {"rows": Decimal("0.5")},
        {"colour": "blue"},
        {"startedAt": "2026-11-24T12:00:00"},
        {"startedAt": 5},
        {"day": "someday"},
        {"part": {"number": "1", "bytes": 2}},
        {"counts": {"2026-11-25": None}},
        {"counts": {"tomorrow": 1}},
        {"ends": ["a"]},
        {"names": 5},
    ],
)
def test_from_json_of_a_malformed_field_is_refused(change: Json) -> None:
    with pytest.raises((TypeError, ValueError, AttributeError)):
        Whole.from_json(json.loads(WHOLE_TEXT) | change)


@dataclass(frozen=True, slots=True)
class Perhaps(JsonObject):
    """A field of every type for which None is written in its own way."""

    text: str | None = None
    colour: Colour | None = None
    ended_at: datetime | None = None
    day: date | None = None
    count: int | None = None
    part: Part | None = None
    settings: Json | None = None
    names: tuple[str, ...] | None = None


NOTHING = '"text": "", "colour": "", "endedAt": "", "day": "", "count": null, "part": null'


def test_to_json_writes_none_of_a_text_as_an_empty_string() -> None:
    text = f'{{{NOTHING}, "settings": null, "names": null}}'
    assert json.dumps(Perhaps().to_json()) == text
    assert Perhaps.from_json(json.loads(text)) == Perhaps()


def test_from_json_reads_null_as_none() -> None:
    assert Perhaps.from_json(dict.fromkeys(Perhaps().to_json())) == Perhaps()


def test_from_json_keeps_zero_and_empty_values() -> None:
    some = Perhaps("x", Colour.RED, NOON, NOON.date(), 0, Part(0, 0), {}, ())
    assert Perhaps.from_json(json.loads(json.dumps(some.to_json()))) == some


@dataclass(frozen=True, slots=True)
class Declared(JsonObject):
    """A field of every difference that a field may declare."""

    counts: dict[str, int] = field(metadata=as_json(sort_keys=True))
    days: dict[date, int] = field(metadata=as_json(sort_keys=True))
    terminal: Json | None = field(metadata=as_json(text=True))
    parts: tuple[Part, ...] = field(metadata=as_json(text=True))
    unsettled: int = field(default=3, metadata=as_json(optional=True))
    cache: list[int] = field(default_factory=list, metadata=as_json(keep=False))


DECLARED = Declared(
    {"b": 1, "a": 2}, {date(2026, 2, 1): 1, date(2025, 3, 1): 2}, {"b": 1}, (Part(1, 2),), 0, [1]
)
DECLARED_TEXT = (
    '{"counts": {"a": 2, "b": 1}, "days": {"2025-03-01": 2, "2026-02-01": 1}, "terminal": "{\\"b\\": 1}",'
    ' "parts": "[{\\"number\\": 1, \\"bytes\\": 2}]", "unsettled": 0}'
)


def test_to_json_writes_a_field_as_it_declares() -> None:
    assert json.dumps(DECLARED.to_json()) == DECLARED_TEXT


def test_from_json_reads_a_field_as_it_declares() -> None:
    read = Declared.from_json(json.loads(DECLARED_TEXT))
    assert read == Declared(DECLARED.counts, DECLARED.days, DECLARED.terminal, DECLARED.parts, 0, [])


def test_from_json_without_an_optional_field_takes_its_default() -> None:
    data = json.loads(DECLARED_TEXT)
    del data["unsettled"]
    assert Declared.from_json(data).unsettled == 3


def test_to_json_writes_none_as_json_text_null() -> None:
    none = Declared({}, {}, None, ())
    assert none.to_json()["terminal"] == "null"
    assert Declared.from_json(none.to_json()) == none


@dataclass(frozen=True, slots=True)
class Sparse(SparseJsonObject):
    colour: Colour
    resume_at: datetime | None = None
    names: tuple[str, ...] = ()
    rename: dict[str, str] = field(default_factory=dict)


def test_sparse_object_leaves_out_defaults() -> None:
    assert Sparse(Colour.RED).to_json() == {"colour": "red"}
    assert Sparse(Colour.RED, names=("a",)).to_json() == {"colour": "red", "names": ["a"]}


@pytest.mark.parametrize("sparse", [Sparse(Colour.RED), Sparse(Colour.RED, NOON, ("a",), {"b": "c"})])
def test_sparse_object_is_read_back(sparse: Sparse) -> None:
    assert Sparse.from_json(sparse.to_json()) == sparse


def test_sparse_object_without_a_required_field_is_refused() -> None:
    with pytest.raises(KeyError, match="colour"):
        Sparse.from_json({})


@dataclass(slots=True)
class SnakeCase(JsonObject):
    camel_case: ClassVar[bool] = False

    hash_runs: int = 1


def test_keys_without_camel_case_are_the_names_of_the_fields() -> None:
    assert SnakeCase().to_json() == {"hash_runs": 1}
    assert SnakeCase.from_json({"hash_runs": 2}) == SnakeCase(2)


@dataclass(frozen=True, slots=True)
class Unknown(JsonObject):
    ratio: complex


def test_to_json_of_an_unknown_type_is_an_error() -> None:
    with pytest.raises(KeyError, match="complex"):
        Unknown(1j).to_json()


def test_type_hints_are_resolved_at_the_first_use() -> None:
    """A cold start pays only for the classes that it reads or writes."""
    code = (
        "from bulk_profiles.core import json_object, models; import bulk_profiles.ledger.batch_entry;"
        "print(len(json_object._FIELDS));"
        "models.RowCounts().to_json(); models.RowCounts().to_json();"
        "print([kind.__name__ for kind in json_object._FIELDS])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split("\n") == ["0", "['RowCounts']", ""]
