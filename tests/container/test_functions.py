"""Each function in a container, as on Lambda: with its code, its layers and its memory, and nothing else."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
from backports import zstd

from tests.container.conftest import World
from tests.container.containers import Answer
from tests.worlds.deployable import FUNCTIONS, event, resources

pytestmark = pytest.mark.container

CUSTOMERS = "thirdPartyId,city\nc-1,Zürich\nc-2,Bern & Biel\nc-3,Basel\n".encode()
BODY = b"batch=thirdPartyId,city\nc-1,Z%C3%BCrich\nc-2,Bern%20%26%20Biel\nc-3,Basel"

_MOST_CHECKS = 4


@dataclass(frozen=True, slots=True)
class Walk:
    """An import of which containers have done every step, and the last answer of each function."""

    import_id: str
    answers: dict[str, Answer]


@pytest.fixture(scope="module")
def walk(world: World) -> Walk:
    """Run an import of one batch through the functions, as the state machine would."""
    answers = {
        "split_file": world.invoke("split_file", world.drop("customers.csv.gz", gzip.compress(CUSTOMERS)))
    }
    import_id = answers["split_file"].payload["importId"]
    batch = {"importId": import_id, "batch": 1}
    answers["upload_batch"] = world.invoke("upload_batch", event("upload_batch") | batch)
    for _ in range(_MOST_CHECKS):  # details are asked for once a batch is complete
        answers["check_status"] = world.invoke("check_status", event("check_status") | batch)
        if answers["check_status"].payload["outcome"] != "processing":
            break
    answers["finish_import"] = world.invoke("finish_import", event("finish_import") | {"importId": import_id})
    asked = {"importId": import_id, "resend": ["error"]}
    answers["resend_import"] = world.invoke("resend_import", event("resend_import") | {"input": asked})
    by_hand = event("verify_import") | {"input": {"importId": import_id, "verify": 2}}
    for _ in range(_MOST_CHECKS):
        answers["verify_import"] = world.invoke("verify_import", by_hand)
        if answers["verify_import"].payload["outcome"] != "waits":
            break
    answers["sweep_imports"] = world.invoke("sweep_imports", event("sweep_imports"))
    return Walk(import_id, answers)


def test_split_file_starts_the_import(walk: Walk, world: World) -> None:
    assert walk.answers["split_file"].payload == {"importId": walk.import_id, "status": "uploading"}
    assert json.loads(world.execution_input(walk.import_id)) == {"importId": walk.import_id, "batches": [1]}


def test_upload_batch_submits_the_body_and_is_accepted(walk: Walk, world: World) -> None:
    payload = walk.answers["upload_batch"].payload
    assert payload.keys() == {"outcome", "resumeAt"}
    assert payload["outcome"] == "accepted"
    [submission] = world.target.submissions
    assert world.target.body(submission.number) == BODY


def test_check_status_settles_the_batch(walk: Walk, world: World) -> None:
    counts = {"success": 3, "error": 0, "pending": 0, "unknown": 0, "notSent": 0}
    assert walk.answers["check_status"].payload == {"outcome": "settled", "state": "complete", **counts}
    results = gzip.decompress(world.read(walk.import_id, "profiles/00001.csv.gz")).decode()
    assert [row.split(",")[:2] for row in results.splitlines()[1:]] == [
        [f"c-{number}", "success"] for number in (1, 2, 3)
    ]


def test_resend_import_finds_nothing_to_send_again(walk: Walk) -> None:
    payload = walk.answers["resend_import"].payload
    assert payload["outcome"] == "refused"
    assert "has no profile that is error" in payload["says"]


def test_verify_import_reads_profiles_back(walk: Walk, world: World) -> None:
    assert walk.answers["verify_import"].payload == {"outcome": "verified"}
    assert json.loads(world.read(walk.import_id, "verification/verification.json"))["asSent"] == 2


def test_finish_import_reports_that_every_row_reached_target(walk: Walk, world: World) -> None:
    payload = walk.answers["finish_import"].payload
    assert payload == {
        "status": "succeeded",
        "cause": "Every row reached Target: 3 implied by a complete batch.",
        "profiles": {"success": 3, "error": 0, "pending": 0, "unknown": 0, "notSent": 0},
        "bases": {"reported": 0, "implied": 3, "isolated": 0},
    }
    summary = json.loads(world.read(walk.import_id, "summary.json"))
    assert summary["rows"] == {"read": 3, "rejected": 0, "merged": 0, "skipped": 0, "sent": 3}
    assert summary["unaccounted"] == 0


def test_sweep_imports_ignores_a_young_import(walk: Walk) -> None:
    assert walk.answers["sweep_imports"].payload == {
        "SweptVersions": 0,
        "SplitBySweep": 0,
        "RestartedBySweep": 0,
        "SweepFailures": 0,
        "ToldBySweep": 0,
        "UnaccountedRows": 0,
    }


@pytest.mark.parametrize("folder", FUNCTIONS)
def test_container_is_as_the_template_says(folder: str, walk: Walk) -> None:
    [properties] = [
        function
        for function in resources("Serverless::Function").values()
        if function["CodeUri"] == f"functions/{folder}"
    ]
    surroundings = walk.answers[folder].surroundings
    assert surroundings["python"].startswith("3.13.")
    assert int(surroundings["memoryLimit"]) == properties["MemorySize"] * 1024 * 1024
    assert not surroundings["taskIsWritable"]
    splits = {"Ref": "SplittingLayer"} in properties.get("Layers", [])
    shared, splitting = {"bulk_profiles", "requests"}, {"duckdb"} if splits else set()
    assert surroundings["modules"] == {
        "app": "/var/task/app.py",
        **{name: f"/opt/python/{name}/__init__.py" for name in shared | splitting},
        **{name: f"/var/runtime/{name}/__init__.py" for name in ("boto3", "awslambdaric")},
    }


def parquet(folder: Path) -> bytes:
    file = folder / "customers.parquet"
    with duckdb.connect() as connection:
        connection.execute(
            "COPY (SELECT 'c-' || range AS thirdPartyId, 'Bern' AS city FROM range(1, 4)) "
            f"TO '{file}' (FORMAT parquet)"
        )
    return file.read_bytes()


@pytest.mark.parametrize("name", ["customers.parquet", "customers.csv.zst"])
def test_layers_read_formats_that_need_native_code(name: str, world: World, tmp_path: Path) -> None:
    content = parquet(tmp_path) if name.endswith(".parquet") else zstd.compress(CUSTOMERS)
    payload = world.invoke("split_file", world.drop(name, content)).payload
    assert payload["status"] == "uploading"
    manifest = json.loads(world.read(payload["importId"], "manifest.json"))
    assert manifest["rows"]["sent"] == 3


@pytest.mark.parametrize(
    ("folder", "words"),
    [
        ("upload_batch", "The ledger has no batch 1 of import customers-csv-0a1b2c3d4e5f"),
        ("check_status", "The ledger has no batch 1 of import customers-csv-0a1b2c3d4e5f"),
        ("finish_import", "There is no split import customers-csv-0a1b2c3d4e5f"),
    ],
)
def test_event_of_an_unknown_import_fails_with_a_sentence(folder: str, words: str, world: World) -> None:
    payload = world.invoke(folder, event(folder)).payload
    assert payload["errorType"] == "LedgerError"
    assert payload["errorMessage"].startswith(words)


def test_event_of_a_missing_file_rejects_it(world: World) -> None:
    payload = world.invoke("split_file", event("split_file")).payload
    assert payload["status"] == "rejected"
    assert (
        "was deleted before it could be read"
        in json.loads(world.read(payload["importId"], "summary.json"))["reason"]
    )


def test_function_with_wrong_settings_names_them(world: World) -> None:
    variables = world.variables("UploadBatchFunction") | {"CLIENT_CODE": "", "MAX_IN_FLIGHT": "many"}
    payload = world.containers.invoke("UploadBatchFunction", event("upload_batch"), variables).payload
    assert payload["errorType"] == "SettingsError"
    assert "CLIENT_CODE is missing; MAX_IN_FLIGHT must be" in payload["errorMessage"]
