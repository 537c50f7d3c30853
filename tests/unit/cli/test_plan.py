"""The command line on local files."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bulk_profiles.cli.main import main

DATA = b"thirdPartyId,a\n1,x\n,y\n2,z\n1,w\n"


@pytest.fixture
def customers(tmp_path: Path) -> Path:
    path = tmp_path / "customers.csv"
    path.write_bytes(DATA)
    return path


def test_it_writes_what_an_import_would_keep(customers: Path, tmp_path: Path) -> None:
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


def test_json_for_programs(customers: Path, capsys: pytest.CaptureFixture[str]) -> None:
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


def test_words_for_people(customers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(customers)]) == 0
    shown = capsys.readouterr()
    assert "4 read = 2 sent + 1 merged" in shown.out
    assert "empty_id: 1 (line 3)" in shown.out
    assert shown.err == ""


def test_a_plan_that_keeps_nothing_takes_no_digests(
    customers: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["plan", str(customers), "--json"])
    without = json.loads(capsys.readouterr().out)
    main(["plan", str(customers), "--json", "--out", str(tmp_path / "out")])
    kept = json.loads(capsys.readouterr().out)
    body = (tmp_path / "out" / "batches" / "00001.batch").read_bytes()
    assert kept["batches"][0].pop("sha256") == hashlib.sha256(body).hexdigest()
    assert kept["source"].pop("sha256") == hashlib.sha256(DATA).hexdigest()
    assert without == kept


def test_it_does_not_overwrite_what_it_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "batches" / "00001.batch"
    source.parent.mkdir()
    source.write_bytes(b"batch=pcId,a\n1,x\n1,y\n2,z")
    assert main(["plan", str(source), "--out", str(tmp_path)]) == 2
    assert "would be overwritten" in capsys.readouterr().err
    assert source.read_bytes().startswith(b"batch=pcId,a\n1,x")


def test_a_full_disk_is_named(customers: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    batches = tmp_path / "out" / "batches"
    batches.mkdir(parents=True)
    (batches / "00001.batch.partial").symlink_to("/dev/full")
    assert main(["plan", str(customers), "--out", str(tmp_path / "out")]) == 2
    assert f"{batches / '00001.batch'}: No space left on device." in capsys.readouterr().err
    assert not list(batches.iterdir())


def test_nothing_of_an_earlier_plan_is_left_by_a_rejected_file(customers: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    main(["plan", str(customers), "--out", str(out)])
    mine = out / "batches" / "2024.batch"
    mine.write_bytes(b"of somebody")
    customers.write_bytes(b"")
    assert main(["plan", str(customers), "--out", str(out)]) == 1
    assert [path for path in out.rglob("*") if path.is_file()] == [mine]


def test_many_batches_are_not_all_listed_for_people(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "many.csv"
    path.write_bytes(b"pcId,a\n" + b"".join(b"%d,x\n" % number for number in range(50)))
    assert main(["plan", str(path), "--max-batch-rows", "1"]) == 0
    shown = capsys.readouterr().out
    assert "... and 30 more" in shown
    assert "batches  50 in all" in shown


def test_a_name_that_cannot_be_printed_is_no_trouble(tmp_path: Path) -> None:
    path = tmp_path / "kunden-\U0001f600\n\udcff.csv"
    path.write_bytes(DATA)
    command = [sys.executable, "-m", "bulk_profiles", "plan", str(path)]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, capture_output=True, check=True, env=environment)
    assert done.stderr == b""


@pytest.mark.parametrize(("number", "words"), [(signal.SIGINT, b"interrupted"), (signal.SIGTERM, b"")])
def test_who_stops_it_finds_nothing_left(
    number: signal.Signals, words: bytes, customers: Path, tmp_path: Path
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with customers.open("ab") as stream:
        stream.write(b",no id\n" * 2_000_000)  # for longer than it takes to be stopped
    out = tmp_path / "out"
    command = [sys.executable, "-m", "bulk_profiles", "plan", str(customers), "--out", str(out)]
    environment = {**os.environ, "TMPDIR": str(scratch)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        while not (out / "batches").exists():
            time.sleep(0.01)
        process.send_signal(number)
        printed, said = process.communicate(timeout=60)
    assert (process.returncode, printed) == (128 + number, b"")
    assert said.removeprefix(b"bulk-profiles plan: ").strip() == words
    assert list(scratch.iterdir()) == []


def test_who_reads_may_stop_reading(customers: Path) -> None:
    command = [sys.executable, "-m", "bulk_profiles", "plan", str(customers), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""


def test_a_rejected_file_is_1_and_leaves_no_batch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(b'pcId,a\n1,x\n2,"y\n')
    out = tmp_path / "out"
    assert main(["plan", str(path), "--out", str(out), "--json"]) == 1
    plan = json.loads(capsys.readouterr().out)
    assert plan["status"] == "rejected"
    assert "line 3" in plan["reason"]
    assert not list(out.rglob("*.batch*"))


@pytest.mark.parametrize(
    "arguments",
    [
        ["plan"],
        ["plan", "{dir}/none.csv"],
        ["plan", "{file}", "--max-batch-rows", "0"],
        ["fly"],
        ["plan", "{file}", "--feed", "{file}"],
        ["plan", "{dir}"],
        ["plan", "/dev/null"],
        ["plan", "{file}", "--max-batch-bytes", "-1"],
        ["plan", "{file}", "--rows-a-day", "-5"],
        ["plan", "{file}", "--feed", "{dir}/deep.json"],
        ["plan", "{file}", "--out", "{file}"],
    ],
)
def test_wrong_use_is_2(arguments: list[str], customers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (customers.parent / "deep.json").write_text("[" * 200_000)
    filled = [argument.format(file=customers, dir=customers.parent) for argument in arguments]
    try:
        code = main(filled)
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else -1
    assert code == 2
    told = capsys.readouterr().err
    assert "Errno" not in told
    assert "_positive" not in told
    assert told.endswith("\n")


def test_a_feed_and_a_key_column(tmp_path: Path) -> None:
    path, feed, out = tmp_path / "c.csv", tmp_path / "feed.json", tmp_path / "out"
    path.write_bytes(b"id;customer;a\n1;7;x\n")
    feed.write_text('{"keyColumn": "pcId", "mapping": {"drop": ["id"]}, "clientCode": "demo"}')
    assert main(["plan", str(path), "--feed", str(feed), "--key-column", "customer", "--out", str(out)]) == 0
    assert (out / "batches" / "00001.batch").read_bytes() == b"batch=pcId,a\n7,x"
    assert json.loads((out / "manifest.json").read_bytes())["clientCode"] == "demo"


def test_a_plan_in_a_pipe_loads_nothing_that_it_does_not_need(customers: Path) -> None:
    script = (
        "import sys; from bulk_profiles.cli.main import main; main(['plan', sys.argv[1]]);"
        "print(sorted({'rich', 'boto3', 'requests', 'duckdb', 'smart_open'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, customers], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
