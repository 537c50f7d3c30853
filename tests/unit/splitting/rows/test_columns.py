"""The header and the feed's mapping, as columns."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bulk_profiles.core.errors import FileRejectedError
from bulk_profiles.core.feeds import Feed, Mapping, SeparatorInValue, plain_name
from bulk_profiles.core.models import ApiVersion, KeyColumn
from bulk_profiles.splitting.rows.columns import resolve
from tests.worlds.splitting import run

PLAIN = b"thirdPartyId,city,age\n1,Oslo,40\n2,Rome,50\n"


def test_missing_key_column_is_reported_without_values() -> None:
    """The first line may be no header."""
    with pytest.raises(FileRejectedError) as caught:
        run(b"secret-canary,other\nsecret-canary,2\n")
    assert "canary" not in str(caught.value)


def test_names_lose_outer_spaces_and_the_prefix() -> None:
    outcome = run(b"profile.pcId , profile.city,age\n1,x,y\n")
    assert outcome.bodies == [b"batch=pcId,city,age\n1,x,y"]
    assert outcome.split.warnings == {"prefix_stripped": 2}


def test_last_columns_without_a_name_must_be_empty() -> None:
    outcome = run(b"pcId,a,,\n1,x,,\n2,y\n3,z,w,\n")
    assert outcome.received == [("1", "x"), ("2", "y")]
    assert outcome.split.rejects == {"too_many_cells": 1}


def test_third_party_ids_with_v1_are_a_warning() -> None:
    assert run(PLAIN, Feed(api_version=ApiVersion.V1)).split.warnings == {"v1_third_party_id": 1}
    assert run(b"pcId,a\n1,x\n", Feed(api_version=ApiVersion.V1)).split.warnings == {}


def test_feed_chooses_one_of_two_key_columns() -> None:
    data = b"pcId,thirdPartyId\n1,2\n"
    outcome = run(data, Feed(key_column=KeyColumn.THIRD_PARTY_ID))
    assert outcome.bodies == [b"batch=thirdPartyId,pcId\n2,1"]
    assert outcome.split.warnings == {"look_alike": 1}


def test_mapping_renames_drops_fills_and_adds_columns() -> None:
    mapping = Mapping(
        key="customer",
        rename={"town": "city"},
        drop=("secret",),
        constants={"source": "crm & co"},
        defaults={"city": "no where"},
        tombstone="-",
    )
    data = b"town,secret,customer,age\nOslo,s,1,\n,s,2,40\n,s,1,50\n"
    outcome = run(data, Feed(mapping=mapping))
    assert outcome.bodies == [
        b"batch=thirdPartyId,city,age,source\n1,Oslo,50,crm%20%26%20co\n2,no%20where,40,crm%20%26%20co"
    ]


def test_mapping_that_keeps_columns_drops_all_others() -> None:
    outcome = run(b"a,pcId,b,c\n1,2,3,4\n", Feed(mapping=Mapping(keep=("c",))))
    assert outcome.bodies == [b"batch=pcId,c\n2,4"]


def test_names_in_the_mapping_may_have_the_prefix() -> None:
    mapping = {
        "drop": ["profile.mail"],
        "rename": {"profile.town": "profile.city"},
        "constants": {"profile.source": "crm"},
    }
    outcome = run(b"profile.mail,pcId,profile.town\nme,1,x\n", Feed.from_json({"mapping": mapping}))
    assert outcome.bodies == [b"batch=pcId,city,source\n1,x,crm"]


def test_names_in_the_mapping_without_a_column_are_counted() -> None:
    outcome = run(b"pcId,email\n1,x\n", Feed(mapping=Mapping(drop=("emial",))))
    assert outcome.split.warnings == {"unknown_column": 1}


@pytest.mark.parametrize(
    ("header", "names"),
    [
        ("thirdPartyId\u200b,city", b"city"),
        ("\ufeffthirdPartyId,\u200bcity,plan\ufeff", b"city,plan"),
        ("thirdPartyId,\u00a0home\u00a0town", b"home%20town"),
        ('"\u2060thirdPartyId","\u00adcity"', b"city"),
        ("profile.\u200bthirdPartyId,city", b"city"),
        ("batch=thirdPartyId%E2%80%8B,%EF%BB%BFcity", b"city"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_invisible_characters_are_no_part_of_a_name(header: str, names: bytes, encoding: str) -> None:
    cells = names.count(b",") + 1
    outcome = run((header + "\nA1" + ",x" * cells + "\n").encode(encoding))
    assert outcome.bodies == [b"batch=thirdPartyId," + names + b"\nA1" + b",x" * cells]


@pytest.mark.parametrize(
    "name", ["internalNote\u200b", "\ufeffinternalNote", "internal\u2060Note", " internalNote\u00a0"]
)
@pytest.mark.parametrize("listed", ["internalNote", "internalNote\u200d"])
def test_column_with_invisible_characters_is_dropped(name: str, listed: str) -> None:
    feed = Feed.from_json({"mapping": {"drop": [listed]}})
    for data in (
        f"thirdPartyId,city,{name}\nA1,Ulm,secret\n",
        json.dumps({"thirdPartyId": "A1", "city": "Ulm", name: "secret"}),
    ):
        assert run(data.encode(), feed).bodies == [b"batch=thirdPartyId,city\nA1,Ulm"]


@pytest.mark.parametrize("blank", [" ", "\u00a0", "\u202f"])
@pytest.mark.parametrize("listed", ["internal note", "internal\u00a0note"])
def test_column_with_another_blank_is_dropped(blank: str, listed: str) -> None:
    feed = Feed.from_json({"mapping": {"drop": [listed]}})
    outcome = run(f"thirdPartyId,city,internal{blank}note\nA1,Ulm,secret\n".encode(), feed)
    assert outcome.bodies == [b"batch=thirdPartyId,city\nA1,Ulm"]


@pytest.mark.parametrize("names", ["city,thirdPartyId,city\u200b", "profile.city,thirdPartyId,city "])
def test_two_columns_of_one_name_are_rejected_with_their_positions(names: str) -> None:
    with pytest.raises(FileRejectedError, match='Columns 1 and 3 of the file have one name, "city"'):
        run(f"{names}\nx,1,y\n".encode())


@pytest.mark.parametrize(
    "name", ["InternalNote", "internal_note", "internal note", "INTERNAL-NOTE", "internal\u00a0note"]
)
@pytest.mark.parametrize(
    "mapping",
    [{"drop": ["internalNote"]}, {"keep": ["city", "internalNote"]}, {"rename": {"internalNote": "x"}}],
)
@pytest.mark.parametrize("key", ["thirdPartyId", "third-party-id"])
def test_column_that_the_mapping_spells_in_another_way_rejects_the_file(
    name: str, mapping: Any, key: str
) -> None:
    """It must not be sent although it is to be dropped."""
    feed = Feed.from_json({"mapping": mapping})
    for data in (
        f"{key},city,{name}\nA1,Ulm,secret\n",
        json.dumps({key: "A1", "city": "Ulm", name: "secret"}),
    ):
        with pytest.raises(
            FileRejectedError, match='mapping says "internalNote" where the header says'
        ) as caught:
            run(data.encode(), feed)
        assert f'"{plain_name(name)}"' in str(caught.value)


def test_column_may_be_dropped_in_all_spellings() -> None:
    feed = Feed.from_json({"mapping": {"drop": ["internalNote", "InternalNote"]}})
    outcome = run(b"thirdPartyId,city,InternalNote\nA1,Ulm,x\n", feed)
    assert outcome.bodies == [b"batch=thirdPartyId,city\nA1,Ulm"]
    assert outcome.split.warnings == {"unknown_column": 1}


def test_unknown_columns_of_the_mapping_are_named_with_the_nearest_columns() -> None:
    mapping = Mapping(rename={"zzz": "z"}, drop=("emial", "emial"))
    outcome = run(b"pcId,email,e-mail 2\n1,x,y\n", Feed(mapping=mapping))
    assert outcome.split.warnings == {"unknown_column": 2}
    assert outcome.split.examples.columns == {"unknown_column": ["zzz", "emial (nearest: email, e-mail 2)"]}


def test_defaults_of_unknown_columns_are_named() -> None:
    mapping = Mapping(rename={"town": "city"}, defaults={"city": "x", "City": "y", "town": "z"})
    outcome = run(b"pcId,town\n1,\n", Feed(mapping=mapping))
    assert outcome.received == [("1", "x")]
    assert outcome.split.examples.columns == {"unknown_column": ["City (nearest: city)", "town"]}


@pytest.mark.parametrize(
    ("data", "mapping"),
    [
        (b"pcId\n1\n2\n", Mapping()),
        (b"pcId,a\n1,x\n", Mapping(drop=("a",))),
        (b'{"pcId": "1"}\n', Mapping()),
    ],
)
def test_file_of_which_only_the_key_is_sent_is_told(data: bytes, mapping: Mapping) -> None:
    assert run(data, Feed(mapping=mapping)).split.advice.startswith("No column but the key is sent")
    assert run(data, Feed(mapping=Mapping(drop=("a",), constants={"b": "y"}))).split.advice == ""


@pytest.mark.parametrize("name", ["town.1", "v1.2", "city_1", "city.x", "city.2024", "a:1", "city.1.2"])
def test_column_with_a_number_that_no_writer_adds_is_no_copy(name: str) -> None:
    assert not run(f"{name},thirdPartyId,city\n0,A1,Ulm\n".encode()).split.warnings


def test_columns_of_a_warning_are_few_and_short() -> None:
    names = [f"profile.{number}\u202e{'x' * 99}" for number in range(6)]
    split = run(("pcId," + ",".join(names) + "\n1,2,3,4,5,6,7\n").encode()).split
    assert split.warnings == {"prefix_stripped": 6}
    assert split.examples.columns["prefix_stripped"] == [f"profile.{n}" + "x" * 91 for n in range(5)]


@pytest.mark.parametrize(
    "name",
    [
        *("level_0", "Unnamed: 0", "Unnamed: 3_level_1", "row.names", "...1", "Op", "METADATA$ACTION", "f0_"),
        *(
            "?column?",
            "(No column name)",
            "city.1",
            "thirdPartyId.1",
            "city_duplicated_0",
            "city:1",
            "city...3",
        ),
    ],
)
def test_column_that_a_writer_adds_is_sent_with_a_warning(name: str) -> None:
    outcome = run(f"{name},thirdPartyId,city\n0,A1,Ulm\n".encode())
    assert outcome.received == [("A1", "0", "Ulm")]
    assert outcome.split.warnings == {"writer_column": 1}
    dropped = run(
        f"{name},thirdPartyId,city\n0,A1,Ulm\n".encode(), Feed.from_json({"mapping": {"drop": [name]}})
    )
    assert (dropped.received, dropped.split.warnings) == ([("A1", "Ulm")], {})


@pytest.mark.parametrize("name", ["_airbyte_raw_id", "__index_level_0__", "_corrupt_record", "_score"])
def test_column_whose_name_begins_with_an_underscore_is_not_sent(name: str) -> None:
    data = f"{name},thirdPartyId,city\n0,A1,Ulm\n".encode()
    outcome = run(data)
    assert outcome.received == [("A1", "Ulm")]
    assert outcome.split.warnings == {"note_column": 1}
    assert outcome.split.examples.columns == {"note_column": [name]}
    lines = f'{{"{name}": [0], "thirdPartyId": "A1", "city": "Ulm"}}\n'.encode()
    assert run(lines).received == [("A1", "Ulm")]
    for feed in ({"drop": [name]}, {"keep": ["city"]}):
        dropped = run(data, Feed.from_json({"mapping": feed}))
        assert (dropped.received, dropped.split.warnings) == ([("A1", "Ulm")], {})
    kept = run(data, Feed.from_json({"mapping": {"keep": [name, "city"]}}))
    assert (kept.received, kept.split.warnings) == ([("A1", "Ulm")], {"note_column": 1})
    renamed = run(data, Feed.from_json({"mapping": {"rename": {name: "score"}}}))
    assert (renamed.received, renamed.split.warnings) == ([("A1", "0", "Ulm")], {})


def test_key_column_may_begin_with_an_underscore() -> None:
    outcome = run(b"_id,city\nA1,Ulm\n", Feed(mapping=Mapping(key="_id")))
    assert (outcome.received, outcome.split.warnings) == ([("A1", "Ulm")], {})


def test_our_own_notes_are_no_warning() -> None:
    outcome = run(b"pcId,city,_line,_reason,_what_to_do,_batch,_status,_row\nA1,Ulm,1,x,y,z,u,v\n")
    assert (outcome.received, outcome.split.warnings) == ([("A1", "Ulm")], {})


def test_values_that_are_not_sent_are_neither_rejected_nor_warned_of() -> None:
    data = b'pcId,city,_note\nA1,Ulm,"a, b"\nA2,Bonn,"NULL"\nA3,Kiel,"\x01' + b"x" * 300 + b'"\n'
    for policy in SeparatorInValue:
        outcome = run(data, Feed(separator_in_value=policy))
        assert (outcome.rejects, outcome.split.warnings) == ([], {"note_column": 1})


@pytest.mark.parametrize(
    "header", [",thirdPartyId,city", '"",thirdPartyId,city', "\u200b,thirdPartyId,city,,"]
)
def test_column_without_a_name_is_not_sent_and_a_warning(header: str) -> None:
    data = f"{header}\n0,A1,Ulm\n1,A2,Bonn\n".encode()
    outcome = run(data)
    assert outcome.bodies == [b"batch=thirdPartyId,city\nA1,Ulm\nA2,Bonn"]
    assert outcome.split.warnings == {"writer_column": 1}
    assert resolve(["pcId", "", "a", ""], Feed()).named == {"writer_column": ["column 2 without a name"]}
    assert run(data, Feed(mapping=Mapping(drop=("",)))).split.warnings == {}


def test_two_columns_without_a_name_are_not_sent() -> None:
    assert run(b"pcId,,a,,b\n1,2,3,4,5\n").bodies == [b"batch=pcId,a,b\n1,3,5"]


@pytest.mark.parametrize(
    "other",
    [
        "Email",
        "E-Mail",
        "E_MAIL",
        "profile.E_MAIL",
        "Profile.EMAIL",
        "e\u2011mail",
        "e\u2013mail",
        "e\u2019mail",
        "e'mail",
        "e/mail",
        "(email)",
        "#email",
        "`email`",
        "[email]",
        "e\u200bmail!",
    ],
)
@pytest.mark.parametrize("mapping", [{"drop": ["email"]}, {"keep": ["email"]}, {"rename": {"email": "mail"}}])
def test_other_spelling_beside_a_name_of_the_mapping_rejects_the_file(
    other: str, mapping: dict[str, Any]
) -> None:
    feed = Feed.from_json({"mapping": mapping})
    with pytest.raises(FileRejectedError) as caught:
        run(f"thirdPartyId,email,{other}\nA1,a@x.org,b@x.org\n".encode(), feed)
    assert f'"email", and the header has that and "{plain_name(other)}"' in str(caught.value)
    lines = [{"thirdPartyId": "A1", "email": "a", "x": "1"}] * 3 + [{"thirdPartyId": "A2", other: "b"}]
    with pytest.raises(FileRejectedError, match="the header has that and"):
        run("\n".join(map(json.dumps, lines)).encode(), feed)


def test_numbers_that_are_told_apart_by_punctuation_are_two_names() -> None:
    feed = Feed.from_json({"mapping": {"drop": ["Q11"]}})
    assert run(b"pcId,Q1_1,Q11\n1,x,y\n", feed).bodies == [b"batch=pcId,Q1_1\n1,x"]


@pytest.mark.parametrize("other", ["City", "ci-ty", "CITY ", "c\u0131ty"])
def test_two_spellings_that_are_sent_are_a_warning(other: str) -> None:
    split = run(f"pcId,city,age,{other}\n1,Ulm,4,Bonn\n".encode()).split
    if other == "c\u0131ty":  # another letter
        assert split.warnings == {}
        return
    assert split.warnings == {"two_spellings": 2}
    assert split.examples.columns == {"two_spellings": ["city", other.strip()]}


def test_unicode_forms_and_constants_are_other_spellings() -> None:
    data = "pcId,gr\u00f6sse,gro\u0308sse\n1,a,b\n".encode()
    assert run(data).split.warnings == {"two_spellings": 2}
    constant = Feed(mapping=Mapping(constants={"City": "x"}))
    assert run(b"pcId,city\n1,Ulm\n", constant).split.warnings == {"two_spellings": 2}


def test_prefix_may_have_capitals() -> None:
    outcome = run(b"PROFILE.pcId,Profile.city\n1,x\n")
    assert outcome.bodies == [b"batch=pcId,city\n1,x"]
    assert outcome.split.warnings == {"prefix_stripped": 2}


@pytest.mark.parametrize("sign", ["\0", "\a", "\x1b", "\x7f", "\x80"])
def test_control_character_in_a_name_is_removed_with_a_warning(sign: str) -> None:
    outcome = run(f"pcId,ci{sign}ty,age{sign}\n1,Ulm,4\n".encode(), Feed(encoding="utf-8"))
    assert outcome.bodies == [b"batch=pcId,city,age\n1,Ulm,4"]
    assert outcome.split.warnings == {"control_in_name": 2}
    assert outcome.split.examples.columns == {"control_in_name": ["ci?ty", "age?"]}


def test_names_that_the_mapping_makes_one_reject_the_file() -> None:
    with pytest.raises(
        FileRejectedError,
        match=r'there is a column twice \("b"\): rename one of the two, or add it to "drop"\.$',
    ):
        run(b"pcId,a,b\n1,x,y\n", Feed(mapping=Mapping(rename={"a": "b"})))
