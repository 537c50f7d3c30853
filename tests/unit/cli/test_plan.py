"""The plan of a file, and what is written of it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from bulk_profiles.cli.main import main


def test_plan_with_a_folder_writes_what_an_import_keeps(customers: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "batches").mkdir(parents=True)
    (out / "batches" / "00007.batch").write_text("of an earlier run")
    assert main(["plan", str(customers), "--out", str(out), "--max-batch-rows", "1"]) == 0
    manifest = json.loads((out / "manifest.json").read_bytes())
    assert manifest["rows"] == {"read": 4, "rejected": 1, "merged": 1, "skipped": 0, "sent": 2}
    assert sorted(path.name for path in (out / "batches").iterdir()) == ["00001.batch", "00002.batch"]
    assert (out / "batches" / "00001.batch").read_bytes() == b"batch=thirdPartyId,a\n1,w"
    assert (out / "rejected-rows.csv").read_bytes() == b"thirdPartyId,a\n,y\n"
    assert (out / "rejects.csv").read_text().startswith("line,column,reason,detail\n3,thirdPartyId,empty_id,")


def test_plan_as_json_has_calls_days_and_cost(customers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(customers), "--json", "--rows-a-day", "1"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert (plan["status"], plan["keyColumn"], plan["calls"], plan["days"]) == (
        "planned",
        "thirdPartyId",
        2,
        2,
    )
    assert plan["examples"] == {"empty_id": [3]}
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
