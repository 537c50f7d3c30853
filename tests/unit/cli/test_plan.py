"""The plan of a file, and what is written of it."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

import pytest

from bulk_profiles.cli import plan as plan_module
from bulk_profiles.cli.main import main
from bulk_profiles.core.errors import FileRejectedError
from bulk_profiles.core.feeds import Feed, Quoting, ShortRows
from tests.worlds import deployable


def test_plan_with_a_folder_writes_what_an_import_keeps(customers: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "batches").mkdir(parents=True)
    (out / "batches" / "00007.batch").write_text("of an earlier run")
    assert (
        main(["plan", str(customers), "--out", str(out), "--max-batch-rows", "1"]) == 1
    )  # 25 % are rejected
    manifest = json.loads((out / "manifest.json").read_bytes())
    assert manifest["rows"] == {"read": 4, "rejected": 1, "merged": 1, "skipped": 0, "sent": 2}
    assert sorted(path.name for path in (out / "batches").iterdir()) == ["00001.batch", "00002.batch"]
    assert (out / "batches" / "00001.batch").read_bytes() == b"batch=thirdPartyId,a\n1,w"
    header, row = (out / "rejected-rows.csv").read_text("utf-8-sig").splitlines()
    assert header == "thirdPartyId,a,_line,_reason,_what_to_do,_batch"
    assert row.startswith(",y,3,empty_id: thirdPartyId,")


def test_plan_names_the_lines_of_warnings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "c.csv", tmp_path / "out"
    path.write_bytes(b"pcId,a,b\n1,x,y\n 2,NULL,nan\n")
    assert main(["plan", str(path), "--out", str(out)]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "id_trimmed: 1 (line 3). Ids with blanks" in text
    assert "null_word: 2 (line 3). Values that are a word" in text
    manifest = json.loads((out / "manifest.json").read_bytes())
    assert main(["plan", str(path), "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    expected = {"rejects": {}, "warnings": {"id_trimmed": [3], "null_word": [3]}, "columns": {}}
    assert plan["examples"] == manifest["examples"] == expected
    assert plan["warnings"] == manifest["warnings"] == {"id_trimmed": 1, "null_word": 2}


def test_plan_names_the_columns_of_warnings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "c.csv"
    path.write_bytes(b"thirdPartyId,PCID,a\n1,7,x\n")
    assert main(["plan", str(path)]) == 0
    assert "look_alike: 1 (column PCID). Columns that look" in capsys.readouterr().out


def test_plan_says_what_would_help_with_most_of_the_rejects(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "c.csv"
    path.write_bytes("pcId,a\n1,é\n2,b\n".encode("cp1252"))
    assert main(["plan", str(path), "--json"]) == 1
    assert 'name it in the feed with "encoding": "cp1252".' in json.loads(capsys.readouterr().out)["reason"]


def test_plan_as_json_has_calls_days_and_cost(customers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    limit = ("--max-rejected-percent", "25")
    assert main(["plan", str(customers), "--json", "--rows-a-day", "1", *limit]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert (plan["status"], plan["keyColumn"], plan["calls"], plan["days"]) == (
        "succeeded",
        "thirdPartyId",
        2,
        2,
    )
    assert plan["reason"].startswith("1 row rejected of 4 read: ")
    assert plan["examples"] == {"rejects": {"empty_id": [3]}, "warnings": {}, "columns": {}}
    assert plan["costUsd"]["total"] > 0


def test_plan_without_a_folder_computes_no_digests(
    customers: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["plan", str(customers), "--json"])
    without = json.loads(capsys.readouterr().out)
    main(["plan", str(customers), "--json", "--out", str(tmp_path / "out")])
    kept = json.loads(capsys.readouterr().out)
    body = (tmp_path / "out" / "batches" / "00001.batch").read_bytes()
    assert kept["batches"][0].pop("sha256") == hashlib.sha256(body).hexdigest()
    assert kept["source"].pop("sha256") == hashlib.sha256(customers.read_bytes()).hexdigest()
    assert without == kept


def test_plan_of_a_rejected_file_leaves_no_batch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(b'pcId,a\n1,x\n2,"y\n')
    out = tmp_path / "out"
    assert main(["plan", str(path), "--out", str(out), "--json"]) == 1
    plan = json.loads(capsys.readouterr().out)
    assert plan["status"] == "rejected"
    assert "line 3" in plan["reason"]
    assert not list(out.rglob("*.batch*"))


def test_plan_of_a_rejected_file_deletes_the_earlier_plan(customers: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    main(["plan", str(customers), "--out", str(out)])
    other = out / "batches" / "2024.batch"
    other.write_bytes(b"not of a plan")
    customers.write_bytes(b"")
    assert main(["plan", str(customers), "--out", str(out)]) == 1
    assert [path for path in out.rglob("*") if path.is_file()] == [other]


def test_plan_with_a_feed_and_a_key_column_uses_both(tmp_path: Path) -> None:
    path, feed, out = tmp_path / "c.csv", tmp_path / "feed.json", tmp_path / "out"
    path.write_bytes(b"id;customer;a\n1;7;x\n")
    feed.write_text('{"keyColumn": "pcId", "mapping": {"drop": ["id"]}, "clientCode": "demo"}')
    assert main(["plan", str(path), "--feed", str(feed), "--key-column", "customer", "--out", str(out)]) == 0
    assert (out / "batches" / "00001.batch").read_bytes() == b"batch=pcId,a\n7,x"
    assert json.loads((out / "manifest.json").read_bytes())["clientCode"] == "demo"


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (b"pcId,a\n1,x\n", "succeeded", ""),
        (b"pcId,a\n" + b"1,x\n" * 9 + b",x\n", "succeeded", "1 row rejected of 10 read: "),
        (b"pcId,a\n" + b"1,x\n" * 8 + b",x\n", "partial", "1 row rejected of 9 read, which is above"),
        (b"pcId,a\n", "rejected", "Nothing can be sent: the file has a header and no rows."),
        (b"pcId,a\n1,\n", "rejected", "Nothing can be sent: no row of the 1 read has a value"),
        (b"pcId,a\n,x\n", "rejected", "Nothing can be sent: 1 row rejected of 1 read; "),
        (b"", "rejected", "The file is empty"),
    ],
)
def test_plan_has_the_words_of_the_import(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], body: bytes, status: str, reason: str
) -> None:
    path = tmp_path / "c.csv"
    path.write_bytes(body)
    main(["plan", str(path), "--json", "--out", str(tmp_path / "out")])
    plan = json.loads(capsys.readouterr().out)
    assert plan["status"] == status
    assert plan["reason"].startswith(reason)
    main(["plan", str(path)])
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith(f"{status:<11}c.csv")
    assert reason in first


def test_plan_with_nothing_to_send_keeps_the_rejects_and_no_batch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "c.csv", tmp_path / "out"
    path.write_bytes(b"pcId,a\n,x\n,y\n")
    assert main(["plan", str(path), "--json", "--out", str(out)]) == 1
    plan = json.loads(capsys.readouterr().out)
    assert plan["rows"] == {"read": 2, "rejected": 2, "merged": 0, "skipped": 0, "sent": 0}
    assert plan["rejects"] == {"empty_id": 2}
    assert (plan["batches"], plan["calls"]) == ([], 0)
    kept = {path.name for path in out.rglob("*") if path.is_file()}
    assert kept == {"manifest.json", "rejected-rows.csv"}
    manifest = json.loads((out / "manifest.json").read_bytes())
    assert manifest["examples"] == {"rejects": {"empty_id": [2, 3]}, "warnings": {}, "columns": {}}
    rows = (out / "rejected-rows.csv").read_text("utf-8-sig").splitlines()[1:]
    assert [row.split(",")[:3] for row in rows] == [["", "x", "2"], ["", "y", "3"]]


@pytest.mark.parametrize(
    ("options", "body"),
    [
        (["--delimiter", "semicolon"], b"batch=pcId,a%2Cb\n1,%22x%22"),
        (["--delimiter", ";", "--quoting", "double"], b"batch=pcId,a%2Cb\n1,x"),
    ],
)
def test_plan_with_options_overrides_the_fields_of_the_feed(
    tmp_path: Path, options: list[str], body: bytes
) -> None:
    path, feed, out = tmp_path / "c.csv", tmp_path / "feed.json", tmp_path / "out"
    path.write_bytes(b'pcId;a,b\n1;"x"\n')
    feed.write_text('{"delimiter": "comma", "quoting": "none", "mapping": {"drop": ["c"]}}')
    assert main(["plan", str(path), "--feed", str(feed), "--out", str(out), *options]) == 0
    assert (out / "batches" / "00001.batch").read_bytes() == body


def test_plan_with_an_encoding_reads_it(tmp_path: Path) -> None:
    path, out = tmp_path / "c.csv", tmp_path / "out"
    path.write_bytes("pcId,a\n1,é\n".encode("cp1252"))
    assert main(["plan", str(path), "--encoding", "cp1252", "--out", str(out)]) == 0
    assert (out / "batches" / "00001.batch").read_bytes() == b"batch=pcId,a\n1,%C3%A9"


def test_plan_passes_every_option_of_the_feed_on(
    customers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "feed.json"
    path.write_text('{"nullValues": ["-"], "clientCode": "demo"}')
    feeds: list[Feed] = []
    named: dict[str, object] = {}

    def split(_: object, feed: Feed, *_others: object, **others: object) -> None:
        feeds.append(feed)
        named.update(others)
        raise FileRejectedError("It is not split here.")

    monkeypatch.setattr(plan_module, "split", split)
    options = ["--short-rows", "fill", "--null-value", "NULL", "--null-value", "n/a", "--quoting", "none"]
    options += ["--encoding", "cp1252", "--delimiter", "tab", "--max-rejected-percent", "0"]
    options += ["--processes", "3"]
    assert main(["plan", str(customers), "--feed", str(path), *options]) == 1
    assert feeds == [
        Feed(
            client_code="demo",
            encoding="cp1252",
            delimiter="\t",
            quoting=Quoting.NONE,
            short_rows=ShortRows.FILL,
            null_values=("NULL", "n/a"),
            max_rejected_percent=0,
        )
    ]
    assert named["processes"] == 3


def test_a_file_that_would_take_longer_than_batches_are_kept_is_rejected(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the import says it."""
    file = tmp_path / "customers.csv"
    file.write_bytes(b"thirdPartyId,name\n" + b"".join(b"u%d,Ada\n" % number for number in range(30)))
    options = ["plan", str(file), "--json", "--rows-a-day", "1"]
    assert main([*options, "--retention-days", "31"]) == 0
    capsys.readouterr()
    assert main(options) == 1
    plan = json.loads(capsys.readouterr().out)
    assert plan["status"] == "rejected"
    assert "would take 31 days, and its batches are kept for 30: 30 rows at 1 a day" in plan["reason"]


@pytest.mark.parametrize("key", ["pcId", "thirdPartyId"])
def test_plan_with_a_key_column_that_is_a_kind_of_id_is_of_that_kind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], key: str
) -> None:
    path = tmp_path / "c.csv"
    path.write_bytes(b"pcId,thirdPartyId,a\n1,2,x\n")
    assert main(["plan", str(path), "--key-column", key, "--json"]) == 0
    text = capsys.readouterr().out
    assert text.startswith('{\n  "file": "c.csv",\n')
    assert json.loads(text)["keyColumn"] == key


def test_key_column_of_the_command_comes_before_the_kind_of_the_feed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, feed = tmp_path / "c.csv", tmp_path / "feed.json"
    path.write_bytes(b"pcId,thirdPartyId,a\n1,2,x\n")
    feed.write_text('{"keyColumn": "pcId"}')
    assert main(["plan", str(path), "--feed", str(feed), "--key-column", "thirdPartyId", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["keyColumn"] == "thirdPartyId"


def test_plan_of_a_file_without_fault_gives_no_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "c.csv"
    path.write_bytes(b"pcId,a\n1,x\n")
    assert main(["plan", str(path)]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "succeeded  c.csv, if Target takes every row"


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("--max-batch-bytes=20", "Nothing can be sent: "),
        ("--max-batches=1", "The file makes more than 1 batches"),
    ],
)
def test_plan_keeps_the_limits_of_a_batch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, reason: str
) -> None:
    path = tmp_path / "c.csv"
    path.write_bytes(b"pcId,a\n1,xxxxxxxxx\n2,yyyyyyyyy\n")
    assert main(["plan", str(path), "--json", "--max-batch-rows", "1", option]) == 1
    assert json.loads(capsys.readouterr().out)["reason"].startswith(reason)


def test_plan_of_the_standard_input_is_that_of_the_same_file(
    customers: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["plan", str(customers), "--json"])
    plan = json.loads(capsys.readouterr().out)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(customers.read_bytes())))
    main(["plan", "-", "--json"])
    assert json.loads(capsys.readouterr().out) == plan | {"file": "standard-input"}


def test_plan_says_what_one_failing_row_costs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "c.csv"
    path.write_bytes(b"pcId,a\n" + b"".join(b"u%d,x\n" % number for number in range(900)))
    assert main(["plan", str(path)]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "to find one row that Target counts as failed and does not name" in text
    assert "up to 11 more submissions of 1,798 rows in all, 33 calls and 11 minutes" in text
    assert main(["plan", str(path), "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["isolation"] == {"submissions": 11, "rows": 1798, "calls": 33, "minutes": 11}


def test_plan_of_a_feed_that_only_reports_counts_has_no_search(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, feed = tmp_path / "c.csv", tmp_path / "feed.json"
    path.write_bytes(b"pcId,a\n1,x\n2,y\n")
    feed.write_text('{"countsOnly": "report"}')
    assert main(["plan", str(path), "--feed", str(feed), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["isolation"] == {}


def test_plan_knows_the_defaults_of_the_template() -> None:
    defaults = {name: parameter.get("Default") for name, parameter in deployable.parameters().items()}
    assert defaults["IsolateSubmissions"] == plan_module._ISOLATE_SUBMISSIONS
    assert defaults["FirstCheckSeconds"] == plan_module._FIRST_CHECK.total_seconds()
    assert defaults["CountsOnly"] == "isolate"
