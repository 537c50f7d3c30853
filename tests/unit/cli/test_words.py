"""The command line word by word: its help, the plan as people read it, plan and manifest as JSON."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from bulk_profiles.cli.cost import estimate_cost
from bulk_profiles.cli.main import main
from bulk_profiles.core.names import import_id

OPTIONS = ("--max-rejected-percent", "25")
REASON = (
    "1 row rejected of 4 read: rejects.csv names line and reason,"
    " rejected-rows.csv can be mended and dropped again."
)
HELP = """\
usage: bulk-profiles [-h] COMMAND ...

Profiles for Adobe Target, in bulk.

positional arguments:
  COMMAND
    plan      say what an import of a file would do
    list      list imports, the newest first
    show      show where an import stands
    find      find what became of one profile

options:
  -h, --help  show this help message and exit
"""
PLAN_HELP = """\
Say what an import of a file would do, without sending anything.

positional arguments:
  FILE                  CSV, JSON Lines, Parquet or a batch= file

options:
  -h, --help            show this help message and exit
  --out DIR             write the manifest, batches and rejects there
  --feed FEED.JSON      the feed's configuration
  --key-column NAME     the column of the file that has the ids
  --delimiter CHARACTER
                        comma, semicolon, tab, pipe or another one
  --encoding NAME       the encoding of the text, such as cp1252
  --quoting double|none
                        whether quotes enclose values
  --short-rows reject|fill
                        what becomes of rows with fewer cells than the header (reject)
  --null-value TEXT     a cell that says so is empty; may be given several times
  --max-rejected-percent N
                        rejected rows of a hundred above which the import is partial (10)
  --max-batch-rows N    rows in a batch (500000, which is Target's limit)
  --max-batch-bytes N   bytes of an encoded batch (49999999: Target wants less than 50 MB)
  --max-batches N       batches of a file (10000)
  --rows-a-day N        the budget of rows a day (0: no limit)
  --retention-days N    the days for which batches are kept, in which an import must end (30)
  --processes N         processes that share the work (from 64 MiB on one for each processor, four
                        at most; else 1)
  --json                print the plan as JSON

Exit code: 0 if the import would end as succeeded, provided that Target takes every row; 1 if it
would end as partial or rejected; 2 for wrong use. Example: bulk-profiles plan customers.csv --out
plan
"""


def shown(arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """Return what the command prints before it exits with 0, on 100 columns."""
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit) as exited:
        main(arguments)
    assert exited.value.code == 0
    return capsys.readouterr().out


def test_help_names_the_commands(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(["--help"], monkeypatch, capsys) == HELP


def test_help_of_plan_explains_every_option(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    usage, _, rest = shown(["plan", "--help"], monkeypatch, capsys).partition("\n\n")
    assert usage.startswith("usage: bulk-profiles plan [-h] [--out DIR] [--feed FEED.JSON]")
    assert rest == PLAN_HELP


def test_plan_is_one_fact_on_a_line(
    customers: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    options = ("--max-batch-rows", "1", "--rows-a-day", "1", "--out", str(out))
    assert main(["plan", str(customers), *OPTIONS, *options]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"succeeded  customers.csv, if Target takes every row: {REASON}",
        "file       customers.csv: 30 bytes, key column thirdPartyId",
        "rows       4 read = 2 sent + 1 merged into them + 0 without values + 1 rejected",
        "reject     empty_id: 1 (line 3). The row has no id: fill in the key column.",
        "batch      00001: 1 rows, 24 bytes",
        "batch      00002: 1 rows, 24 bytes",
        "batches    2 in all, 48 bytes",
        "calls      4 at least: a submission and a status check for each batch",
        "days       2 with 1 rows a day",
        "cost       about $0.00 at AWS",
        f"written    manifest, batches and rejects, in {out}/",
    ]


def test_plan_and_manifest_as_json(
    customers: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["plan", str(customers), *OPTIONS, "--json", "--out", str(out)]) == 0
    plan = json.loads(capsys.readouterr().out)
    digest = hashlib.sha256(customers.read_bytes()).hexdigest()
    same = {
        "keyColumn": "thirdPartyId",
        "rows": {"read": 4, "rejected": 1, "merged": 1, "skipped": 0, "sent": 2},
        "rejects": {"empty_id": 1},
        "warnings": {},
        "batches": [
            {"number": 1, "rows": 2, "bytes": 28, "sha256": plan["batches"][0]["sha256"]},
        ],
    }
    assert plan == same | {
        "file": "customers.csv",
        "status": "succeeded",
        "reason": REASON,
        "source": {"bytes": 30, "sha256": digest},
        "examples": {"rejects": {"empty_id": [3]}, "warnings": {}, "columns": {}},
        "calls": 2,
        "days": 1,
        "costUsd": estimate_cost(30, 1, 2, 28, 30),
    }
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest.items() >= same.items()
    assert manifest["source"] == {
        "bucket": "",
        "key": "customers.csv",
        "versionId": "",
        "bytes": 30,
        "sha256": digest,
        "modifiedAt": "",
    }
    assert (manifest["feed"], manifest["clientCode"], manifest["apiVersion"]) == ("default", "", "v2")
    assert manifest["importId"] == import_id("", "customers.csv", digest)
