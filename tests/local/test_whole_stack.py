"""Imports from their drop to their last profile, on the deployed template."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any
from urllib.parse import unquote

import pytest

from local import sample
from simulator import fault
from tests.local.conftest import Stack, wait_until
from tests.worlds.deployable import parameters

pytestmark = pytest.mark.engine

CUSTOMERS = b"".join(
    [b"name,thirdPartyId,city\n"]
    + [f"Customer {n},c-{n},Z\u00fcrich {n} & more\n".encode() for n in range(1, 1_201)]
)


def merged(content: bytes, ids: set[str]) -> dict[str, dict[str, str]]:
    """Return each id's merged values, read with the csv module alone."""
    profiles: dict[str, dict[str, str]] = {}
    text = io.StringIO(content.decode(errors="surrogateescape"), newline="")
    for row in csv.DictReader(text):
        if None not in row and (customer := row.pop("thirdPartyId")) in ids:
            values = {name: value for name, value in row.items() if value}
            profiles[customer] = profiles.get(customer, {}) | values
    return profiles


def decoded(bodies: Any) -> dict[str, dict[str, str]]:
    """Return each id's values in the bodies, decoded independently of the simulator."""
    profiles: dict[str, dict[str, str]] = {}
    for body in bodies:
        assert not re.search(rb"[^A-Za-z0-9\-._~%,\n=]", body)
        header, *rows = body.decode("ascii").removeprefix("batch=").splitlines()
        _, *names = [unquote(name) for name in header.split(",")]
        for row in rows:
            customer, *values = [unquote(cell) for cell in row.split(",")]
            assert customer not in profiles
            profiles[customer] = {n: v for n, v in zip(names, values, strict=False) if v}
    return profiles


def test_import_of_the_sample_accounts_for_every_row(stack: Stack) -> None:
    expected = sample.make(1_800)
    result = stack.run_import("sample customers.csv", expected.content)
    result.assert_accounted()
    assert result.summary["status"] == "succeeded"
    assert result.summary["rows"] == {
        "read": expected.read,
        "rejected": expected.rejected,
        "merged": expected.merged,
        "skipped": expected.skipped,
        "sent": len(expected.ids),
    }
    assert result.summary["rejects"] == {
        "empty_id": 2,
        "id_character": 4,
        "id_too_long": 1,
        "invalid_utf8": 1,
        "too_many_cells": 1,
    }
    assert [batch["rows"] for batch in result.summary["batches"]] == [500, 500, 500, 300]
    assert len(result.arrivals) == 4
    assert decoded(result.received.values()) == merged(expected.content, set(expected.ids))


@pytest.mark.fault(57, "the same input again, on the engine")
def test_execution_started_again_sends_nothing_twice(stack: Stack) -> None:
    result = stack.run_import("again.csv", CUSTOMERS)
    arrivals = len(stack.target.submissions)
    states = stack.deployment.engine.stepfunctions
    machine = stack.deployment.outputs["StateMachineArn"]
    input_ = json.dumps({"importId": result.import_id, "batches": [1, 2, 3]})
    execution = states.start_execution(stateMachineArn=machine, name="resumed", input=input_)["executionArn"]
    wait_until(lambda: states.describe_execution(executionArn=execution)["status"] != "RUNNING")
    assert states.describe_execution(executionArn=execution)["status"] == "SUCCEEDED"
    assert len(stack.target.submissions) == arrivals


def test_map_runs_max_in_flight_children_at_once(stack: Stack) -> None:
    result = stack.run_import("limited.csv", CUSTOMERS)
    states = stack.deployment.engine.stepfunctions
    machine = stack.deployment.outputs["StateMachineArn"]
    execution = f"{machine.replace(':stateMachine:', ':execution:')}:{result.import_id}"
    [run] = states.list_map_runs(executionArn=execution)["mapRuns"]
    limit = states.describe_map_run(mapRunArn=run["mapRunArn"])["maxConcurrency"]
    assert limit == parameters()["MaxInFlight"]["MaxValue"]


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({"generation": 1}, {("success", "reported"): 1_198, ("error", "reported"): 2}),
        ({"generation": 2}, {("success", "implied"): 1_198, ("error", "reported"): 2}),
        ({"generation": 3}, {("success", "implied"): 1_200}),
        (
            {"generation": 4},
            {("success", "implied"): 700, ("success", "isolated"): 498, ("error", "isolated"): 2},
        ),
        ({"generation": 1, "flattened": True}, {("success", "reported"): 1_198, ("error", "reported"): 2}),
        (
            {"generation": 2, "raw_ampersand": False},
            {("success", "implied"): 1_198, ("error", "reported"): 2},
        ),
    ],
    ids=["1", "2", "3", "4", "1 flattened", "2 escaped"],
)
def test_results_claim_no_more_than_target_reported(
    stack: Stack, answers: dict[str, Any], expected: dict[tuple[str, str], int]
) -> None:
    stack.target.configure(failed_ids=["c-7", "c-8"], **answers)
    result = stack.run_import("generations.csv", CUSTOMERS)
    result.assert_accounted()
    results = [(row["status"], row["basis"]) for row in result.profiles()]
    assert {kind: results.count(kind) for kind in results} == expected
    bad = {row["profile_id"] for row in result.profiles() if row["status"] == "error"}
    assert bad == ({"c-7", "c-8"} if any(status == "error" for status, _ in expected) else set())
    partial = any(status != "success" for status, _ in expected)
    assert result.summary["status"] == ("partial" if partial else "succeeded")


def test_profiles_of_a_sample_are_read_back_before_the_import_ends(stack: Stack) -> None:
    result = stack.run_import("sample.csv", CUSTOMERS[:400], "sampled", {"verifySample": 5})
    result.assert_accounted()
    shown = result.summary["verification"]
    assert (shown["asSent"], shown["different"], shown["notRead"]) == (5, 0, 0)
    assert result.summary["status"] == "succeeded"


def test_import_with_v1_and_pc_id_uses_the_v1_path(stack: Stack) -> None:
    stack.target.configure(generation=4, not_found_ids=["123"])
    page = b"batch=pcId, param1, param2, param3, param4\n123, value1\n124, value1,,, value4\n125,, value2\n"
    result = stack.run_import("sample.txt", page, "visitors", {"apiVersion": "v1", "countsOnly": "report"})
    result.assert_accounted()
    [request] = [r for r in stack.target.submissions if r.sha256 in result.arrivals]
    assert request.path == "/m2/demo/profile/batchUpdate"
    assert result.summary["apiVersion"] == "v1"
    assert result.summary["keyColumn"] == "pcId"
    assert result.summary["profiles"]["unknown"] == 3
    assert decoded(result.received.values()) == {
        "123": {"param1": "value1"},
        "124": {"param1": "value1", "param4": "value4"},
        "125": {"param2": "value2"},
    }


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.csv", b""),
        ("no-key.csv", b"email,city\na@example.com,Bern\n"),
        ("twice.csv", b"thirdPartyId,city,city\n1,Bern,Basel\n"),
        ("quote.csv", b'thirdPartyId,city\n1,"Bern\n2,Basel\n'),
    ],
)
def test_file_that_cannot_be_read_is_rejected_unsent(stack: Stack, name: str, content: bytes) -> None:
    result = stack.run_import(name, content)
    assert result.summary["status"] == "rejected"
    assert result.summary["reason"]
    assert result.summary["batches"] == []
    assert result.arrivals == []
    assert {"summary.json", "report.html"} <= result.objects.keys()


def test_file_of_a_header_alone_is_rejected_unsent(stack: Stack) -> None:
    result = stack.run_import("header.csv", b"thirdPartyId,city\n")
    assert result.summary["status"] == "rejected"
    assert result.summary["rows"]["read"] == result.summary["unaccounted"] == 0
    assert result.arrivals == []


def test_batch_waits_for_a_busy_target(stack: Stack) -> None:
    stack.target.script(fault("unavailable", times=3, headers={"Retry-After": "1"}))
    result = stack.run_import("busy.csv", CUSTOMERS)
    result.assert_accounted()
    assert result.summary["status"] == "succeeded"
    assert [batch["submissions"] for batch in result.summary["batches"]] == [1, 1, 1]
    assert len(result.arrivals) == 3


def test_refused_batch_has_error_results(stack: Stack) -> None:
    stack.target.script(fault("refused"))
    result = stack.run_import("refused.csv", CUSTOMERS)
    assert (result.summary["status"], result.summary["unaccounted"]) == ("partial", 0)
    [refused] = [batch for batch in result.summary["batches"] if batch["state"] == "refused"]
    assert [row["status"] for row in result.profiles()].count("error") == refused["rows"]
    assert len(result.arrivals) == 2
