"""The key column: its spellings, and what is said where there is none."""

from __future__ import annotations

import json

import pytest

from bulk_profiles.core.errors import FileRejectedError
from bulk_profiles.core.feeds import Feed, Mapping
from bulk_profiles.core.models import KeyColumn
from tests.worlds.splitting import run

THIRD_PARTY = [
    "third-party-id",
    "THIRDPARTYID",
    "Third Party Id",
    "third_party_id",
    "mbox3rdPartyId",
    "mbox_3rd_party_id",
]


@pytest.mark.parametrize(
    ("name", "sent"),
    [(name, b"thirdPartyId") for name in THIRD_PARTY]
    + [(name, b"pcId") for name in ("PCID", "pc_id", "Pc-Id")],
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_only_column_that_means_the_key_is_the_key(name: str, sent: bytes, delimiter: str) -> None:
    outcome = run(f"city,{name},plan\nUlm,A1,gold\n".replace(",", delimiter).encode())
    assert outcome.bodies == [b"batch=" + sent + b",city,plan\nA1,Ulm,gold"]
    assert outcome.split.warnings == {"key_spelling": 1}


def test_key_of_json_lines_may_have_another_spelling() -> None:
    lines = [{"third_party_id": number, "city": "Ulm"} for number in ("A1", 7.0, True)]
    outcome = run("\n".join(map(json.dumps, lines)).encode(), Feed(mapping=Mapping(keep=("city",))))
    assert outcome.bodies == [b"batch=thirdPartyId,city\nA1,Ulm\n7,Ulm"]
    assert outcome.split.rejects == {"empty_id": 1}


def test_key_of_a_batch_file_may_have_another_spelling() -> None:
    assert run(b"batch=PCID,a\n1,x").bodies == [b"batch=pcId,a\n1,x"]


def test_column_that_is_spelled_exactly_is_the_key_before_all_others() -> None:
    outcome = run(b"PCID,third-party-id,thirdPartyId\n1,2,3\n")
    assert outcome.bodies == [b"batch=thirdPartyId,PCID,third-party-id\n3,1,2"]
    assert outcome.split.warnings == {"look_alike": 2}
    lines = b'{"PCID":"1","a":"x"}\n{"PCID":"2","pcId":"3","a":"y"}\n'
    assert run(lines).received == [("3", "2", "y")]  # the exact name comes late


@pytest.mark.parametrize("name", ["Customer_No", "customer no", "CUSTOMER-NO"])
def test_key_that_the_feed_names_may_have_another_spelling_in_the_file(name: str) -> None:
    outcome = run(f"a,{name}\nx,1\n".encode(), Feed(mapping=Mapping(key="customerNo")))
    assert outcome.bodies == [b"batch=thirdPartyId,a\n1,x"]
    assert outcome.split.warnings == {"key_spelling": 1}


@pytest.mark.parametrize(
    ("key", "kind"), [("PCID", "pcId"), ("mbox3rdPartyId", "thirdPartyId"), ("id", "thirdPartyId")]
)
def test_kind_of_the_key_is_what_its_name_means(key: str, kind: str) -> None:
    outcome = run(f"{key},a\n1,x\n".encode(), Feed(mapping=Mapping(key=key)))
    assert outcome.split.key_column == kind
    assert outcome.split.warnings == {}


@pytest.mark.parametrize(
    ("names", "feed", "sentences"),
    [
        (
            "id,third_party_nr,e-mail",
            Feed(),
            [
                "The header has no key column pcId or thirdPartyId, but 3 columns: "
                '"id", "third_party_nr", "e-mail"; the nearest is "third_party_nr".',
                '"mapping": {"key": "third_party_nr"} in the feed',
                "--key-column",
            ],
        ),
        ("x,y", Feed(), ['2 columns: "x", "y". Rename', '{"key": "customer"}']),
        (
            "kd_nr,y",
            Feed(mapping=Mapping(key="kdnummer")),
            ['"kdnummer", which the feed names', 'nearest is "kd_nr"'],
        ),
        (
            "city,thirdPartyId",
            Feed(key_column=KeyColumn.PC_ID),
            ['key column is pcId, and the header has "thirdPartyId"', 'set "keyColumn": "thirdPartyId"'],
        ),
        ("city,y", Feed(key_column=KeyColumn.PC_ID), ['"city", "y". Rename']),
        (
            ",".join(f"n{number}{'x' * 60}" for number in range(12)),
            Feed(),
            ["12 columns", '"n0' + "x" * 38 + '"', ", ..."],
        ),
        ("PCID,pc_id", Feed(), ['more than one that can be meant ("PCID", "pc_id")', '{"key": "PCID"}']),
        ("third-party-id,PCID", Feed(), ["more than one"]),
        ('"",""', Feed(), ["but 0 columns. "]),
    ],
)
def test_header_without_one_key_column_is_told_with_its_columns(
    names: str, feed: Feed, sentences: list[str]
) -> None:
    with pytest.raises(FileRejectedError) as caught:
        run(f"{names}\n{'word,' * names.count(',')}other\n".encode(), feed)
    for sentence in sentences:
        assert sentence in str(caught.value)
    assert "word" not in str(caught.value)
